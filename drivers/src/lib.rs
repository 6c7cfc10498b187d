//! The two ends of an Ephapse loop that touch hardware, and their twins.
#![warn(missing_docs)]

pub mod acquire;
pub mod clock_fit;
#[cfg(feature = "hdf5")]
pub mod demo_recording;
pub mod stimulate;
