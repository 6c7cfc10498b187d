//! Where a task stands.

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It waits for what begins its next activation.
    Asleep,
    /// It waits for room in an output.
    NoRoom,
    /// What an activation costs before its first turn.
    Wakes,
    /// A turn.
    Turns,
    /// The timer rings this task.
    Rings(usize),
}

/// Where a task stands.
#[derive(Clone, Debug)]
pub struct Job {
    /// What it is at.
    pub step: Step,
    /// Ticked, timer: the tick it runs.
    pub tick: u64,
    /// Ticked: the newest due tick when the activation began; those from `tick` to here are caught up with.
    pub newest: u64,
    /// Ticked: ticks dealt with, as the number of the first that was not.
    pub next: u64,
    /// Ticked: turns in this activation.
    pub turns: u32,
    /// Ticked: since when it has not run, ns.
    pub idle_since_ns: u64,
    /// Clock, timer: instants that have come, and those dealt with.
    pub come: u64,
    /// See `come`.
    pub done: u64,
    /// Clock, timer: when the next instant comes, jitter included, ns; `u64::MAX` for others.
    pub next_ns: u64,
    /// Data: since when the turn's block could have been taken, ns.
    pub could_ns: u64,
    /// What did not come out even, per output.
    pub left_over: Vec<u64>,
}

impl Job {
    /// Asleep, with nothing done.
    pub fn new(outputs: usize) -> Self {
        Job {
            step: Step::Asleep,
            tick: 0,
            newest: 0,
            next: 0,
            turns: 0,
            idle_since_ns: 0,
            come: 0,
            done: 0,
            next_ns: u64::MAX,
            could_ns: 0,
            left_over: vec![0; outputs],
        }
    }

    /// It needs no CPU.
    pub fn sleeps(&self) -> bool {
        matches!(self.step, Step::Asleep | Step::NoRoom)
    }
}
