//! `acquire.crepe_h5`: recordings of CREPE, the Python pipeline of the reference experiment: one matrix `data`
//! (60 x T, 32-bit counts, no unit, no labels) and an attribute `Bitrate`, the sample rate in Hz.

#[cfg(feature = "hdf5")]
mod recording;

use super::file_source::{FileFormat, Pacer};
use super::play::file_params;
use super::recording::Recording;
use ephapse_engine::stage::StageError;

file_params! {
    /// Parameters of `acquire.crepe_h5`.
    CrepeH5Params {}
}

const SOURCE: &str = "acquire.crepe_h5";
const SOURCE_ABOUT: &str = "Plays a CREPE HDF5 recording (counts without a scale).";
const READER: &str = "acquire.crepe_h5.reader";
const READER_ABOUT: &str = "Reads a CREPE HDF5 recording ahead of its pacer.";

/// CREPE recordings.
#[cfg(feature = "hdf5")]
pub enum CrepeH5 {}

#[cfg(feature = "hdf5")]
impl FileFormat for CrepeH5 {
    const SOURCE: &'static str = SOURCE;
    const SOURCE_ABOUT: &'static str = SOURCE_ABOUT;
    const READER: &'static str = READER;
    const READER_ABOUT: &'static str = READER_ABOUT;
    type Params = CrepeH5Params;

    fn open(params: &CrepeH5Params) -> Result<Box<dyn Recording>, StageError> {
        Ok(Box::new(recording::CrepeRecording::open(&params.path)?))
    }
}

/// The stage `acquire.crepe_h5` as the catalogue knows it.
#[cfg(feature = "hdf5")]
pub type CrepeH5Source = Pacer<CrepeH5>;
/// Its helper, `acquire.crepe_h5.reader`.
#[cfg(feature = "hdf5")]
pub type CrepeH5Reader = super::file_source::Reader<CrepeH5>;

/// The same kind where no HDF5 is linked: paces, but cannot be described.
pub enum CrepeH5Lean {}

impl FileFormat for CrepeH5Lean {
    const SOURCE: &'static str = SOURCE;
    const SOURCE_ABOUT: &'static str = SOURCE_ABOUT;
    const READER: &'static str = READER;
    const READER_ABOUT: &'static str = READER_ABOUT;
    type Params = CrepeH5Params;

    fn open(params: &CrepeH5Params) -> Result<Box<dyn Recording>, StageError> {
        Err(super::file_source::no_hdf5(&params.path))
    }
}

/// The stage `acquire.crepe_h5` as the lean executable runs it.
pub type CrepeH5Pacer = Pacer<CrepeH5Lean>;
