//! Sources: recordings played in time, and the synthetic generator.

pub mod binary;
pub mod capture;
pub mod crepe_h5;
pub mod cyton;
mod file;
pub mod file_source;
#[cfg(feature = "hdf5")]
pub(crate) mod hdf5_file;
pub mod mcs_h5;
pub mod play;
pub mod playback;
pub mod recording;
pub mod synthetic;
pub mod timeline;
