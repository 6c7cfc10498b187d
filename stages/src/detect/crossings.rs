//! Threshold crossings with a dead time.
//!
//! Sample `i` of a channel crosses the threshold `t > 0` downwards if `y[i] < -t` and `y[i-1] >= -t`, upwards if
//! `y[i] > t` and `y[i-1] <= t`. A crossing is accepted if at least `dead` frames have passed since the channel's last
//! accepted one, of either direction. After a reset there is no `y[i-1]`: the first sample cannot cross.

use crate::vectors::{Kernel, Vectors};
use ephapse_engine::records::Spike;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which crossings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Polarity {
    /// Downwards through `-k sigma`: extracellular spikes.
    #[default]
    Negative,
    /// Upwards through `+k sigma`.
    Positive,
    /// Both; one dead time for the two.
    Both,
}

/// No crossing accepted since the last reset, in [`Memory::accepted`].
pub const NEVER: u64 = u64::MAX;

/// What is remembered of each channel between blocks.
#[derive(Debug)]
pub struct Memory<'a> {
    /// The newest sample; NaN after a reset.
    pub last: &'a mut [f64],
    /// Frame of the last accepted crossing, or [`NEVER`].
    pub accepted: &'a mut [u64],
}

impl Memory<'_> {
    /// Forgets the newest sample and the dead time.
    pub fn reset(&mut self) {
        self.last.fill(f64::NAN);
        self.accepted.fill(NEVER);
    }
}

/// A block of spikes being filled.
#[derive(Debug)]
pub struct SpikeBlock<'a> {
    records: &'a mut [Spike],
    found: usize,
    lost: u64,
}

impl<'a> SpikeBlock<'a> {
    /// An empty block with room for `records.len()` spikes.
    pub fn new(records: &'a mut [Spike]) -> Self {
        SpikeBlock {
            records,
            found: 0,
            lost: 0,
        }
    }

    /// Spikes written.
    pub fn found(&self) -> usize {
        self.found
    }

    /// Spikes for which there was no room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn push(&mut self, spike: Spike) {
        match self.records.get_mut(self.found) {
            Some(record) => {
                *record = spike;
                self.found += 1;
            }
            None => self.lost += 1,
        }
    }
}

/// The rule of one detector.
#[derive(Clone, Copy, Debug)]
pub struct Crossings {
    /// Which crossings count.
    pub polarity: Polarity,
    /// Least distance of two accepted crossings of a channel, frames.
    pub dead: u64,
}

/// Channels compared before looking whether any was beyond its threshold: one test for many, few of which have a spike.
const GROUP: usize = 16;

impl Crossings {
    /// Finds the crossings in whole frames (`time x channel`), the first of which is number `first_frame`; in order of
    /// frame, then channel. `thresholds`: one positive number per channel, infinite for a channel that is not looked
    /// at.
    pub fn scan(
        &self,
        vectors: Vectors,
        thresholds: &[f64],
        memory: &mut Memory<'_>,
        first_frame: u64,
        frames: &[f64],
        spikes: &mut SpikeBlock<'_>,
    ) {
        let scan = Scan {
            dead: self.dead,
            thresholds,
            last: memory.last,
            accepted: memory.accepted,
            first_frame,
            frames,
            spikes,
        };
        match self.polarity {
            Polarity::Negative => vectors.run(Looking::<true, false>(scan)),
            Polarity::Positive => vectors.run(Looking::<false, true>(scan)),
            Polarity::Both => vectors.run(Looking::<true, true>(scan)),
        }
        Crossings::remember(memory, frames);
    }

    /// Remembers the last of whole frames without looking for crossings.
    pub fn remember(memory: &mut Memory<'_>, frames: &[f64]) {
        let channels = memory.last.len();
        if let Some(last) = frames.chunks_exact(channels).next_back() {
            memory.last.copy_from_slice(last);
        }
    }
}

/// The work of [`Crossings::scan`].
struct Scan<'a, 'r> {
    dead: u64,
    thresholds: &'a [f64],
    last: &'a [f64],
    accepted: &'a mut [u64],
    first_frame: u64,
    frames: &'a [f64],
    spikes: &'a mut SpikeBlock<'r>,
}

/// A scan that looks downwards, upwards or both ways.
struct Looking<'a, 'r, const DOWN: bool, const UP: bool>(Scan<'a, 'r>);

impl<const DOWN: bool, const UP: bool> Kernel for Looking<'_, '_, DOWN, UP> {
    #[inline(always)]
    fn run(mut self) {
        let scan = &mut self.0;
        let (thresholds, frames) = (scan.thresholds, scan.frames);
        let mut before: &[f64] = scan.last;
        for (row, frame) in (scan.first_frame..).zip(frames.chunks_exact(thresholds.len())) {
            let (ys, ys_left) = frame.as_chunks::<GROUP>();
            let (ts, ts_left) = thresholds.as_chunks::<GROUP>();
            for (group, (y, t)) in ys.iter().zip(ts).enumerate() {
                if beyond::<DOWN, UP>(y, t) {
                    let first = group * GROUP;
                    scan.group::<DOWN, UP>(row, first, &before[first..], y, t);
                }
            }
            // The channels left over are the end of a whole group, unless there are too few for one.
            let last_group = frame.last_chunk().zip(thresholds.last_chunk());
            if !ys_left.is_empty() && last_group.is_none_or(|(y, t)| beyond::<DOWN, UP>(y, t)) {
                let first = ys.len() * GROUP;
                scan.group::<DOWN, UP>(row, first, &before[first..], ys_left, ts_left);
            }
            before = frame;
        }
    }
}

/// Whether any of these samples is beyond its threshold.
#[inline(always)]
fn beyond<const DOWN: bool, const UP: bool>(ys: &[f64; GROUP], ts: &[f64; GROUP]) -> bool {
    let mut beyond = false;
    for (y, t) in ys.iter().zip(ts) {
        beyond |= (DOWN && *y < -t) || (UP && *y > *t);
    }
    beyond
}

impl Scan<'_, '_> {
    /// Neighbouring channels of a frame, one by one: the first is `first`, and `before` are their samples in the frame
    /// before.
    fn group<const DOWN: bool, const UP: bool>(
        &mut self,
        row: u64,
        first: usize,
        before: &[f64],
        ys: &[f64],
        ts: &[f64],
    ) {
        for (i, ((y, t), was)) in ys.iter().zip(ts).zip(before).enumerate() {
            let down = DOWN && *y < -t && *was >= -t;
            let up = UP && *y > *t && *was <= *t;
            if !(down || up) {
                continue;
            }
            let accepted = &mut self.accepted[first + i];
            if *accepted == NEVER || row.saturating_sub(*accepted) >= self.dead {
                *accepted = row;
                self.spikes.push(Spike {
                    frame: row,
                    channel: (first + i) as u32,
                    width: 0,
                    amplitude: *y,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (frame, channel) of what is found in one channel with threshold 5.
    fn found(polarity: Polarity, dead: u64, y: &[f64]) -> Vec<u64> {
        let mut records = [Spike::default(); 16];
        let mut spikes = SpikeBlock::new(&mut records);
        let mut memory = Memory {
            last: &mut [f64::NAN],
            accepted: &mut [NEVER],
        };
        let rule = Crossings { polarity, dead };
        rule.scan(Vectors::widest(), &[5.0], &mut memory, 100, y, &mut spikes);
        let n = spikes.found();
        records[..n].iter().map(|s| s.frame).collect()
    }

    #[test]
    fn a_crossing_is_the_first_sample_beyond_the_threshold() {
        assert_eq!(
            found(Polarity::Negative, 1, &[0.0, -5.0, -5.1, -9.0, 0.0, -6.0]),
            [102, 105]
        );
        assert_eq!(
            found(Polarity::Positive, 1, &[0.0, 5.0, 5.1, 9.0, 0.0, 6.0]),
            [102, 105]
        );
        assert!(found(Polarity::Positive, 1, &[0.0, -9.0, 0.0]).is_empty());
        assert_eq!(found(Polarity::Both, 1, &[0.0, -6.0, 6.0, 0.0]), [101, 102]);
    }

    #[test]
    fn the_first_sample_after_a_reset_cannot_cross() {
        assert_eq!(found(Polarity::Both, 1, &[-9.0, -9.0, 0.0, -9.0]), [103]);
    }

    #[test]
    fn crossings_within_the_dead_time_do_not_count_and_do_not_prolong_it() {
        let y = [0.0, -6.0, 0.0, -6.0, 0.0, -6.0, 0.0, -6.0];
        assert_eq!(found(Polarity::Negative, 4, &y), [101, 105]);
        let both = [0.0, -6.0, 6.0, 0.0, 6.0, 0.0];
        assert_eq!(found(Polarity::Both, 3, &both), [101, 104]);
    }

    /// The module's rule, word for word, one channel after the other; in order of frame, then channel.
    fn plainly(rule: &Crossings, thresholds: &[f64], frames: &[f64]) -> Vec<(u64, u32, u64)> {
        let mut found = Vec::new();
        for (channel, t) in thresholds.iter().enumerate() {
            let y = frames.iter().skip(channel).step_by(thresholds.len());
            let (mut was, mut accepted) = (f64::NAN, None);
            for (i, y) in (0u64..).zip(y) {
                let down = *y < -t && was >= -t && rule.polarity != Polarity::Positive;
                let up = *y > *t && was <= *t && rule.polarity != Polarity::Negative;
                if (down || up) && accepted.is_none_or(|last| i - last >= rule.dead) {
                    accepted = Some(i);
                    found.push((i, channel as u32, y.to_bits()));
                }
                was = *y;
            }
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn every_channel_gets_the_spikes_of_a_plain_loop_whatever_the_vectors_and_channel_count() {
        if Vectors::widest() == Vectors::PORTABLE {
            eprintln!("SKIPPED: this CPU has no wider vectors to compare with");
        }
        let mut x = 88_172_645_463_325_252u64;
        for channels in [1, 3, 15, 16, 17, 31, 60, 64] {
            let frames: Vec<f64> = (0..200 * channels)
                .map(|_| {
                    x ^= x << 13;
                    x ^= x >> 7;
                    x ^= x << 17;
                    match x % 1009 {
                        0 => f64::NAN,
                        1 => f64::NEG_INFINITY,
                        // Whole numbers: some samples stand on a threshold.
                        _ => (x >> 11) as f64 / (1u64 << 53) as f64 * 14.0 - 7.0,
                    }
                    .round()
                })
                .collect();
            let mut thresholds = vec![6.0; channels];
            thresholds[channels / 2] = f64::INFINITY;
            thresholds[channels - 1] = 5.0;
            for polarity in [Polarity::Negative, Polarity::Positive, Polarity::Both] {
                let rule = Crossings { polarity, dead: 5 };
                let expected = plainly(&rule, &thresholds, &frames);
                assert!(!expected.is_empty());
                for vectors in [Vectors::PORTABLE, Vectors::widest()] {
                    let mut records = vec![Spike::default(); frames.len()];
                    let mut spikes = SpikeBlock::new(&mut records);
                    let mut memory = Memory {
                        last: &mut vec![f64::NAN; channels],
                        accepted: &mut vec![NEVER; channels],
                    };
                    rule.scan(vectors, &thresholds, &mut memory, 0, &frames, &mut spikes);
                    let n = spikes.found();
                    let found: Vec<(u64, u32, u64)> = records[..n]
                        .iter()
                        .map(|s| (s.frame, s.channel, s.amplitude.to_bits()))
                        .collect();
                    assert_eq!(found, expected, "{channels} channels, {vectors:?}");
                }
            }
        }
    }

    #[test]
    fn spikes_come_by_frame_then_channel_and_what_does_not_fit_is_counted() {
        let channels = 40;
        let mut frames = vec![0.0; 3 * channels];
        frames[channels..].fill(-7.0);
        frames[2 * channels..].fill(0.0);
        let mut records = [Spike::default(); 30];
        let mut spikes = SpikeBlock::new(&mut records);
        let mut last = vec![0.0; channels];
        let mut accepted = vec![NEVER; channels];
        let mut memory = Memory {
            last: &mut last,
            accepted: &mut accepted,
        };
        let rule = Crossings {
            polarity: Polarity::Negative,
            dead: 30,
        };
        rule.scan(
            Vectors::widest(),
            &vec![5.0; channels],
            &mut memory,
            0,
            &frames,
            &mut spikes,
        );
        assert_eq!((spikes.found(), spikes.lost()), (30, 10));
        let expected: Vec<Spike> = (0..30)
            .map(|channel| Spike {
                frame: 1,
                channel,
                width: 0,
                amplitude: -7.0,
            })
            .collect();
        assert_eq!(records, expected.as_slice());
    }
}
