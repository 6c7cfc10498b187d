//! How blocks move and when: the ring ABI, shared memory, the timer, the stage runner, the launcher, telemetry.
//!
//! No signal processing and no devices: those are stages, and meet the engine in [`stage::Stage`].
#![warn(missing_docs)]

#[doc = include_str!("../ABI.md")]
pub mod abi;
mod adapt;
pub mod allocation;
pub mod capture;
pub mod control;
pub mod doorbell;
pub mod elements;
pub mod launch;
pub mod os;
pub mod outcome;
pub mod records;
pub mod replay;
pub mod ring;
pub mod runner;
pub mod shm;
pub mod stage;
pub mod sync;
pub mod text;
mod timer;
pub mod trap;
