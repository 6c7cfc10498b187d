//! Stages of one's own in Rust, C and Python, beside each other in real sessions.

mod averages;
pub mod own_stages;
mod python_deaths;
mod shapes;
mod slow_start;

/// The stage that every language has an example of.
#[path = "../../../../engine/examples/channel_average.rs"]
#[allow(dead_code, reason = "its `main` is not for here")]
mod channel_average;

pub use ephapse_driven::interpreter::PACKAGE;
pub use ephapse_driven::{compiled, interpreter};

/// The C library's folder in the tree.
pub const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/bindings/c");
