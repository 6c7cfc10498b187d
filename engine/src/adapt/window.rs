//! Blocks of exactly `n` frames, one every `step` frames, whatever the blocks they come in.

use super::held::Held;
use super::{Adapted, breaks, origin_step};
use crate::abi::{SlotHeader, flag};
use ephapse_rtconfig::stream_type::StreamType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Holds back frames until a window is whole. A gap discards what is held: no window spans it. The frames stand in a
/// [`Held`] store, how far it is in [`Words`].
pub(super) struct Window {
    n: u64,
    step: u64,
    row: usize,
    frames: Held,
    /// Frames whose origins the store has room for.
    origins: u64,
    /// Header of the block fed: only between `feed` and the last `next`.
    fed: SlotHeader,
    frame_ns: f64,
}

/// Flips with the state. All zero at first.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Words {
    /// Frames appended to the store.
    pushed: u64,
    /// The first of them that the next window begins with; may not have come yet when `step > n`.
    next: u64,
    /// Frame of the stream before which nothing means what it should.
    settled_from: u64,
    /// Frame of the stream up to which everything is in a window or passed over between two.
    covered_to: u64,
    /// 1: the next window has to say that there was a gap.
    gap_owed: u64,
}

const ORIGIN_BYTES: usize = 2 * size_of::<u64>();

impl Window {
    pub fn new(stream_type: &StreamType, n: u32, step: u32) -> Self {
        let row = stream_type.row_bytes();
        let (longest, fed) = (n as usize, stream_type.frames_per_block() as usize);
        let rate = stream_type.rate.as_f64();
        Window {
            n: u64::from(n),
            step: u64::from(step.max(1)),
            row,
            frames: Held::new(row, longest, fed),
            origins: (longest + fed) as u64,
            fed: SlotHeader::default(),
            frame_ns: if rate > 0.0 { 1e9 / rate } else { 0.0 },
        }
    }

    /// Bytes of the store: frames first, the origins of each behind them.
    pub fn held_bytes(&self) -> usize {
        self.frames.bytes() + self.origins as usize * ORIGIN_BYTES
    }

    pub fn feed(&mut self, words: &mut Words, store: &mut [u8], header: &SlotHeader, rows: &[u8]) {
        if breaks(header) {
            words.next = words.pushed;
            words.gap_owed = 1;
        }
        if header.settling > 0 {
            words.settled_from = header.first_frame + u64::from(header.settling);
        }
        let (frames, origins) = store.split_at_mut(self.frames.bytes());
        self.frames.push(
            frames,
            words.pushed,
            &rows[..header.valid as usize * self.row],
        );
        let step = origin_step(header);
        for frame in 0..u64::from(header.valid) {
            let (first, last) = match step {
                Some(step) => {
                    let first = header
                        .origin_first
                        .saturating_add(frame.saturating_mul(step));
                    (first, first.saturating_add(step - 1))
                }
                None => (header.origin_first, header.origin_frame),
            };
            let at = self.origin_at(words.pushed + frame);
            origins[at..at + 8].copy_from_slice(&first.to_le_bytes());
            origins[at + 8..at + 16].copy_from_slice(&last.to_le_bytes());
        }
        words.pushed += u64::from(header.valid);
        self.fed = *header;
    }

    fn origin_at(&self, frame: u64) -> usize {
        (frame % self.origins) as usize * ORIGIN_BYTES
    }

    pub fn next<'a>(&self, words: &mut Words, store: &'a [u8]) -> Option<Adapted<'a>> {
        let start = words.next;
        let end = start
            .checked_add(self.n)
            .filter(|end| *end <= words.pushed)?;
        words.next = start + self.step;
        let behind = words.pushed - end;
        let last_frame =
            (self.fed.first_frame + u64::from(self.fed.valid)).saturating_sub(1 + behind);
        let first_frame = (last_frame + 1).saturating_sub(self.n);
        let (frames, origins) = store.split_at(self.frames.bytes());
        let origin = |at: usize| {
            let bytes = origins[at..].first_chunk().copied().unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let gap = core::mem::take(&mut words.gap_owed) != 0;
        let header = SlotHeader {
            first_frame,
            origin_first: origin(self.origin_at(start)),
            origin_frame: origin(self.origin_at(end - 1) + 8),
            valid: self.n as u32,
            flags: self.fed.flags & !flag::GAP | if gap { flag::GAP } else { 0 },
            lost: if gap {
                first_frame.saturating_sub(words.covered_to)
            } else {
                0
            },
            settling: words.settled_from.saturating_sub(first_frame).min(self.n) as u32,
            sampled_ns: self
                .fed
                .sampled_ns
                .saturating_sub((behind as f64 * self.frame_ns) as u64),
            ..self.fed
        };
        words.covered_to = first_frame + self.n.max(self.step);
        Some(Adapted {
            header,
            payload: self.frames.run(frames, start, self.n as usize),
        })
    }
}
