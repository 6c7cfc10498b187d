//! The plain layout: a matrix `data` (`channel x sample`) and its sample rate in Hz as the attribute `Bitrate`.
//!
//! It is what `acquire.crepe_h5` plays. Channels have no names in it, samples no scale and no time.

use super::matrix::Matrix;
use super::{ExportError, Stretch};
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use hdf5::File;
use std::path::{Path, PathBuf};

/// A plain file being written.
pub struct PlainFile {
    path: PathBuf,
    matrix: Matrix,
    file: File,
}

impl PlainFile {
    /// Makes the file for a stream `time x channel`, of no samples yet.
    ///
    /// # Errors
    /// `Format` for records, bytes, more than two axes, no rate; `Write` if the file cannot be made.
    pub fn create(
        path: &Path,
        stream: &str,
        stream_type: &StreamType,
    ) -> Result<Self, ExportError> {
        let refuse = |why: String| ExportError::format(stream, why, "--to npy or --to csv");
        if stream_type.kind != Kind::Frames || stream_type.axes.len() > 2 {
            return Err(refuse(format!(
                "the plain layout is one matrix channel x sample, and this is {}",
                stream_type.summary()
            )));
        }
        if stream_type.rate.numerator == 0 {
            return Err(refuse(
                "the plain layout needs a sample rate, and this stream has none".to_owned(),
            ));
        }
        let failed = |error: hdf5::Error| ExportError::write(path, &error);
        let file = super::mcs_h5::create(path).map_err(failed)?;
        let made = || {
            let dtype = stream_type.dtype;
            let matrix = Matrix::create(
                &file,
                "data",
                dtype,
                dtype,
                stream_type.elements_per_frame(),
            )?;
            let rate = matrix.dataset().new_attr::<f64>().create("Bitrate")?;
            rate.write_scalar(&stream_type.rate.as_f64())?;
            Ok(matrix)
        };
        Ok(PlainFile {
            matrix: made().map_err(failed)?,
            path: path.to_owned(),
            file,
        })
    }

    /// Appends frames. What is missing before them leaves no trace here.
    ///
    /// # Errors
    /// `Write`.
    pub fn stretch(&mut self, stretch: &Stretch<'_>) -> Result<(), ExportError> {
        let written = self.matrix.push(stretch.rows);
        written.map_err(|error| ExportError::write(&self.path, &error))
    }

    /// Writes what is left and closes the file; returns the samples per channel.
    ///
    /// # Errors
    /// `Write`.
    pub fn finish(mut self) -> Result<u64, ExportError> {
        let frames = self.matrix.frames();
        let finished = self.matrix.finish().and_then(|()| self.file.flush());
        finished.map_err(|error| ExportError::write(&self.path, &error))?;
        Ok(frames)
    }
}
