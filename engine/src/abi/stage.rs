//! A stage segment: the process's words, the launcher's orders, the banks that flip.

use super::{MAX_PORTS, PAGE};
use crate::sync::AtomicU64;
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// States of a stage, in [`StageWords::state`].
pub mod stage_state {
    /// Spawned.
    pub const STARTING: u64 = 0;
    /// Segments mapped, types compared.
    pub const ATTACHED: u64 = 1;
    /// Prepared, pinned, locked.
    pub const READY: u64 = 2;
    /// Past the common start.
    pub const RUNNING: u64 = 3;
    /// Its inputs have ended.
    pub const DRAINING: u64 = 4;
    /// Left cleanly.
    pub const DONE: u64 = 5;
    /// Gave up; the reason stands beside it.
    pub const FAILED: u64 = 6;
    /// Being started again.
    pub const RESTARTING: u64 = 7;
    /// Name of a state.
    pub const NAMES: [&str; 8] = [
        "starting",
        "attached",
        "ready",
        "running",
        "draining",
        "done",
        "failed",
        "restarting",
    ];
}

/// Page 1 of a stage segment: written by the stage.
#[repr(C, align(128))]
pub struct StageWords {
    /// As in [`ProducerWords`](super::ProducerWords).
    pub owner: AtomicU64,
    /// See [`stage_state`].
    pub state: AtomicU64,
    /// 1: the stage asks the session to stop; `reason` says why.
    pub asks_stop: AtomicU64,
    /// CLOCK_MONOTONIC of the last turn of the main loop, ns.
    pub heartbeat_ns: AtomicU64,
    pad0: [u64; 12],
    /// Activations so far; bank `flip & 1` is the current one. Release; readers Acquire \[F\].
    pub flip: AtomicU64,
    pad1: [u64; 15],
    /// Scheduling policy as read back: 0 other, 1 fifo.
    pub policy: AtomicU64,
    /// Priority as read back.
    pub priority: AtomicU64,
    /// CPU as read back; all ones if several.
    pub cpu: AtomicU64,
    /// Bytes locked, as read back.
    pub locked_bytes: AtomicU64,
    /// Heap allocations since ready.
    pub allocations: AtomicU64,
    /// Minor faults since ready.
    pub minor_faults: AtomicU64,
    /// Major faults since ready.
    pub major_faults: AtomicU64,
    /// Voluntary switches since ready.
    pub voluntary: AtomicU64,
    /// Involuntary switches since ready.
    pub involuntary: AtomicU64,
    /// Rings that led to no activation.
    pub spurious: AtomicU64,
    /// Activations longer than the budget.
    pub over_budget: AtomicU64,
    /// The longest of them, ns.
    pub worst_ns: AtomicU64,
    /// Parameter epoch in use.
    pub epoch: AtomicU64,
    /// Faults of the graph's `[chaos]` that have struck it; counted before they strike.
    pub injected: AtomicU64,
    /// CLOCK_MONOTONIC at which the newest of them struck, ns.
    pub injected_ns: AtomicU64,
    pad2: [u64; 1],
    /// One line, zero-padded UTF-8, written before `state` or `asks_stop`: why it failed or asks.
    pub reason: [AtomicU64; 64],
    /// One line: why it does not run in real time.
    pub rt_why: [AtomicU64; 32],
}

/// Page 2 of a stage segment: written by the launcher.
#[repr(C, align(128))]
pub struct StageOrders {
    /// Start time of the owner.
    pub start_time: AtomicU64,
    /// Generation: how often the process was started.
    pub generation: AtomicU64,
    /// Parameter epoch; copy `epoch & 1` of the parameters holds. Release, after the copy; the stage Acquire.
    pub epoch: AtomicU64,
    /// One more than the position, on the pacing input, of a block that killed the process twice and is to be passed over;
    /// 0: none.
    pub poison: AtomicU64,
    pad0: [u64; 12],
}

/// Geometry of a stage segment, 128 bytes at 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StageGeometry {
    /// [`StageWords`].
    pub words_at: u64,
    /// [`StageOrders`].
    pub orders_at: u64,
    /// Parameters: JSON, in two copies of `params_bytes`, the epoch's parity chooses.
    pub params_at: u64,
    /// See above.
    pub params_bytes: u64,
    /// Bank 0; bank 1 follows `bank_stride` later. A bank is a [`Bank`] followed by the state.
    pub banks_at: u64,
    /// Bytes from bank to bank.
    pub bank_stride: u64,
    /// Bytes of state in each bank.
    pub state_bytes: u64,
    /// Append-only state.
    pub append_at: u64,
    /// Its bytes.
    pub append_bytes: u64,
    /// Hash of the state's layout; another hash means RESET.
    pub layout_hash: u64,
    /// Zero.
    pub reserved: [u64; 6],
}

/// Where the stage geometry stands.
pub const STAGE_GEOMETRY_AT: usize = 128;

/// One of the two copies of what flips with an activation: accounts first, the state behind them.
#[repr(C, align(128))]
pub struct Bank {
    /// Newest tick dealt with \[T\].
    pub ran: AtomicU64,
    /// Activation records written.
    pub records: AtomicU64,
    /// Ticks run.
    pub run: AtomicU64,
    /// Ticks skipped, by cause.
    pub late_wake: AtomicU64,
    /// See above.
    pub long_run: AtomicU64,
    /// See above.
    pub no_room: AtomicU64,
    /// See above.
    pub dead: AtomicU64,
    /// Frames of the pacing input until the stage has settled.
    pub settle_left: AtomicU64,
    /// Bytes of the append-only state that count.
    pub append_used: AtomicU64,
    /// Bits: 1 `reset` has written the first state; 2 the inputs have ended and `finish` has published what was held.
    pub started: AtomicU64,
    /// Activations.
    pub activations: AtomicU64,
    pad0: [u64; 5],
    /// Inputs.
    pub inputs: [InputAccount; MAX_PORTS],
    /// Outputs.
    pub outputs: [OutputAccount; MAX_PORTS],
}

/// Account of one input, 64 bytes.
#[repr(C)]
pub struct InputAccount {
    /// Next position.
    pub position: AtomicU64,
    /// Blocks processed.
    pub consumed: AtomicU64,
    /// Blocks passed over.
    pub jumped: AtomicU64,
    /// Blocks overwritten before they were read.
    pub lapped: AtomicU64,
    /// Blocks with the GAP flag.
    pub gaps: AtomicU64,
    /// Frames lost, as the headers say.
    pub lost_frames: AtomicU64,
    /// Faults of the producer: positions or lengths out of range.
    pub faults: AtomicU64,
    /// Zero.
    pub reserved: AtomicU64,
}

/// Account of one output, 64 bytes.
#[repr(C)]
pub struct OutputAccount {
    /// Blocks published: the ring's `published` as this bank's activation left it.
    pub published: AtomicU64,
    /// Blocks made.
    pub offered: AtomicU64,
    /// Blocks dropped.
    pub dropped: AtomicU64,
    /// Next `first_frame`.
    pub next_frame: AtomicU64,
    /// Frames counted by the device, file or driver (sources).
    pub counted: AtomicU64,
    /// Frames published (sources).
    pub valid: AtomicU64,
    /// Frames lost (sources).
    pub lost: AtomicU64,
    /// Frames lost that the next header has to name.
    pub owed: AtomicU64,
}

const _: () = {
    assert!(size_of::<InputAccount>() == 64 && size_of::<OutputAccount>() == 64);
    assert!(size_of::<Bank>() == 128 + 2 * 64 * MAX_PORTS);
    assert!(size_of::<StageGeometry>() == 128);
    assert!(size_of::<StageWords>() <= PAGE);
    assert!(offset_of!(StageWords, flip) == 128);
    assert!(offset_of!(StageWords, policy) == 256);
    assert!(offset_of!(StageWords, reason) == 384);
};
