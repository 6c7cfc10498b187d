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

use super::file_source::{FileFormat, Pacer, Reader};
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

/// MCS HDF5 recordings. Built without HDF5 the kind still paces, but cannot open a file.
pub enum McsH5 {}

impl FileFormat for McsH5 {
    const SOURCE: &'static str = "acquire.mcs_h5";
    const SOURCE_ABOUT: &'static str =
        "Plays an analog stream of a Multi Channel Systems HDF5 recording.";
    const READER: &'static str = "acquire.mcs_h5.reader";
    const READER_ABOUT: &'static str =
        "Reads a Multi Channel Systems HDF5 recording ahead of its pacer.";
    type Params = McsH5Params;

    #[cfg(feature = "hdf5")]
    fn open(params: &McsH5Params) -> Result<Box<dyn Recording>, StageError> {
        Ok(Box::new(recording::McsRecording::open(
            &params.path,
            params.stream.as_deref(),
        )?))
    }

    #[cfg(not(feature = "hdf5"))]
    fn open(params: &McsH5Params) -> Result<Box<dyn Recording>, StageError> {
        Err(super::file_source::no_hdf5(&params.path))
    }
}

/// The stage `acquire.mcs_h5`.
pub type McsH5Source = Pacer<McsH5>;
/// Its helper, `acquire.mcs_h5.reader`.
pub type McsH5Reader = Reader<McsH5>;
