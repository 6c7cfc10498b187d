//! Layout of everything in shared memory, and nothing else. `engine/ABI.md` is the document of record;
//! `tests/abi_document.rs` compares its tables with the offsets here.

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
