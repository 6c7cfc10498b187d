//! One frame for several, behind a low-pass filter.

use super::buffer::Buffer;
use super::fir::low_pass;
use super::held::Held;
use super::{breaks, origin_step};
use crate::abi::{SlotHeader, flag};
use ephapse_rtconfig::adapter::DECIMATE_SETTLE_FRAMES;
use ephapse_rtconfig::stream_type::StreamType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Filters `f64` frames and keeps every `factor`-th. What it has seen stands in a [`Held`] store, how far it is in
/// [`Words`].
pub(super) struct Decimate {
    factor: u64,
    taps: Vec<f64>,
    history: Held,
    row: usize,
    sums: Vec<f64>,
    output: Buffer,
    frame_ns: f64,
}

/// Flips with the state. All zero at first.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Words {
    /// Frames appended to the history.
    pushed: u64,
    /// The first of them that the filter may look back to.
    since: u64,
    /// Frame of the stream before which nothing means what it should.
    settled_from: u64,
    /// Next decimated frame.
    next: u64,
    /// 1: the next block has to say that there was a gap.
    gap_owed: u64,
}

impl Decimate {
    /// `before` is a type of `f64` frames.
    pub fn new(factor: u32, before: &StreamType) -> Self {
        let taps = low_pass(factor);
        let fed = before.frames_per_block();
        let row = before.row_bytes();
        let rate = before.rate.as_f64();
        Decimate {
            factor: u64::from(factor),
            history: Held::new(row, taps.len(), fed as usize),
            taps,
            row,
            sums: vec![0.0; before.elements_per_frame()],
            output: Buffer::new(row * fed.div_ceil(factor) as usize),
            frame_ns: if rate > 0.0 { 1e9 / rate } else { 0.0 },
        }
    }

    /// Bytes of the history.
    pub fn held_bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Takes frames in and computes those that are due; the header of their block, or `None` if none was.
    pub fn feed(
        &mut self,
        words: &mut Words,
        history: &mut [u8],
        header: &SlotHeader,
        rows: &[u8],
    ) -> Option<SlotHeader> {
        let (first, valid) = (header.first_frame, u64::from(header.valid));
        if breaks(header) {
            words.since = words.pushed;
            words.settled_from = first;
            words.gap_owed = 1;
        }
        if header.settling > 0 {
            let settled = first.saturating_add(u64::from(header.settling));
            words.settled_from = words.settled_from.max(settled);
        }
        let before = words.pushed;
        self.history
            .push(history, before, &rows[..header.valid as usize * self.row]);
        words.pushed += valid;
        // Decimated frame m is due with frame m * factor + factor - 1, wherever that lies in its block.
        let made = first / self.factor;
        let due = made * self.factor + self.factor - 1;
        let last = (first + valid).checked_sub(1).filter(|last| *last >= due)?;
        let count = (last - due) / self.factor + 1;
        for place in 0..count {
            let end = before + due + place * self.factor - first + 1;
            self.compute(place as usize, words.since, end, history);
        }
        let newest = due + (count - 1) * self.factor;
        let gap = core::mem::take(&mut words.gap_owed) != 0;
        let settled = words.settled_from / self.factor + u64::from(DECIMATE_SETTLE_FRAMES);
        // The frames that decimated frame `made` stands for may have begun in the block before.
        let (origin_first, origin_frame) = match origin_step(header) {
            Some(step) => {
                let earlier = (first - made * self.factor).saturating_mul(step);
                let later = (newest - first + 1).saturating_mul(step);
                (
                    header.origin_first.saturating_sub(earlier),
                    header.origin_first.saturating_add(later - 1),
                )
            }
            None => (header.origin_first, header.origin_frame),
        };
        let behind = SlotHeader {
            first_frame: made,
            valid: count as u32,
            origin_first,
            origin_frame,
            flags: header.flags & !flag::GAP | if gap { flag::GAP } else { 0 },
            lost: if gap {
                made.saturating_sub(words.next)
            } else {
                0
            },
            settling: settled.saturating_sub(made).min(count) as u32,
            sampled_ns: header
                .sampled_ns
                .saturating_sub(((last - newest) as f64 * self.frame_ns) as u64),
            ..*header
        };
        words.next = made + count;
        Some(behind)
    }

    /// Frame `place` of the output: the taps over what lies before frame `end` of the history, oldest first, and not
    /// before `since`: there the signal counts as zero.
    fn compute(&mut self, place: usize, since: u64, end: u64, history: &[u8]) {
        let seen = (end - since).min(self.taps.len() as u64) as usize;
        let rows = self.history.run(history, end - seen as u64, seen);
        let taps = &self.taps[self.taps.len() - seen..];
        self.sums.fill(0.0);
        for (tap, row) in taps.iter().zip(rows.chunks_exact(self.row)) {
            for (sum, value) in self.sums.iter_mut().zip(row.as_chunks().0) {
                *sum += tap * f64::from_le_bytes(*value);
            }
        }
        let to = &mut self.output.bytes_mut()[place * self.row..][..self.row];
        to.copy_from_slice(self.sums.as_slice().as_bytes());
    }

    pub fn output(&self, rows: usize) -> &[u8] {
        &self.output.bytes()[..rows * self.row]
    }
}
