//! Layout of everything in shared memory, and nothing else. `engine/ABI.md` is the document of record;
//! `tests/abi_document.rs` compares its tables with the offsets here.
//!
//! Structs of plain integers are written once by the launcher before the version word; structs of atomics are live.
//!
//! Here stands what every segment begins with; each kind of segment has a file of its own.

mod events;
mod ring;
mod session;
mod stage;
mod telemetry;

pub use events::EventEntry;
pub use ring::{
    AxisEntry, BellWords, FieldEntry, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SEAT_TABLE_AT,
    SeatEntry, SeatWords, SlotHeader, TYPE_AT, TypeBlock, end_reason, flag,
};
pub use session::{SessionWords, TimerWords, session_state};
pub use stage::{
    Bank, InputAccount, OutputAccount, STAGE_GEOMETRY_AT, StageGeometry, StageOrders, StageWords,
    stage_state,
};
pub use telemetry::{
    ActivationRecord, CollectorWords, RecorderWords, TELEMETRY_RECORDER_AT, TELEMETRY_SLOTS_AT,
    TelemetryWords, circumstance,
};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First word of every segment.
pub const MAGIC: u64 = u64::from_le_bytes(*b"EPHAPSE\0");
/// Major version: readers and writers of different majors refuse each other.
pub const VERSION_MAJOR: u32 = 1;
/// Minor version: a higher minor only uses bytes that were reserved.
pub const VERSION_MINOR: u32 = 1;
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
    /// What the recorder has read and not yet written to the disk.
    pub const SPOOL: u32 = 6;
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

const _: () = {
    assert!(size_of::<SegmentHeader>() == 128);
};
