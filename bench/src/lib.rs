//! The latency benchmarking tool and its reports.
//!
//! [`report`] turns the [`Outcome`](ephapse_engine::outcome::Outcome) of a run into what people and programs read. The rest
//! is `ephapse bench`:
//!
//! ```text
//! hop, wake, tick, dsp, prove ─> measured (histograms by round) ─> result (figures, ratios) ─> text, JSON, HTML
//!   over ends (two processes)                    └─> .hlog, .hgrm ─> check: the same figures again
//! ```
#![warn(missing_docs)]

pub mod contest;
pub mod cpu_idle;
pub mod dsp;
pub mod ends;
#[cfg(test)]
mod golden_files;
pub mod hop;
pub mod jitter;
pub mod machine;
pub mod measured;
mod page;
pub mod pass;
pub mod probe;
pub mod programs;
pub mod prove;
pub mod report;
pub mod result;
pub mod ring;
mod run;
pub mod settings;
pub mod stats;
pub mod tick;
pub mod wake;
pub mod watch;
mod whole_files;

pub use report::rfc3339;
pub use run::Run;
