//! Filter design: Butterworth second-order sections as SciPy designs them, and what follows from coefficients.

use super::butterworth;
use ephapse_engine::stage::StageError;

/// Highest order a design is asked for: sixteen poles.
pub const MAX_ORDER: u32 = 8;

/// What a band filter does with its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Keeps it.
    Pass,
    /// Removes it.
    Stop,
}

/// One second-order section, `(b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2)`.
#[derive(
    Clone, Copy, Debug, PartialEq, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable,
)]
#[repr(C)]
pub struct Section {
    /// Numerator b0, b1, b2.
    pub b: [f64; 3],
    /// Denominator a1, a2; a0 is 1.
    pub a: [f64; 2],
}

/// Butterworth band filter: `order` sections, equal to SciPy's
/// `butter(order, [low_hz, high_hz], 'bandpass' | 'bandstop', fs=rate_hz, output='sos')` to 1e-12.
///
/// # Errors
/// Edges outside `0 < low_hz < high_hz < rate_hz / 2`, an order outside 1 to 8.
pub fn butterworth(
    band: Band,
    order: u32,
    low_hz: f64,
    high_hz: f64,
    rate_hz: f64,
) -> Result<Vec<Section>, StageError> {
    let none = Section {
        b: [0.0; 3],
        a: [0.0; 2],
    };
    check_order(order)?;
    let mut sections = vec![none; order as usize];
    butterworth_into(band, (low_hz, high_hz), rate_hz, &mut sections)?;
    Ok(sections)
}

fn check_order(order: u32) -> Result<(), StageError> {
    if (1..=MAX_ORDER).contains(&order) {
        return Ok(());
    }
    let why = format!("{order} is outside 1 to {MAX_ORDER}");
    Err(StageError::parameter("order", why))
}

/// [`butterworth()`] of as many sections as there are places. Allocates nothing unless it refuses.
///
/// # Errors
/// As [`butterworth()`].
pub fn butterworth_into(
    band: Band,
    (low_hz, high_hz): (f64, f64),
    rate_hz: f64,
    sections: &mut [Section],
) -> Result<(), StageError> {
    let order = u32::try_from(sections.len()).unwrap_or(u32::MAX);
    let nyquist_hz = rate_hz / 2.0;
    check_order(order)?;
    for (key, hz) in [("low_hz", low_hz), ("high_hz", high_hz)] {
        if !hz.is_finite() {
            let why = format!("{hz} is not a frequency");
            return Err(StageError::parameter(key, why));
        }
    }
    if low_hz <= 0.0 {
        return Err(StageError::parameter(
            "low_hz",
            format!("{low_hz} Hz is not above 0 Hz"),
        ));
    }
    if high_hz >= nyquist_hz {
        return Err(StageError::parameter(
            "high_hz",
            format!(
                "{high_hz} Hz is not below {nyquist_hz} Hz, half the input's rate of {rate_hz} Hz"
            ),
        ));
    }
    if low_hz >= high_hz {
        return Err(StageError::parameter(
            "low_hz",
            format!("{low_hz} Hz is not below high_hz = {high_hz} Hz"),
        ));
    }
    butterworth::design(
        band,
        order,
        (low_hz / nyquist_hz, high_hz / nyquist_hz),
        sections,
    );
    let radius = pole_radius(sections);
    if radius >= 1.0 {
        return Err(StageError::parameter(
            "low_hz",
            format!(
                "order {order} from {low_hz} to {high_hz} Hz at {rate_hz} Hz has a pole at radius {radius}: \
                 widen the band or lower the order"
            ),
        ));
    }
    Ok(())
}

/// Sections from rows `[b0, b1, b2, a0, a1, a2]`, as SciPy's `sos` arrays have them.
///
/// # Errors
/// No rows or more than 16, a row that is not six finite numbers, a0 other than 1, a pole on or outside the unit
/// circle.
pub fn from_rows(rows: &[Vec<f64>]) -> Result<Vec<Section>, StageError> {
    let wrong = |why: String| Err(StageError::parameter("sos", why));
    if rows.is_empty() || rows.len() > 2 * MAX_ORDER as usize {
        return wrong(format!(
            "has {} rows; give 1 to {} rows [b0, b1, b2, a0, a1, a2]",
            rows.len(),
            2 * MAX_ORDER
        ));
    }
    let mut sections = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let &[b0, b1, b2, a0, a1, a2] = row.as_slice() else {
            return wrong(format!(
                "row {number} has {} numbers instead of 6: b0, b1, b2, a0, a1, a2",
                row.len()
            ));
        };
        if row.iter().any(|v| !v.is_finite()) {
            return wrong(format!("row {number} holds a number that is not finite"));
        }
        if a0 != 1.0 {
            return wrong(format!(
                "row {number} has a0 = {a0}; divide the row by it so that a0 is 1"
            ));
        }
        let section = Section {
            b: [b0, b1, b2],
            a: [a1, a2],
        };
        let radius = pole_radius(&[section]);
        if radius >= 1.0 {
            return wrong(format!(
                "row {number} is unstable: it has a pole at radius {radius}, which must be below 1"
            ));
        }
        sections.push(section);
    }
    Ok(sections)
}

/// Distance of the outermost pole from the origin.
pub fn pole_radius(sections: &[Section]) -> f64 {
    sections
        .iter()
        .map(|s| {
            let [a1, a2] = s.a;
            let discriminant = a1 * a1 - 4.0 * a2;
            if discriminant < 0.0 {
                a2.sqrt()
            } else {
                (a1.abs() + discriminant.sqrt()) / 2.0
            }
        })
        .fold(0.0, |outermost, radius| {
            // A design that came out as NaN must not pass for stable.
            if radius.is_nan() {
                f64::INFINITY
            } else {
                outermost.max(radius)
            }
        })
}

/// Frames until what was before a reset has died away: until the envelope `r^n` of the slowest pole (radius `r`) falls
/// below 1e-3, but never more than one second.
pub fn settle_frames(sections: &[Section], rate_hz: f64) -> u64 {
    const LEVEL: f64 = 1e-3;
    let radius = pole_radius(sections);
    let frames = if radius > 0.0 {
        (LEVEL.ln() / radius.ln()).ceil()
    } else {
        2.0
    };
    frames.min(rate_hz.ceil()).max(0.0) as u64
}

/// Group delay in frames at `hz`: minus the slope of the phase, summed over the sections.
pub fn group_delay_frames(sections: &[Section], hz: f64, rate_hz: f64) -> f64 {
    let omega = 2.0 * std::f64::consts::PI * hz / rate_hz;
    // For a polynomial P(z^-1) = sum c_k z^-k the delay is Re(sum k c_k z^-k / sum c_k z^-k).
    let delay = |c: [f64; 3]| {
        let (mut re, mut im, mut slope_re, mut slope_im) = (0.0, 0.0, 0.0, 0.0);
        for (k, c) in c.into_iter().enumerate() {
            let (sin, cos) = (omega * k as f64).sin_cos();
            re += c * cos;
            im -= c * sin;
            slope_re += k as f64 * c * cos;
            slope_im -= k as f64 * c * sin;
        }
        (slope_re * re + slope_im * im) / (re * re + im * im)
    };
    sections
        .iter()
        .map(|s| delay(s.b) - delay([1.0, s.a[0], s.a[1]]))
        .sum()
}

/// The frequency at which a filter's delay is quoted: the geometric centre of the band it passes.
///
/// For [`Band::Pass`] that is between the edges, for [`Band::Stop`] between the upper edge and half the rate (inside
/// the stopped band a delay has no meaning). Without edges, where the gain is greatest on a grid of 1024 frequencies.
pub fn centre_hz(sections: &[Section], band: Band, edges: Option<(f64, f64)>, rate_hz: f64) -> f64 {
    match (band, edges) {
        (Band::Pass, Some((low, high))) => (low * high).sqrt(),
        (Band::Stop, Some((_, high))) => (high * rate_hz / 2.0).sqrt(),
        (_, None) => (1..1024)
            .map(|i| rate_hz * f64::from(i) / 2048.0)
            .max_by(|a, b| gain(sections, *a, rate_hz).total_cmp(&gain(sections, *b, rate_hz)))
            .unwrap_or(rate_hz / 4.0),
    }
}

/// Gain (1 is unchanged) at `hz`.
pub fn gain(sections: &[Section], hz: f64, rate_hz: f64) -> f64 {
    let omega = 2.0 * std::f64::consts::PI * hz / rate_hz;
    let magnitude = |c: [f64; 3]| {
        let re = c[0] + c[1] * omega.cos() + c[2] * (2.0 * omega).cos();
        let im = c[1] * omega.sin() + c[2] * (2.0 * omega).sin();
        re.hypot(im)
    };
    sections
        .iter()
        .map(|s| magnitude(s.b) / magnitude([1.0, s.a[0], s.a[1]]))
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(band: Band, low: f64, high: f64, rate: f64) -> Vec<Section> {
        butterworth(band, 2, low, high, rate).unwrap()
    }

    #[test]
    fn edges_stand_three_decibels_below_the_pass_band() {
        for order in 1..=MAX_ORDER {
            let pass = butterworth(Band::Pass, order, 300.0, 3000.0, 30_000.0).unwrap();
            let stop = butterworth(Band::Stop, order, 300.0, 3000.0, 30_000.0).unwrap();
            assert_eq!(pass.len(), order as usize);
            for sections in [pass, stop] {
                for edge in [300.0, 3000.0] {
                    let db = 20.0 * gain(&sections, edge, 30_000.0).log10();
                    assert!(
                        (db + 3.0103).abs() < 1e-3,
                        "order {order}, {edge} Hz: {db} dB"
                    );
                }
            }
        }
    }

    #[test]
    fn edges_out_of_range_are_refused_by_key_and_limit() {
        let refused = |order, low, high| {
            butterworth(Band::Pass, order, low, high, 20_000.0)
                .unwrap_err()
                .to_string()
        };
        let text = refused(2, 300.0, 10_000.0);
        assert!(
            text.contains("`high_hz`") && text.contains("10000 Hz") && text.contains("20000"),
            "{text}"
        );
        assert!(refused(2, 300.0, f64::NAN).contains("`high_hz`"));
        assert!(refused(2, 0.0, 3000.0).contains("`low_hz`"));
        assert!(refused(2, 3000.0, 300.0).contains("`low_hz`: 3000 Hz is not below high_hz = 300"));
        assert!(refused(0, 300.0, 3000.0).contains("`order`: 0 is outside 1 to 8"));
        assert!(refused(9, 300.0, 3000.0).contains("`order`"));
    }

    #[test]
    fn given_coefficients_are_checked() {
        let refused = |rows: &[Vec<f64>]| from_rows(rows).unwrap_err().to_string();
        assert!(refused(&[]).contains("0 rows"));
        assert!(refused(&[vec![1.0; 5]]).contains("row 0 has 5 numbers"));
        assert!(refused(&[vec![1.0, 0.0, 0.0, 2.0, 0.0, 0.0]]).contains("a0 = 2"));
        let unstable = refused(&[vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.01]]);
        assert!(unstable.contains("unstable"), "{unstable}");
        assert!(refused(&[vec![1.0, 0.0, f64::NAN, 1.0, 0.0, 0.0]]).contains("not finite"));
        let good = from_rows(&[vec![1.0, 2.0, 3.0, 1.0, -0.5, 0.25]]).unwrap();
        assert_eq!(good[0].b, [1.0, 2.0, 3.0]);
        assert_eq!(good[0].a, [-0.5, 0.25]);
    }

    #[test]
    fn settling_follows_the_slowest_pole_and_ends_after_a_second() {
        let sections = band(Band::Pass, 300.0, 3000.0, 30_000.0);
        let n = settle_frames(&sections, 30_000.0);
        let radius = pole_radius(&sections);
        assert!(
            radius.powi(n as i32) <= 1e-3 && radius.powi(n as i32 - 1) > 1e-3,
            "{n}"
        );
        let narrow = band(Band::Stop, 49.9, 50.1, 30_000.0);
        assert_eq!(settle_frames(&narrow, 30_000.0), 30_000);
    }

    #[test]
    fn group_delay_of_a_pure_delay_is_its_length() {
        let delay = Section {
            b: [0.0, 0.0, 1.0],
            a: [0.0, 0.0],
        };
        assert!((group_delay_frames(&[delay, delay], 1234.0, 30_000.0) - 4.0).abs() < 1e-12);
    }

    #[test]
    fn group_delay_is_the_slope_of_the_phase() {
        let sections = band(Band::Pass, 300.0, 3000.0, 30_000.0);
        let centre = centre_hz(&sections, Band::Pass, Some((300.0, 3000.0)), 30_000.0);
        // SciPy 1.17.1: group_delay(sos2tf(butter(2, [300, 3000], 'bandpass', fs=30000, output='sos')),
        // w=[948.6832980505138], fs=30000).
        let scipy = 4.934486191989192;
        let ours = group_delay_frames(&sections, centre, 30_000.0);
        assert!((ours - scipy).abs() < 1e-6, "{ours} against {scipy}");
    }

    #[test]
    fn without_edges_the_delay_is_quoted_where_the_gain_is_greatest() {
        let sections = band(Band::Pass, 900.0, 1100.0, 30_000.0);
        let hz = centre_hz(&sections, Band::Pass, None, 30_000.0);
        assert!((900.0..1100.0).contains(&hz), "{hz}");
    }
}
