//! The low-pass filter before decimation.

use ephapse_rtconfig::adapter::DECIMATE_HALF_TAPS;
use std::f64::consts::PI;

/// Hamming-windowed sinc with its half-amplitude point at `1 / factor` of the Nyquist frequency and a gain of 1 at 0 Hz:
/// `scipy.signal.firwin(20 * factor + 1, 1 / factor)`, the filter of `scipy.signal.decimate(..., ftype="fir")`.
pub(super) fn low_pass(factor: u32) -> Vec<f64> {
    let half = (DECIMATE_HALF_TAPS * factor) as usize;
    let cutoff = 1.0 / f64::from(factor);
    // From the middle outwards, so that both sides are the same to the last bit.
    let side: Vec<f64> = (0..=half)
        .map(|k| {
            let x = PI * cutoff * k as f64;
            let sinc = if k == 0 { 1.0 } else { x.sin() / x };
            let hamming = 0.54 + 0.46 * (PI * k as f64 / half as f64).cos();
            cutoff * sinc * hamming
        })
        .collect();
    let sum = side[0] + 2.0 * side[1..].iter().sum::<f64>();
    side[1..]
        .iter()
        .rev()
        .chain(&side)
        .map(|tap| tap / sum)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amplitude at a frequency, as a part of the Nyquist frequency.
    fn gain(taps: &[f64], part: f64) -> f64 {
        let middle = (taps.len() / 2) as f64;
        let term = |(k, tap): (usize, &f64)| tap * (PI * part * (k as f64 - middle)).cos();
        taps.iter().enumerate().map(term).sum::<f64>().abs()
    }

    #[test]
    fn what_would_fold_into_the_lower_five_sixths_of_the_band_is_50_db_down() {
        for factor in [2, 3, 4, 10, 100] {
            let taps = low_pass(factor);
            assert_eq!(taps.len() as u32, 20 * factor + 1);
            let nyquist = 1.0 / f64::from(factor);
            assert!((gain(&taps, 0.0) - 1.0).abs() < 1e-12);
            for step in 0..=80 {
                let kept = nyquist * f64::from(step) / 100.0;
                assert!((gain(&taps, kept) - 1.0).abs() < 0.005, "{factor} {step}");
            }
            let stop = nyquist * 1.17;
            for step in 0..=1000 {
                let part = stop + (1.0 - stop) * f64::from(step) / 1000.0;
                assert!(
                    gain(&taps, part) < 10_f64.powf(-50.0 / 20.0),
                    "{factor} {part}"
                );
            }
        }
    }

    #[test]
    fn both_sides_are_the_same_to_the_last_bit() {
        let taps = low_pass(7);
        let mirrored: Vec<f64> = taps.iter().rev().copied().collect();
        assert_eq!(taps, mirrored);
    }
}
