//! Layout of everything in shared memory, and nothing else. `engine/ABI.md` is the document of record;
//! `tests/abi_document.rs` compares its tables with the offsets here.
//!
//! Structs of plain integers are written once by the launcher before the version word; structs of atomics are live.

use crate::sync::{AtomicU32, AtomicU64};
use core::mem::{offset_of, size_of};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of every segment.
pub const MAGIC: u64 = u64::from_le_bytes(*b"EPHAPSE\0");
/// Major version: readers and writers of different majors refuse each other.
pub const VERSION_MAJOR: u32 = 1;
/// Minor version: a higher minor only uses bytes that were reserved.
pub const VERSION_MINOR: u32 = 0;
/// The version word: major in the upper half. Written last.
pub const VERSION: u64 = ((VERSION_MAJOR as u64) << 32) | VERSION_MINOR as u64;
/// Reads as this number only on a machine of the writer's byte order.
pub const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
/// Regions start on multiples of this.
pub const PAGE: usize = 4096;
/// Words of different writers stand this far apart; slot strides are multiples of it.
pub const LINE: usize = 128;
/// Payload capacities are multiples of this.
pub const PAYLOAD_ALIGN: usize = 64;
/// `end` of an open stream; `stop_tick` of a session that has not been told when to stop.
pub const OPEN: u64 = u64::MAX;
/// Most input and most output ports of a stage.
pub const MAX_PORTS: usize = 8;
/// Most axes of a stream.
pub const MAX_AXES: usize = 4;

/// Kinds of segment, in [`SegmentHeader::kind`].
pub mod segment {
    /// Tick, state, stop.
    pub const SESSION: u32 = 1;
    /// One stream.
    pub const RING: u32 = 2;
    /// One process: owner, `ran`, accounts, state copies.
    pub const STAGE: u32 = 3;
    /// Activation records of one process.
    pub const TELEMETRY: u32 = 4;
    /// What happened, kept after death.
    pub const EVENTS: u32 = 5;
}

/// Bit flags of [`SlotHeader::flags`].
pub mod flag {
    /// Frames were lost, or the signal is discontinuous, before this block: stages with memory reset.
    pub const GAP: u32 = 1 << 0;
    /// The block was made later than its time.
    pub const LATE: u32 = 1 << 1;
    /// The data were made by a generator, not by a device.
    pub const SYNTHETIC: u32 = 1 << 2;
    /// The maker started over without its state and has not yet settled.
    pub const RESET: u32 = 1 << 3;
    /// The data come from a recording.
    pub const REPLAY: u32 = 1 << 4;
    /// Two bits: how `sampled_ns` was found. 0 nominal, 1 estimated by regression, 2 measured, 3 unknown.
    pub const CLOCK_SHIFT: u32 = 5;
    /// Mask of the clock quality bits.
    pub const CLOCK_MASK: u32 = 0b11 << CLOCK_SHIFT;
    /// Flags that the runner passes on from a pacing block to what is made of it.
    pub const PASSED_ON: u32 = GAP | LATE | RESET | SYNTHETIC | REPLAY | CLOCK_MASK;
}

/// Why a stream ended, in [`ProducerWords::end_reason`].
pub mod end_reason {
    /// Open.
    pub const NONE: u64 = 0;
    /// The source came to its end.
    pub const FINISHED: u64 = 1;
    /// The session was stopped.
    pub const STOPPED: u64 = 2;
    /// The producer reported a fault.
    pub const FAULT: u64 = 3;
    /// The producer died; the launcher stored the end.
    pub const DIED: u64 = 4;
}

/// Start of every segment, 128 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`]; 0 until everything else has been written (Release; readers Acquire) \[V\].
    pub version: u64,
    /// [`BYTE_ORDER`].
    pub byte_order: u64,
    /// See [`segment`].
    pub kind: u32,
    /// CRC-32C of bytes 32 to `fixed_bytes`.
    pub crc: u32,
    /// Bytes of the segment.
    pub segment_bytes: u64,
    /// Bytes from the start that never change after the version word was written (region a).
    pub fixed_bytes: u64,
    /// Session.
    pub session_id: [u8; 16],
    /// Machine.
    pub machine_id: [u8; 16],
    /// Process that made the segment.
    pub launcher_pid: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved: [u64; 5],
}

/// Geometry of a ring, 128 bytes at [`RING_GEOMETRY_AT`]. All `_at` are bytes from the segment's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RingGeometry {
    /// Slots; a power of two.
    pub slots: u32,
    /// Seats, spare ones included.
    pub seats: u32,
    /// The last so many seats are spare `lap` seats.
    pub spare_seats: u32,
    /// Full-ring policy: 0 wait, 1 drop_newest, 2 fault.
    pub full: u32,
    /// Bytes from slot to slot; a multiple of 128.
    pub slot_stride: u64,
    /// Payload capacity; a multiple of 64.
    pub payload_bytes: u64,
    /// Region (b).
    pub producer_at: u64,
    /// Region (c).
    pub seats_at: u64,
    /// Bytes from seat to seat.
    pub seat_stride: u64,
    /// Region (d).
    pub bells_at: u64,
    /// Region (e).
    pub slots_at: u64,
    /// The [`TypeBlock`].
    pub type_at: u64,
    /// The [`SeatEntry`] table.
    pub seat_table_at: u64,
    /// Index in the graph's stream table.
    pub stream: u32,
    /// Index of the stream's pacing source.
    pub origin: u32,
    /// 1: the producer never sleeps on the room bell, so readers need not look whether it does.
    pub sleepless: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved: [u64; 3],
}

/// Where the geometry stands.
pub const RING_GEOMETRY_AT: usize = 128;
/// Where the type stands.
pub const TYPE_AT: usize = 256;
/// Where the seat table stands.
pub const SEAT_TABLE_AT: usize = 768;

/// Type of a stream, 512 bytes. Tables are addressed by bytes from the segment's start; 0 with length 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TypeBlock {
    /// 1 frames, 2 records, 3 bytes.
    pub kind: u32,
    /// 1 to 11: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bits.
    pub dtype: u32,
    /// Axes, time included.
    pub rank: u32,
    /// 0: last axis fastest.
    pub memory_order: u32,
    /// Frames (records, bytes) a block can hold.
    pub frames_per_block: u32,
    /// Fields of a record.
    pub fields: u32,
    /// Bytes of a record.
    pub record_bytes: u32,
    /// Zero.
    pub reserved0: u32,
    /// Bytes from row to row.
    pub row_stride: u64,
    /// Frames in `rate_denominator` seconds.
    pub rate_numerator: u64,
    /// See above; both 0: no rate.
    pub rate_denominator: u64,
    /// Unit of the stored numbers, zero-padded UTF-8.
    pub unit: [u8; 16],
    /// SI unit of `stored * scale + offset`.
    pub si_unit: [u8; 16],
    /// Name of the record layout.
    pub record_name: [u8; 32],
    /// f64 per channel.
    pub scale_at: u64,
    /// f64 per channel.
    pub offset_at: u64,
    /// Three f64 per channel, micrometres.
    pub positions_at: u64,
    /// [`FieldEntry`] per field.
    pub fields_at: u64,
    /// Entries of the scale table.
    pub scales: u32,
    /// Entries of the offset table.
    pub offsets: u32,
    /// Entries of the position table.
    pub positions: u32,
    /// Zero.
    pub reserved1: u32,
    /// Axes, time first.
    pub axes: [AxisEntry; MAX_AXES],
    /// Zero.
    pub reserved: [u64; 11],
}

/// One axis, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AxisEntry {
    /// Elements.
    pub length: u32,
    /// Labels; 0 or `length`.
    pub labels: u32,
    /// Name.
    pub name: [u8; 16],
    /// Unit.
    pub unit: [u8; 16],
    /// Labels, UTF-8, each followed by a zero byte.
    pub labels_at: u64,
    /// Bytes of the labels.
    pub labels_bytes: u64,
    /// Zero.
    pub reserved: u64,
}

/// One field of a record, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FieldEntry {
    /// Name.
    pub name: [u8; 32],
    /// As in [`TypeBlock::dtype`].
    pub dtype: u32,
    /// Elements.
    pub count: u32,
    /// Byte offset in the record.
    pub offset: u32,
    /// Zero.
    pub reserved: u32,
    /// Unit.
    pub unit: [u8; 16],
}

/// One seat as planned, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SeatEntry {
    /// 1 hold, 2 lap.
    pub kind: u32,
    /// 1 if spare: unowned until something joins.
    pub spare: u32,
    /// Stage.
    pub stage: [u8; 32],
    /// Its input port.
    pub port: [u8; 16],
    /// 1: the owner never sleeps on the data bell (a tick wakes it, or it spins), so the producer need not look whether it does.
    pub sleepless: u32,
    /// Zero.
    pub reserved: u32,
}

/// Region (b) of a ring: one page, written by the producer but for `start_time`.
#[repr(C, align(128))]
pub struct ProducerWords {
    /// Generation << 32 | pid; 0 while free. Compare-and-swap.
    pub owner: AtomicU64,
    pad0: [u64; 15],
    /// Start time of the owner (clock ticks since boot, field 22 of /proc/PID/stat). Launcher.
    pub start_time: AtomicU64,
    pad1: [u64; 15],
    /// Blocks published: the next position. Release; readers Acquire \[P\].
    pub published: AtomicU64,
    /// [`OPEN`], or the position at which the stream ends. Release, stored after the two below; readers Acquire \[E\].
    pub end: AtomicU64,
    /// See [`end_reason`].
    pub end_reason: AtomicU64,
    /// Frames lost after the last block.
    pub end_lost: AtomicU64,
    pad2: [u64; 12],
    /// 1 while the producer sleeps on the room bell.
    pub waiting: AtomicU32,
    pad3: [u32; 31],
}

/// Region (c) of a ring, per seat: one page, written by the seat's owner but for `start_time` and `closed`.
#[repr(C, align(128))]
pub struct SeatWords {
    /// As in [`ProducerWords`].
    pub owner: AtomicU64,
    pad0: [u64; 15],
    /// Launcher.
    pub start_time: AtomicU64,
    /// 1: the owner is dead and will not return; the producer no longer waits for this seat. Launcher.
    pub closed: AtomicU64,
    pad1: [u64; 14],
    /// Next position to be read; everything before it is released. Release; the producer Acquire \[R\].
    pub position: AtomicU64,
    /// Position from which this seat's account counts.
    pub joined: AtomicU64,
    pad2: [u64; 14],
    /// 1 while the owner sleeps on the data bell.
    pub waiting: AtomicU32,
    pad3: [u32; 31],
}

/// Region (d) of a ring: futex words, writable for all, never carrying truth.
#[repr(C, align(128))]
pub struct BellWords {
    /// Changes when something was published and a reader slept.
    pub data: AtomicU32,
    pad0: [u32; 31],
    /// Changes when something was released and the producer slept.
    pub room: AtomicU32,
    pad1: [u32; 31],
}

/// Header of a slot, 128 bytes; the payload follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SlotHeader {
    /// Position of this block in its ring.
    pub position: u64,
    /// Tick in which it was made (logical tick in an unpaced run; 0 for a source that knows none).
    pub tick: u64,
    /// This stream's count of frames (records) before the block, lost ones included.
    pub first_frame: u64,
    /// Stream, by index in the graph's stream table, of the pacing source.
    pub origin_stream: u32,
    /// See [`flag`].
    pub flags: u32,
    /// Oldest frame of the pacing source that has contributed.
    pub origin_first: u64,
    /// Newest frame of the pacing source that has contributed.
    pub origin_frame: u64,
    /// Position after which the maker stood on its pacing input; the tick, for a source.
    pub cause: u64,
    /// Number of this block among the blocks of the same `cause`, from 0.
    pub part: u16,
    /// Blocks published for this `cause`.
    pub parts: u16,
    /// Valid frames (records, bytes) in the payload.
    pub valid: u32,
    /// Frames lost before this block.
    pub lost: u64,
    /// Frames from the block's start that do not yet mean what they should.
    pub settling: u32,
    /// Parameter epoch of the maker.
    pub epoch: u32,
    /// When the block's last frame was taken, CLOCK_MONOTONIC ns.
    pub sampled_ns: u64,
    /// When the host had it.
    pub arrived_ns: u64,
    /// When the maker committed it.
    pub committed_ns: u64,
    /// For the maker's own use.
    pub user: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Page 1 of the session segment: written by the launcher.
#[repr(C, align(128))]
pub struct SessionWords {
    /// Session state, see [`session_state`].
    pub state: AtomicU64,
    /// CLOCK_MONOTONIC of tick 0, ns; 0 until the ready barrier has been passed. Release; Acquire \[S\].
    pub start_ns: AtomicU64,
    /// First tick.
    pub start_tick: AtomicU64,
    /// First tick that no longer falls due; [`OPEN`] while running.
    pub stop_tick: AtomicU64,
    /// 0 run; 1 sources end, the rest drains; 2 leave now.
    pub stop: AtomicU64,
    /// How long sources give data, ns of stream time; 0: until they are stopped.
    pub run_ns: AtomicU64,
    /// Tick length, ns.
    pub period_ns: AtomicU64,
    /// 1: every stimulation command is refused from now on. Stored once.
    pub off: AtomicU64,
    pad0: [u64; 8],
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
    /// As in [`ProducerWords`].
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
    pad2: [u64; 3],
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
    /// Zero.
    pub reserved: [u8; 10],
}

/// One entry of the events segment, 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EventEntry {
    /// 1-based number; written last.
    pub number: u64,
    /// CLOCK_MONOTONIC, ns.
    pub at_ns: u64,
    /// Tick.
    pub tick: u64,
    /// Stage, or `session`.
    pub who: [u8; 40],
    /// What happened.
    pub what: [u8; 192],
}

const _: () = {
    assert!(size_of::<SegmentHeader>() == 128);
    assert!(size_of::<RingGeometry>() == 128);
    assert!(size_of::<TypeBlock>() == 512);
    assert!(size_of::<AxisEntry>() == 64);
    assert!(size_of::<FieldEntry>() == 64);
    assert!(size_of::<SeatEntry>() == 64);
    assert!(size_of::<SlotHeader>() == 128);
    assert!(size_of::<ActivationRecord>() == 128);
    assert!(size_of::<EventEntry>() == 256);
    assert!(size_of::<InputAccount>() == 64 && size_of::<OutputAccount>() == 64);
    assert!(size_of::<Bank>() == 128 + 2 * 64 * MAX_PORTS);
    assert!(size_of::<StageGeometry>() == 128);
    assert!(size_of::<StageWords>() <= PAGE);
    assert!(offset_of!(ProducerWords, start_time) == 128);
    assert!(offset_of!(ProducerWords, published) == 256);
    assert!(offset_of!(ProducerWords, waiting) == 384);
    assert!(offset_of!(SeatWords, position) == 256);
    assert!(offset_of!(SeatWords, waiting) == 384);
    assert!(offset_of!(BellWords, room) == 128);
    assert!(offset_of!(StageWords, flip) == 128);
    assert!(offset_of!(StageWords, policy) == 256);
    assert!(offset_of!(StageWords, reason) == 384);
};
