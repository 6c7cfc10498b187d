//! Filters: frames in, frames of the same shape out.

mod band;
pub mod cascade;
pub mod design;
mod moving_average;

pub use band::{BandFilter, BandParams, Bandpass, Bandstop};
pub use moving_average::{MovingAverage, MovingAverageParams};
