//! Blocks of exactly `n` frames, one every `step` frames, whatever the blocks they come in.

use super::{Adapted, breaks};
use crate::abi::{SlotHeader, flag};
use ephapse_rtconfig::stream_type::StreamType;

/// Holds back frames until a window is whole. A gap discards what is held: no window spans it.
pub(super) struct Window {
    n: usize,
    step: usize,
    row: usize,
    /// Held frames, then the frames of the block fed: windows are contiguous slices of it.
    frames: Vec<u8>,
    filled: usize,
    /// Start of the next window in `frames`; may lie behind `filled` when `step > n`.
    next: usize,
    /// Header of the block fed, and how many of its frames lie at the end of `frames`.
    fed: SlotHeader,
    /// Frames of `fed`'s own stream before which nothing means what it should.
    settled_from: u64,
    gap_owed: bool,
    frame_ns: f64,
}

impl Window {
    pub fn new(stream_type: &StreamType, n: u32, step: u32) -> Self {
        let row = stream_type.row_bytes();
        let capacity = n as usize + stream_type.frames_per_block() as usize;
        let rate = stream_type.rate.as_f64();
        Window {
            n: n as usize,
            step: step.max(1) as usize,
            row,
            frames: vec![0; capacity * row],
            filled: 0,
            next: 0,
            fed: SlotHeader::default(),
            settled_from: 0,
            gap_owed: false,
            frame_ns: if rate > 0.0 { 1e9 / rate } else { 0.0 },
        }
    }

    pub fn most_parts(&self, frames_per_block: u32) -> u32 {
        frames_per_block / self.step as u32 + 1
    }

    pub fn feed(&mut self, header: &SlotHeader, payload: &[u8]) {
        if breaks(header) {
            self.filled = 0;
            self.next = 0;
            self.gap_owed = true;
        }
        let settled = header.first_frame + u64::from(header.settling);
        if header.settling > 0 {
            self.settled_from = settled;
        }
        let dropped = self.next.min(self.filled);
        self.frames
            .copy_within(dropped * self.row..self.filled * self.row, 0);
        self.filled -= dropped;
        self.next -= dropped;
        let bytes = header.valid as usize * self.row;
        let at = self.filled * self.row;
        self.frames[at..at + bytes].copy_from_slice(&payload[..bytes]);
        self.filled += header.valid as usize;
        self.fed = *header;
    }

    pub fn next(&mut self) -> Option<Adapted<'_>> {
        let start = self.next;
        let end = start
            .checked_add(self.n)
            .filter(|end| *end <= self.filled)?;
        self.next = start + self.step;
        let behind = (self.filled - end) as u64;
        let last_frame =
            (self.fed.first_frame + u64::from(self.fed.valid)).saturating_sub(1 + behind);
        let first_frame = (last_frame + 1).saturating_sub(self.n as u64);
        // Frame for frame the stream follows its source only if a block covers as many source frames as it has frames.
        let one_to_one = self
            .fed
            .origin_frame
            .wrapping_sub(self.fed.origin_first)
            .wrapping_add(1)
            == u64::from(self.fed.valid);
        let (origin_first, origin_frame) = if one_to_one {
            let origin = self.fed.origin_frame.saturating_sub(behind);
            ((origin + 1).saturating_sub(self.n as u64), origin)
        } else {
            (self.fed.origin_first, self.fed.origin_frame)
        };
        let gap = if core::mem::take(&mut self.gap_owed) {
            flag::GAP
        } else {
            0
        };
        let header = SlotHeader {
            first_frame,
            origin_first,
            origin_frame,
            valid: self.n as u32,
            flags: self.fed.flags & !flag::GAP | gap,
            lost: if gap != 0 { self.fed.lost } else { 0 },
            settling: u32::try_from(self.settled_from.saturating_sub(first_frame))
                .unwrap_or(u32::MAX)
                .min(self.n as u32),
            sampled_ns: self
                .fed
                .sampled_ns
                .saturating_sub((behind as f64 * self.frame_ns) as u64),
            ..self.fed
        };
        Some(Adapted {
            header,
            payload: &self.frames[start * self.row..end * self.row],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Dtype, Rate};

    /// Feeds frames 0.. in blocks of the given sizes; returns (first_frame, frames, gap) of every window.
    fn windows(n: u32, step: u32, blocks: &[(u32, u32)]) -> Vec<(u64, Vec<u8>, bool)> {
        let stream_type = StreamType::frames(Dtype::U8, 16, 1, Rate::hz(1000), "count");
        let mut window = Window::new(&stream_type, n, step);
        let mut frame = 0_u64;
        let mut out = Vec::new();
        for (valid, flags) in blocks {
            let payload: Vec<u8> = (frame..frame + u64::from(*valid))
                .map(|f| f as u8)
                .collect();
            let header = SlotHeader {
                first_frame: frame,
                valid: *valid,
                flags: *flags,
                origin_first: frame,
                origin_frame: frame + u64::from(*valid) - 1,
                ..SlotHeader::default()
            };
            window.feed(&header, &payload);
            while let Some(a) = window.next() {
                assert_eq!(a.header.origin_first, a.header.first_frame);
                assert_eq!(
                    a.header.origin_frame,
                    a.header.first_frame + u64::from(n) - 1
                );
                out.push((
                    a.header.first_frame,
                    a.payload.to_vec(),
                    a.header.flags & flag::GAP != 0,
                ));
            }
            frame += u64::from(*valid);
        }
        out
    }

    #[test]
    fn windows_are_exact_and_do_not_depend_on_the_blocks() {
        for (n, step) in [(5, 5), (8, 3), (3, 7), (1, 1), (16, 16)] {
            let whole = windows(n, step, &[(16, 0), (16, 0), (16, 0), (16, 0)]);
            let ragged = windows(
                n,
                step,
                &[(1, 0), (15, 0), (7, 0), (9, 0), (16, 0), (3, 0), (13, 0)],
            );
            assert_eq!(whole, ragged, "n {n}, step {step}");
            for (index, (first, frames, _)) in whole.iter().enumerate() {
                assert_eq!(*first, index as u64 * u64::from(step));
                assert_eq!(
                    *frames,
                    (*first..first + u64::from(n))
                        .map(|f| f as u8)
                        .collect::<Vec<_>>()
                );
            }
            assert_eq!(whole.len(), ((64 - n) / step + 1) as usize);
        }
    }

    #[test]
    fn no_window_spans_a_gap_and_the_first_behind_it_says_so() {
        let out = windows(4, 4, &[(6, 0), (6, flag::GAP), (4, 0)]);
        let firsts: Vec<(u64, bool)> = out.iter().map(|(first, _, gap)| (*first, *gap)).collect();
        assert_eq!(firsts, [(0, false), (6, true), (10, false)]);
    }
}
