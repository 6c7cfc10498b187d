//! File sources: what they say of a file, every sample of it, and what they refuse.

mod binary;
#[cfg(feature = "hdf5")]
mod crepe_h5;
mod damaged;
#[cfg(feature = "hdf5")]
mod demo;
#[cfg(feature = "hdf5")]
mod exports;
#[cfg(feature = "hdf5")]
mod made;
#[cfg(feature = "hdf5")]
mod mcs_file;
#[cfg(feature = "hdf5")]
mod mcs_h5;
mod playing;
