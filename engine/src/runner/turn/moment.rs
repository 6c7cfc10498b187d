//! When a turn happens, whether it may, and what it came to.

/// When a turn happens.
#[derive(Clone, Copy, Default)]
pub(crate) struct Moment {
    /// Tick of a paced run.
    pub tick: u64,
    /// What `wake` is measured from, ns.
    pub since_ns: u64,
    /// Stage running, ns.
    pub woke_ns: u64,
    /// `committed_ns` of what is published; `None`: the clock's. A replay gives what is on record.
    pub committed_ns: Option<u64>,
    /// Sources: when the block's last frame is taken, ns.
    pub sampled_ns: u64,
    /// Sources: frames that may still be given.
    pub limit: Option<u32>,
    /// First turn of its activation.
    pub first: bool,
    /// The block comes after its time.
    pub late: bool,
    /// Stimulation has been switched off.
    pub off: bool,
    /// Stimulation is held while a process is dead.
    pub held: bool,
    /// Ticks skipped before this activation, for the record.
    pub skipped: [u8; 4],
    /// Kernel's counts of the previous activation, for the record.
    pub usage: [u8; 4],
    /// CPU of the previous activation.
    pub cpu: u16,
}

/// May a turn begin?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Yes.
    Go,
    /// The pacing input, or a block that belongs to it, is not there: the input of that number lacks it.
    NoBlock(usize),
    /// An output that waits for room has none.
    NoRoom,
    /// The pacing input has ended.
    Ended,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done; there may be another.
    Went,
    /// A source had nothing to give.
    Nothing,
    /// The stage ends its streams.
    Ends,
    /// The stage asks the session to stop.
    Stop(&'static str),
}
