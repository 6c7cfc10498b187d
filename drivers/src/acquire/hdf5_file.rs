//! What MCS and CREPE recordings share: opening an HDF5 file, attributes, and reading a `channel x sample` matrix
//! as frames.

use super::file::open_regular;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::Dtype;
use hdf5::types::{
    FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor, VarLenAscii, VarLenUnicode,
};
use hdf5::{Dataset, File, H5Type, Location};
use std::io::Read;
use std::path::{Path, PathBuf};
use zerocopy::{Immutable, IntoBytes};

/// HDF5's default cache (1 MiB) is smaller than one column of chunks of many recordings: each read would unpack the
/// same chunks again.
const CHUNK_CACHE_BYTES: usize = 32 << 20;

/// Opens an HDF5 file for reading.
///
/// # Errors
/// `Resource`: missing, a directory, empty, not HDF5, cut off.
pub(super) fn open(path: &Path) -> Result<File, StageError> {
    let (mut file, _) = open_regular(path)?;
    let mut signature = [0; 8];
    let is_hdf5 = file.read_exact(&mut signature).is_ok() && &signature == b"\x89HDF\r\n\x1a\n";
    File::with_options()
        .with_fapl(|access| access.chunk_cache(521, CHUNK_CACHE_BYTES, 0.75))
        .open(path)
        .map_err(|error| {
            let says = one_line(&error);
            let why = if !is_hdf5 {
                "is not an HDF5 file".to_owned()
            } else if says.contains("unable to lock") {
                format!(
                    "is being written by another program, or its file system has no locks (then set HDF5_USE_FILE_LOCKING=FALSE) (HDF5 says: {says})"
                )
            } else {
                format!("is damaged or cut off (HDF5 says: {says})")
            };
            StageError::resource(path.display().to_string(), why)
        })
}

/// An HDF5 error in one line.
pub(crate) fn one_line(error: &hdf5::Error) -> String {
    error
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Text attribute, trimmed of the blanks and line ends that recording programs pad it with; `None` if there is none.
pub(super) fn text_attribute(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    let bytes = match attribute.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::FixedAscii(_) => attribute
            .read_raw::<FixedAscii<1024>>()
            .ok()?
            .first()?
            .as_bytes()
            .to_vec(),
        TypeDescriptor::FixedUnicode(_) => attribute
            .read_raw::<FixedUnicode<1024>>()
            .ok()?
            .first()?
            .as_bytes()
            .to_vec(),
        TypeDescriptor::VarLenAscii => attribute
            .read_raw::<VarLenAscii>()
            .ok()?
            .first()?
            .as_bytes()
            .to_vec(),
        TypeDescriptor::VarLenUnicode => attribute
            .read_raw::<VarLenUnicode>()
            .ok()?
            .first()?
            .as_bytes()
            .to_vec(),
        _ => return None,
    };
    Some(trimmed(&bytes))
}

/// Text of a recording program: Latin-1 or UTF-8, padded with blanks, line ends or zeros.
pub(super) fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .to_owned()
}

/// Number attribute, a scalar or the first of an array; `None` if there is none.
pub(super) fn number_attribute(location: &Location, name: &str) -> Option<f64> {
    location
        .attr(name)
        .ok()?
        .read_raw::<f64>()
        .ok()?
        .first()
        .copied()
}

/// A matrix `channel x sample` in an open file, read as frames.
pub(super) struct Matrix {
    dataset: Dataset,
    path: PathBuf,
    dtype: Dtype,
    rows: usize,
    columns: u64,
}

impl Matrix {
    /// Takes a dataset as a matrix.
    ///
    /// # Errors
    /// `Resource`: not two-dimensional, not of numbers, no rows, no samples.
    pub(super) fn new(dataset: Dataset, path: &Path) -> Result<Self, StageError> {
        let name = dataset.name();
        let refuse =
            |why: String| StageError::resource(path.display().to_string(), format!("{name} {why}"));
        let &[rows, columns] = dataset.shape().as_slice() else {
            return Err(refuse(format!(
                "is not a matrix channel x sample but {:?}",
                dataset.shape()
            )));
        };
        if rows == 0 || columns == 0 {
            return Err(refuse(format!(
                "holds {rows} channels x {columns} samples: nothing to play"
            )));
        }
        let described = dataset.dtype().and_then(|d| d.to_descriptor());
        let dtype = described
            .as_ref()
            .ok()
            .and_then(dtype_of)
            .ok_or_else(|| refuse("does not hold numbers of 8 to 64 bits".to_owned()))?;
        Ok(Matrix {
            dtype,
            rows,
            columns: columns as u64,
            path: path.to_owned(),
            dataset,
        })
    }

    /// Number format, as the file stores it.
    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Rows: channels the file stores.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: samples per channel.
    pub(super) fn columns(&self) -> u64 {
        self.columns
    }

    /// About 2000 samples, a whole number of the file's chunks where those are smaller.
    pub(super) fn chunk_frames(&self) -> usize {
        const AIM: usize = 2000;
        match self.dataset.chunk().as_deref() {
            Some(&[_, columns]) if (1..AIM).contains(&columns) => AIM.div_ceil(columns) * columns,
            Some(&[_, columns]) if columns <= 4 * AIM => columns,
            _ => AIM,
        }
    }

    /// Reads `frames` samples from `first` on as frames: element `c` of a frame is the matrix row `rows[c]`.
    ///
    /// # Errors
    /// `Resource` if the file cannot be read there.
    pub(super) fn read_frames(
        &self,
        rows: &[usize],
        first: u64,
        frames: usize,
        out: &mut [u8],
    ) -> Result<(), StageError> {
        let first = first as usize;
        let read = match self.dtype {
            Dtype::I8 => self.transpose::<i8>(rows, first, frames, out),
            Dtype::I16 => self.transpose::<i16>(rows, first, frames, out),
            Dtype::I32 => self.transpose::<i32>(rows, first, frames, out),
            Dtype::I64 => self.transpose::<i64>(rows, first, frames, out),
            Dtype::U8 | Dtype::Bits => self.transpose::<u8>(rows, first, frames, out),
            Dtype::U16 => self.transpose::<u16>(rows, first, frames, out),
            Dtype::U32 => self.transpose::<u32>(rows, first, frames, out),
            Dtype::U64 => self.transpose::<u64>(rows, first, frames, out),
            Dtype::F32 => self.transpose::<f32>(rows, first, frames, out),
            Dtype::F64 => self.transpose::<f64>(rows, first, frames, out),
        };
        read.map_err(|error| {
            StageError::resource(
                self.path.display().to_string(),
                format!(
                    "{} cannot be read at sample {first}: damaged or cut off (HDF5 says: {})",
                    self.dataset.name(),
                    one_line(&error)
                ),
            )
        })
    }

    fn transpose<T: H5Type + Copy + IntoBytes + Immutable>(
        &self,
        rows: &[usize],
        first: usize,
        frames: usize,
        out: &mut [u8],
    ) -> hdf5::Result<()> {
        let matrix = self
            .dataset
            .read_slice_2d::<T, _>((.., first..first + frames))?;
        let size = size_of::<T>();
        let row_bytes = rows.len() * size;
        for (channel, &row) in rows.iter().enumerate() {
            let samples = matrix.row(row);
            let targets = out.chunks_exact_mut(row_bytes);
            for (sample, target) in samples.iter().zip(targets) {
                target[channel * size..(channel + 1) * size].copy_from_slice(sample.as_bytes());
            }
        }
        Ok(())
    }
}

fn dtype_of(descriptor: &TypeDescriptor) -> Option<Dtype> {
    Some(match descriptor {
        TypeDescriptor::Integer(IntSize::U1) => Dtype::I8,
        TypeDescriptor::Integer(IntSize::U2) => Dtype::I16,
        TypeDescriptor::Integer(IntSize::U4) => Dtype::I32,
        TypeDescriptor::Integer(IntSize::U8) => Dtype::I64,
        TypeDescriptor::Unsigned(IntSize::U1) => Dtype::U8,
        TypeDescriptor::Unsigned(IntSize::U2) => Dtype::U16,
        TypeDescriptor::Unsigned(IntSize::U4) => Dtype::U32,
        TypeDescriptor::Unsigned(IntSize::U8) => Dtype::U64,
        TypeDescriptor::Float(FloatSize::U4) => Dtype::F32,
        TypeDescriptor::Float(FloatSize::U8) => Dtype::F64,
        _ => return None,
    })
}
