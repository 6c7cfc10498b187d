//! `acquire.crepe_h5`: recordings of CREPE, the Python pipeline of the reference experiment: one matrix `data`
//! (60 x T, 32-bit counts, no unit, no labels) and an attribute `Bitrate`, the sample rate in Hz.

#[cfg(feature = "hdf5")]
mod recording;

use super::file_source::{FileFormat, Pacer, Reader};
use super::play::file_params;
use super::recording::Recording;
use ephapse_engine::stage::StageError;

file_params! {
    /// Parameters of `acquire.crepe_h5`.
    CrepeH5Params {}
}

/// CREPE recordings. Built without HDF5 the kind still paces, but cannot open a file.
pub enum CrepeH5 {}

impl FileFormat for CrepeH5 {
    const SOURCE: &'static str = "acquire.crepe_h5";
    const SOURCE_ABOUT: &'static str = "Plays a CREPE HDF5 recording (counts without a scale).";
    const READER: &'static str = "acquire.crepe_h5.reader";
    const READER_ABOUT: &'static str = "Reads a CREPE HDF5 recording ahead of its pacer.";
    type Params = CrepeH5Params;

    #[cfg(feature = "hdf5")]
    fn open(params: &CrepeH5Params) -> Result<Box<dyn Recording>, StageError> {
        Ok(Box::new(recording::CrepeRecording::open(&params.path)?))
    }

    #[cfg(not(feature = "hdf5"))]
    fn open(params: &CrepeH5Params) -> Result<Box<dyn Recording>, StageError> {
        Err(super::file_source::no_hdf5(&params.path))
    }
}

/// The stage `acquire.crepe_h5`.
pub type CrepeH5Source = Pacer<CrepeH5>;
/// Its helper, `acquire.crepe_h5.reader`.
pub type CrepeH5Reader = Reader<CrepeH5>;
