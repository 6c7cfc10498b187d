//! How blocks move and when: the ring ABI, shared memory, the timer, the stage runner, the launcher, telemetry.
//!
//! No signal processing and no devices: those are stages, and meet the engine in [`stage::Stage`].
#![warn(missing_docs)]

// Loom's builds hold what its models run, and no more: they are made anew for every mutation.

#[doc = include_str!("../ABI.md")]
pub mod abi;
#[cfg(not(loom))]
mod adapt;
#[cfg(not(loom))]
pub mod allocation;
#[cfg(not(loom))]
pub mod capture;
#[cfg(not(loom))]
pub mod control;
pub mod doorbell;
mod due;
#[cfg(not(loom))]
pub mod elements;
#[cfg(not(loom))]
pub mod guard;
#[cfg(not(loom))]
pub mod hindsight;
#[cfg(not(loom))]
pub mod launch;
pub mod os;
#[cfg(not(loom))]
pub mod outcome;
#[cfg(not(loom))]
pub mod records;
#[cfg(not(loom))]
pub mod replay;
pub mod ring;
#[cfg(not(loom))]
pub mod runner;
pub mod shm;
#[cfg(not(loom))]
pub mod stage;
pub mod sync;
pub mod text;
#[cfg(not(loom))]
mod timer;
pub mod trap;
