//! Detection: frames in, spikes out.

pub mod crossings;
pub mod detector;
pub mod median;
pub mod noise;
mod threshold;

pub use threshold::{NoiseSource, Sigma, Threshold, ThresholdParams};
