//! One run of the benchmarking tool.

use crate::watch::Watch;
use ephapse_engine::os;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What all measurements of a run share.
pub struct Run {
    /// A word that no other run of this machine uses now.
    pub id: String,
    /// Its start, CLOCK_MONOTONIC, ns.
    pub began_ns: u64,
    /// Threshold.
    pub watch: Watch,
    /// Times the user has asked to stop.
    pub interrupts: Arc<AtomicU32>,
}

impl Run {
    /// A run that begins now.
    pub fn new(watch: Watch, interrupts: Arc<AtomicU32>) -> Self {
        Run {
            id: format!("{}-{}", std::process::id(), os::realtime_ns()),
            began_ns: os::monotonic_ns(),
            watch,
            interrupts,
        }
    }

    /// Ends the run if the user has asked for it.
    ///
    /// # Errors
    /// Says so.
    pub fn go_on(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.interrupts.load(Ordering::Acquire) == 0,
            "interrupted: what was measured so far is not written"
        );
        Ok(())
    }
}
