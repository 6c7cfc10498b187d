//! How blocks move and when: the ring ABI, shared memory, the timer, the stage runner, the launcher, telemetry.
//!
//! No signal processing and no devices: those are stages, and meet the engine in [`stage::Stage`].
#![warn(missing_docs)]

pub mod abi;
pub mod outcome;
pub mod stage;
