//! Spikes of a made-up culture: a quiet background, and network bursts in which all channels fire.

use super::hash::Key;

/// Spikes per second and channel between bursts.
const BACKGROUND_HZ: f64 = 0.05;
/// Exactly one burst falls into each such stretch of time.
const BURST_EVERY_S: f64 = 1.6;
/// Length of a spike, from its first to its last changed frame.
const SPIKE_S: f64 = 1.6e-3;
/// From the first frame of a spike to its trough.
const TROUGH_S: f64 = 0.5e-3;
/// In each stretch of this length (or of a spike's, if that is longer) a channel fires at most once.
const BIN_S: f64 = 2e-3;

/// Spike trains of all channels, and the shape of a spike.
#[derive(Debug)]
pub(super) struct SpikeTrains {
    rate_hz: f64,
    bursts: Key,
    channels: Vec<Channel>,
    /// Shape of a spike; the trough is -1.
    shape: Vec<f32>,
    trough: u64,
    bin_frames: u64,
}

#[derive(Debug)]
struct Channel {
    key: Key,
    /// How eagerly it takes part, 0.4 to 1.6 of the population's rate.
    eagerness: f64,
    /// How large its spikes are, 0.75 to 1.25.
    size: f32,
}

impl SpikeTrains {
    pub(super) fn new(seed: u64, channels: usize, rate_hz: f64) -> Self {
        let frames = ((SPIKE_S * rate_hz).round() as u64).max(1);
        let trough = ((TROUGH_S * rate_hz).round() as u64).min(frames - 1);
        let at = |frame: u64| (frame as f64 - trough as f64) / rate_hz;
        let bump = |t: f64, centre: f64, width: f64| (-((t - centre) / width).powi(2) / 2.0).exp();
        // A fast negative phase and a slow positive one, as an extracellular electrode near a soma sees them.
        let shape: Vec<f64> = (0..frames)
            .map(|f| 0.3 * bump(at(f), 0.45e-3, 0.2e-3) - bump(at(f), 0.0, 0.11e-3))
            .collect();
        let deepest = -shape[trough as usize];
        let individual = Key::new(seed, 2, 0);
        SpikeTrains {
            rate_hz,
            bursts: Key::new(seed, 3, 0),
            channels: (0..channels as u64)
                .map(|c| Channel {
                    key: Key::new(seed, 1, c),
                    eagerness: 0.4 + 1.2 * individual.uniform(2 * c),
                    size: (0.75 + 0.5 * individual.uniform(2 * c + 1)) as f32,
                })
                .collect(),
            shape: shape.iter().map(|v| (v / deepest) as f32).collect(),
            trough,
            bin_frames: ((BIN_S * rate_hz).ceil() as u64).max(frames),
        }
    }

    /// Spikes per second and channel that the population aims at, at a time in seconds.
    pub(super) fn population_hz(&self, time_s: f64) -> f64 {
        let stretch = (time_s / BURST_EVERY_S).floor();
        let draw = |what: u64| self.bursts.uniform(stretch as u64 * 3 + what);
        let (start_s, length_s) = (0.1 + 0.6 * draw(0), 0.4 + 0.3 * draw(1));
        let into = (time_s - stretch * BURST_EVERY_S - start_s) / length_s;
        if (0.0..1.0).contains(&into) {
            let peak_hz = 35.0 + 35.0 * draw(2);
            BACKGROUND_HZ + peak_hz * (std::f64::consts::PI * into).sin().powi(2)
        } else {
            BACKGROUND_HZ
        }
    }

    /// Frame at which a channel would begin a spike in a bin, given the population's aim there.
    fn candidate(&self, channel: &Channel, bin: u64, population_hz: f64) -> Option<u64> {
        let bits = channel.key.bits(bin);
        // The upper half of the bits decides whether it fires, the lower half when.
        let expected = population_hz * channel.eagerness * self.bin_frames as f64 / self.rate_hz;
        let fires = ((bits >> 32) as f64 / 4_294_967_296.0) < expected;
        fires.then(|| bin * self.bin_frames + (((bits & 0xffff_ffff) * self.bin_frames) >> 32))
    }

    fn population_hz_in(&self, bin: u64) -> f64 {
        self.population_hz((bin * self.bin_frames) as f64 / self.rate_hz)
    }

    /// Calls `each` with channel, first frame and size of every spike that changes one of the frames
    /// `first..first + frames`; spikes of one channel come in order of time and do not overlap.
    fn each_spike(&self, first: u64, frames: u64, mut each: impl FnMut(usize, u64, f32)) {
        let spike_frames = self.shape.len() as u64;
        let end = first + frames;
        let first_bin = first.saturating_sub(spike_frames - 1) / self.bin_frames;
        for bin in first_bin..end.div_ceil(self.bin_frames) {
            let population_hz = self.population_hz_in(bin);
            for (index, channel) in self.channels.iter().enumerate() {
                let Some(onset) = self.candidate(channel, bin, population_hz) else {
                    continue;
                };
                if onset >= end || onset + spike_frames <= first {
                    continue;
                }
                // Refractory: a candidate too close behind the one before it does not fire.
                let before = bin
                    .checked_sub(1)
                    .and_then(|bin| self.candidate(channel, bin, self.population_hz_in(bin)));
                if before.is_none_or(|before| onset - before >= spike_frames) {
                    each(index, onset, channel.size);
                }
            }
        }
    }

    /// Adds the spikes to frames `first..`, frame after frame in `out`; a spike of size 1 has a trough of `-amplitude`.
    pub(super) fn add(&self, first: u64, amplitude: f32, out: &mut [f32]) {
        let channels = self.channels.len();
        let frames = (out.len() / channels) as u64;
        self.each_spike(first, frames, |channel, onset, size| {
            let from = onset.max(first);
            let until = (onset + self.shape.len() as u64).min(first + frames);
            for frame in from..until {
                let at = (frame - first) as usize * channels + channel;
                out[at] += amplitude * size * self.shape[(frame - onset) as usize];
            }
        });
    }

    /// Calls `each` with channel and frame of every trough among the frames `first..first + frames`.
    pub(super) fn each_trough(&self, first: u64, frames: u64, mut each: impl FnMut(usize, u64)) {
        self.each_spike(first, frames, |channel, onset, _| {
            let trough = onset + self.trough;
            if (first..first + frames).contains(&trough) {
                each(channel, trough);
            }
        });
    }
}
