//! Some channels, in another order.

use super::buffer::Buffer;
use ephapse_rtconfig::adapter::channel_axis;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};

/// Gathers channels of every frame.
pub(super) struct Select {
    /// Where the pieces of a row come from, in pieces' units: bits of digital lines, else bytes.
    from: Vec<usize>,
    /// Length of a piece, in the same unit.
    piece: usize,
    bits: bool,
    row_before: usize,
    row_behind: usize,
    output: Buffer,
}

impl Select {
    /// `behind` is the type of what is chosen from `before`.
    pub fn new(channels: &[u32], before: &StreamType, behind: &StreamType) -> Self {
        let axis = channel_axis(before).unwrap_or(1);
        let product = |axes: &[ephapse_rtconfig::stream_type::Axis]| -> usize {
            axes.iter().map(|a| a.length as usize).product()
        };
        let outer = product(before.axes.get(1..axis).unwrap_or(&[]));
        let inner = product(before.axes.get(axis + 1..).unwrap_or(&[]));
        let bits = before.dtype == Dtype::Bits;
        let piece = if bits {
            inner
        } else {
            before.dtype.bytes(inner)
        };
        let all = before.channels();
        let from = (0..outer)
            .flat_map(|o| {
                channels
                    .iter()
                    .map(move |c| (o * all + *c as usize) * piece)
            })
            .collect();
        Select {
            from,
            piece,
            bits,
            row_before: before.row_bytes(),
            row_behind: behind.row_bytes(),
            output: Buffer::new(behind.block_bytes()),
        }
    }

    pub fn apply(&mut self, payload: &[u8], rows: usize) -> &[u8] {
        let frames = payload.chunks_exact(self.row_before).take(rows);
        let output = self.output.bytes_mut().chunks_exact_mut(self.row_behind);
        for (from, to) in frames.zip(output) {
            if self.bits {
                gather_bits(&self.from, self.piece, from, to);
            } else {
                for (at, piece) in self.from.iter().zip(to.chunks_exact_mut(self.piece)) {
                    piece.copy_from_slice(&from[*at..*at + self.piece]);
                }
            }
        }
        self.output(rows)
    }

    pub fn output(&self, rows: usize) -> &[u8] {
        &self.output.bytes()[..rows * self.row_behind]
    }
}

fn gather_bits(pieces: &[usize], piece: usize, from: &[u8], to: &mut [u8]) {
    to.fill(0);
    let bits = pieces.iter().flat_map(|at| *at..*at + piece);
    for (place, bit) in bits.enumerate() {
        to[place / 8] |= (from[bit / 8] >> (bit % 8) & 1) << (place % 8);
    }
}
