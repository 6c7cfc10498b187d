//! Stages of one's own in Rust, C and Python, beside each other in real sessions.

mod averages;
pub mod own_stages;
mod python_deaths;
mod shapes;

/// The stage that every language has an example of.
#[path = "../../../../engine/examples/channel_average.rs"]
#[allow(dead_code, reason = "its `main` is not for here")]
mod channel_average;
#[path = "../../../../engine/bindings/c/tests/programs/compiled.rs"]
#[allow(dead_code, reason = "one way of compiling will do here")]
pub mod compiled;
#[path = "../../../../engine/bindings/python/tests/python/interpreter.rs"]
pub mod interpreter;

/// The Python package's folder in the tree.
pub const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/bindings/python");
/// The C library's folder in the tree.
pub const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/bindings/c");
