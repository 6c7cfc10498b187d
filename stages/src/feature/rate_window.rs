//! Spike counts per channel in bins, and their rate over a window of bins.
//!
//! Bin `b` covers the frames `base + b * bin_frames ..= base + (b + 1) * bin_frames - 1`; `base` is the first frame
//! after the start, a gap or a seam. A bin is complete when time has passed its last frame, whether or not anything was
//! in it.

use ephapse_engine::records::Spike;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The shape of a window.
#[derive(Clone, Copy, Debug)]
pub struct RateWindow {
    /// Frames of a bin.
    pub bin_frames: u64,
    /// Bins of the window.
    pub bins: usize,
    /// Channels.
    pub channels: usize,
    /// Frames per second.
    pub rate_hz: f64,
}

/// The rows that a block has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateRows {
    /// Rows written.
    pub rows: usize,
    /// Rows for which there was no room: the newest ones.
    pub dropped: u64,
    /// Of the rows written, the first so many lack bins: the window began before `base`.
    pub settling: usize,
    /// First frame of the first row's window.
    pub first_frame: u64,
    /// Last frame of the last row's window.
    pub last_frame: u64,
}

/// State; the counts follow it: per channel the sum of the ring, then the ring, bin after bin.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// 1 once `base` is known.
    started: u64,
    base: u64,
    /// Number of the bin being filled.
    open: u64,
}

impl RateWindow {
    /// Bytes of state; all zero is the initial state.
    pub fn state_bytes(&self) -> usize {
        size_of::<Head>() + ((self.bins + 1) * self.channels * 4).next_multiple_of(8)
    }

    /// Takes the spikes of a block (in order of frame) that stands for the frames `first_frame..=last_frame`, and
    /// writes a row of `channels` rates in Hz for each bin that this completes: spikes in the newest `bins` bins
    /// divided by their duration.
    ///
    /// # Panics
    /// If `state` is not [`RateWindow::state_bytes`] long and 8-byte aligned.
    pub fn run(
        &self,
        state: &mut [u8],
        (first_frame, last_frame): (u64, u64),
        spikes: &[Spike],
        rows: &mut [f64],
    ) -> RateRows {
        let fits = "state_bytes of this window, 8-byte aligned";
        let (head, counts) = Head::mut_from_prefix(state).expect(fits);
        let counts = <[u32]>::mut_from_bytes(counts).expect(fits);
        let (sum, ring) = counts.split_at_mut(self.channels);
        if head.started == 0 {
            head.started = 1;
            head.base = first_frame;
        }
        let mut filling = Filling {
            window: *self,
            head,
            sum,
            ring: &mut ring[..self.bins * self.channels],
            rows,
            made: RateRows::default(),
        };
        for spike in spikes {
            filling.pass_to(spike.frame);
            filling.count(spike.channel as usize);
        }
        filling.pass_to(last_frame.saturating_add(1));
        filling.made
    }
}

/// A block in hand.
struct Filling<'a> {
    window: RateWindow,
    head: &'a mut Head,
    sum: &'a mut [u32],
    ring: &'a mut [u32],
    rows: &'a mut [f64],
    made: RateRows,
}

impl Filling<'_> {
    fn slot(&mut self) -> &mut [u32] {
        let RateWindow { bins, channels, .. } = self.window;
        let slot = (self.head.open % bins as u64) as usize;
        &mut self.ring[slot * channels..][..channels]
    }

    fn count(&mut self, channel: usize) {
        if channel < self.window.channels {
            self.slot()[channel] += 1;
            self.sum[channel] += 1;
        }
    }

    /// All frames before `frame` have passed.
    fn pass_to(&mut self, frame: u64) {
        let RateWindow {
            bin_frames, bins, ..
        } = self.window;
        let passed = frame.saturating_sub(self.head.base) / bin_frames;
        let complete = passed.saturating_sub(self.head.open);
        // After `bins` bins without a spike all counts are zero: what lies beyond needs no turning of the ring.
        let room = self.rows.len() / self.window.channels;
        let turns = complete.min((bins + room) as u64);
        for _ in 0..turns {
            self.close_bin();
        }
        self.head.open += complete - turns;
        self.made.dropped += complete - turns;
    }

    fn close_bin(&mut self) {
        let RateWindow {
            bin_frames,
            bins,
            channels,
            rate_hz,
        } = self.window;
        let (base, closed) = (self.head.base, self.head.open);
        let made = &mut self.made;
        match self.rows.chunks_exact_mut(channels).nth(made.rows) {
            Some(row) => {
                let seconds = bins as f64 * bin_frames as f64 / rate_hz;
                for (rate, count) in row.iter_mut().zip(self.sum.iter()) {
                    *rate = f64::from(*count) / seconds;
                }
                if made.rows == 0 {
                    let before = (closed + 1).saturating_sub(bins as u64);
                    made.first_frame = base + before * bin_frames;
                }
                made.last_frame = base + (closed + 1) * bin_frames - 1;
                made.rows += 1;
                if closed + 1 < bins as u64 {
                    made.settling += 1;
                }
            }
            None => made.dropped += 1,
        }
        self.head.open += 1;
        let RateWindow { bins, channels, .. } = self.window;
        let slot = (self.head.open % bins as u64) as usize;
        let oldest = &mut self.ring[slot * channels..][..channels];
        for (sum, count) in self.sum.iter_mut().zip(oldest) {
            *sum -= std::mem::take(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: RateWindow = RateWindow {
        bin_frames: 10,
        bins: 3,
        channels: 2,
        rate_hz: 1000.0,
    };

    fn spike(frame: u64, channel: u32) -> Spike {
        Spike {
            frame,
            channel,
            ..Spike::default()
        }
    }

    fn state() -> Vec<u64> {
        vec![0; WINDOW.state_bytes() / 8]
    }

    fn run(state: &mut [u64], frames: (u64, u64), spikes: &[Spike]) -> (RateRows, Vec<f64>) {
        let mut rows = vec![f64::NAN; 8 * 2];
        let made = WINDOW.run(state.as_mut_bytes(), frames, spikes, &mut rows);
        rows.truncate(made.rows * 2);
        (made, rows)
    }

    #[test]
    fn a_rate_is_the_count_of_the_window_over_its_duration() {
        let spikes = [spike(0, 0), spike(9, 0), spike(10, 1), spike(35, 0)];
        let (made, rows) = run(&mut state(), (0, 59), &spikes);
        let hz = 1.0 / 0.03;
        let expected = [2.0, 0.0, 2.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(rows.len(), expected.len());
        for (rate, count) in rows.iter().zip(expected) {
            assert!((rate - count * hz).abs() < 1e-9, "{rows:?}");
        }
        let expected = RateRows {
            rows: 6,
            dropped: 0,
            settling: 2,
            first_frame: 0,
            last_frame: 59,
        };
        assert_eq!(made, expected);
    }

    #[test]
    fn a_bin_is_complete_when_time_has_passed_it_even_without_a_spike() {
        let mut state = state();
        assert_eq!(run(&mut state, (100, 108), &[]).0.rows, 0);
        let (made, rows) = run(&mut state, (109, 109), &[]);
        assert_eq!((made.rows, rows), (1, vec![0.0, 0.0]));
        assert_eq!((made.first_frame, made.last_frame), (100, 109));
    }

    #[test]
    fn rows_that_do_not_fit_are_counted_and_a_leap_in_time_ends_at_once() {
        let mut state = state();
        let (made, _) = run(&mut state, (0, 99), &[]);
        assert_eq!((made.rows, made.dropped, made.last_frame), (8, 2, 79));
        let (made, _) = run(&mut state, (100, 10u64.pow(15) - 1), &[]);
        assert_eq!((made.rows, made.dropped), (8, 10u64.pow(14) - 10 - 8));
        let (made, rows) = run(
            &mut state,
            (10u64.pow(15), 10u64.pow(15) + 9),
            &[spike(10u64.pow(15), 1)],
        );
        assert_eq!(made.rows, 1);
        assert!(rows[1] > 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn rows_do_not_depend_on_block_size(
            mut at in prop::collection::vec((0u64..400, 0u32..2), 0..60),
            blocks in prop::collection::vec(1u64..60, 1..20),
        ) {
            let frames: u64 = blocks.iter().sum();
            at.retain(|(frame, _)| *frame < frames);
            at.sort_unstable();
            let spikes: Vec<Spike> = at.iter().map(|(f, c)| spike(*f, *c)).collect();
            let whole: Vec<f64> = {
                let mut state = state();
                let mut rows = vec![0.0; 2 * 200];
                let made = WINDOW.run(state.as_mut_bytes(), (0, frames - 1), &spikes, &mut rows);
                rows[..made.rows * 2].to_vec()
            };
            let (mut state, mut pieces, mut first) = (state(), Vec::new(), 0);
            for block in blocks {
                let of = spikes.iter().filter(|s| (first..first + block).contains(&s.frame));
                let of: Vec<Spike> = of.copied().collect();
                pieces.extend(run(&mut state, (first, first + block - 1), &of).1);
                first += block;
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
