//! The two ends of an Ephapse loop that touch hardware, and their twins.
#![warn(missing_docs)]

pub mod acquire;
