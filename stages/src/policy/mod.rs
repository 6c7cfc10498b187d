//! Policies: from a decision to a stimulation command.

mod frequency;

pub use frequency::{Frequency, FrequencyParams, FrequencyTable};
