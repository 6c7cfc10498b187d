//! The session segment: state, stop and clock by the launcher, the tick by the timer.

use crate::sync::AtomicU64;

/// Page 1 of the session segment: written by the launcher.
#[repr(C, align(128))]
pub struct SessionWords {
    /// Session state, see [`session_state`].
    pub state: AtomicU64,
    /// CLOCK_MONOTONIC of tick 0, ns; 0 until the ready barrier has been passed. Release; Acquire \[S\].
    pub start_ns: AtomicU64,
    /// First tick.
    pub start_tick: AtomicU64,
    /// First tick that no longer falls due; [`OPEN`](super::OPEN) while running.
    pub stop_tick: AtomicU64,
    /// 0 run; 1 sources end, the rest drains; 2 leave now.
    pub stop: AtomicU64,
    /// How long sources give data, ns of stream time; 0: until they are stopped.
    pub run_ns: AtomicU64,
    /// Tick length, ns.
    pub period_ns: AtomicU64,
    /// 1: every stimulation command is refused from now on. Stored once.
    pub off: AtomicU64,
    /// Timer and stages that are dead and not yet replaced or given up: while it is not 0, every stimulation command is refused.
    pub held: AtomicU64,
    pad0: [u64; 7],
}

/// Page 2 of the session segment: written by the timer.
#[repr(C, align(128))]
pub struct TimerWords {
    /// Newest tick. Release; stages Acquire; with a SeqCst fence on both sides \[T\].
    pub tick: AtomicU64,
    /// CLOCK_MONOTONIC at which it was published, ns.
    pub tick_ns: AtomicU64,
    pad0: [u64; 14],
}

/// States of a session, in [`SessionWords::state`].
pub mod session_state {
    /// Reading the graph.
    pub const LOADING: u64 = 0;
    /// Checking it.
    pub const VALIDATING: u64 = 1;
    /// Making segments, starting processes.
    pub const PREPARING: u64 = 2;
    /// Every process has attached.
    pub const READY: u64 = 3;
    /// Ticks fall due.
    pub const RUNNING: u64 = 4;
    /// Sources have ended.
    pub const DRAINING: u64 = 5;
    /// Over.
    pub const CLOSED: u64 = 6;
    /// Over, after a fault.
    pub const FAILED: u64 = 7;
    /// Name of a state.
    pub const NAMES: [&str; 8] = [
        "loading",
        "validating",
        "preparing",
        "ready",
        "running",
        "draining",
        "closed",
        "failed",
    ];
}
