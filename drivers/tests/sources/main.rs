//! File sources: what they say of a file, every sample of it, and what they refuse.

mod binary;
#[cfg(feature = "hdf5")]
mod captures;
#[cfg(feature = "hdf5")]
mod crepe_h5;
mod damaged;
#[cfg(feature = "hdf5")]
mod demo;
#[cfg(feature = "hdf5")]
mod exports;
#[cfg(feature = "hdf5")]
mod made;
#[path = "../../../tools/tests/executables/made_capture.rs"]
#[allow(dead_code, reason = "the command line's tests need more of it")]
mod made_capture;
#[cfg(feature = "hdf5")]
mod mcs_file;
#[cfg(feature = "hdf5")]
mod mcs_h5;
mod playing;
