//! The discrete Fourier transform of real numbers, by `rustfft`: the one place that knows it.
//!
//! The plan is `rustfft`'s portable one on purpose: its wider vectors use fused multiply-adds, whose last bits differ, and
//! a capture must replay to the same bits on another CPU.

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlannerScalar};
use std::f64::consts::PI;
use std::sync::Arc;

/// Squared magnitudes of the transform of `frames` real numbers. Planned once; running it allocates nothing.
pub struct Transform {
    frames: usize,
    plan: Arc<dyn Fft<f64>>,
    /// Even lengths run through a complex transform of half the length, odd ones through one of the whole.
    halved: bool,
    buffer: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// `exp(-2 pi i k / frames)`, only for even lengths.
    twiddles: Vec<Complex<f64>>,
}

impl Transform {
    /// Plans for `frames` numbers, at least 1.
    pub fn new(frames: usize) -> Self {
        let halved = frames.is_multiple_of(2);
        let length = if halved { frames / 2 } else { frames };
        let plan = FftPlannerScalar::new().plan_fft_forward(length);
        let twiddle = |k: usize| Complex::from_polar(1.0, -2.0 * PI * k as f64 / frames as f64);
        Transform {
            frames,
            halved,
            buffer: vec![Complex::default(); length],
            scratch: vec![Complex::default(); plan.get_inplace_scratch_len()],
            twiddles: (0..if halved { length } else { 0 }).map(twiddle).collect(),
            plan,
        }
    }

    /// Numbers transformed.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Frequencies from 0 to half the rate, both included if the length is even.
    pub fn bins(&self) -> usize {
        self.frames / 2 + 1
    }

    /// Transforms the first `frames` of `numbers` and hands each bin its number and its squared magnitude.
    pub fn squares(&mut self, numbers: &[f64], mut bin: impl FnMut(usize, f64)) {
        let numbers = &numbers[..self.frames];
        if self.halved {
            for (z, pair) in self.buffer.iter_mut().zip(numbers.chunks_exact(2)) {
                *z = Complex::new(pair[0], pair[1]);
            }
        } else {
            for (z, x) in self.buffer.iter_mut().zip(numbers) {
                *z = Complex::new(*x, 0.0);
            }
        }
        self.plan
            .process_with_scratch(&mut self.buffer, &mut self.scratch);
        if !self.halved {
            for (k, z) in self.buffer[..self.frames / 2 + 1].iter().enumerate() {
                bin(k, z.norm_sqr());
            }
            return;
        }
        // Z = E + i O, the transforms of the even and the odd numbers, which are told apart by their symmetry.
        let half = self.buffer.len();
        bin(0, square(self.buffer[0].re + self.buffer[0].im));
        for k in 1..half {
            let (z, mirrored) = (self.buffer[k], self.buffer[half - k].conj());
            let even = (z + mirrored) * 0.5;
            let odd = (z - mirrored) * Complex::new(0.0, -0.5);
            bin(k, (even + self.twiddles[k] * odd).norm_sqr());
        }
        bin(half, square(self.buffer[0].re - self.buffer[0].im));
    }
}

fn square(x: f64) -> f64 {
    x * x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, term by term.
    fn slow(numbers: &[f64], k: usize) -> f64 {
        let n = numbers.len() as f64;
        let term =
            |(i, x): (usize, &f64)| Complex::from_polar(*x, -2.0 * PI * ((i * k) as f64 % n) / n);
        numbers
            .iter()
            .enumerate()
            .map(term)
            .sum::<Complex<f64>>()
            .norm_sqr()
    }

    #[test]
    fn every_length_gives_the_squares_of_the_definition() {
        for frames in [1, 2, 3, 4, 5, 8, 30, 125, 250, 257, 500] {
            let x: Vec<f64> = (0..frames)
                .map(|i| ((i * i * 37 + 11) % 101) as f64 - 50.0)
                .collect();
            let mut transform = Transform::new(frames);
            let total: f64 = x.iter().map(|x| x * x).sum::<f64>() * frames as f64;
            let mut seen = 0;
            transform.squares(&x, |k, square| {
                assert_eq!(k, seen);
                seen += 1;
                assert!(
                    (square - slow(&x, k)).abs() < 1e-12 * total,
                    "{frames}: {k}"
                );
            });
            assert_eq!(seen, transform.bins());
        }
    }
}
