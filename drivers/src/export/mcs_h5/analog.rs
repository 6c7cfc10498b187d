//! An AnalogStream: samples, and when each contiguous piece of them begins.

use super::{attributes, describe, info, stream_group};
use crate::export::Stretch;
use crate::export::matrix::Matrix;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};
use hdf5::{Dataset, Extent, Group};
use ndarray::ArrayView2;

/// Pieces kept before they are written, and in a chunk of their table.
const PIECES: usize = 1000;

pub(super) struct Analog {
    matrix: Matrix,
    stamps: Dataset,
    row_bytes: usize,
    tick_us: i64,
    /// Time of the first sample in us, first column, last column.
    pieces: Vec<[i64; 3]>,
    written_pieces: usize,
}

/// The layout's own numbers are 32 bits wide; wider and floating ones are kept as they are.
fn stored(dtype: Dtype) -> Dtype {
    match dtype {
        Dtype::I8 | Dtype::U8 | Dtype::I16 | Dtype::U16 | Dtype::Bits => Dtype::I32,
        wide => wide,
    }
}

impl Analog {
    pub(super) fn create(
        recording: &Group,
        number: usize,
        label: &str,
        guid: &str,
        stream_type: &StreamType,
        tick_us: i64,
    ) -> hdf5::Result<Self> {
        let group = stream_group(recording, "AnalogStream", number)?;
        let volts = stream_type.si_unit == "V" || stream_type.unit.ends_with('V');
        let sub_type = match stream_type.dtype {
            Dtype::Bits => "Digital",
            _ if volts => "Electrode",
            _ => "Auxiliary",
        };
        describe(&group, label, "Analog", sub_type, guid)?;
        info::channels(&group, stream_type, tick_us)?;
        let channels = stream_type.elements_per_frame();
        let dtype = stream_type.dtype;
        let stamps = group
            .new_dataset::<i64>()
            .chunk((PIECES, 3))
            .shape((Extent::resizable(0), Extent::fixed(3)))
            .create("ChannelDataTimeStamps")?;
        for (column, name) in ["FirstTimeStamp", "FirstIndex", "LastIndex"]
            .iter()
            .enumerate()
        {
            attributes::text(&stamps, &format!("Column-{column}"), name)?;
        }
        Ok(Analog {
            matrix: Matrix::create(&group, "ChannelData", dtype, stored(dtype), channels)?,
            stamps,
            row_bytes: stream_type.row_bytes(),
            tick_us,
            pieces: Vec::new(),
            written_pieces: 0,
        })
    }

    /// Appends frames; returns when the last of them ends, us.
    pub(super) fn push(&mut self, stretch: &Stretch<'_>) -> hdf5::Result<i64> {
        let frames = (stretch.rows.len() / self.row_bytes.max(1)) as i64;
        let time_us = |frame: u64| {
            let frame = i64::try_from(frame).ok();
            let time_us = frame.and_then(|f| f.checked_mul(self.tick_us));
            time_us
                .ok_or_else(|| hdf5::Error::from("a time does not fit in 64 bits of microseconds"))
        };
        let from_us = time_us(stretch.first_frame)?;
        let first = self.matrix.frames() as i64;
        if frames > 0 {
            match self.pieces.last_mut().filter(|_| stretch.gap.is_none()) {
                Some(piece) => piece[2] += frames,
                None => {
                    if self.pieces.len() == PIECES {
                        self.write_pieces()?;
                    }
                    self.pieces.push([from_us, first, first + frames - 1]);
                }
            }
        }
        self.matrix.push(stretch.rows)?;
        Ok(from_us + frames * self.tick_us)
    }

    fn write_pieces(&mut self) -> hdf5::Result<()> {
        let (from, until) = (self.written_pieces, self.written_pieces + self.pieces.len());
        self.stamps.resize((until, 3))?;
        let pieces = ArrayView2::from(self.pieces.as_slice());
        self.stamps.write_slice(pieces, (from..until, ..))?;
        self.written_pieces = until;
        self.pieces.clear();
        Ok(())
    }

    /// Writes what is left; returns the samples per channel.
    pub(super) fn finish(&mut self) -> hdf5::Result<u64> {
        self.matrix.finish()?;
        if !self.pieces.is_empty() {
            self.write_pieces()?;
        }
        Ok(self.matrix.frames())
    }
}
