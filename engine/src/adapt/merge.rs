//! Several streams as one, channel beside channel.

use super::buffer::Buffer;
use crate::abi::{SlotHeader, flag};
use ephapse_rtconfig::plan::Merged;

/// Joins one block of each stream.
pub(super) struct Merge {
    /// Bytes of a row of each stream.
    rows: Vec<usize>,
    row: usize,
    output: Buffer,
}

impl Merge {
    pub fn new(streams: &[Merged]) -> Self {
        let rows: Vec<usize> = streams.iter().map(|s| s.stream_type.row_bytes()).collect();
        let row = rows.iter().sum();
        let frames = streams
            .first()
            .map_or(0, |s| s.stream_type.frames_per_block());
        Merge {
            rows,
            row,
            output: Buffer::new(row * frames as usize),
        }
    }

    /// The header of the joined block. `None` if a stream has no block of the same frames: then there is a gap in all.
    pub fn join<'a>(
        &mut self,
        head: &SlotHeader,
        payload: &[u8],
        others: impl Iterator<Item = Option<(SlotHeader, &'a [u8])>>,
    ) -> Option<SlotHeader> {
        if head.valid == 0 {
            return None;
        }
        let mut joined = *head;
        self.place(0, 0, payload);
        let mut at = self.rows[0];
        for (stream, other) in (1..).zip(others) {
            let (header, payload) = other?;
            if (header.valid, header.origin_first) != (head.valid, head.origin_first) {
                return None;
            }
            joined.flags |= header.flags & flag::PASSED_ON & !flag::CLOCK_MASK;
            joined.lost = joined.lost.max(header.lost);
            joined.settling = joined.settling.max(header.settling);
            joined.arrived_ns = joined.arrived_ns.max(header.arrived_ns);
            joined.committed_ns = joined.committed_ns.max(header.committed_ns);
            self.place(at, stream, payload);
            at += self.rows[stream];
        }
        Some(joined)
    }

    fn place(&mut self, at: usize, stream: usize, payload: &[u8]) {
        let bytes = self.rows[stream];
        let rows = self.output.bytes_mut().chunks_exact_mut(self.row);
        for (to, from) in rows.zip(payload.chunks_exact(bytes)) {
            to[at..at + bytes].copy_from_slice(from);
        }
    }

    pub fn output(&self, rows: usize) -> &[u8] {
        &self.output.bytes()[..rows * self.row]
    }
}
