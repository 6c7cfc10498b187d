//! Blocks as C sees them: the header as the ABI lays it down, where the payload lies, how many rows count.

use crate::stream_type::Type;
use core::mem::offset_of;
use ephapse_engine::abi::{SlotHeader, end_reason, flag};
use std::ffi::c_void;

/// Header of a block, 128 bytes, as it stands in the ring before the payload (engine/ABI.md, "Slots"). In a stage the
/// runner presets it from the pacing block; a stage may change `first_frame`, `lost`, `flags`, `origin_first`,
/// `origin_frame`, `settling`, the stamps and `user`. All times are CLOCK_MONOTONIC nanoseconds (logical ones in an unpaced run).
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Header {
    /// Position of this block in its ring. Set by the library.
    pub position: u64,
    /// Tick in which it was made; 0 for a source that knows none.
    pub tick: u64,
    /// This stream's count of frames (records) before the block, lost ones included.
    pub first_frame: u64,
    /// Stream of the pacing source, by index in the graph's stream table.
    pub origin_stream: u32,
    /// `EPHAPSE_FLAG_*`.
    pub flags: u32,
    /// Oldest frame of the pacing source that has contributed.
    pub origin_first: u64,
    /// Newest frame of the pacing source that has contributed.
    pub origin_frame: u64,
    /// Position after which the maker stood on its pacing input; the tick, for a source. Set by the runner.
    pub cause: u64,
    /// Number of this block among the blocks of the same `cause`, from 0. Set by the runner.
    pub part: u16,
    /// Blocks published for this `cause`. Set by the runner.
    pub parts: u16,
    /// Valid frames (records, bytes) in the payload. Set by `commit`.
    pub valid: u32,
    /// Frames lost before this block.
    pub lost: u64,
    /// Frames from the block's start that do not yet mean what they should.
    pub settling: u32,
    /// Parameter epoch of the maker.
    pub epoch: u32,
    /// When the block's last frame was taken, ns.
    pub sampled_ns: u64,
    /// When the host had it, ns.
    pub arrived_ns: u64,
    /// When the maker committed it, ns. Set by the runner.
    pub committed_ns: u64,
    /// For the maker's own use.
    pub user: u64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Flag: frames were lost, or the signal is discontinuous, before this block.
pub const EPHAPSE_FLAG_GAP: u32 = 1;
/// Flag: the block was made later than its time.
pub const EPHAPSE_FLAG_LATE: u32 = 2;
/// Flag: the data were made by a generator, not by a device.
pub const EPHAPSE_FLAG_SYNTHETIC: u32 = 4;
/// Flag: the maker started over without its state and has not yet settled.
pub const EPHAPSE_FLAG_RESET: u32 = 8;
/// Flag: the data come from a recording.
pub const EPHAPSE_FLAG_REPLAY: u32 = 16;
/// Two bits of `flags`: how `sampled_ns` was found. 0 nominal, 32 estimated, 64 measured, 96 unknown.
pub const EPHAPSE_FLAG_CLOCK_MASK: u32 = 96;

/// Why a stream ended: it has not.
pub const EPHAPSE_END_NONE: u64 = 0;
/// Why a stream ended: its source came to its end.
pub const EPHAPSE_END_FINISHED: u64 = 1;
/// Why a stream ended: the session was stopped.
pub const EPHAPSE_END_STOPPED: u64 = 2;
/// Why a stream ended: its producer reported a fault.
pub const EPHAPSE_END_FAULT: u64 = 3;
/// Why a stream ended: its producer died.
pub const EPHAPSE_END_DIED: u64 = 4;

/// A block to be read, in place: nothing is copied. Valid until it is released (at the stage level, until `process` returns).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Block {
    /// A checked private copy of its header.
    pub header: *const Header,
    /// `frames` rows of `type->row_bytes` bytes, the last axis fastest, aligned to 64 bytes (to 16 behind an edge adapter
    /// and on a `lap` seat). In a ring, writing there is a fault (SIGSEGV).
    pub data: *const c_void,
    /// Type of the stream, behind the edge's adapters.
    pub r#type: *const Type,
    /// Valid frames (records, bytes); 0 says that nothing happened up to `header->origin_frame`.
    pub frames: u32,
    /// Input port it came by, from 0 in the order of the manifest; 0 at the ring level.
    pub port: u32,
    /// Its producer wrote a position or a length that cannot be: `frames` is 0, and nothing of it is shown.
    pub damaged: bool,
}

/// A block to be written, in place: nothing is copied. Valid until it is committed.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Slot {
    /// Its header, preset.
    pub header: *mut Header,
    /// Room for `type->frames_per_block` rows of `type->row_bytes` bytes, the last axis fastest, aligned to 64 bytes. It holds
    /// what an earlier block left there.
    pub data: *mut c_void,
    /// Type of the stream.
    pub r#type: *const Type,
    /// Frames (records, bytes) that may be committed: a full block, or less at the end of a timed run.
    pub room: u32,
}

/// The fields that both have at the same place, so that a pointer to one is a pointer to the other.
macro_rules! same_layout {
    ($($field:ident),*) => {
        const _: () = {
            assert!(size_of::<Header>() == size_of::<SlotHeader>());
            assert!(align_of::<Header>() == align_of::<SlotHeader>());
            $(assert!(offset_of!(Header, $field) == offset_of!(SlotHeader, $field));)*
        };
    };
}
same_layout!(
    position,
    tick,
    first_frame,
    origin_stream,
    flags,
    origin_first,
    origin_frame,
    cause,
    part,
    parts,
    valid,
    lost,
    settling,
    epoch,
    sampled_ns,
    arrived_ns,
    committed_ns,
    user,
    reserved
);

const _: () = {
    assert!(EPHAPSE_FLAG_GAP == flag::GAP && EPHAPSE_FLAG_LATE == flag::LATE);
    assert!(EPHAPSE_FLAG_SYNTHETIC == flag::SYNTHETIC && EPHAPSE_FLAG_RESET == flag::RESET);
    assert!(EPHAPSE_FLAG_REPLAY == flag::REPLAY && EPHAPSE_FLAG_CLOCK_MASK == flag::CLOCK_MASK);
    assert!(EPHAPSE_END_NONE == end_reason::NONE && EPHAPSE_END_FINISHED == end_reason::FINISHED);
    assert!(EPHAPSE_END_STOPPED == end_reason::STOPPED && EPHAPSE_END_FAULT == end_reason::FAULT);
    assert!(EPHAPSE_END_DIED == end_reason::DIED);
};
