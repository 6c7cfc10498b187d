//! The exact median of many channels, computed a little at a time.
//!
//! The samples are non-negative f64, so their bit patterns are ordered as they are. Each channel's two middle values
//! are found by radix selection on the 63 bits below the sign, in six passes: count the values of a digit among the
//! samples that share the digits chosen so far, choose the digit in which the middle lies, go on with the samples that
//! have it.
//!
//! Work is counted in *visits*: `channels * 6 * n` of them, in the order channel, pass, sample. A pass over fewer
//! samples leaves the rest of its visits free, so how much is done by a given visit does not depend on the data, and a
//! caller who spreads visits over frames ends at the same frame whatever the block size.
//!
//! Everything in here is scratch: what must survive a restart is the number of visits made and the medians found. A
//! [`SpreadMedian`] that was not the one to make the last visit (its process is new) repeats the current channel's
//! first.

/// Bits of the digits, most significant first: 63 in all. The first is the exponent.
const WIDTHS: [u32; 6] = [11, 11, 11, 10, 10, 10];
/// Passes over a channel's samples.
pub const PASSES: u64 = WIDTHS.len() as u64;
const BINS: usize = 1 << 11;

/// Lowest bit of the digit of a pass.
const fn shift(pass: usize) -> u32 {
    let mut bits = 63;
    let mut p = 0;
    while p <= pass {
        bits -= WIDTHS[p];
        p += 1;
    }
    bits
}

/// Scratch memory and place of the selection.
#[derive(Clone, Debug)]
pub struct SpreadMedian {
    channels: u64,
    samples: u64,
    /// Visits made; `u64::MAX` before the first.
    done: u64,
    histogram: Vec<u32>,
    /// Samples that share the chosen digits: pass p >= 1 writes `lists[p % 2]` and, from p = 2 on, reads the other.
    lists: [Vec<u64>; 2],
    channel: Channel,
}

/// Where the selection stands within a channel.
#[derive(Clone, Copy, Debug)]
struct Channel {
    /// Digits chosen so far, as a number.
    prefix: u64,
    /// Rank of the lower middle value among the samples with that prefix.
    rank: u64,
    upper: Upper,
}

/// The upper middle value, when the number of samples is even.
#[derive(Clone, Copy, Debug)]
enum Upper {
    /// It shares all digits chosen so far with the lower one.
    Shares,
    /// It is the smallest sample whose bits above `shift` are `prefix`; `least` of those visited so far.
    Apart { prefix: u64, shift: u32, least: u64 },
}

impl SpreadMedian {
    /// For `channels` channels of `samples` samples each. Allocates `2 * samples * 8` bytes.
    pub fn new(channels: usize, samples: usize) -> Self {
        SpreadMedian {
            channels: channels as u64,
            samples: samples as u64,
            done: u64::MAX,
            histogram: vec![0; BINS],
            // Written before it is emptied, so that no page of it is new when it is used.
            lists: [(); 2].map(|()| {
                let mut list = vec![u64::MAX; samples];
                list.clear();
                list
            }),
            channel: Channel::new(samples as u64),
        }
    }

    /// Visits after which all medians are found.
    pub fn visits(&self) -> u64 {
        self.channels * PASSES * self.samples
    }

    /// Makes visits until `to` have been made. `progress` is the number made before and is updated; `samples` holds the
    /// bits of the samples, channel after channel; `medians[c]` is written when channel c's last visit has been made.
    ///
    /// The median is numpy's: the middle value, or the mean of the two middle values.
    pub fn advance(&mut self, progress: &mut u64, to: u64, samples: &[u64], medians: &mut [f64]) {
        let per_channel = PASSES * self.samples;
        let to = to.min(self.visits());
        if *progress >= to {
            return;
        }
        if self.done != *progress {
            self.done = *progress - *progress % per_channel;
            self.begin_channel();
        }
        while self.done < to {
            let channel = (self.done / per_channel) as usize;
            let pass = (self.done % per_channel / self.samples) as usize;
            let from = self.done % self.samples;
            let upto = (from + (to - self.done)).min(self.samples);
            let n = self.samples as usize;
            self.visit(
                pass,
                from as usize..upto as usize,
                &samples[channel * n..][..n],
            );
            self.done += upto - from;
            if upto == self.samples {
                self.end_pass(pass);
                if pass + 1 == WIDTHS.len() {
                    medians[channel] = self.channel.median();
                    self.begin_channel();
                }
            }
        }
        *progress = to;
    }

    fn begin_channel(&mut self) {
        self.channel = Channel::new(self.samples);
        self.histogram.fill(0);
        self.lists.iter_mut().for_each(Vec::clear);
    }

    /// Visits `range` of the samples that pass `pass` looks at, as far as there are so many.
    fn visit(&mut self, pass: usize, range: std::ops::Range<usize>, all: &[u64]) {
        let shift_of_digit = shift(pass);
        let mask = (1u64 << WIDTHS[pass]) - 1;
        if pass == 0 {
            for bits in &all[range] {
                self.histogram[((bits >> shift_of_digit) & mask) as usize] += 1;
            }
            return;
        }
        let [even, odd] = &mut self.lists;
        let (kept, other) = if pass.is_multiple_of(2) {
            (even, odd)
        } else {
            (odd, even)
        };
        let looked_at: &[u64] = if pass == 1 { all } else { other };
        let end = range.end.min(looked_at.len());
        let looked_at = &looked_at[range.start.min(end)..end];
        let shift_of_prefix = shift(pass - 1);
        let prefix = self.channel.prefix;
        for bits in looked_at {
            if bits >> shift_of_prefix == prefix {
                self.histogram[((bits >> shift_of_digit) & mask) as usize] += 1;
                kept.push(*bits);
            }
        }
        if let Upper::Apart {
            prefix,
            shift,
            least,
        } = &mut self.channel.upper
        {
            for bits in looked_at {
                if bits >> *shift == *prefix {
                    *least = (*least).min(*bits);
                }
            }
        }
    }

    /// All samples of the pass are counted: chooses its digit.
    fn end_pass(&mut self, pass: usize) {
        let mut rank = self.channel.rank;
        let mut digit = 0;
        while rank >= u64::from(self.histogram[digit]) {
            rank -= u64::from(self.histogram[digit]);
            digit += 1;
        }
        let even = self.samples.is_multiple_of(2);
        let shares = matches!(self.channel.upper, Upper::Shares);
        let before = self.channel.prefix << WIDTHS[pass];
        if even && shares && rank + 1 == u64::from(self.histogram[digit]) {
            // The lower one is the last of its bin: the upper one is the first of the next bin that is not empty.
            let next = (digit + 1..BINS)
                .find(|d| self.histogram[*d] > 0)
                .unwrap_or(digit);
            let prefix = before | next as u64;
            let last_pass = pass + 1 == WIDTHS.len();
            self.channel.upper = Upper::Apart {
                prefix,
                shift: shift(pass),
                least: if last_pass { prefix } else { u64::MAX },
            };
        }
        self.channel.prefix = before | digit as u64;
        self.channel.rank = rank;
        self.histogram.fill(0);
        if pass > 0 {
            // What this pass read is what the next one writes.
            self.lists[(pass + 1) % 2].clear();
        }
    }
}

impl Channel {
    fn new(samples: u64) -> Self {
        Channel {
            prefix: 0,
            rank: samples.saturating_sub(1) / 2,
            upper: Upper::Shares,
        }
    }

    fn median(&self) -> f64 {
        let lower = f64::from_bits(self.prefix);
        match self.upper {
            Upper::Shares => lower,
            Upper::Apart { least, .. } => (lower + f64::from_bits(least)) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_sorting(samples: &[f64]) -> f64 {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        if n % 2 == 1 {
            sorted[n / 2]
        } else {
            (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0
        }
    }

    fn bits(channels: &[Vec<f64>]) -> Vec<u64> {
        channels.iter().flatten().map(|x| x.to_bits()).collect()
    }

    fn sample() -> impl Strategy<Value = f64> {
        prop_oneof![
            3 => 0.0f64..10.0,
            2 => (0u32..4).prop_map(f64::from),
            1 => (0u64..8).prop_map(|low| f64::from_bits(1.5f64.to_bits() + low)),
            1 => (-300i32..300).prop_map(|e| 10f64.powi(e)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn medians_are_those_of_sorting_for_any_steps_and_restarts(
            (n, channels) in (1usize..60, 1usize..5).prop_flat_map(|(n, c)| (
                Just(n),
                prop::collection::vec(prop::collection::vec(sample(), n), c),
            )),
            step in 1u64..400,
            restart_every in 1usize..8,
        ) {
            let samples = bits(&channels);
            let fresh = SpreadMedian::new(channels.len(), n);
            let mut median = fresh.clone();
            let mut found = vec![-1.0; channels.len()];
            let (mut progress, mut calls) = (0, 0);
            while progress < median.visits() {
                let to = progress + step;
                median.advance(&mut progress, to, &samples, &mut found);
                calls += 1;
                if calls % restart_every == 0 {
                    median = fresh.clone();
                }
            }
            let expected: Vec<f64> = channels.iter().map(|c| by_sorting(c)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_channel_s_median_is_written_at_its_last_visit_and_not_before() {
        let channels = vec![vec![3.0, 1.0, 2.0], vec![6.0, 5.0, 4.0]];
        let samples = bits(&channels);
        let mut median = SpreadMedian::new(2, 3);
        let mut found = vec![-1.0; 2];
        let mut progress = 0;
        median.advance(&mut progress, 17, &samples, &mut found);
        assert_eq!(found, [-1.0, -1.0]);
        median.advance(&mut progress, 18, &samples, &mut found);
        assert_eq!(found, [2.0, -1.0]);
        median.advance(&mut progress, 36, &samples, &mut found);
        assert_eq!(found, [2.0, 5.0]);
    }
}
