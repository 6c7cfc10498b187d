//! Why a stream was not exported.

use std::path::{Path, PathBuf};

/// Why a stream was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The format has no place for it.
    #[error("stream `{stream}`: {why}; export it with {instead}")]
    Format {
        /// Stream.
        stream: String,
        /// What the format cannot say.
        why: String,
        /// Formats that can.
        instead: &'static str,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written ({why})", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// What HDF5 says.
        why: String,
    },
}

impl ExportError {
    pub(super) fn format(stream: &str, why: impl Into<String>, instead: &'static str) -> Self {
        ExportError::Format {
            stream: stream.to_owned(),
            why: why.into(),
            instead,
        }
    }

    pub(super) fn write(path: &Path, error: &hdf5::Error) -> Self {
        ExportError::Write {
            path: path.to_owned(),
            why: crate::acquire::hdf5_file::one_line(error),
        }
    }
}
