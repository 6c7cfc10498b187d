//! Features: what a readout looks at.

mod rate;
pub mod rate_window;

pub use rate::{SpikeRate, SpikeRateParams};
