//! What a user may set for all benchmarks.

use crate::ends::Class;
use std::time::Duration;

/// Settings; what is `None` each benchmark chooses for itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// CPU of the sender (waker, timer), CPU of the receiver (waiters, stages).
    pub cpus: [u32; 2],
    /// Scheduling class of what is measured.
    pub class: Class,
    /// From block to block, from tick to tick.
    pub period: Option<Duration>,
    /// Time for each series, all repetitions together.
    pub duration: Option<Duration>,
    /// Warm-up before each round.
    pub warm_up: Option<Duration>,
    /// Repetitions of equal placement wanted of each contest.
    pub repetitions: usize,
}
