//! Threshold crossings with a dead time.
//!
//! Sample `i` of a channel crosses the threshold `t > 0` downwards if `y[i] < -t` and `y[i-1] >= -t`, upwards if
//! `y[i] > t` and `y[i-1] <= t`. A crossing is accepted if at least `dead` frames have passed since the channel's last
//! accepted one, of either direction. After a reset there is no `y[i-1]`: the first sample cannot cross.

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

/// Channels compared before looking whether any was beyond its threshold.
const GROUP: usize = 16;

impl Crossings {
    /// Finds the crossings in whole frames (`time x channel`), the first of which is number `first_frame`; in order of
    /// frame, then channel. `thresholds`: one positive number per channel, infinite for a channel that is not looked
    /// at.
    pub fn scan(
        &self,
        thresholds: &[f64],
        memory: &mut Memory<'_>,
        first_frame: u64,
        frames: &[f64],
        spikes: &mut SpikeBlock<'_>,
    ) {
        match self.polarity {
            Polarity::Negative => {
                self.rows::<true, false>(thresholds, memory, first_frame, frames, spikes);
            }
            Polarity::Positive => {
                self.rows::<false, true>(thresholds, memory, first_frame, frames, spikes);
            }
            Polarity::Both => {
                self.rows::<true, true>(thresholds, memory, first_frame, frames, spikes);
            }
        }
    }

    /// Remembers the last of whole frames without looking for crossings.
    pub fn remember(memory: &mut Memory<'_>, frames: &[f64]) {
        let channels = memory.last.len();
        if let Some(last) = frames.chunks_exact(channels).next_back() {
            memory.last.copy_from_slice(last);
        }
    }

    fn rows<const DOWN: bool, const UP: bool>(
        &self,
        thresholds: &[f64],
        memory: &mut Memory<'_>,
        first_frame: u64,
        frames: &[f64],
        spikes: &mut SpikeBlock<'_>,
    ) {
        let channels = thresholds.len();
        let mut before: &[f64] = memory.last;
        for (row, frame) in (first_frame..).zip(frames.chunks_exact(channels)) {
            let groups = frame.chunks(GROUP).zip(thresholds.chunks(GROUP));
            for (group, (y, t)) in groups.enumerate() {
                let mut beyond = false;
                for (y, t) in y.iter().zip(t) {
                    beyond |= (DOWN && *y < -t) || (UP && *y > *t);
                }
                if !beyond {
                    continue;
                }
                for (i, (y, t)) in y.iter().zip(t).enumerate() {
                    let channel = group * GROUP + i;
                    let was = before[channel];
                    let down = DOWN && *y < -t && was >= -t;
                    let up = UP && *y > *t && was <= *t;
                    let accepted = &mut memory.accepted[channel];
                    if (down || up)
                        && (*accepted == NEVER || row.saturating_sub(*accepted) >= self.dead)
                    {
                        *accepted = row;
                        spikes.push(Spike {
                            frame: row,
                            channel: channel as u32,
                            width: 0,
                            amplitude: *y,
                        });
                    }
                }
            }
            before = frame;
        }
        Crossings::remember(memory, frames);
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
        Crossings { polarity, dead }.scan(&[5.0], &mut memory, 100, y, &mut spikes);
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
        rule.scan(&vec![5.0; channels], &mut memory, 0, &frames, &mut spikes);
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
