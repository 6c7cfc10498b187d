//! Programs in C against the library: compiled here, run as a launcher or a user would run them.

mod rings;
mod session;
mod stages;

/// The stage that the C example is compared with, as its own executable has it.
#[path = "../../../../examples/channel_average.rs"]
#[allow(dead_code, reason = "its `main` is not for here")]
mod channel_average;
