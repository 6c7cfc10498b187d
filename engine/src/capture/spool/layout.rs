//! What stands where in the segment, and how it is made.

use super::account::ACCOUNT_WORDS;
use super::place::PLACE_WORDS;
use crate::abi::{LINE, PAGE, SegmentHeader, segment};
use crate::shm::{self, ShmError, pages, write_at};
use crate::sync::AtomicU64;
use std::fs::File;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) const GEOMETRY_AT: usize = 128;
pub(super) const FILL_AT: usize = PAGE;
pub(super) const EMPTY_AT: usize = 2 * PAGE;
/// Where the [`OrderWords`] stand.
pub const ORDERS_AT: usize = 3 * PAGE;
/// Where the first [`SourceAccount`] stands.
pub const ACCOUNTS_AT: usize = 4 * PAGE;
/// More than any session writes: sums below it stay within 64 bits.
pub(super) const MOST_BYTES: u64 = 1 << 62;

/// Geometry, 128 bytes at 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpoolGeometry {
    /// Sources: recorded streams first, then processes.
    pub sources: u64,
    /// [`SourceAccount`]s.
    pub accounts_at: u64,
    /// The ring of bytes.
    pub entries_at: u64,
    /// Its length, a multiple of [`ALIGNMENT`](super::ALIGNMENT).
    pub entries_bytes: u64,
    /// Zero.
    pub reserved: [u64; 12],
}

/// Page 1: written by the filling end.
#[repr(C, align(128))]
pub struct FillWords {
    /// Bytes written since the beginning. \[H\]
    pub head: AtomicU64,
    /// Entries written.
    pub entries: AtomicU64,
    pad0: [u64; 14],
    /// `head` at which the rest of the intent holds; all ones while it is being written.
    pub intent_head: AtomicU64,
    /// Entries written by then.
    pub intent_entries: AtomicU64,
    /// The source whose account changes.
    pub intent_source: AtomicU64,
    /// The account as it is then, in the order of [`SourceAccount`].
    pub intent_account: [AtomicU64; ACCOUNT_WORDS],
}

/// Page 2: written by the emptying end.
#[repr(C, align(128))]
pub struct EmptyWords {
    /// Bytes taken since the beginning. \[K\]
    pub taken: AtomicU64,
    /// Its parity says which place holds.
    pub flip: AtomicU64,
    /// Times that nothing could be appended.
    pub refused: AtomicU64,
    /// 1: the capture is sealed.
    pub sealed: AtomicU64,
    /// Bytes of entries that were damaged and given up.
    pub damaged: AtomicU64,
    pad0: [u64; 11],
    /// Where the emptying end stands, twice, in the order of [`Place`](super::Place).
    pub places: [[AtomicU64; PLACE_WORDS]; 2],
    /// One line, zero-padded UTF-8: why nothing can be appended now; empty if it can.
    pub why: [AtomicU64; 64],
}

/// Page 3: written by the launcher.
#[repr(C, align(128))]
pub struct OrderWords {
    /// 1: everybody else has left; take the rest, end the capture, leave.
    pub finish: AtomicU64,
    /// 1: pass over what comes, until it is 0 again.
    pub off: AtomicU64,
    pad0: [u64; 14],
}

/// Account of one source, 128 bytes: published = consumed + lapped + jumped + left.
#[repr(C, align(128))]
pub struct SourceAccount {
    /// In the order of [`Account`](super::Account).
    pub words: [AtomicU64; ACCOUNT_WORDS],
    pad0: [u64; 7],
}

const _: () = {
    assert!(size_of::<SpoolGeometry>() == 128);
    assert!(size_of::<SourceAccount>() == LINE);
    assert!(size_of::<FillWords>() <= PAGE && size_of::<EmptyWords>() <= PAGE);
};

fn geometry(sources: usize, bytes: u64) -> (SpoolGeometry, usize) {
    let entries_at = ACCOUNTS_AT + pages((sources * LINE).max(1));
    let entries = pages(usize::try_from(bytes).unwrap_or(usize::MAX / 2));
    let geometry = SpoolGeometry {
        sources: sources as u64,
        accounts_at: ACCOUNTS_AT as u64,
        entries_at: entries_at as u64,
        entries_bytes: entries as u64,
        reserved: [0; 12],
    };
    (geometry, entries_at + entries)
}

/// Makes a spool for so many sources and so many bytes of entries.
///
/// # Errors
/// As [`shm::Owned::create`].
pub fn create(
    name: &str,
    sources: usize,
    bytes: u64,
    session: SegmentHeader,
) -> Result<shm::Owned, ShmError> {
    let (geometry, length) = geometry(sources, bytes);
    let mut owned = shm::Owned::create(name, length)?;
    write_at(owned.bytes_mut(), GEOMETRY_AT, &geometry);
    owned.publish(SegmentHeader {
        kind: segment::SPOOL,
        fixed_bytes: PAGE as u64,
        ..session
    });
    Ok(owned)
}

/// Makes one without a name.
///
/// # Errors
/// What the system said.
pub fn create_anonymous(sources: usize, bytes: u64) -> std::io::Result<File> {
    let (geometry, length) = geometry(sources, bytes);
    let file = shm::anonymous(length)?;
    let mut image = vec![0; length];
    write_at(&mut image, GEOMETRY_AT, &geometry);
    let header = SegmentHeader {
        kind: segment::SPOOL,
        fixed_bytes: PAGE as u64,
        launcher_pid: std::process::id(),
        ..SegmentHeader::default()
    };
    shm::publish_anonymous(&file, image, header)?;
    Ok(file)
}
