//! A ring: geometry, type, seats, live words, slots.

use super::MAX_AXES;
use crate::sync::{AtomicU32, AtomicU64};
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
    /// [`OPEN`](super::OPEN), or the position at which the stream ends. Release, stored after the two below; readers Acquire \[E\].
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

const _: () = {
    assert!(size_of::<RingGeometry>() == 128);
    assert!(size_of::<TypeBlock>() == 512);
    assert!(size_of::<AxisEntry>() == 64);
    assert!(size_of::<FieldEntry>() == 64);
    assert!(size_of::<SeatEntry>() == 64);
    assert!(size_of::<SlotHeader>() == 128);
    assert!(offset_of!(ProducerWords, start_time) == 128);
    assert!(offset_of!(ProducerWords, published) == 256);
    assert!(offset_of!(ProducerWords, waiting) == 384);
    assert!(offset_of!(SeatWords, position) == 256);
    assert!(offset_of!(SeatWords, waiting) == 384);
    assert!(offset_of!(BellWords, room) == 128);
};
