//! A recording from a seed: noise in which every channel fires now and then.

use super::RATE_HZ;

/// Spikes per second of a channel: a culture that is neither silent nor bursting.
const SPIKES_HZ: f64 = 5.0;
/// Standard deviation of the noise, uV, over the whole band.
const NOISE_UV: f64 = 10.0;
/// Depth of a spike, uV: far beyond five times what a band-pass leaves of the noise.
const SPIKE_UV: f64 = 200.0;
/// Frames of a spike (0.4 ms).
const SPIKE_FRAMES: usize = 12;
/// Least distance of two spikes of a channel, and of a spike from either end (2 ms).
const APART_FRAMES: usize = 60;

/// Blocks of `time x channel`, microvolts, to be played again and again.
pub struct Recording {
    /// All frames.
    pub frames: Vec<f64>,
    /// Channels of a frame.
    pub channels: usize,
    /// First frame and channel of each spike, ascending.
    pub spikes: Vec<(usize, usize)>,
}

impl Recording {
    /// The same numbers for the same seed, everywhere.
    pub fn new(seed: u64, channels: usize, length: usize) -> Self {
        let mut random = Random(seed);
        let mut frames: Vec<f64> = (0..length * channels)
            .map(|_| random.normal() * NOISE_UV)
            .collect();
        let seconds = length as f64 / f64::from(RATE_HZ);
        let wanted = (SPIKES_HZ * seconds * channels as f64).round() as usize;
        let mut spikes: Vec<(usize, usize)> = Vec::with_capacity(wanted);
        while spikes.len() < wanted {
            let start = APART_FRAMES + random.below(length - 2 * APART_FRAMES);
            let channel = random.below(channels);
            let apart = |(other, on): &(usize, usize)| {
                *on != channel || other.abs_diff(start) >= APART_FRAMES
            };
            if spikes.iter().all(apart) {
                spikes.push((start, channel));
                for i in 0..SPIKE_FRAMES {
                    let phase = i as f64 / SPIKE_FRAMES as f64 * std::f64::consts::TAU;
                    frames[(start + i) * channels + channel] -= SPIKE_UV * phase.sin();
                }
            }
        }
        spikes.sort_unstable();
        Recording {
            frames,
            channels,
            spikes,
        }
    }

    /// Block `number` of `block_frames` frames, counted on through the loop.
    pub fn block(&self, number: u64, block_frames: usize) -> &[f64] {
        let size = block_frames * self.channels;
        let blocks = (self.frames.len() / size) as u64;
        &self.frames[(number % blocks) as usize * size..][..size]
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0 to 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..n`.
    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    /// Mean 0, standard deviation 1: a sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
