//! A CREPE file as a recording: one segment of counts.

use crate::acquire::hdf5_file::{Matrix, number_attribute, open};
use crate::acquire::recording::Recording;
use crate::acquire::timeline::Segment;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Rate, StreamType};
use std::path::Path;

/// A CREPE file, open.
pub(super) struct CrepeRecording {
    matrix: Matrix,
    rows: Vec<usize>,
    rate: Rate,
    segment: [Segment; 1],
}

impl CrepeRecording {
    /// Opens the file.
    ///
    /// # Errors
    /// `Resource`: not HDF5, no matrix `data`, no attribute `Bitrate` at it or at the root.
    pub(super) fn open(path: &Path) -> Result<Self, StageError> {
        let file = open(path)?;
        let refuse = |why: &str| StageError::resource(path.display().to_string(), why);
        let dataset = file
            .dataset("data")
            .map_err(|_| refuse("has no dataset `data`: not a CREPE recording"))?;
        let rate = number_attribute(&dataset, "Bitrate")
            .or_else(|| number_attribute(&file, "Bitrate"))
            .ok_or_else(|| refuse("has no attribute `Bitrate`: its sample rate is unknown"))?;
        let rate = Rate::from_f64(rate)
            .filter(|r| r.numerator > 0)
            .ok_or_else(|| refuse(&format!("has the sample rate {rate} Hz in `Bitrate`")))?;
        let matrix = Matrix::new(dataset, path)?;
        Ok(CrepeRecording {
            rows: (0..matrix.rows()).collect(),
            segment: [Segment {
                first_column: 0,
                frames: matrix.columns(),
                clock_frame: 0,
            }],
            rate,
            matrix,
        })
    }
}

impl Recording for CrepeRecording {
    fn stream_type(&self, frames_per_block: u32) -> StreamType {
        StreamType::frames(
            self.matrix.dtype(),
            frames_per_block,
            self.rows.len() as u32,
            self.rate,
            "count",
        )
    }

    fn segments(&self) -> &[Segment] {
        &self.segment
    }

    fn columns(&self) -> u64 {
        self.matrix.columns()
    }

    fn chunk_frames(&self) -> usize {
        self.matrix.chunk_frames()
    }

    fn read(&mut self, first: u64, frames: usize, rows: &mut [u8]) -> Result<(), StageError> {
        self.matrix.read_frames(&self.rows, first, frames, rows)
    }
}
