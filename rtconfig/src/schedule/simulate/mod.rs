//! A discrete-event model of the task set: what begins when, who preempts whom, which blocks lie where; from one instant at
//! which something happens to the next.
//!
//! It follows the engine's runner: a ticked task that still runs goes on with the newest tick and skips those between; it
//! takes the blocks that have come, up to its burst; bells ring at the end of an activation; a ring that is full drops or
//! lets its maker wait.

mod cpu;
mod draw;
mod job;
mod model;
mod ring_state;
mod ticks;
mod turns;

pub use draw::Draw;

use super::tasks::TaskSet;
use hdrhistogram::Histogram;
use model::Model;

/// What the model predicts for a run.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Length of the run, ns.
    pub length_ns: u64,
    /// One per task.
    pub tasks: Vec<Ran>,
    /// One per ring.
    pub rings: Vec<Passed>,
    /// From the sampling of the newest frame to the end of the turn, ns, of all tasks that end a loop.
    pub loop_ns: Histogram<u64>,
}

/// What a task did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Activations that ended.
    pub activations: u64,
    /// Longest response, counted as [`super::response::Bound::response_ns`], ns.
    pub response_ns: u64,
    /// Longest time from the sampling of the newest frame to the end of the turn, ns.
    pub latency_ns: u64,
    /// Ticks skipped: it was waiting to run when they fell due.
    pub late_wake: u64,
    /// Ticks skipped: it still ran.
    pub long_run: u64,
    /// Ticks skipped: an output had no room.
    pub no_room: u64,
    /// Times a task paced by data had to wait for room.
    pub waits: u64,
}

/// What passed through a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Blocks published.
    pub published: u64,
    /// Blocks dropped for want of room.
    pub dropped: u64,
    /// Most blocks between each reader and the maker, in order of the readers.
    pub most: Vec<u64>,
    /// Blocks that readers who can be passed did not take in time.
    pub lapped: u64,
}

/// Runs the model for `length_ns`. The same set, length and seed give the same prediction.
pub fn simulate(set: &TaskSet, length_ns: u64, seed: u64) -> Prediction {
    Model::new(set, length_ns, seed).run()
}

/// Bounds of the loop's histogram: 100 ns to 1,000 s, three digits.
fn histogram() -> Histogram<u64> {
    let bounds = Histogram::new_with_bounds(100, 1_000_000_000_000, 3);
    bounds.unwrap_or_else(|error| unreachable!("these bounds are sound: {error}"))
}
