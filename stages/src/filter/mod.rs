//! Filters: frames in, frames of the same channels out.

mod band;
mod butterworth;
pub mod cascade;
pub mod crossfade;
pub mod design;
mod moving_average;
pub mod polyphase;
mod resample;

pub use band::{BandFilter, BandParams, Bandpass, Bandstop, LiveFilter};
pub use moving_average::{MovingAverage, MovingAverageParams};
pub use resample::{Resample, ResampleParams};
