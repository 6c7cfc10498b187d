//! Where the electrodes of the 10-20 system and its 10-10 extension sit, for head plots.
//!
//! **The rule** (H. H. Jasper, "The ten-twenty electrode system of the International Federation", Electroencephalography and
//! Clinical Neurophysiology 10, 1958, 371-375; extended by G. E. Chatrian and others, American Journal of EEG Technology 25, 1985,
//! 83-92): the line from nasion over the crown to inion, and the one from ear to ear, are divided into tenths. On a sphere with
//! nasion, inion and ears on its equator a tenth is 18 degrees. `Fpz`, `T7`, `Oz` and `T8` stand one tenth above the equator, and
//! so do `Fp1`, `AF7`, ... `O1`, at tenths of the half circle between `Fpz` and `Oz`. A row such as `F7 F5 F3 F1 Fz` divides into
//! quarters the circle through `F7`, `Fz` and `F8`.
//!
//! **Coordinates**: x to the right ear, y to the nasion, z to the crown; the sphere has radius 1. Agrees with the idealised
//! positions of `eeg_positions` (S. Appelhoff; MNE's montage `spherical_1020`) to 1e-4. A real head is no sphere: these
//! are for plots, not for source localisation.

/// Rows from front to back: name, name at the ring where it differs, position of the middle site and of the ring's, in tenths of
/// the half circle from nasion (middle) and from `Fpz` (ring).
const ROWS: [(&str, &str, f64, f64); 7] = [
    ("AF", "AF", 2.0, 2.0),
    ("F", "F", 3.0, 3.0),
    ("FC", "FT", 4.0, 4.0),
    ("C", "T", 5.0, 5.0),
    ("CP", "TP", 6.0, 6.0),
    ("P", "P", 7.0, 7.0),
    ("PO", "PO", 8.0, 8.0),
];

/// Older names of four sites.
const OLDER: [(&str, &str); 4] = [("T3", "T7"), ("T4", "T8"), ("T5", "P7"), ("T6", "P8")];

/// The 21 sites of the 10-20 system, and the references at the ears.
pub const TEN_TWENTY: [&str; 23] = [
    "Fp1", "Fpz", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3",
    "Pz", "P4", "P8", "O1", "Oz", "O2", "A1", "A2",
];

/// Position of a site on the sphere; `None` if the label (in upper or lower case) names none.
pub fn position(label: &str) -> Option<[f64; 3]> {
    let older = OLDER
        .iter()
        .find(|(old, _)| old.eq_ignore_ascii_case(label));
    let label = older.map_or(label, |(_, new)| new);
    let is = |name: &str| name.eq_ignore_ascii_case(label);
    match label.to_ascii_lowercase().as_str() {
        "nz" => return Some([0.0, 1.0, 0.0]),
        "iz" => return Some([0.0, -1.0, 0.0]),
        "a1" => return Some([-1.0, 0.0, 0.0]),
        "a2" => return Some([1.0, 0.0, 0.0]),
        "fpz" => return Some(midline(1.0)),
        "oz" => return Some(midline(9.0)),
        "fp1" => return Some(ring(1.0, -1.0)),
        "fp2" => return Some(ring(1.0, 1.0)),
        "o1" => return Some(ring(9.0, -1.0)),
        "o2" => return Some(ring(9.0, 1.0)),
        _ => {}
    }
    for (name, at_ring, middle, around) in ROWS {
        if is(&format!("{name}z")) {
            return Some(midline(middle));
        }
        // Odd numbers stand left; 7 and 8 at the ring, 1 and 2 next to the middle.
        for number in 1..=8 {
            let side = if number % 2 == 1 { -1.0 } else { 1.0 };
            let quarters = f64::from((number + 1) / 2);
            let written = if quarters == 4.0 { at_ring } else { name };
            if is(&format!("{written}{number}")) {
                return Some(between(middle, around, quarters / 4.0, side));
            }
        }
    }
    None
}

/// Position of a site in a flat plot: its direction from the crown is kept, and its distance along the sphere, with the equator at
/// 1 (an azimuthal equidistant projection). x to the right ear, y to the nasion.
pub fn flat(label: &str) -> Option<[f64; 2]> {
    let [x, y, z] = position(label)?;
    let along = x.hypot(y);
    let distance = along.atan2(z) / std::f64::consts::FRAC_PI_2;
    Some(if along > 0.0 {
        [x / along * distance, y / along * distance]
    } else {
        [0.0, 0.0]
    })
}

/// Tenths of the line from nasion to inion.
fn midline(tenths: f64) -> [f64; 3] {
    let (y, z) = ((5.0 - tenths) * 18.0).to_radians().sin_cos();
    [0.0, y, z]
}

/// Tenths of the half circle from `Fpz` to `Oz`, a tenth above the equator; `side`: -1 left, 1 right.
fn ring(tenths: f64, side: f64) -> [f64; 3] {
    let (up, out) = 18_f64.to_radians().sin_cos();
    let (y, x) = ((5.0 - tenths) * 18.0).to_radians().sin_cos();
    [side * out * x, out * y, up]
}

/// A part of the way from the middle of a row to its end at the ring, along the circle through both its ends and its middle.
fn between(middle: f64, around: f64, part: f64, side: f64) -> [f64; 3] {
    let [end_x, end_y, end_z] = ring(around, 1.0);
    let [_, middle_y, middle_z] = midline(middle);
    // In the plane of the circle: x, and the way from the foot between both ends to the middle.
    let height = (middle_y - end_y).hypot(middle_z - end_z);
    let radius = (end_x * end_x + height * height) / (2.0 * height);
    let whole = end_x.atan2(radius - height);
    let (sin, cos) = (whole * part).sin_cos();
    let up = (height - radius + radius * cos) / height;
    [
        side * radius * sin,
        end_y + up * (middle_y - end_y),
        end_z + up * (middle_z - end_z),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_stand_where_the_published_table_has_them() {
        // eeg_positions, data/Nz-T10-Iz-T9/standard_1020_3D.tsv, as in MNE's spherical_1020.tsv.
        let published = [
            ("C3", [-0.5878, 0.0, 0.8090]),
            ("Cz", [0.0, 0.0, 1.0]),
            ("F3", [-0.4591, 0.5800, 0.6730]),
            ("F8", [0.7695, 0.5590, 0.3090]),
            ("Fp1", [-0.2939, 0.9045, 0.3090]),
            ("Fz", [0.0, 0.5878, 0.8090]),
            ("O2", [0.2939, -0.9045, 0.3090]),
            ("Oz", [0.0, -0.9511, 0.3090]),
            ("P4", [0.4591, -0.5800, 0.6730]),
            ("T7", [-0.9511, 0.0, 0.3090]),
        ];
        for (label, theirs) in published {
            let ours = position(label).unwrap();
            for (o, t) in ours.iter().zip(theirs) {
                assert!((o - t).abs() < 1e-4, "{label}: {ours:?} against {theirs:?}");
            }
        }
    }

    #[test]
    fn every_site_lies_on_the_sphere_and_left_mirrors_right() {
        let all = ROWS.iter().flat_map(|(name, at_ring, ..)| {
            (1..=8).map(move |n| {
                if n > 6 {
                    format!("{at_ring}{n}")
                } else {
                    format!("{name}{n}")
                }
            })
        });
        for label in all.chain(TEN_TWENTY.map(str::to_owned)) {
            let [x, y, z] = position(&label).unwrap_or_else(|| panic!("{label} is unknown"));
            assert!((x * x + y * y + z * z - 1.0).abs() < 1e-12, "{label}");
            let Some(number) = label.chars().last().and_then(|c| c.to_digit(10)) else {
                assert_eq!(x, 0.0, "{label}");
                continue;
            };
            assert_eq!(x < 0.0, number % 2 == 1, "{label}");
            let other = if number % 2 == 1 {
                number + 1
            } else {
                number - 1
            };
            let other = format!("{}{other}", &label[..label.len() - 1]);
            assert_eq!(position(&other), Some([-x, y, z]), "{label} and {other}");
        }
    }

    #[test]
    fn older_names_and_any_case_are_understood_and_others_are_not() {
        assert_eq!(position("t3"), position("T7"));
        assert_eq!(position("FPZ"), position("Fpz"));
        for label in ["", "1", "Q3", "F9", "Czz"] {
            assert_eq!(position(label), None, "{label}");
        }
    }

    #[test]
    fn a_flat_plot_has_the_crown_in_the_middle_and_the_nose_at_the_top() {
        assert_eq!(flat("Cz"), Some([0.0, 0.0]));
        let [x, y] = flat("Fz").unwrap();
        assert!(x == 0.0 && (y - 0.4).abs() < 1e-12);
        let [x, y] = flat("T8").unwrap();
        assert!((x - 0.8).abs() < 1e-12 && y.abs() < 1e-12);
    }
}
