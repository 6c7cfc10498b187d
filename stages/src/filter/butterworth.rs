//! Butterworth band filters as second-order sections, designed without allocating: edges may be changed while a filter runs.
//!
//! The steps are those of SciPy's `butter(..., output="sos")`: the poles of a low-pass of that order, moved to the band, warped by
//! the bilinear transform, and paired each with the zeros nearest to it, the pole nearest to the unit circle last.

use super::design::{Band, MAX_ORDER, Section};
use num_complex::Complex;
use std::f64::consts::PI;

/// Poles of a band filter, of each conjugate pair one.
const MOST: usize = MAX_ORDER as usize + 1;

/// A pole inside the unit circle.
#[derive(Clone, Copy, Debug)]
enum Pole {
    /// With its conjugate; its imaginary part is above 0.
    Pair(Complex<f64>),
    /// Alone.
    Real(f64),
}

impl Pole {
    fn off_the_circle(self) -> f64 {
        let radius = match self {
            Pole::Pair(p) => p.norm(),
            Pole::Real(p) => p.abs(),
        };
        (1.0 - radius).abs()
    }

    /// SciPy's order: pairs before single ones, each by their real part, then by their imaginary part.
    fn key(&self) -> (bool, f64, f64) {
        match self {
            Pole::Pair(p) => (false, p.re, p.im),
            Pole::Real(p) => (true, *p, 0.0),
        }
    }
}

/// Writes the sections of a filter of `order` (1 to 8, as many sections) whose edges are parts of half the rate,
/// `0 < low < high < 1`.
pub fn design(band: Band, order: u32, (low, high): (f64, f64), sections: &mut [Section]) {
    // The analogue filter is one for a rate of 2, as SciPy's.
    let warped = |edge: f64| 4.0 * (PI * edge / 2.0).tan();
    let (low, high) = (warped(low), warped(high));
    let (width, centre) = (high - low, (low * high).sqrt());
    let mut poles = [Pole::Real(0.0); MOST];
    let mut count = 0;
    let mut scale = Complex::new(1.0, 0.0);
    let mut keep = |analogue: Complex<f64>, alone: bool| {
        scale *= 4.0 - analogue;
        let pole = (4.0 + analogue) / (4.0 - analogue);
        if alone || pole.im > 0.0 {
            poles[count] = if alone {
                Pole::Real(pole.re)
            } else {
                Pole::Pair(pole)
            };
            count += 1;
        }
    };
    let n = order as i32;
    for m in (1 - n..n).step_by(2) {
        let prototype = -Complex::from_polar(1.0, PI * f64::from(m) / f64::from(2 * n));
        let half = match band {
            Band::Pass => prototype * (width / 2.0),
            Band::Stop => width / 2.0 / prototype,
        };
        // The middle pole of an odd order is real, and so are those that it becomes in a wide band.
        let alone = m == 0 && width / 2.0 >= centre;
        let away = (half * half - centre * centre).sqrt();
        keep(half + away, alone);
        keep(half - away, alone);
    }
    let poles = &mut poles[..count];
    poles.sort_unstable_by(|a, b| {
        a.key()
            .partial_cmp(&b.key())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let gain = match band {
        Band::Pass => (4.0 * width).powi(n) / scale.re,
        Band::Stop => (16.0 + centre * centre).powi(n) / scale.re,
    };
    pair(band, poles, centre, &mut sections[..order as usize]);
    if let Some(first) = sections.first_mut() {
        first.b = first.b.map(|b| b * gain);
    }
}

/// Takes the poles one section after the other, the nearest to the unit circle first, and writes the last section first.
fn pair(band: Band, poles: &mut [Pole], centre: f64, sections: &mut [Section]) {
    let mut left = poles.len();
    // Zeros of a band-pass at 1 and at -1.
    let mut zeros = [(1.0, sections.len()), (-1.0, sections.len())];
    let notch = Complex::new(4.0, centre) / Complex::new(4.0, -centre);
    for section in sections.iter_mut().rev() {
        let first = take(poles, &mut left, |_| true);
        let (near, a) = match first {
            Pole::Pair(p) => (p, [-2.0 * p.re, p.norm_sqr()]),
            Pole::Real(p) => {
                let second = take(poles, &mut left, |pole| matches!(pole, Pole::Real(_)));
                let Pole::Real(q) = second else {
                    unreachable!("real poles come in twos");
                };
                (Complex::new(p, 0.0), [-(p + q), p * q])
            }
        };
        let b = match band {
            Band::Stop => [1.0, -2.0 * notch.re, notch.norm_sqr()],
            Band::Pass => {
                let mut nearest = || {
                    // A zero nearer than the other wins, if there is one left.
                    let nearer = usize::from(near.re < 0.0);
                    let place = if zeros[nearer].1 > 0 {
                        nearer
                    } else {
                        1 - nearer
                    };
                    zeros[place].1 -= 1;
                    zeros[place].0
                };
                let (z, w) = (nearest(), nearest());
                [1.0, -(z + w), z * w]
            }
        };
        *section = Section { b, a };
    }
}

/// Takes the pole nearest to the unit circle out of the first `left`, which stay in order.
fn take(poles: &mut [Pole], left: &mut usize, fits: impl Fn(&Pole) -> bool) -> Pole {
    let mut best = 0;
    let mut least = f64::INFINITY;
    for (place, pole) in poles[..*left].iter().enumerate() {
        if fits(pole) && pole.off_the_circle() < least {
            (best, least) = (place, pole.off_the_circle());
        }
    }
    let taken = poles[best];
    poles.copy_within(best + 1..*left, best);
    *left -= 1;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sci_rs::signal::filter::design::{
        DigitalFilter, FilterBandType, FilterOutputType, butter_dyn,
    };

    const EMPTY: Section = Section {
        b: [0.0; 3],
        a: [0.0; 2],
    };

    /// Another port of SciPy's.
    fn theirs(band: Band, order: u32, (low, high): (f64, f64)) -> Vec<Section> {
        let kind = match band {
            Band::Pass => FilterBandType::Bandpass,
            Band::Stop => FilterBandType::Bandstop,
        };
        let designed = butter_dyn(
            order as usize,
            vec![low, high],
            Some(kind),
            Some(false),
            Some(FilterOutputType::Sos),
            None,
        );
        let DigitalFilter::Sos(designed) = designed else {
            unreachable!("asked for second-order sections");
        };
        let section = |s: &sci_rs::signal::filter::design::Sos<f64>| Section {
            b: s.b,
            a: [s.a[1], s.a[2]],
        };
        designed.sos.iter().map(section).collect()
    }

    fn differ(band: Band, order: u32, edges: (f64, f64)) -> f64 {
        let mut ours = [EMPTY; MAX_ORDER as usize];
        design(band, order, edges, &mut ours[..order as usize]);
        let theirs = theirs(band, order, edges);
        assert_eq!(theirs.len(), order as usize);
        let numbers = |s: &Section| [s.b[0], s.b[1], s.b[2], s.a[0], s.a[1]];
        let both = ours.iter().zip(&theirs);
        both.flat_map(|(o, t)| numbers(o).into_iter().zip(numbers(t)))
            .map(|(o, t)| (o - t).abs())
            .fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn designs_are_those_of_another_port_of_scipy_s(
            order in 1u32..=MAX_ORDER,
            low in 0.01f64..0.9,
            part in 0.05f64..0.95,
        ) {
            let high = low + (1.0 - low) * part;
            for band in [Band::Pass, Band::Stop] {
                let off = differ(band, order, (low, high));
                prop_assert!(off < 1e-9, "{:?} {} {} {}: {}", band, order, low, high, off);
            }
        }
    }

    #[test]
    fn usual_bands_agree_to_the_last_digits() {
        for edges in [
            (1.0, 60.0),
            (59.0, 61.0),
            (49.0, 51.0),
            (8.0, 13.0),
            (0.5, 100.0),
        ] {
            for order in 1..=4 {
                for band in [Band::Pass, Band::Stop] {
                    let off = differ(band, order, (edges.0 / 125.0, edges.1 / 125.0));
                    assert!(off < 1e-12, "{band:?} {order} {edges:?}: {off}");
                }
            }
        }
    }
}
