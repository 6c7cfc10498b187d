//! Stored numbers as physical ones.

use super::buffer::Buffer;
use super::numbers::each_f64;
use ephapse_rtconfig::adapter::channel_axis;
use ephapse_rtconfig::si_unit;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};

/// `stored * gain + offset`, as `f64`.
pub(super) struct Scale {
    from: Dtype,
    /// Per element of a frame; empty: the number as it is.
    gain: Vec<f64>,
    offset: Vec<f64>,
    row: usize,
    elements: usize,
    output: Buffer,
}

impl Scale {
    /// Numbers in `unit`, which is the stream's SI unit with or without a prefix.
    pub fn new(unit: &str, before: &StreamType) -> Self {
        let exponent = si_unit::exponent(unit, &before.si_unit).unwrap_or(0);
        // The factor is exact where it is whole, as for the usual prefixes.
        let factor = si_unit::decimal(1.0, -exponent);
        let inner: usize = before
            .axes
            .iter()
            .skip(channel_axis(before).map_or(1, |axis| axis + 1))
            .map(|a| a.length as usize)
            .product();
        let per_element = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..before.elements_per_frame())
                .map(|element| of(element / inner.max(1) % before.channels().max(1)) * factor)
                .collect()
        };
        Scale {
            gain: per_element(&|channel| before.scale_of(channel)),
            offset: per_element(&|channel| before.offset_of(channel)),
            ..Scale::widening(before)
        }
    }

    /// The numbers as they are, in a format that others can be computed from.
    pub fn widening(before: &StreamType) -> Self {
        let elements = before.elements_per_frame();
        Scale {
            from: before.dtype,
            gain: Vec::new(),
            offset: Vec::new(),
            row: before.row_bytes(),
            elements,
            output: Buffer::new(elements * size_of::<f64>() * before.frames_per_block() as usize),
        }
    }

    pub fn apply(&mut self, payload: &[u8], rows: usize) -> &[u8] {
        let row_behind = self.elements * size_of::<f64>();
        let frames = payload.chunks_exact(self.row).take(rows);
        let output = self.output.bytes_mut().chunks_exact_mut(row_behind);
        for (from, to) in frames.zip(output) {
            let to = to.as_chunks_mut().0;
            if self.gain.is_empty() {
                each_f64(self.from, from, |place, v| to[place] = v.to_le_bytes());
            } else {
                each_f64(self.from, from, |place, v| {
                    to[place] = (v * self.gain[place] + self.offset[place]).to_le_bytes();
                });
            }
        }
        self.output(rows)
    }

    pub fn output(&self, rows: usize) -> &[u8] {
        &self.output.bytes()[..rows * self.elements * size_of::<f64>()]
    }
}
