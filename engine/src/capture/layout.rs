//! Bytes of a capture file: file header, record header, kinds. Layout only.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// First bytes of a capture file.
pub const MAGIC: [u8; 8] = *b"EPHACAP\0";
/// First bytes of a record: `EREC`.
pub const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"EREC");
/// Major version: readers of another one refuse the file.
pub const VERSION_MAJOR: u16 = 1;
/// Minor version: later ones add record kinds and use reserved bytes.
pub const VERSION_MINOR: u16 = 0;
/// Reads as 0x0102_0304 where the byte order is the file's.
pub const BYTE_ORDER: u32 = 0x0102_0304;
/// Bytes of one copy of the file header.
pub const HEADER_PAGE: u64 = 4096;
/// Where the first record begins: behind both copies of the file header.
pub const RECORDS_AT: u64 = 2 * HEADER_PAGE;
/// Every record begins on a multiple of this.
pub const ALIGNMENT: u64 = 64;
/// Longest body, bytes: a length beyond it is damage.
pub const LONGEST_BODY: u64 = 1 << 30;
/// Blocks of a BLOCKS body begin on a multiple of this, counted from the body's start.
pub const BLOCK_ALIGNMENT: usize = 8;

/// Kinds of record, in [`RecordHeader::kind`].
pub mod kind {
    /// What was recorded: JSON, [`Meta`](super::super::Meta). Stands twice at the start of every file.
    pub const META: u16 = 1;
    /// Blocks of one stream: slot header and the rows that count, verbatim.
    pub const BLOCKS: u16 = 2;
    /// Activation records of one process, verbatim.
    pub const ACTIVATIONS: u16 = 3;
    /// Something that was to be recorded is missing: JSON.
    pub const GAP: u16 = 4;
    /// Entries of the session's events segment, verbatim.
    pub const EVENTS: u16 = 5;
    /// Parameters of a stage from some epoch on: JSON.
    pub const PARAMS: u16 = 6;
    /// One instant on several clocks: JSON.
    pub const TIE: u16 = 7;
    /// Executables and parameter files: JSON.
    pub const FILES: u16 = 8;
    /// How the streams ended: JSON.
    pub const END: u16 = 9;
    /// Nothing follows in this file: JSON.
    pub const SEAL: u16 = 10;
    /// Names, by kind.
    pub const NAMES: [&str; 11] = [
        "none",
        "meta",
        "blocks",
        "activations",
        "gap",
        "events",
        "params",
        "tie",
        "files",
        "end",
        "seal",
    ];
    /// Name of a kind; `unknown` for one that a later minor version has added.
    pub fn name(kind: u16) -> &'static str {
        NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
    }
}

/// The file header, 128 bytes; the rest of its page is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FileHeader {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION_MAJOR`].
    pub major: u16,
    /// [`VERSION_MINOR`].
    pub minor: u16,
    /// [`BYTE_ORDER`].
    pub byte_order: u32,
    /// Random; the same in all files of a capture, and (its first eight bytes) in every record.
    pub capture_id: [u8; 16],
    /// Session.
    pub session_id: [u8; 16],
    /// Machine.
    pub machine_id: [u8; 16],
    /// CLOCK_REALTIME when the file was made, ns.
    pub created_realtime_ns: u64,
    /// Sequence of its first record.
    pub first_sequence: u64,
    /// 1 for the first file of a capture, 2 for the one it rolled over to, and so on.
    pub number: u32,
    /// Zero.
    pub reserved: [u32; 10],
    /// CRC-32C of the bytes before it.
    pub crc: u32,
}

/// A record's header, 64 bytes. The body follows at once; behind it zeros up to the next multiple of [`ALIGNMENT`].
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// [`RECORD_MAGIC`].
    pub magic: u32,
    /// See [`kind`].
    pub kind: u16,
    /// Zero.
    pub reserved: u16,
    /// First eight bytes of the capture's id.
    pub capture: u64,
    /// 1, 2, 3... over all files of the capture.
    pub sequence: u64,
    /// Bytes of the body.
    pub length: u64,
    /// BLOCKS: position of the first block. ACTIVATIONS: number of the first record in its telemetry ring, from 0. GAP: first
    /// position that is missing. EVENTS: number of the first entry. Otherwise 0.
    pub position: u64,
    /// CLOCK_MONOTONIC of what it holds, or when it was appended, ns.
    pub at_ns: u64,
    /// BLOCKS, GAP: stream, as an index in the plan. ACTIVATIONS: process, as an index in `meta.processes`. Otherwise 0.
    pub source: u32,
    /// Blocks, activation records or events in the body; otherwise 1.
    pub count: u32,
    /// CRC-32C of the body.
    pub body_crc: u32,
    /// CRC-32C of the bytes before it.
    pub header_crc: u32,
}

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<FileHeader>() == 128);
    assert!(offset_of!(FileHeader, capture_id) == 16);
    assert!(offset_of!(FileHeader, created_realtime_ns) == 64);
    assert!(offset_of!(FileHeader, number) == 80);
    assert!(offset_of!(FileHeader, crc) == 124);
    assert!(size_of::<RecordHeader>() == 64);
    assert!(offset_of!(RecordHeader, capture) == 8);
    assert!(offset_of!(RecordHeader, length) == 24);
    assert!(offset_of!(RecordHeader, at_ns) == 40);
    assert!(offset_of!(RecordHeader, source) == 48);
    assert!(offset_of!(RecordHeader, header_crc) == 60);
};

impl FileHeader {
    /// With its checksum.
    pub fn sealed(mut self) -> Self {
        self.crc = self.checksum();
        self
    }

    fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.as_bytes()[..124])
    }

    /// True if its checksum fits and it is a capture's.
    pub fn is_whole(&self) -> bool {
        self.magic == MAGIC && self.crc == self.checksum()
    }

    /// The word that stands in every record of the capture.
    pub fn capture_word(&self) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.capture_id[..8]);
        u64::from_le_bytes(word)
    }
}

impl RecordHeader {
    /// With its checksum.
    pub fn sealed(mut self) -> Self {
        self.header_crc = self.checksum();
        self
    }

    fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.as_bytes()[..60])
    }

    /// True if it is a record's of that capture.
    pub fn is_whole(&self, capture: u64) -> bool {
        self.magic == RECORD_MAGIC
            && self.capture == capture
            && self.length <= LONGEST_BODY
            && self.header_crc == self.checksum()
    }

    /// Bytes to the next record.
    pub fn stride(&self) -> u64 {
        (size_of::<Self>() as u64 + self.length).next_multiple_of(ALIGNMENT)
    }
}
