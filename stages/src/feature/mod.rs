//! Features: what a readout looks at.

pub mod beats;
mod heart_rate;
mod rate;
pub mod rate_window;

pub use heart_rate::{HeartRate, HeartRateParams};
pub use rate::{SpikeRate, SpikeRateParams};
