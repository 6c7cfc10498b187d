//! The detector: noise estimate and crossings over a stream of blocks, its memory in bytes that survive a restart.
//!
//! State (two flipped copies): settled frames seen, visits made to the samples ([`median`](super::median)), whether
//! there is an estimate; then per channel the newest sample, the frame of the last accepted crossing, sigma, and the
//! sigma being computed. Append region: the absolute values of the samples collected, channel after channel
//! (`channels x window` f64 per buffer). A block that is run again after a kill writes the same values to the same places, and the
//! selection's scratch memory is made again from them; so the spikes are those of a run without the kill.

use super::crossings::{Crossings, Memory, SpikeBlock};
use super::median::SpreadMedian;
use super::noise::{Place, Schedule};
use crate::vectors::Vectors;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The median absolute value of Gaussian noise is this times its standard deviation (as spike sorters round it).
const MEDIAN_TO_SIGMA: f64 = 0.6745;

/// Where sigma comes from.
#[derive(Clone, Debug)]
pub enum Noise {
    /// Given, one per channel.
    Given(Vec<f64>),
    /// Measured: `median(|y|) / 0.6745` over windows of the signal.
    Measured(Schedule),
}

/// A detector for a fixed number of channels.
#[derive(Clone, Debug)]
pub struct Detector {
    /// The rule for crossings.
    pub crossings: Crossings,
    k: f64,
    channels: usize,
    noise: Noise,
    /// Scratch: thresholds of the block in hand.
    thresholds: Vec<f64>,
    median: Option<SpreadMedian>,
    vectors: Vectors,
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// Settled frames seen since the start; resets do not count it back.
    seen: u64,
    /// Visits made to the samples of the window being computed.
    visits: u64,
    /// 1 once there is a sigma.
    has_sigma: u64,
}

/// The state's parts.
struct Parts<'a> {
    head: &'a mut Head,
    memory: Memory<'a>,
    sigma: &'a mut [f64],
    /// The medians being computed, divided into sigmas when all are.
    next: &'a mut [f64],
}

impl Detector {
    /// A detector for `channels` channels: threshold `k * sigma`. Allocates scratch memory of 16 bytes per sample of a
    /// window.
    pub fn new(k: f64, crossings: Crossings, noise: Noise, channels: usize) -> Self {
        let median = match &noise {
            Noise::Given(_) => None,
            Noise::Measured(s) => Some(SpreadMedian::new(channels, s.window as usize)),
        };
        Detector {
            crossings,
            k,
            channels,
            noise,
            thresholds: vec![f64::INFINITY; channels],
            median,
            vectors: Vectors::widest(),
        }
    }

    /// Bytes of state.
    pub fn state_bytes(channels: usize) -> usize {
        size_of::<Head>() + channels * 4 * 8
    }

    /// Bytes of append region.
    pub fn append_bytes(noise: &Noise, channels: usize) -> usize {
        match noise {
            Noise::Given(_) => 0,
            Noise::Measured(s) => s.buffers() * channels * s.window as usize * 8,
        }
    }

    fn parts<'a>(channels: usize, state: &'a mut [u8]) -> Parts<'a> {
        let fits = "state_bytes of this detector, 8-byte aligned";
        let (head, rest) = Head::mut_from_prefix(state).expect(fits);
        assert_eq!(rest.len(), channels * 4 * 8, "{fits}");
        let (last, rest) = rest.split_at_mut(channels * 8);
        let (accepted, rest) = rest.split_at_mut(channels * 8);
        let (sigma, next) = rest.split_at_mut(channels * 8);
        Parts {
            head,
            memory: Memory {
                last: <[f64]>::mut_from_bytes(last).expect(fits),
                accepted: <[u64]>::mut_from_bytes(accepted).expect(fits),
            },
            sigma: <[f64]>::mut_from_bytes(sigma).expect(fits),
            next: <[f64]>::mut_from_bytes(next).expect(fits),
        }
    }

    /// After a start, a gap or a seam: forgets newest samples and dead times, so that none of them makes a spike. What
    /// was measured of the noise stays, and a measurement under way goes on.
    pub fn reset(&self, state: &mut [u8]) {
        let mut parts = Self::parts(self.channels, state);
        parts.memory.reset();
        if let Noise::Given(sigma) = &self.noise {
            parts.sigma.copy_from_slice(sigma);
            parts.head.has_sigma = 1;
        }
    }

    /// Sigma of every channel, if there is an estimate yet.
    pub fn sigma<'a>(&self, state: &'a mut [u8]) -> Option<&'a [f64]> {
        let parts = Self::parts(self.channels, state);
        (parts.head.has_sigma == 1).then_some(parts.sigma)
    }

    /// Finds the spikes of a block of whole frames (`time x channel`), the first of which is number `first_frame`. The
    /// first `settling` frames are remembered and otherwise ignored.
    ///
    /// # Panics
    /// If `state` or `append` are not of the sizes this detector has asked for.
    pub fn run(
        &mut self,
        (state, append): (&mut [u8], &mut [u8]),
        first_frame: u64,
        settling: usize,
        frames: &[f64],
        spikes: &mut SpikeBlock<'_>,
    ) {
        let channels = self.channels;
        let mut parts = Self::parts(channels, state);
        let (unsettled, mut rest) = frames.split_at((settling * channels).min(frames.len()));
        Crossings::remember(&mut parts.memory, unsettled);
        let mut frame = first_frame + (unsettled.len() / channels) as u64;
        let samples = <[u64]>::mut_from_bytes(append).expect("append_bytes, 8-byte aligned");
        self.set_thresholds(&parts);
        while !rest.is_empty() {
            let left = (rest.len() / channels) as u64;
            let (now, later) = match &self.noise {
                Noise::Given(_) => (rest, &rest[rest.len()..]),
                Noise::Measured(schedule) => {
                    let schedule = *schedule;
                    let stretch = schedule.stretch(parts.head.seen, left);
                    let (now, later) = rest.split_at(stretch.frames as usize * channels);
                    if stretch.adopt {
                        parts.sigma.copy_from_slice(parts.next);
                        parts.head.has_sigma = 1;
                        parts.head.visits = 0;
                        self.set_thresholds(&parts);
                    }
                    if let Some(place) = stretch.collect {
                        collect(samples, schedule.window as usize, channels, place, now);
                    }
                    if let Some(place) = stretch.compute {
                        let spent = place.frame + stretch.frames;
                        self.compute(&mut parts, samples, place.buffer, spent, schedule);
                    }
                    (now, later)
                }
            };
            if parts.head.has_sigma == 1 {
                self.crossings.scan(
                    self.vectors,
                    &self.thresholds,
                    &mut parts.memory,
                    frame,
                    now,
                    spikes,
                );
            } else {
                Crossings::remember(&mut parts.memory, now);
            }
            let done = (now.len() / channels) as u64;
            parts.head.seen += done;
            frame += done;
            rest = later;
        }
    }

    /// `k * sigma`; a channel without noise (disconnected, or all zero) is not looked at.
    fn set_thresholds(&mut self, parts: &Parts<'_>) {
        for (t, sigma) in self.thresholds.iter_mut().zip(parts.sigma.iter()) {
            let threshold = self.k * sigma;
            *t = if threshold > 0.0 {
                threshold
            } else {
                f64::INFINITY
            };
        }
    }

    /// Makes the visits that are due when `spent` of the frames for computing a median have passed.
    fn compute(
        &mut self,
        parts: &mut Parts<'_>,
        samples: &[u64],
        buffer: usize,
        spent: u64,
        schedule: Schedule,
    ) {
        let Some(median) = &mut self.median else {
            return;
        };
        let size = self.channels * schedule.window as usize;
        let due = u128::from(median.visits()) * u128::from(spent) / u128::from(schedule.spread());
        let buffer = &samples[buffer * size..][..size];
        median.advance(&mut parts.head.visits, due as u64, buffer, parts.next);
        if spent == schedule.spread() {
            for sigma in parts.next.iter_mut() {
                *sigma /= MEDIAN_TO_SIGMA;
            }
        }
    }
}

/// Writes the absolute values of whole frames into a buffer, channel after channel.
fn collect(samples: &mut [u64], window: usize, channels: usize, place: Place, frames: &[f64]) {
    let buffer = &mut samples[place.buffer * channels * window..][..channels * window];
    for (channel, samples) in buffer.chunks_exact_mut(window).enumerate() {
        let values = frames.iter().skip(channel).step_by(channels);
        for (sample, value) in samples[place.frame as usize..].iter_mut().zip(values) {
            *sample = value.abs().to_bits();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::crossings::Polarity;
    use super::*;
    use ephapse_engine::records::Spike;
    use proptest::prelude::*;

    const CHANNELS: usize = 3;

    /// Noise with a spike now and then, different in every channel.
    fn signal(frames: usize) -> Vec<f64> {
        let mut x = 0x2545_F491_4F6C_DD1Du64;
        (0..frames * CHANNELS)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let noise = x as f64 / u64::MAX as f64 - 0.5;
                if x.is_multiple_of(101) {
                    noise - 4.0
                } else {
                    noise
                }
            })
            .collect()
    }

    /// A detector and its memory, as a runner keeps them.
    struct Run {
        detector: Detector,
        state: Vec<u64>,
        append: Vec<u64>,
        spikes: Vec<Spike>,
    }

    impl Run {
        fn new(noise: Noise) -> Self {
            let crossings = Crossings {
                polarity: Polarity::Both,
                dead: 4,
            };
            let append = Detector::append_bytes(&noise, CHANNELS) / 8;
            let mut run = Run {
                detector: Detector::new(5.0, crossings, noise, CHANNELS),
                state: vec![0; Detector::state_bytes(CHANNELS) / 8],
                append: vec![0; append],
                spikes: Vec::new(),
            };
            run.reset();
            run
        }

        fn reset(&mut self) {
            self.detector.reset(self.state.as_mut_bytes());
        }

        fn block(&mut self, first_frame: usize, settling: usize, frames: &[f64]) {
            let mut records = [Spike::default(); 4096];
            let mut spikes = SpikeBlock::new(&mut records);
            self.detector.run(
                (self.state.as_mut_bytes(), self.append.as_mut_bytes()),
                first_frame as u64,
                settling,
                frames,
                &mut spikes,
            );
            let found = spikes.found();
            assert_eq!(spikes.lost(), 0);
            self.spikes.extend_from_slice(&records[..found]);
        }

        fn sigma(&mut self) -> Vec<f64> {
            let sigma = self.detector.sigma(self.state.as_mut_bytes());
            sigma.map(<[f64]>::to_vec).unwrap_or_default()
        }
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        (values[(n - 1) / 2] + values[n / 2]) / 2.0
    }

    fn sigma_over(signal: &[f64], window: std::ops::Range<usize>) -> Vec<f64> {
        (0..CHANNELS)
            .map(|c| {
                let values = window.clone().map(|i| signal[i * CHANNELS + c].abs());
                median(values.collect()) / 0.6745
            })
            .collect()
    }

    fn measured(skip: u64, window: u64, running: bool) -> Noise {
        Noise::Measured(Schedule {
            skip,
            window,
            running,
        })
    }

    #[test]
    fn detection_begins_a_quarter_window_after_calibration_with_the_window_s_sigma() {
        let signal = signal(2000);
        let mut run = Run::new(measured(50, 400, false));
        run.block(0, 0, &signal[..549 * CHANNELS]);
        assert_eq!(run.sigma(), Vec::<f64>::new());
        assert!(run.spikes.is_empty());
        run.block(549, 0, &signal[549 * CHANNELS..]);
        assert_eq!(run.sigma(), sigma_over(&signal, 50..450));
        let sigma = run.sigma();
        let live = run.spikes;
        assert!(!live.is_empty() && live.iter().all(|s| s.frame >= 550));

        let mut given = Run::new(Noise::Given(sigma));
        given.block(549, 0, &signal[549 * CHANNELS..]);
        given.spikes.retain(|s| s.frame >= 550);
        assert_eq!(live, given.spikes);
    }

    #[test]
    fn a_running_estimate_follows_window_after_window() {
        let signal = signal(2000);
        let mut run = Run::new(measured(0, 200, true));
        for i in 0..2000 {
            run.block(i, 0, &signal[i * CHANNELS..][..CHANNELS]);
            let window = (i + 150) / 200;
            if window >= 2 {
                let of = (window - 2) * 200..(window - 1) * 200;
                assert_eq!(run.sigma(), sigma_over(&signal, of), "after frame {i}");
            } else {
                assert!(run.sigma().is_empty());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn spikes_do_not_depend_on_block_size_nor_on_restarts(
            cuts in prop::collection::vec(1usize..120, 1..40),
            running in any::<bool>(),
            settling in 0usize..90,
            killed in prop::collection::vec(any::<bool>(), 40),
        ) {
            let frames: usize = cuts.iter().sum();
            let signal = signal(frames);
            let noise = measured(7, 256, running);
            let mut whole = Run::new(noise.clone());
            whole.block(0, settling, &signal);
            let mut pieces = Run::new(noise);
            let fresh = pieces.detector.clone();
            let mut first = 0;
            for (cut, killed) in cuts.into_iter().zip(killed) {
                let block = &signal[first * CHANNELS..][..cut * CHANNELS];
                let settling = settling.saturating_sub(first);
                if killed {
                    // Killed before the flip: the state is the old one, the append region what the block has made of it.
                    let (state, spikes) = (pieces.state.clone(), pieces.spikes.clone());
                    pieces.block(first, settling, block);
                    (pieces.state, pieces.spikes) = (state, spikes);
                    pieces.detector = fresh.clone();
                }
                pieces.block(first, settling, block);
                first += cut;
            }
            prop_assert_eq!(&whole.spikes, &pieces.spikes);
            prop_assert_eq!(whole.state, pieces.state);
        }
    }

    #[test]
    fn a_seam_makes_no_spike_and_costs_no_calibration() {
        let quiet = [0.1, -0.2, 0.3].repeat(1000);
        let mut run = Run::new(measured(0, 400, false));
        run.block(0, 0, &quiet);
        let sigma = run.sigma();
        assert_eq!(sigma.len(), CHANNELS);
        run.reset();
        // After the seam the signal stands far beyond the thresholds, settles, and rests.
        let mut jump = vec![-50.0; 20 * CHANNELS];
        jump.extend(vec![0.0; 20 * CHANNELS]);
        run.block(1000, 10, &jump);
        assert_eq!(run.spikes, []);
        run.reset();
        run.block(1040, 0, &jump);
        assert_eq!(run.spikes, []);
        assert_eq!(run.sigma(), sigma);
        // Without the reset the same jump is a spike in every channel.
        run.block(1080, 0, &jump);
        assert_eq!(run.spikes.len(), CHANNELS);
    }

    #[test]
    fn the_last_settling_frame_is_remembered() {
        let mut run = Run::new(Noise::Given(vec![1.0; CHANNELS]));
        let mut frames = vec![0.0; 4 * CHANNELS];
        frames[2 * CHANNELS..3 * CHANNELS].fill(-9.0);
        run.block(0, 2, &frames);
        let found: Vec<u64> = run.spikes.iter().map(|s| s.frame).collect();
        assert_eq!(found, [2, 2, 2]);
    }

    #[test]
    fn a_channel_without_noise_is_not_looked_at() {
        let mut run = Run::new(Noise::Given(vec![1.0, 0.0, f64::NAN]));
        run.block(0, 0, &[0.0, 0.0, 0.0, -9.0, -9.0, -9.0]);
        assert_eq!(run.spikes.len(), 1);
        assert_eq!(run.spikes[0].channel, 0);
    }
}
