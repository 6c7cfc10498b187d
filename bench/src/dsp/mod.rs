//! What the built-in arithmetic costs: the code the stages run, on one core, without rings and processes around it.
//!
//! ```text
//! recording (seeded noise with spikes, a loop of blocks) ─> kernel.run_block() ─> rounds (frames/s, ns of each block)
//!                                    └────────────────────> scipy::compare: the same blocks, in turns with SciPy
//! ```
//!
//! | kernel | runs |
//! |---|---|
//! | `filter` | [`BandFilter::run`]: `filter.bandpass` 300 to 3000 Hz, order 2, of microvolts in f64 |
//! | `detector` | [`Detector::run`]: `detect.threshold`, calibrated, on what the filter made of the recording |
//! | `filter+detector` | both, one after the other on the same block |
//! | `fft` | a power spectrum of 256 frames of every channel, by realfft |
//! | `readout` | [`Weights::apply`]: `readout.linear` with four outputs, for every frame of a block |
//!
//! Everything runs on the thread that calls, and what it calls is single-threaded: placement and priority are the
//! caller's.
//!
//! [`BandFilter::run`]: ephapse_stages::filter::BandFilter::run
//! [`Detector::run`]: ephapse_stages::detect::detector::Detector::run
//! [`Weights::apply`]: ephapse_stages::readout::weights::Weights::apply

mod benchmark;
mod detecting;
mod filtering;
mod kernel;
mod readout;
mod recording;
mod rounds;
pub mod scipy;
mod spectrum;

pub use benchmark::benchmark;
pub use kernel::{Kernel, Prepared, kernels};
pub use rounds::{RoundRate, run_round};

/// Frames per second of the recordings.
pub const RATE_HZ: u32 = 30_000;
/// Frames of a block: one millisecond.
pub const BLOCK_FRAMES: usize = 30;

#[cfg(test)]
mod tests;
