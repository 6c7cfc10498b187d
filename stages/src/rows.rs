//! Which source frames a row of a feature or decision block was computed from.
//!
//! A row of `feature.rate` covers a window of frames; the next row's window lies one *step* later. The header of a
//! block speaks of the whole block: `origin_first` is the first frame of the first row's window, `origin_frame` the
//! last frame of the last row's. The header's `user` word says the rest:
//!
//! ```text
//! bits  0..32  step: frames of the pacing source from one row to the next; 0 if the maker does not say
//! bits 32..64  rows dropped in this block because it was full
//! ```
//!
//! A stage that turns rows into rows one by one (`readout.linear`) passes the word on. Read by `policy.frequency`.
//! Stages that make rows from windows of frames keep the account with [`Rows`].

use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Rate, StreamType};

/// What the `user` word of a block of rows says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowWord {
    /// Frames of the pacing source from one row to the next; 0 if unknown.
    pub step_frames: u32,
    /// Rows that did not fit into the block.
    pub dropped: u32,
}

impl RowWord {
    /// As stored in the header.
    pub fn to_user(self) -> u64 {
        u64::from(self.step_frames) | u64::from(self.dropped) << 32
    }

    /// From the header.
    pub fn from_user(user: u64) -> Self {
        RowWord {
            step_frames: user as u32,
            dropped: (user >> 32) as u32,
        }
    }
}

/// First and last source frame of row `row`'s window. Without a step every row stands for the whole block.
///
/// The windows of rows that the header counts as settling, and of the first row after them, begin where the block's
/// first begins: they are still growing.
pub fn window_of_row(header: &SlotHeader, row: usize) -> (u64, u64) {
    let step = u64::from(RowWord::from_user(header.user).step_frames);
    let rows = u64::from(header.valid);
    let after = rows.saturating_sub(1 + row as u64).saturating_mul(step);
    let grown = (row as u64).saturating_sub(u64::from(header.settling));
    let before = grown.saturating_mul(step);
    if step == 0 {
        return (header.origin_first, header.origin_frame);
    }
    (
        header.origin_first.saturating_add(before),
        header.origin_frame.saturating_sub(after),
    )
}

/// Rate of rows that are `step` frames of an input apart.
pub fn row_rate(input: &StreamType, step: u64) -> Rate {
    Rate::new(input.rate.numerator, input.rate.denominator * step)
}

/// The rows made from a block of frames, and what they were computed from.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Most rows there is room for, and numbers of one.
    room: usize,
    width: usize,
    dropped: u32,
    /// Source frames that one frame of the block stands for; `None` if they are not the same for all.
    per_frame: Option<u64>,
    origin_first: u64,
    made: usize,
    /// First frame of the first row's window, last of the last row's.
    span: (u64, u64),
}

impl Rows {
    /// For rows of `width` numbers made from the block of this header; there is room for so many.
    pub fn new(block: &SlotHeader, room: usize, width: usize) -> Self {
        let frames = u64::from(block.valid);
        let span = (block.origin_frame.saturating_add(1)).saturating_sub(block.origin_first);
        Rows {
            room,
            width,
            dropped: 0,
            per_frame: (frames > 0 && span > 0 && span.is_multiple_of(frames))
                .then(|| span / frames),
            origin_first: block.origin_first,
            made: 0,
            span: (block.origin_first, block.origin_frame),
        }
    }

    /// Place in `rows` of the next row, made from `length` frames, the last of which is the `taken`-th of the block. `None`, and
    /// counted: there is no room for it.
    pub fn next<'r>(
        &mut self,
        rows: &'r mut [f64],
        taken: usize,
        length: usize,
    ) -> Option<&'r mut [f64]> {
        if self.made == self.room {
            self.dropped += 1;
            return None;
        }
        if let Some(per_frame) = self.per_frame {
            let behind = self
                .origin_first
                .saturating_add((taken as u64).saturating_mul(per_frame));
            if self.made == 0 {
                self.span.0 = behind.saturating_sub((length as u64).saturating_mul(per_frame));
            }
            self.span.1 = behind.saturating_sub(1);
        }
        self.made += 1;
        Some(&mut rows[(self.made - 1) * self.width..][..self.width])
    }

    /// How many were made.
    pub fn made(&self) -> usize {
        self.made
    }

    /// Writes what they were computed from into the header of their block. `step`: frames from one row to the next.
    pub fn write(&self, header: &mut SlotHeader, step: usize) {
        let per_frame = self.per_frame.unwrap_or(0);
        header.user = RowWord {
            step_frames: u32::try_from(per_frame.saturating_mul(step as u64)).unwrap_or(0),
            dropped: self.dropped,
        }
        .to_user();
        if self.made > 0 {
            (header.origin_first, header.origin_frame) = self.span;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_thinned_frames_stand_for_the_source_s_frames() {
        // Twenty frames, each of four of the source.
        let block = SlotHeader {
            origin_first: 400,
            origin_frame: 479,
            valid: 20,
            ..SlotHeader::default()
        };
        let mut numbers = [0.0; 6];
        let mut rows = Rows::new(&block, 2, 3);
        rows.next(&mut numbers, 5, 50).unwrap().fill(1.0);
        rows.next(&mut numbers, 15, 50).unwrap().fill(2.0);
        assert_eq!(rows.next(&mut numbers, 20, 50), None);
        assert_eq!((numbers, rows.made()), ([1.0, 1.0, 1.0, 2.0, 2.0, 2.0], 2));
        let mut header = SlotHeader { valid: 2, ..block };
        rows.write(&mut header, 10);
        assert_eq!(RowWord::from_user(header.user).dropped, 1);
        assert_eq!(window_of_row(&header, 0), (220, 419));
        assert_eq!(window_of_row(&header, 1), (260, 459));
    }

    #[test]
    fn rows_share_a_block_one_step_apart() {
        let word = RowWord {
            step_frames: 200,
            dropped: 3,
        };
        assert_eq!(RowWord::from_user(word.to_user()), word);
        let header = SlotHeader {
            origin_first: 1000,
            origin_frame: 3399,
            valid: 3,
            user: word.to_user(),
            ..SlotHeader::default()
        };
        let windows: Vec<_> = (0..3).map(|r| window_of_row(&header, r)).collect();
        assert_eq!(windows, [(1000, 2999), (1200, 3199), (1400, 3399)]);
    }

    #[test]
    fn windows_that_still_grow_begin_together() {
        let header = SlotHeader {
            origin_first: 500,
            origin_frame: 899,
            valid: 3,
            settling: 1,
            user: RowWord {
                step_frames: 100,
                dropped: 0,
            }
            .to_user(),
            ..SlotHeader::default()
        };
        let windows: Vec<_> = (0..3).map(|r| window_of_row(&header, r)).collect();
        assert_eq!(windows, [(500, 699), (500, 799), (600, 899)]);
    }

    #[test]
    fn without_a_step_every_row_stands_for_the_whole_block() {
        let header = SlotHeader {
            origin_first: 7,
            origin_frame: 26,
            valid: 2,
            ..SlotHeader::default()
        };
        assert_eq!(window_of_row(&header, 0), (7, 26));
        assert_eq!(window_of_row(&header, 1), (7, 26));
    }
}
