//! What lies in the spool: blocks, activation records, and what is missing of them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Entries begin on multiples of this: a header never lies across the end of the ring.
pub const ALIGNMENT: usize = 64;
/// First word of an entry.
pub(super) const ENTRY_MAGIC: u32 = u32::from_le_bytes(*b"ESPL");

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Why {
    /// The recorder came too late.
    Lapped = 1,
    /// It could not, because the disk was slower than the data for longer than the spool lasts.
    SpoolFull = 2,
    /// The producer wrote what cannot be.
    Damaged = 3,
    /// Recording was switched off.
    Off = 4,
}

impl Why {
    pub(super) fn of(number: u16) -> Option<Self> {
        [Why::Lapped, Why::SpoolFull, Why::Damaged, Why::Off]
            .into_iter()
            .find(|why| *why as u16 == number)
    }

    /// As the capture has it.
    pub fn words(self) -> &'static str {
        match self {
            Why::Lapped => "lapped",
            Why::SpoolFull => "spool full",
            Why::Damaged => "damaged",
            Why::Off => "off",
        }
    }
}

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blocks, or activation records: so many.
    Data(u32),
    /// So many of them are missing.
    Gap(u64, Why),
}

/// Header of an entry, 64 bytes; its bytes follow, and zeros up to the next multiple of [`ALIGNMENT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpoolEntry {
    pub(super) magic: u32,
    /// 1 data, 2 gap.
    pub(super) kind: u16,
    /// See [`Why`].
    pub(super) why: u16,
    pub(super) source: u32,
    pub(super) crc: u32,
    /// Entries before it.
    pub(super) number: u64,
    /// First position.
    pub(super) position: u64,
    /// Blocks, or records, in it or missing.
    pub(super) count: u64,
    /// Bytes that follow.
    pub(super) length: u64,
    pub(super) at_ns: u64,
    pub(super) reserved: u64,
}

impl SpoolEntry {
    pub(super) fn checksum(&self) -> u32 {
        crc32c::crc32c(SpoolEntry { crc: 0, ..*self }.as_bytes())
    }

    pub(super) fn stride(length: u64) -> u64 {
        (ALIGNMENT as u64 + length).next_multiple_of(ALIGNMENT as u64)
    }
}

const _: () = assert!(size_of::<SpoolEntry>() == ALIGNMENT);

/// Bytes an entry of that many bytes takes in the spool.
pub fn stride(length: usize) -> u64 {
    SpoolEntry::stride(length as u64)
}
