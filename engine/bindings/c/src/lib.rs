//! `libephapse`: what a stage or a program in C or C++ calls. `include/ephapse.h` is made of this crate's items and their
//! comments, so those speak C: names as the header has them, errors as codes and texts.
//!
//! Two levels. A *stage* gives a table of functions to [`program::ephapse_stage_main`] and is run as a Rust stage is. A program
//! without a graph makes or opens a *ring* and uses its verbs, `claim -> commit` and `peek -> release`.
//!
//! No panic leaves this library: set-up functions turn one into a code and a text; in the functions of the hot path a panic
//! would be a fault of the library itself, and ends the process (an `extern "C"` function never unwinds).
#![warn(missing_docs)]
#![allow(
    unsafe_code,
    reason = "the border to C: pointers come from there and go there"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "one contract for all, at the head of the header: pointers are null where that is allowed, else from this library or valid for the call"
)]

pub mod ends;
pub mod header;
pub mod observer;
pub mod outcome;
pub mod outputs;
pub mod params;
pub mod program;
pub mod ring;
pub mod setup;
pub mod stage;
pub mod stream_type;
