//! The newest frames of every channel, and when a window over them is due.
//!
//! A window of `length` frames is due when that many have been seen since the start, a gap or a seam, and from then on
//! `step` frames after the one before it. It is due with a frame, wherever that lies in its block.

use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most numbers that are held: as state they are copied in every activation.
pub const MOST_NUMBERS: usize = 1 << 20;

/// The shape of a history.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// Channels of a frame.
    pub channels: usize,
    /// Frames held.
    pub frames: usize,
}

/// State; behind it, channel after channel, the ring of the newest frames.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// Frames seen since the start.
    seen: u64,
    /// Frames seen when the newest window was made; 0: none was.
    made: u64,
}

/// The newest frames, at the moment in which a window is due.
#[derive(Clone, Copy, Debug)]
pub struct Newest<'a> {
    history: History,
    ring: &'a [f64],
    /// Place behind the newest frame.
    end: usize,
    /// Frames of the block seen so far, the newest included.
    pub taken: usize,
}

impl<'a> Newest<'a> {
    /// Frames `frames` of a channel, in two pieces: 0 is the oldest of the newest `length`.
    ///
    /// # Panics
    /// If the range ends behind `length`, or `length` frames are more than are held.
    pub fn of(
        &self,
        channel: usize,
        length: usize,
        frames: Range<usize>,
    ) -> (&'a [f64], &'a [f64]) {
        let held = self.history.frames;
        assert!(
            frames.end <= length && length <= held,
            "frames that are held"
        );
        let ring = &self.ring[channel * held..][..held];
        let from = (self.end + held - length + frames.start) % held;
        let count = frames.len();
        let first = count.min(held - from);
        (&ring[from..from + first], &ring[..count - first])
    }
}

impl History {
    /// Bytes of state; all zero is the initial state.
    pub fn state_bytes(&self) -> usize {
        size_of::<Head>() + self.channels * self.frames * 8
    }

    /// Forgets what was seen.
    ///
    /// # Panics
    /// If `state` is not [`History::state_bytes`] long and 8-byte aligned.
    pub fn forget(&self, state: &mut [u8]) {
        let (head, _) = Head::mut_from_prefix(state).expect("state_bytes of this history");
        (head.seen, head.made) = (0, 0);
    }

    /// Takes frames (`time x channel`) in and calls `due` each time that a window of `length` frames, `step` after the one
    /// before, is complete. Lengths beyond what is held, and 0, are set right.
    ///
    /// # Panics
    /// If `state` is not [`History::state_bytes`] long and 8-byte aligned.
    pub fn run(
        &self,
        state: &mut [u8],
        frames: &[f64],
        (length, step): (usize, usize),
        mut due: impl FnMut(Newest<'_>),
    ) {
        let fits = "state_bytes of this history, 8-byte aligned";
        let (head, ring) = Head::mut_from_prefix(state).expect(fits);
        let ring = <[f64]>::mut_from_bytes(ring).expect(fits);
        let length = length.clamp(1, self.frames) as u64;
        let step = step.max(1) as u64;
        let mut taken = 0;
        let count = frames.len() / self.channels;
        while taken < count {
            let at = if head.made == 0 {
                length
            } else {
                length.max(head.made + step)
            };
            // What became due by a change of length or step is due with the next frame.
            let until = at.saturating_sub(head.seen).max(1);
            let now = until.min((count - taken) as u64) as usize;
            for frame in
                frames[taken * self.channels..][..now * self.channels].chunks_exact(self.channels)
            {
                let place = (head.seen % self.frames as u64) as usize;
                for (held, x) in ring.chunks_exact_mut(self.frames).zip(frame) {
                    held[place] = *x;
                }
                head.seen += 1;
            }
            taken += now;
            if now as u64 == until {
                head.made = head.seen;
                due(Newest {
                    history: *self,
                    ring,
                    end: (head.seen % self.frames as u64) as usize,
                    taken,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HISTORY: History = History {
        channels: 2,
        frames: 16,
    };

    fn state() -> Vec<u64> {
        vec![0; HISTORY.state_bytes() / 8]
    }

    /// Frame `i` is `[i, -i]`. What is due: the frames of channel 0, and the last of channel 1.
    fn run(state: &mut [u64], frames: Range<usize>, shape: (usize, usize)) -> Vec<(Vec<f64>, f64)> {
        let x: Vec<f64> = frames.flat_map(|i| [i as f64, -(i as f64)]).collect();
        let mut made = Vec::new();
        HISTORY.run(state.as_mut_bytes(), &x, shape, |newest| {
            let (a, b) = newest.of(0, shape.0, 0..shape.0);
            let (c, d) = newest.of(1, shape.0, shape.0 - 1..shape.0);
            made.push(([a, b].concat(), [c, d].concat()[0]));
        });
        made
    }

    #[test]
    fn windows_come_when_they_are_full_and_then_one_step_apart() {
        let made = run(&mut state(), 0..20, (8, 5));
        let lasts: Vec<f64> = made.iter().map(|(_, last)| -last).collect();
        assert_eq!(lasts, [7.0, 12.0, 17.0]);
        for (frames, last) in made {
            let first = -last as usize - 7;
            assert!(frames.iter().zip(first..).all(|(x, i)| *x == i as f64));
        }
    }

    #[test]
    fn a_longer_window_looks_back_at_what_is_held_and_a_shorter_step_counts_at_once() {
        let mut state = state();
        assert_eq!(run(&mut state, 0..10, (8, 5)).len(), 1);
        // 16 frames have not been seen: due with the sixteenth.
        let made = run(&mut state, 10..20, (16, 5));
        assert_eq!(made.len(), 1);
        assert_eq!((made[0].0[0], made[0].1), (0.0, -15.0));
        // Frame 15 was the last one: with a step of 2 the next is overdue.
        let made = run(&mut state, 20..23, (4, 2));
        let lasts: Vec<f64> = made.iter().map(|(_, last)| -last).collect();
        assert_eq!(lasts, [20.0, 22.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_chunking_gives_the_windows_of_one_block(
            length in 1usize..17,
            step in 1usize..20,
            cuts in prop::collection::vec(1usize..40, 1..12),
        ) {
            let frames: usize = cuts.iter().sum();
            let (mut whole, mut pieces) = (state(), state());
            let expected = run(&mut whole, 0..frames, (length, step));
            let (mut made, mut first) = (Vec::new(), 0);
            for cut in cuts {
                made.extend(run(&mut pieces, first..first + cut, (length, step)));
                first += cut;
            }
            prop_assert_eq!(expected, made);
            prop_assert_eq!(whole, pieces);
        }
    }
}
