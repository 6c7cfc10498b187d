//! Power spectra of every channel by realfft, as a spectrum stage runs it: windowed, planned before, without
//! allocation.

use super::RATE_HZ;
use super::recording::Recording;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Frames of a spectrum.
pub const WINDOW_FRAMES: usize = 256;
/// Frequencies of a spectrum.
const BINS: usize = WINDOW_FRAMES / 2 + 1;
/// Channels gathered together: eight f64 are the cache line that is read for the first of them.
const TILE: usize = 8;

/// The plan, its scratch memory, and where it stands in the recording.
pub struct Spectrum {
    recording: Recording,
    plan: Arc<dyn RealToComplex<f64>>,
    /// Hann window.
    window: Vec<f64>,
    /// From squared magnitude to power density per Hz.
    scale: f64,
    gathered: Vec<[f64; WINDOW_FRAMES]>,
    transformed: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    power: Vec<f64>,
    block: u64,
}

impl Spectrum {
    /// Planned, at the start of the recording.
    pub fn new(recording: Recording) -> Self {
        let plan = RealFftPlanner::new().plan_fft_forward(WINDOW_FRAMES);
        let window: Vec<f64> = (0..WINDOW_FRAMES)
            .map(|i| 0.5 - 0.5 * (TAU * i as f64 / WINDOW_FRAMES as f64).cos())
            .collect();
        let energy: f64 = window.iter().map(|w| w * w).sum();
        Spectrum {
            power: vec![0.0; BINS * recording.channels],
            transformed: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            gathered: vec![[0.0; WINDOW_FRAMES]; TILE],
            scale: 2.0 / (energy * f64::from(RATE_HZ)),
            window,
            plan,
            recording,
            block: 0,
        }
    }

    /// One-sided power density (uV²/Hz) of the next [`WINDOW_FRAMES`] frames, `channel x frequency`.
    pub fn next(&mut self) -> &[f64] {
        let channels = self.recording.channels;
        let frames = self.recording.block(self.block, WINDOW_FRAMES);
        self.block += 1;
        for first in (0..channels).step_by(TILE) {
            let width = TILE.min(channels - first);
            for (i, (frame, w)) in frames.chunks_exact(channels).zip(&self.window).enumerate() {
                for (x, gathered) in frame[first..][..width].iter().zip(&mut self.gathered) {
                    gathered[i] = x * w;
                }
            }
            let powers = self.power[first * BINS..].chunks_exact_mut(BINS);
            for (x, power) in self.gathered[..width].iter_mut().zip(powers) {
                self.plan
                    .process_with_scratch(x, &mut self.transformed, &mut self.scratch)
                    .expect("buffers made by the plan");
                for (power, x) in power.iter_mut().zip(&self.transformed) {
                    *power = x.norm_sqr() * self.scale;
                }
                // Zero and half the rate have no mirror image.
                power[0] /= 2.0;
                power[BINS - 1] /= 2.0;
            }
        }
        &self.power
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_stands_in_its_bin_with_its_power_in_every_channel() {
        for channels in [1, 8, 11] {
            // Channel c: amplitude 3 in bin 10 + c.
            let frames = (0..WINDOW_FRAMES * channels)
                .map(|i| {
                    let (t, c) = (i / channels, i % channels);
                    3.0 * (TAU * (10 + c) as f64 * t as f64 / WINDOW_FRAMES as f64).sin()
                })
                .collect();
            let recording = Recording {
                frames,
                channels,
                spikes: Vec::new(),
            };
            let mut spectrum = Spectrum::new(recording);
            for (c, power) in spectrum.next().chunks_exact(BINS).enumerate() {
                let peak = (0..BINS).max_by(|a, b| power[*a].total_cmp(&power[*b]));
                assert_eq!(peak, Some(10 + c));
                let hz_per_bin = f64::from(RATE_HZ) / WINDOW_FRAMES as f64;
                let total: f64 = power.iter().map(|p| p * hz_per_bin).sum();
                assert!((total - 4.5).abs() < 1e-9, "channel {c}: {total}");
            }
        }
    }
}
