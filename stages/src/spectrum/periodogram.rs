//! The spectral density of one segment, as `scipy.signal.welch` computes it.

use super::transform::Transform;
use super::window::WindowShape;

/// Fewest frames of a segment.
pub const MIN_FRAMES: usize = 8;

/// Windowed, zero-padded, transformed: `|X|^2 / (rate * sum(w^2))`, one-sided (all but 0 Hz and half the rate count twice).
pub struct Periodogram {
    transform: Transform,
    shape: WindowShape,
    remove_mean: bool,
    rate_hz: f64,
    /// Weights of the segment, which may be shorter than the transform.
    weights: Vec<f64>,
    length: usize,
    scale: f64,
    numbers: Vec<f64>,
}

impl Periodogram {
    /// For segments of up to `frames` frames at `rate_hz`; shorter ones are padded with zeros, so that there are always
    /// `frames / 2 + 1` frequencies. `remove_mean`: SciPy's `detrend="constant"`, else `detrend=False`.
    pub fn new(frames: usize, shape: WindowShape, remove_mean: bool, rate_hz: f64) -> Self {
        let mut periodogram = Periodogram {
            transform: Transform::new(frames),
            shape,
            remove_mean,
            rate_hz,
            weights: vec![0.0; frames],
            length: 0,
            scale: 0.0,
            numbers: vec![0.0; frames],
        };
        periodogram.set_length(frames);
        periodogram
    }

    /// Sets the length of a segment, at most that of the transform. Allocates nothing.
    pub fn set_length(&mut self, frames: usize) {
        let frames = frames.clamp(1, self.transform.frames());
        if frames != self.length {
            self.length = frames;
            self.shape.fill(&mut self.weights[..frames]);
            let power: f64 = self.weights[..frames].iter().map(|w| w * w).sum();
            self.scale = 1.0 / (self.rate_hz * power);
        }
    }

    /// Frames of a segment.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Frequencies.
    pub fn bins(&self) -> usize {
        self.transform.bins()
    }

    /// From one frequency to the next, Hz.
    pub fn step_hz(&self) -> f64 {
        self.rate_hz / self.transform.frames() as f64
    }

    /// Adds the density of the segment that is `first` and then `rest` to `sum`, of which frequencies it is too short for
    /// are left out.
    pub fn add(&mut self, (first, rest): (&[f64], &[f64]), sum: &mut [f64]) {
        let (segment, padding) = self.numbers.split_at_mut(self.length);
        let (a, b) = segment.split_at_mut(first.len());
        a.copy_from_slice(first);
        b.copy_from_slice(rest);
        if self.remove_mean {
            let mean = segment.iter().sum::<f64>() / segment.len() as f64;
            segment.iter_mut().for_each(|x| *x -= mean);
        }
        for (x, weight) in segment.iter_mut().zip(&self.weights) {
            *x *= weight;
        }
        padding.fill(0.0);
        let frames = self.transform.frames();
        let scale = self.scale;
        self.transform.squares(&self.numbers, |k, square| {
            if let Some(sum) = sum.get_mut(k) {
                let once = k == 0 || 2 * k == frames;
                *sum += square * if once { scale } else { 2.0 * scale };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn density(frames: usize, length: usize, shape: WindowShape, remove_mean: bool) -> Vec<f64> {
        let mut periodogram = Periodogram::new(frames, shape, remove_mean, 250.0);
        periodogram.set_length(length);
        let x: Vec<f64> = (0..length).map(|i| ((i * i) % 7) as f64).collect();
        let mut sum = vec![0.0; periodogram.bins()];
        periodogram.add(x.split_at(length / 3), &mut sum);
        sum
    }

    fn equal(ours: &[f64], theirs: &[f64]) {
        let total: f64 = theirs.iter().sum();
        assert_eq!(ours.len(), theirs.len());
        for (o, t) in ours.iter().zip(theirs) {
            assert!((o - t).abs() < 1e-13 * total, "{ours:?} against {theirs:?}");
        }
    }

    #[test]
    fn densities_are_scipy_s_for_even_and_odd_lengths_and_padded_segments() {
        // SciPy 1.17.1: welch((arange(n)**2 % 7).astype(float), 250, window, nperseg=n, nfft=nfft, detrend=detrend)[1].
        equal(
            &density(10, 10, WindowShape::Hann, true),
            &[
                0.0005644740637505965,
                0.016198452959001484,
                0.017215944906500993,
                0.02971738842683233,
                0.012263828501833038,
                0.0019310372097500906,
            ],
        );
        equal(
            &density(9, 9, WindowShape::Hann, false),
            &[
                0.11747164501998156,
                0.09515464083460452,
                0.011057504551809696,
                0.02903270098192294,
                0.007372407321516094,
            ],
        );
        equal(
            &density(12, 8, WindowShape::Blackman, true),
            &[
                0.010488518989673143,
                0.015701097660607122,
                0.004861774822721709,
                0.008769384584028395,
                0.02047834710002309,
                0.01279695864576854,
                0.001667094930221797,
            ],
        );
    }

    #[test]
    fn the_sum_over_all_frequencies_is_the_variance_without_a_window() {
        let x: Vec<f64> = (0..64).map(|i| ((i * i) % 7) as f64).collect();
        let mean = x.iter().sum::<f64>() / 64.0;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 64.0;
        let power: f64 = density(64, 64, WindowShape::Boxcar, true).iter().sum();
        assert!((power * 250.0 / 64.0 - variance).abs() < 1e-12 * variance);
    }
}
