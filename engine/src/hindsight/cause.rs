//! What kept a hop, with its evidence.

use ephapse_rtconfig::chaos::Fault;

/// Why a tick was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The stage was waiting when it fell due, and woke too late.
    LateWake,
    /// The stage's own activation ran past it.
    LongRun,
    /// An output had no room.
    NoRoom,
    /// The process was dead.
    Dead,
}

impl Skip {
    /// As in accounts.
    pub fn name(self) -> &'static str {
        match self {
            Skip::LateWake => "late_wake",
            Skip::LongRun => "long_run",
            Skip::NoRoom => "no_room",
            Skip::Dead => "dead",
        }
    }
}

/// Something on record in the time in which a hop waited or ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Another process of the session, of higher priority or first in line at the same one, ran on this CPU.
    Preempted {
        /// Process.
        by: String,
        /// Its FIFO priority.
        priority: u8,
        /// So much of this hop's time, ns.
        ns: u64,
    },
    /// The stage was still at work on what came before.
    Busy {
        /// Turns.
        turns: u64,
        /// So much of this hop's wait, ns.
        ns: u64,
    },
    /// The timer itself woke late: nobody could be rung before.
    TimerLate {
        /// Behind the deadline, ns.
        ns: u64,
    },
    /// A witness saw the CPU stand still for all of the session's stages.
    Stall {
        /// CPU.
        cpu: u32,
        /// When the witness should have run, CLOCK_MONOTONIC ns.
        at_ns: u64,
        /// How late it was, ns.
        length_ns: u64,
    },
    /// Pages that were not there.
    Faults {
        /// Without a disk; 255 stands for more, too.
        minor: u8,
        /// With one; 255 stands for more, too.
        major: u8,
    },
    /// The kernel took the CPU away; 255 stands for more, too.
    Switches(u8),
    /// Ticks that fell due while the block was there, and were skipped.
    Skipped {
        /// Why.
        skip: Skip,
        /// How many; of one cause, 255 stands for more, too.
        ticks: u64,
        /// `no_room`: the reader that had not given back its blocks.
        behind: Option<String>,
    },
    /// An output had no room until a reader gave back a block.
    NoRoom {
        /// The reader.
        behind: String,
    },
    /// It ran longer than it may.
    LongRun {
        /// So long, ns.
        ran_ns: u64,
        /// Its budget, or else the time from one of its ticks to the next, ns.
        limit_ns: u64,
        /// The limit is its budget.
        budget: bool,
    },
    /// Frames were lost before this block.
    FramesLost(u64),
    /// Decisions between the one before and this never came: they waited for this one.
    DecisionsLost(u64),
    /// Blocks were dropped for want of room.
    Dropped {
        /// The reader that had not given back its blocks, if that is on record.
        behind: Option<String>,
    },
    /// First turn of a process that was started again without the state of its predecessor.
    StartedOver,
    /// The block had killed its stage twice and was shown empty.
    PassedOver,
    /// A fault that the graph asked for, `[chaos]`.
    OnPurpose {
        /// Tick at which it was to strike.
        tick: u64,
        /// Who suffered it: a stage, `CPU 1`.
        who: String,
        /// What it is.
        fault: Fault,
        /// So much of this hop's time, ns: `hog`, while the CPU was burnt; `kill`, from the death until the stage was at work
        /// again; else 0.
        ns: u64,
        /// `kill`: ticks that fell due meanwhile.
        ticks: u64,
        /// `drop`: frames that were in the blocks, and are missing before this hop's.
        frames: u64,
    },
    /// The block of another input, read `same` or merged, came later than the pacing one.
    OtherInput {
        /// Stream of that input.
        stream: String,
        /// The stage on its way that cost most after the pacing block was there.
        by: String,
        /// So much of this hop's wait, ns.
        ns: u64,
        /// What is on record of that stage's turn.
        causes: Vec<Cause>,
    },
    /// Another input, read `same` or merged, had no block of these frames.
    WithoutInput {
        /// Stream of that input.
        stream: String,
    },
    /// A hypervisor took the CPU, in the seconds in which this hop was late or ran on, for at least as long as that.
    Stolen {
        /// CPU.
        cpu: u32,
        /// What it took in them, ns.
        ns: u64,
    },
    /// An event of this stage.
    Event {
        /// What happened.
        what: String,
        /// CLOCK_MONOTONIC, ns.
        at_ns: u64,
    },
    /// So long it was late, and nothing on record says why.
    Unexplained {
        /// ns.
        ns: u64,
    },
}
