//! What a user may set of a measurement; each measurement knows what to do where nothing was set.

use crate::ends::Class;
use std::time::Duration;

/// Settings that all measurements share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Raw CPU ids: of the sending end (waker, timer), of the receiving one (waiters, stages).
    pub cpus: [u32; 2],
    /// Scheduling class of the measuring processes.
    pub class: Class,
    /// From block to block, from wake to wake, from tick to tick.
    pub period: Option<Duration>,
    /// Time measured for each series, all its rounds together.
    pub duration: Option<Duration>,
    /// Time at the start of each round that does not count.
    pub warm_up: Option<Duration>,
    /// Repetitions of equal placement: rounds of each series.
    pub repetitions: usize,
}
