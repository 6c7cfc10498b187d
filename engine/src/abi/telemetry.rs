//! A telemetry segment: activation records, and how far the collector has taken them.

use super::{MAX_PORTS, PAGE};
use crate::sync::AtomicU64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Page 1 of a telemetry segment: written by the stage.
#[repr(C, align(128))]
pub struct TelemetryWords {
    /// Records written. Release; collector Acquire \[P\].
    pub published: AtomicU64,
    pad0: [u64; 15],
}

/// Page 2 of a telemetry segment: written by the collector.
#[repr(C, align(128))]
pub struct CollectorWords {
    /// Records taken; only an unpaced run waits for it.
    pub taken: AtomicU64,
    pad0: [u64; 15],
}

/// Bits of [`ActivationRecord::circumstances`]: what a turn's result depends on and its blocks do not say.
pub mod circumstance {
    /// `ctx.off` was true: stimulation had been switched off.
    pub const OFF: u16 = 1 << 0;
    /// First turn of a successor without its predecessor's state (RESET).
    pub const STARTED_OVER: u16 = 1 << 1;
    /// The pacing block was shown empty, its frames lost, for it had killed the process twice (poison).
    pub const PASSED_OVER: u16 = 1 << 2;
    /// Not a turn: the pacing input had ended, and `finish` published what was held.
    pub const FINISH: u16 = 1 << 3;
    /// Blocks were dropped for want of room.
    pub const DROPPED: u16 = 1 << 4;
    /// Blocks were withheld, for a predecessor had published them before it was killed; their stamps are its own.
    pub const WITHHELD: u16 = 1 << 5;
    /// The blocks seen of a `lap` input are not the last ones before its position: some between were overwritten.
    pub const SCATTERED: u16 = 1 << 6;
    /// Written by a successor for a turn whose maker was killed before it could record it: only positions are known, and
    /// the newest tick dealt with.
    pub const UNRECORDED: u16 = 1 << 7;
    /// A fault was injected into this turn: it stands in the graph's `[chaos]`.
    pub const INJECTED: u16 = 1 << 8;
    /// `ctx.held` was true: some process on which stimulation depends was dead.
    pub const HELD: u16 = 1 << 9;
}

/// Second line of page 2 of a telemetry segment: written by the recorder, and once, before anybody attaches, by the launcher.
#[repr(C, align(128))]
pub struct RecorderWords {
    /// One more than the records that the recorder has kept; only an unpaced run waits for it. 0: there is no recorder.
    pub kept: AtomicU64,
    pad0: [u64; 15],
}

/// Where [`RecorderWords`] stand in a telemetry segment.
pub const TELEMETRY_RECORDER_AT: usize = 2 * PAGE + 128;

/// Where the slots of a telemetry segment begin, and the stride of its 128-byte records.
pub const TELEMETRY_SLOTS_AT: usize = 3 * PAGE;

/// One activation record, 128 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ActivationRecord {
    /// Tick (logical tick in an unpaced run).
    pub tick: u64,
    /// Deadline (ticked, clock) or the pacing block's commit (data): what `wake` is measured from, ns.
    pub since_ns: u64,
    /// Stage running, ns.
    pub woke_ns: u64,
    /// Outputs committed (for `stimulate`: handed), ns. 0: nothing was processed.
    pub committed_ns: u64,
    /// `sampled_ns` of the pacing block (for a source: of the block made).
    pub sampled_ns: u64,
    /// `arrived_ns` of the same block.
    pub arrived_ns: u64,
    /// `origin_frame` of the same block.
    pub origin_frame: u64,
    /// The stage's only clock during the activation.
    pub now_ns: u64,
    /// Low 16 bits of the input positions behind this activation.
    pub consumed: [u16; MAX_PORTS],
    /// Low 16 bits of the output positions behind this activation.
    pub produced: [u16; MAX_PORTS],
    /// Parameter epoch.
    pub epoch: u32,
    /// Ticks skipped before this one by late wake, long run, no room, dead; each saturates.
    pub skipped: [u8; 4],
    /// Differences of the previous activation: voluntary and involuntary switches, minor and major faults; each saturates.
    pub usage: [u8; 4],
    /// CPU the previous activation ended on.
    pub cpu: u16,
    /// Frames in the pacing block.
    pub frames: u16,
    /// Frames lost before the pacing block; saturates.
    pub lost: u32,
    /// Inputs in the low half, outputs in the high half.
    pub ports: u8,
    /// 1: first record of its activation; 2: the block carried a GAP; 4: blocks were waiting for room.
    pub marks: u8,
    /// See [`circumstance`] (since 1.1).
    pub circumstances: u16,
    /// Blocks seen of each input, four bits each, input 0 lowest (since 1.1). 0 in a turn with inputs: an older program's.
    pub blocks: u32,
    /// Zero.
    pub reserved: [u8; 4],
}

const _: () = {
    assert!(size_of::<ActivationRecord>() == 128);
};
