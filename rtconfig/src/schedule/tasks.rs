//! The task model: what runs where, what begins it, how long it takes, and the rings between. Pure data, integer
//! nanoseconds.
//!
//! A task is a process of the session or something of the host that competes with them (a witness, an IRQ thread). Tasks
//! with the same `cpu` compete for it: the higher priority preempts, equal ones run in the order in which they were
//! released, ties in the order of the list. The timer rings in the order of the list, too.

use super::run_time::RunTime;
use crate::plan::Full;

/// Everything that is to be scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSet {
    /// Tasks; makers stand before their readers.
    pub tasks: Vec<Task>,
    /// Rings between them.
    pub rings: Vec<Ring>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Name: the stage's, or what else it is.
    pub name: String,
    /// Where it runs; any number, tasks with the same one compete.
    pub cpu: u32,
    /// FIFO priority; 0: normal, behind all others, and without a bound.
    pub priority: u8,
    /// What begins an activation.
    pub begins: Begins,
    /// What an activation costs before its first turn: waking, and the accounts at its end. A data-paced stage pays it with
    /// every turn. The timer: until its tick is published.
    pub wake: RunTime,
    /// One turn, which takes one block; the timer: ringing one stage. `None`: not known.
    pub run: Option<RunTime>,
    /// Ticked: most turns in one activation.
    pub burst: u32,
    /// Ticked: most missed ticks that are run after the fact.
    pub catch_up: u32,
    /// Inputs, the pacing one first. A ticked task without inputs takes one turn per activation.
    pub inputs: Vec<Input>,
    /// Outputs.
    pub outputs: Vec<Output>,
    /// The loop ends here: what has been taken in is then handed to a device.
    pub ends_loop: bool,
}

/// What begins an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// The timer: every `period_ns` from 0 on; of several that fell due the newest counts.
    Timer {
        /// Length of a tick, ns.
        period_ns: u64,
    },
    /// A clock: every `period_ns` from `first_ns` on, up to `jitter_ns` late; each one counts, however late.
    Clock {
        /// From one to the next, ns; at least 1.
        period_ns: u64,
        /// The first, ns; not after `period_ns`.
        first_ns: u64,
        /// Latest it comes after its time, ns.
        jitter_ns: u64,
    },
    /// The timer's ring, at ticks k with `k % divider == phase`.
    Tick {
        /// See above; at least 1.
        divider: u32,
        /// See above.
        phase: u32,
    },
    /// A block on the first input.
    Data,
}

/// One input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Index into [`TaskSet::rings`].
    pub ring: usize,
    /// What of it a turn needs.
    pub takes: Takes,
    /// The ring's maker cannot pass this reader.
    pub hold: bool,
}

/// What a turn needs of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// The next block: the pacing input.
    Next,
    /// The block that covers what the pacing block does; the turn waits for it.
    Same,
    /// Whatever has arrived.
    Arrived,
}

/// One output. Of each turn's block it makes `blocks / per` blocks: what does not come out even is kept for the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index into [`TaskSet::rings`].
    pub ring: usize,
    /// See above; at least 1.
    pub blocks: u64,
    /// See above; at least 1.
    pub per: u64,
    /// Age of one of the `blocks` that have not come out yet, ns: how much older a window's newest frame is than the block in
    /// which the window ends. 0 where a turn's output is as new as its block.
    pub left_over_ns: u64,
    /// Free slots without which a turn does not begin, if the ring waits.
    pub credit: u64,
}

impl Output {
    /// One block per turn, as new as what it is made of.
    pub fn each(ring: usize) -> Self {
        Output {
            ring,
            blocks: 1,
            per: 1,
            left_over_ns: 0,
            credit: 1,
        }
    }

    /// Longest by which the newest frame of an output is older than the turn's block, ns.
    pub fn lag_ns(&self) -> u64 {
        let (mut a, mut b) = (self.blocks, self.per);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        // What is left over is a multiple of the greatest common divisor.
        (self.blocks - a.min(self.blocks)).saturating_mul(self.left_over_ns)
    }
}

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Name of the stream.
    pub name: String,
    /// Slots.
    pub slots: u64,
    /// What happens when a `hold` reader is a whole ring behind.
    pub full: Full,
    /// Index into [`TaskSet::tasks`].
    pub maker: usize,
}

impl TaskSet {
    /// The timer, if there is one.
    pub fn timer(&self) -> Option<usize> {
        let timer = |task: &Task| matches!(task.begins, Begins::Timer { .. });
        self.tasks.iter().position(timer)
    }

    /// Length of a tick, ns; 0 without a timer.
    pub fn tick_ns(&self) -> u64 {
        match self.timer().map(|timer| self.tasks[timer].begins) {
            Some(Begins::Timer { period_ns }) => period_ns,
            _ => 0,
        }
    }

    /// Time from one activation of a task to the next that its own clock gives it, ns; `None`: paced by data.
    pub fn turn_ns(&self, task: usize) -> Option<u64> {
        match self.tasks[task].begins {
            Begins::Timer { period_ns } | Begins::Clock { period_ns, .. } => Some(period_ns),
            Begins::Tick { divider, .. } => Some(self.tick_ns().saturating_mul(u64::from(divider))),
            Begins::Data => None,
        }
    }

    /// Readers of a ring: task, and which of its inputs.
    pub fn readers(&self, ring: usize) -> impl Iterator<Item = (usize, usize)> {
        let tasks = self.tasks.iter().enumerate();
        tasks.flat_map(move |(task, its)| {
            let inputs = its.inputs.iter().enumerate();
            inputs
                .filter(move |(_, input)| input.ring == ring)
                .map(move |(input, _)| (task, input))
        })
    }
}
