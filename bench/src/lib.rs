//! The latency benchmarking tool and its reports.
//!
//! [`report`] turns the [`Outcome`](ephapse_engine::outcome::Outcome) of a run into what people and programs read.
#![warn(missing_docs)]

pub mod dsp;
pub mod report;
