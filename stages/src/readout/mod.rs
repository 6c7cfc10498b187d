//! Readouts: from features to a decision.

mod linear;
pub mod weights;

pub use linear::{Linear, LinearParams};
