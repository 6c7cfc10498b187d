//! For tests alone: one stage in a process of its own, in any language, between rings whose other ends the test has.
//!
//! [`Driven`] makes the segments and the stage file and starts the process as the launcher does; [`compiled`] and
//! [`interpreter`] say what to start for a stage in C and in Python. What goes wrong here fails the test: it panics.

pub mod compiled;
mod driven;
pub mod interpreter;

pub use driven::{Driven, Ended, TICK_NS, Wanted};
