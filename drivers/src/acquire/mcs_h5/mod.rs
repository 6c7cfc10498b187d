//! `acquire.mcs_h5`: recordings of Multi Channel Systems' software in HDF5 (protocol `RawData`, versions 1 to 3).
//!
//! The layout was taken from the vendor's format description and, where that and real files disagree, from the files:
//! columns of InfoChannel are read by name, missing ones tolerated; texts are padded and trimmed here; which of
//! several analog streams is the raw one is not told by its number.

#[cfg(feature = "hdf5")]
mod info_channel;
#[cfg(feature = "hdf5")]
mod recording;
#[cfg(feature = "hdf5")]
mod select;

use super::file_source::{FileFormat, Pacer};
use super::play::file_params;
use super::recording::Recording;
use ephapse_engine::stage::StageError;

file_params! {
    /// Parameters of `acquire.mcs_h5`.
    McsH5Params {
        /// Analog stream: label, data type, group name (`Stream_1`) or index in the file. Default: the raw electrode
        /// stream.
        #[serde(default)]
        stream: Option<String>,
    }
}

const SOURCE: &str = "acquire.mcs_h5";
const SOURCE_ABOUT: &str = "Plays an analog stream of a Multi Channel Systems HDF5 recording.";
const READER: &str = "acquire.mcs_h5.reader";
const READER_ABOUT: &str = "Reads a Multi Channel Systems HDF5 recording ahead of its pacer.";

/// MCS HDF5 recordings.
#[cfg(feature = "hdf5")]
pub enum McsH5 {}

#[cfg(feature = "hdf5")]
impl FileFormat for McsH5 {
    const SOURCE: &'static str = SOURCE;
    const SOURCE_ABOUT: &'static str = SOURCE_ABOUT;
    const READER: &'static str = READER;
    const READER_ABOUT: &'static str = READER_ABOUT;
    type Params = McsH5Params;

    fn open(params: &McsH5Params) -> Result<Box<dyn Recording>, StageError> {
        Ok(Box::new(recording::McsRecording::open(
            &params.path,
            params.stream.as_deref(),
        )?))
    }
}

/// The stage `acquire.mcs_h5` as the catalogue knows it.
#[cfg(feature = "hdf5")]
pub type McsH5Source = Pacer<McsH5>;
/// Its helper, `acquire.mcs_h5.reader`.
#[cfg(feature = "hdf5")]
pub type McsH5Reader = super::file_source::Reader<McsH5>;

/// The same kind where no HDF5 is linked: paces, but cannot be described.
pub enum McsH5Lean {}

impl FileFormat for McsH5Lean {
    const SOURCE: &'static str = SOURCE;
    const SOURCE_ABOUT: &'static str = SOURCE_ABOUT;
    const READER: &'static str = READER;
    const READER_ABOUT: &'static str = READER_ABOUT;
    type Params = McsH5Params;

    fn open(params: &McsH5Params) -> Result<Box<dyn Recording>, StageError> {
        Err(super::file_source::no_hdf5(&params.path))
    }
}

/// The stage `acquire.mcs_h5` as the lean executable runs it.
pub type McsH5Pacer = Pacer<McsH5Lean>;
