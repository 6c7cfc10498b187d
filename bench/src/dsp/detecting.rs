//! `detect.threshold` without a ring.

use super::{BLOCK_FRAMES, RATE_HZ};
use ephapse_engine::records::Spike;
use ephapse_stages::detect::crossings::{Crossings, Polarity, SpikeBlock};
use ephapse_stages::detect::detector::{Detector, Noise};
use ephapse_stages::detect::noise::Schedule;
use zerocopy::IntoBytes;

/// Thresholds in units of sigma; the stage's default.
const K: f64 = 5.0;
/// Dead time, frames: 1 ms, the stage's default.
pub const DEAD_FRAMES: u64 = RATE_HZ as u64 / 1000;
/// Room for spikes in a block; the stage's default.
const ROOM: usize = 256;

/// A calibrated detector and its memory.
pub struct Detecting {
    detector: Detector,
    state: Vec<u64>,
    append: Vec<u64>,
    records: Vec<Spike>,
    frame: u64,
    found: u64,
    lost: u64,
}

impl Detecting {
    /// Calibrated on one turn of a filtered recording.
    pub fn new(filtered: &[f64], channels: usize) -> Self {
        let length = (filtered.len() / channels) as u64;
        // The median is computed while a quarter of the window's length goes by, and counts one frame later.
        let schedule = Schedule {
            skip: 0,
            window: (length - 1) * 4 / 5,
            running: false,
        };
        let noise = Noise::Measured(schedule);
        let rule = Crossings {
            polarity: Polarity::Negative,
            dead: DEAD_FRAMES,
        };
        let mut detecting = Detecting {
            state: vec![0; Detector::state_bytes(channels) / 8],
            append: vec![0; Detector::append_bytes(&noise, channels) / 8],
            detector: Detector::new(K, rule, noise, channels),
            records: vec![Spike::default(); ROOM],
            frame: 0,
            found: 0,
            lost: 0,
        };
        detecting.rewind();
        for block in filtered.chunks_exact(BLOCK_FRAMES * channels) {
            detecting.block(block);
        }
        detecting.rewind();
        detecting
    }

    /// Spikes of the next block.
    pub fn block(&mut self, frames: &[f64]) -> &[Spike] {
        let mut spikes = SpikeBlock::new(&mut self.records);
        self.detector.run(
            (self.state.as_mut_bytes(), self.append.as_mut_bytes()),
            self.frame,
            0,
            frames,
            &mut spikes,
        );
        self.frame += BLOCK_FRAMES as u64;
        self.lost += spikes.lost();
        let found = spikes.found();
        self.found += found as u64;
        &self.records[..found]
    }

    /// As after a seam: no newest sample, no dead time, frame 0. What was measured of the noise stays.
    pub fn rewind(&mut self) {
        self.detector.reset(self.state.as_mut_bytes());
        (self.frame, self.found, self.lost) = (0, 0, 0);
    }

    /// Spikes found since the last rewind, and those for which a block had no room.
    pub fn spikes(&self) -> (u64, u64) {
        (self.found, self.lost)
    }

    /// Threshold of every channel, uV, positive.
    pub fn thresholds(&mut self) -> Vec<f64> {
        let sigma = self.detector.sigma(self.state.as_mut_bytes());
        sigma.unwrap_or_default().iter().map(|s| K * s).collect()
    }
}
