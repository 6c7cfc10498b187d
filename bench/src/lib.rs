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
pub mod ends;
pub mod hop;
pub mod machine;
pub mod measured;
pub mod prove;
pub mod report;
pub mod stats;
pub mod watch;
