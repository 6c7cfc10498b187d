//! When noise is measured, when its median is computed, and from which frame on it counts.
//!
//! Time is counted in *settled* frames. After `skip` of them a window of `n` frames is collected; its median is
//! computed during the `n / 4` frames that follow, and counts from the next frame on. A running estimate goes on:
//! window after window is collected into one of two buffers while the median of the one before is computed.

/// The plan of a noise estimate.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Frames before the first window.
    pub skip: u64,
    /// Frames of a window; at least 4.
    pub window: u64,
    /// Windows follow each other without end; else there is one.
    pub running: bool,
}

/// A stretch of frames in which the same things are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its length, at least 1.
    pub frames: u64,
    /// Before its first frame: the estimate that was computed counts from here on.
    pub adopt: bool,
    /// Its frames are collected into this buffer from this sample on.
    pub collect: Option<Place>,
    /// The median of this buffer is computed; so many frames have been spent on it.
    pub compute: Option<Place>,
}

/// A place in one of the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Buffer, 0 or 1.
    pub buffer: usize,
    /// Frames before.
    pub frame: u64,
}

impl Schedule {
    /// Frames over which the computation of a median is spread.
    pub fn spread(&self) -> u64 {
        self.window / 4
    }

    /// Buffers needed.
    pub fn buffers(&self) -> usize {
        if self.running { 2 } else { 1 }
    }

    /// Frame (counted in settled frames) from which on the first estimate counts.
    pub fn first_estimate(&self) -> u64 {
        self.skip + self.window + self.spread()
    }

    /// What is to be done from settled frame `seen` on, for at most `at_most` (> 0) frames.
    pub fn stretch(&self, seen: u64, at_most: u64) -> Stretch {
        let nothing = |frames: u64| Stretch {
            frames: frames.min(at_most),
            adopt: false,
            collect: None,
            compute: None,
        };
        let Some(since) = seen.checked_sub(self.skip) else {
            return nothing(self.skip - seen);
        };
        // Windows before this frame, and frames since the end of the last of them.
        let (windows, frame) = match (self.running, since < self.window) {
            (false, true) => (0, since),
            (false, false) => (1, since - self.window),
            (true, _) => (since / self.window, since % self.window),
        };
        let collects = self.running || windows == 0;
        let computes = windows > 0 && frame < self.spread();
        let ends = if computes {
            self.spread() - frame
        } else if collects {
            self.window - frame
        } else {
            at_most
        };
        let mut stretch = nothing(ends);
        stretch.adopt = windows > 0 && frame == self.spread();
        if collects {
            let buffer = (windows % 2) as usize;
            stretch.collect = Some(Place { buffer, frame });
        }
        if computes {
            let buffer = ((windows - 1) % 2) as usize;
            stretch.compute = Some(Place { buffer, frame });
        }
        stretch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(buffer: usize, frame: u64) -> Option<Place> {
        Some(Place { buffer, frame })
    }

    fn stretches(schedule: Schedule, upto: u64, block: u64) -> Vec<Stretch> {
        let (mut seen, mut all) = (0, Vec::new());
        while seen < upto {
            let left = block - seen % block;
            let s = schedule.stretch(seen, left.min(upto - seen));
            seen += s.frames;
            all.push(s);
        }
        all
    }

    #[test]
    fn one_window_is_skipped_to_collected_computed_and_adopted() {
        let schedule = Schedule {
            skip: 10,
            window: 100,
            running: false,
        };
        let s = |frames, adopt, collect, compute| Stretch {
            frames,
            adopt,
            collect,
            compute,
        };
        assert_eq!(
            stretches(schedule, 1000, 1000),
            [
                s(10, false, None, None),
                s(100, false, place(0, 0), None),
                s(25, false, None, place(0, 0)),
                s(865, true, None, None),
            ]
        );
        assert_eq!(schedule.first_estimate(), 135);
    }

    #[test]
    fn running_windows_alternate_between_two_buffers() {
        let schedule = Schedule {
            skip: 0,
            window: 100,
            running: true,
        };
        let made = stretches(schedule, 300, 1000);
        let collected: Vec<_> = made.iter().filter_map(|s| s.collect).collect();
        let expected = [(0, 0), (1, 0), (1, 25), (0, 0), (0, 25)];
        assert_eq!(collected, expected.map(|(b, f)| place(b, f).unwrap()));
        let computed: Vec<_> = made.iter().filter_map(|s| s.compute).collect();
        assert_eq!(computed, [place(0, 0).unwrap(), place(1, 0).unwrap()]);
    }

    #[test]
    fn each_estimate_is_adopted_once_at_the_same_frame_for_any_block_size() {
        let schedule = Schedule {
            skip: 3,
            window: 40,
            running: true,
        };
        for block in [1, 2, 7, 10, 33, 53, 200] {
            let mut seen = 0;
            let mut adopted = Vec::new();
            for s in stretches(schedule, 200, block) {
                if s.adopt {
                    adopted.push(seen);
                }
                seen += s.frames;
            }
            assert_eq!(adopted, [53, 93, 133, 173], "blocks of {block}");
        }
    }
}
