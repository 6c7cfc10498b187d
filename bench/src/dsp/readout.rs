//! `readout.linear` without a ring: weights, features and decisions.

use super::BLOCK_FRAMES;
use super::recording::Random;
use ephapse_stages::readout::weights::Weights;

/// Decisions of a row: a small task's.
const OUTPUTS: usize = 4;
const BIAS: f64 = 1.0;

/// Rows of weights, and features frame after frame.
fn numbers(seed: u64, channels: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = Random(seed);
    let mut row = || -> Vec<f64> { (0..channels).map(|_| random.uniform() - 0.5).collect() };
    let rows = (0..OUTPUTS).map(|_| row()).collect();
    (rows, (0..BLOCK_FRAMES).flat_map(|_| row()).collect())
}

/// Weights of a linear readout, and a block of features.
pub struct Readout {
    weights: Weights,
    channels: usize,
    features: Vec<f64>,
    decisions: Vec<f64>,
}

impl Readout {
    /// Random weights and features.
    ///
    /// # Errors
    /// If the weights are refused.
    pub fn new(seed: u64, channels: usize) -> Result<Self, String> {
        let (rows, features) = numbers(seed, channels);
        Ok(Readout {
            weights: Weights::new(rows, Some(vec![BIAS; OUTPUTS]), None, channels)?,
            channels,
            features,
            decisions: vec![0.0; BLOCK_FRAMES * OUTPUTS],
        })
    }

    /// Reads out every row of the block: `time x output`.
    pub fn next(&mut self) -> &[f64] {
        let rows = self.features.chunks_exact(self.channels);
        for (x, y) in rows.zip(self.decisions.chunks_exact_mut(OUTPUTS)) {
            self.weights.apply(x, y);
        }
        &self.decisions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_features_is_decided_by_weights_and_bias() {
        let (weights, features) = numbers(7, 60);
        let mut readout = Readout::new(7, 60).unwrap();
        let decisions = readout.next();
        assert_eq!(decisions.len(), BLOCK_FRAMES * OUTPUTS);
        for (x, y) in features.chunks(60).zip(decisions.chunks(OUTPUTS)) {
            for (w, y) in weights.iter().zip(y) {
                let sum: f64 = w.iter().zip(x).map(|(w, x)| w * x).sum();
                assert!((y - (sum + BIAS)).abs() < 1e-12);
            }
        }
    }
}
