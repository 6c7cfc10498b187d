//! The spool: a segment in shared memory in which what is recorded waits for the disk.
//!
//! One end fills it (the recorder's pump thread), one empties it (its writer thread), and either may be killed at any
//! instruction: a successor goes on behind what the accounts say, and nothing is kept twice or missing.
//!
//! ```text
//! 0      SegmentHeader (a)     4096   FillWords    head, intent        12288  OrderWords     the launcher's
//! 128    SpoolGeometry (a)     8192   EmptyWords   taken, two places   16384  SourceAccount  a line for each source
//!                                                                      ...    entries: a byte ring
//! ```
//!
//! \[H\] `head` Release behind an entry's bytes, Acquire before they are read. \[K\] `taken` Release behind the last use of an
//! entry, Acquire before its bytes are written over. Every other store is a Release too: whoever is killed leaves a prefix of
//! its stores, in the order of the program.
//!
//! **What flips.** An entry and the account that counts it become true together: the account as it will be is written into
//! the *intent*, with the `head` at which it holds; then `head` is stored; then the account. Who finds `head` where the
//! intent says so writes the account again from there. The emptying end has its place in the capture in two copies, and
//! `flip` says which holds.
#![allow(
    unsafe_code,
    reason = "reads and writes a ring of bytes in mapped memory"
)]

use super::append::Reached;
use crate::abi::{LINE, OPEN, PAGE, SegmentHeader, segment};
use crate::shm::{self, Access, Mapping, Segment, ShmError, Words, pages, read_at, write_at};
use crate::sync::{AtomicU64, Ordering};
use crate::trap::{Point, trap};
use std::fs::File;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const GEOMETRY_AT: usize = 128;
const FILL_AT: usize = PAGE;
const EMPTY_AT: usize = 2 * PAGE;
/// Where the [`OrderWords`] stand.
pub const ORDERS_AT: usize = 3 * PAGE;
/// Where the first [`SourceAccount`] stands.
pub const ACCOUNTS_AT: usize = 4 * PAGE;
/// Entries begin on multiples of this: a header never lies across the end of the ring.
pub const ALIGNMENT: usize = 64;
/// More than any session writes: sums below it stay within 64 bits.
const MOST_BYTES: u64 = 1 << 62;
/// First word of an entry.
const ENTRY_MAGIC: u32 = u32::from_le_bytes(*b"ESPL");

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
    /// Its length, a multiple of [`ALIGNMENT`].
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
    /// Where the emptying end stands, twice, in the order of [`Place`].
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

const ACCOUNT_WORDS: usize = 9;
const PLACE_WORDS: usize = 8;

/// Account of one source, 128 bytes: published = consumed + lapped + jumped + left.
#[repr(C, align(128))]
pub struct SourceAccount {
    /// In the order of [`Account`].
    pub words: [AtomicU64; ACCOUNT_WORDS],
    pad0: [u64; 7],
}

const _: () = {
    assert!(size_of::<SpoolGeometry>() == 128);
    assert!(size_of::<SourceAccount>() == LINE);
    assert!(size_of::<FillWords>() <= PAGE && size_of::<EmptyWords>() <= PAGE);
    assert!(size_of::<SpoolEntry>() == ALIGNMENT);
};

/// What has become of one source's blocks (or activation records).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Next position to be read.
    pub position: u64,
    /// Read whole, and put into the spool.
    pub consumed: u64,
    /// Overwritten before they were read.
    pub lapped: u64,
    /// Passed over: the producer wrote what cannot be, or recording was off.
    pub jumped: u64,
    /// Of those lapped: while the spool had no room.
    pub no_room: u64,
    /// Bytes put into the spool.
    pub bytes: u64,
    /// Gaps.
    pub gaps: u64,
    /// Of those jumped: while recording was off.
    pub off: u64,
    /// Of those: how many a gap tells of. The rest is told when recording goes on or ends.
    pub off_told: u64,
}

impl Account {
    /// True if something was passed over while recording was off that no gap tells of yet.
    pub fn is_untold(&self) -> bool {
        self.off > self.off_told
    }

    fn words(&self) -> [u64; ACCOUNT_WORDS] {
        [
            self.position,
            self.consumed,
            self.lapped,
            self.jumped,
            self.no_room,
            self.bytes,
            self.gaps,
            self.off,
            self.off_told,
        ]
    }

    fn from_words(words: [u64; ACCOUNT_WORDS]) -> Self {
        let [
            position,
            consumed,
            lapped,
            jumped,
            no_room,
            bytes,
            gaps,
            off,
            off_told,
        ] = words;
        Account {
            position,
            consumed,
            lapped,
            jumped,
            no_room,
            bytes,
            gaps,
            off,
            off_told,
        }
    }
}

/// How far the emptying end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes taken.
    pub taken: u64,
    /// Entries taken.
    pub entries: u64,
    /// Where in the capture that was.
    pub reached: Reached,
    /// Number of the last event appended.
    pub event: u64,
    /// Bytes of entries appended to the capture: all that were taken but those given up.
    pub appended: u64,
}

impl Place {
    fn words(&self) -> [u64; PLACE_WORDS] {
        [
            self.taken,
            self.entries,
            self.reached.sequence,
            self.event,
            self.appended,
            u64::from(self.reached.file),
            self.reached.end,
            self.reached.records,
        ]
    }

    fn from_words(words: [u64; PLACE_WORDS]) -> Self {
        let [
            taken,
            entries,
            sequence,
            event,
            appended,
            file,
            end,
            records,
        ] = words;
        Place {
            taken,
            entries,
            reached: Reached {
                // 0, which no file has, for a number that cannot be.
                file: u32::try_from(file).unwrap_or_default(),
                end,
                records,
                sequence,
            },
            event,
            appended,
        }
    }
}

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
    fn of(number: u16) -> Option<Self> {
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
    magic: u32,
    /// 1 data, 2 gap.
    kind: u16,
    /// See [`Why`].
    why: u16,
    source: u32,
    crc: u32,
    /// Entries before it.
    number: u64,
    /// First position.
    position: u64,
    /// Blocks, or records, in it or missing.
    count: u64,
    /// Bytes that follow.
    length: u64,
    at_ns: u64,
    reserved: u64,
}

impl SpoolEntry {
    fn checksum(&self) -> u32 {
        crc32c::crc32c(SpoolEntry { crc: 0, ..*self }.as_bytes())
    }

    fn stride(length: u64) -> u64 {
        (ALIGNMENT as u64 + length).next_multiple_of(ALIGNMENT as u64)
    }
}

/// Bytes an entry of that many bytes takes in the spool.
pub fn stride(length: usize) -> u64 {
    SpoolEntry::stride(length as u64)
}

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

/// The words of a spool, for whoever looks on.
pub struct SpoolView {
    fill: Words<FillWords>,
    empty: Words<EmptyWords>,
    orders: Words<OrderWords>,
    accounts: Vec<Words<SourceAccount>>,
    geometry: SpoolGeometry,
}

impl SpoolView {
    /// Attaches read-only.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        Self::mapped(segment, [Access::ReadOnly; 3])
    }

    /// `access`: to the filling end's page and the accounts, to the emptying end's, to the launcher's.
    fn mapped(segment: &Segment, access: [Access; 3]) -> Result<Self, ShmError> {
        let refuse = || ShmError::refused(segment.name(), "its spool geometry is damaged");
        let g: SpoolGeometry = read_at(segment.fixed(), GEOMETRY_AT).ok_or_else(refuse)?;
        let accounts_bytes = g.sources.checked_mul(LINE as u64).ok_or_else(refuse)?;
        let accounts_end = g.accounts_at.checked_add(accounts_bytes);
        let entries_end = g.entries_at.checked_add(g.entries_bytes);
        let sound = g.entries_at.is_multiple_of(PAGE as u64)
            && g.entries_bytes.is_multiple_of(PAGE as u64)
            && g.entries_bytes > 0
            && g.accounts_at.is_multiple_of(PAGE as u64)
            && accounts_end.is_some_and(|end| end <= g.entries_at)
            && entries_end.is_some_and(|end| end <= segment.bytes() as u64);
        if !sound {
            return Err(refuse());
        }
        let [fill, empty, orders] = access;
        let all = pages((accounts_bytes as usize).max(1));
        let accounts = segment.map(g.accounts_at as usize, all, fill)?;
        Ok(SpoolView {
            fill: segment.map(FILL_AT, PAGE, fill)?.words(0),
            empty: segment.map(EMPTY_AT, PAGE, empty)?.words(0),
            orders: segment.map(ORDERS_AT, PAGE, orders)?.words(0),
            accounts: (0..g.sources as usize)
                .map(|source| accounts.words(source * LINE))
                .collect(),
            geometry: g,
        })
    }

    /// Account of a source; zeros for one that the spool does not have.
    pub fn account(&self, source: usize) -> Account {
        let Some(account) = self.accounts.get(source) else {
            return Account::default();
        };
        let words = account.words.each_ref();
        Account::from_words(words.map(|word| word.load(Ordering::Acquire)))
    }

    /// Bytes that wait for the disk.
    pub fn waiting_bytes(&self) -> u64 {
        let taken = self.empty.taken.load(Ordering::Acquire); // [K]
        let head = self.fill.head.load(Ordering::Acquire); // [H]
        head.saturating_sub(taken).min(self.geometry.entries_bytes)
    }

    /// Bytes for which there is room at all.
    pub fn bytes(&self) -> u64 {
        self.geometry.entries_bytes
    }

    /// Why nothing can be appended now; empty if it can.
    pub fn why(&self) -> String {
        crate::text::load(&self.empty.why)
    }

    /// True if the capture has been ended.
    pub fn is_sealed(&self) -> bool {
        self.empty.sealed.load(Ordering::Acquire) != 0
    }

    /// The words of the emptying end.
    pub fn empty(&self) -> &EmptyWords {
        &self.empty
    }

    /// The launcher's words.
    pub fn orders(&self) -> &OrderWords {
        &self.orders
    }
}

/// The filling end.
pub struct Filling {
    view: SpoolView,
    entries: Mapping,
    head: u64,
    number: u64,
    taken: u64,
    accounts: Vec<Account>,
}

impl Filling {
    /// Attaches, and completes what a killed predecessor had begun.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        use Access::{ReadOnly, ReadWrite};
        let view = SpoolView::mapped(segment, [ReadWrite, ReadOnly, ReadOnly])?;
        let g = view.geometry;
        let entries = segment.map(g.entries_at as usize, g.entries_bytes as usize, ReadWrite)?;
        let head = view.fill.head.load(Ordering::Acquire);
        let taken = view.empty.taken.load(Ordering::Acquire); // [K]
        if head
            .checked_sub(taken)
            .is_none_or(|used| used > g.entries_bytes)
            || head > MOST_BYTES
            || !head.is_multiple_of(ALIGNMENT as u64)
        {
            return Err(ShmError::refused(
                segment.name(),
                format!("says that {head} bytes were written and {taken} taken: damaged"),
            ));
        }
        let mut filling = Filling {
            view,
            entries,
            head,
            number: 0,
            taken,
            accounts: Vec::new(),
        };
        filling.complete();
        let sources = filling.view.accounts.len();
        filling.accounts = (0..sources).map(|s| filling.view.account(s)).collect();
        filling.number = filling.view.fill.entries.load(Ordering::Acquire);
        Ok(filling)
    }

    /// Makes the intent true if `head` says that it is.
    fn complete(&self) {
        let fill = &self.view.fill;
        if fill.intent_head.load(Ordering::Acquire) != self.head {
            return;
        }
        let source = fill.intent_source.load(Ordering::Relaxed);
        let account = fill.intent_account.each_ref();
        let account = account.map(|word| word.load(Ordering::Relaxed));
        let entries = fill.intent_entries.load(Ordering::Relaxed);
        self.tell(source as usize, account, entries);
    }

    fn tell(&self, source: usize, account: [u64; ACCOUNT_WORDS], entries: u64) {
        if let Some(live) = self.view.accounts.get(source) {
            for (word, value) in live.words.iter().zip(account) {
                word.store(value, Ordering::Release);
            }
        }
        self.view.fill.entries.store(entries, Ordering::Release);
    }

    /// Account of a source.
    pub fn account(&self, source: usize) -> Account {
        self.accounts.get(source).copied().unwrap_or_default()
    }

    /// Sources.
    pub fn sources(&self) -> usize {
        self.accounts.len()
    }

    /// True if entries that take `bytes` together fit now. What the other end says is looked at only if it matters.
    pub fn has_room(&mut self, bytes: u64) -> bool {
        let all = self.view.geometry.entries_bytes;
        let fits = |head: u64, taken: u64| (head - taken).saturating_add(bytes) <= all;
        if fits(self.head, self.taken) {
            return true;
        }
        let taken = self.view.empty.taken.load(Ordering::Acquire); // [K]
        // Only forward and never past `head`: anything else is no word of the emptying end's.
        if (self.taken..=self.head).contains(&taken) {
            self.taken = taken;
        }
        fits(self.head, self.taken)
    }

    /// Puts an entry with `parts` one behind the other; together with it `account` becomes true of `source`. The caller has
    /// asked for room; without it nothing happens, and the answer is false.
    pub fn put(
        &mut self,
        source: usize,
        kind: Kind,
        position: u64,
        at_ns: u64,
        parts: &[&[u8]],
        account: Account,
    ) -> bool {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let bytes = SpoolEntry::stride(length);
        if source >= self.accounts.len() || !self.has_room(bytes) {
            return false;
        }
        let (number, why, count) = match kind {
            Kind::Data(count) => (1, 0, u64::from(count)),
            Kind::Gap(count, why) => (2, why as u16, count),
        };
        let mut entry = SpoolEntry {
            magic: ENTRY_MAGIC,
            kind: number,
            why,
            source: source as u32,
            crc: 0,
            number: self.number,
            position,
            count,
            length,
            at_ns,
            reserved: 0,
        };
        entry.crc = entry.checksum();
        let mut at = self.head;
        for part in [entry.as_bytes()].iter().chain(parts) {
            self.copy_in(at, part);
            at += part.len() as u64;
        }
        trap(Point::Entry);
        self.flip(source, bytes, account);
        true
    }

    /// Makes an account true that no entry tells of.
    pub fn note(&mut self, source: usize, account: Account) {
        if source < self.accounts.len() {
            self.flip(source, 0, account);
        }
    }

    fn flip(&mut self, source: usize, bytes: u64, account: Account) {
        let head = self.head + bytes;
        let entries = self.number + u64::from(bytes > 0);
        let fill = &self.view.fill;
        fill.intent_head.store(OPEN, Ordering::Release);
        trap(Point::Void);
        fill.intent_source.store(source as u64, Ordering::Release);
        fill.intent_entries.store(entries, Ordering::Release);
        for (word, value) in fill.intent_account.iter().zip(account.words()) {
            word.store(value, Ordering::Release);
        }
        trap(Point::Intent);
        fill.intent_head.store(head, Ordering::Release);
        trap(Point::Meant);
        fill.head.store(head, Ordering::Release); // [H]
        trap(Point::Head);
        self.tell(source, account.words(), entries);
        trap(Point::Account);
        self.head = head;
        self.number = entries;
        self.accounts[source] = account;
    }

    /// Copies into the ring at `at`, round its end.
    fn copy_in(&self, at: u64, bytes: &[u8]) {
        let all = self.view.geometry.entries_bytes;
        let offset = (at % all) as usize;
        let first = bytes.len().min(all as usize - offset);
        let base = self.entries.as_ptr();
        // SAFETY: the mapping is `all` bytes long. `offset < all` and `first <= all - offset`; the rest begins at 0 and is
        // shorter than `all`, for the caller has seen room for all of it. Nobody reads here: the emptying end stays below
        // `head`, which is moved only behind this [H], and has said that it is done with what lay here before [K].
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), base.add(offset), first);
            core::ptr::copy_nonoverlapping(bytes.as_ptr().add(first), base, bytes.len() - first);
        }
    }

    /// The launcher's order to take the rest and leave.
    pub fn told_to_finish(&self) -> bool {
        self.view.orders.finish.load(Ordering::Acquire) != 0
    }

    /// The launcher's order to pass over what comes.
    pub fn told_off(&self) -> bool {
        self.view.orders.off.load(Ordering::Acquire) != 0
    }
}

/// What the emptying end found.
#[derive(Debug)]
pub struct Found<'a> {
    /// Source.
    pub source: u32,
    /// What it is.
    pub kind: Kind,
    /// First position.
    pub position: u64,
    /// When it was read, CLOCK_MONOTONIC ns.
    pub at_ns: u64,
    /// Its bytes, one part behind the other.
    pub parts: [&'a [u8]; 2],
    /// Bytes of the spool that it takes.
    pub stride: u64,
}

/// The emptying end.
pub struct Emptying {
    view: SpoolView,
    entries: Mapping,
    place: Place,
}

impl Emptying {
    /// Attaches where a predecessor stood.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        use Access::{ReadOnly, ReadWrite};
        let view = SpoolView::mapped(segment, [ReadOnly, ReadWrite, ReadOnly])?;
        let g = view.geometry;
        let entries = segment.map(g.entries_at as usize, g.entries_bytes as usize, ReadOnly)?;
        let flip = view.empty.flip.load(Ordering::Acquire) & 1;
        let place = view.empty.places[flip as usize].each_ref();
        let place = Place::from_words(place.map(|word| word.load(Ordering::Relaxed)));
        let head = view.fill.head.load(Ordering::Acquire); // [H]
        if head
            .checked_sub(place.taken)
            .is_none_or(|used| used > g.entries_bytes)
            || head > MOST_BYTES
        {
            return Err(ShmError::refused(
                segment.name(),
                format!(
                    "says that {head} bytes were written and {} taken: damaged",
                    place.taken
                ),
            ));
        }
        view.empty.taken.store(place.taken, Ordering::Release); // [K]
        Ok(Emptying {
            view,
            entries,
            place,
        })
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The words of all.
    pub fn view(&self) -> &SpoolView {
        &self.view
    }

    /// The oldest entry; `None` if there is none. Bytes that are no entry are passed over, all there are, and counted: there
    /// is no telling where the next one begins.
    pub fn front(&mut self) -> Option<Found<'_>> {
        let head = self.view.fill.head.load(Ordering::Acquire); // [H]
        let all = self.view.geometry.entries_bytes;
        let there = head.checked_sub(self.place.taken)?;
        if there == 0 || there > all {
            return None;
        }
        let Some((entry, kind)) = self.entry(there) else {
            self.give_up(there);
            return None;
        };
        let from = self.place.taken + ALIGNMENT as u64;
        let offset = (from % all) as usize;
        let length = entry.length as usize;
        let first = length.min(all as usize - offset);
        let base = self.entries.as_ptr();
        // SAFETY: in bounds as in `copy_in`, for `entry` has checked the length against `there <= all`. The filling end does
        // not write here before `taken` has passed it [K], which takes `&mut self` while these slices borrow it.
        let parts = unsafe {
            [
                core::slice::from_raw_parts(base.add(offset), first),
                core::slice::from_raw_parts(base, length - first),
            ]
        };
        Some(Found {
            source: entry.source,
            kind,
            position: entry.position,
            at_ns: entry.at_ns,
            parts,
            stride: SpoolEntry::stride(entry.length),
        })
    }

    /// The header of the entry at `taken`, if it is one that lies within `there` bytes.
    fn entry(&self, there: u64) -> Option<(SpoolEntry, Kind)> {
        let offset = (self.place.taken % self.view.geometry.entries_bytes) as usize;
        let mut bytes = [0; ALIGNMENT];
        if !offset.is_multiple_of(ALIGNMENT) {
            return None;
        }
        // In bounds: offset and length of the ring are multiples of the header's length.
        shm::copy_relaxed(self.entries.as_ptr().wrapping_add(offset), &mut bytes);
        let entry: SpoolEntry = read_at(&bytes, 0)?;
        let whole = entry.magic == ENTRY_MAGIC
            && entry.crc == entry.checksum()
            && entry.number == self.place.entries
            && entry.length <= there
            && SpoolEntry::stride(entry.length) <= there
            && (entry.source as usize) < self.view.accounts.len();
        let kind = match entry.kind {
            1 => Kind::Data(u32::try_from(entry.count).ok()?),
            2 => Kind::Gap(entry.count, Why::of(entry.why)?),
            _ => return None,
        };
        whole.then_some((entry, kind))
    }

    fn give_up(&mut self, bytes: u64) {
        self.view.empty.damaged.fetch_add(bytes, Ordering::Release);
        let entries = self.view.fill.entries.load(Ordering::Acquire);
        self.advance(Place {
            taken: self.place.taken + bytes,
            entries,
            ..self.place
        });
    }

    /// Stands at `place` from now on: what lies before it is done with.
    pub fn advance(&mut self, place: Place) {
        let empty = &self.view.empty;
        let flip = empty.flip.load(Ordering::Relaxed);
        let other = &empty.places[(flip & 1 ^ 1) as usize];
        for (word, value) in other.iter().zip(place.words()) {
            word.store(value, Ordering::Release);
        }
        trap(Point::Place);
        empty.flip.store(flip.wrapping_add(1), Ordering::Release);
        trap(Point::Flipped);
        empty.taken.store(place.taken, Ordering::Release); // [K]
        self.place = place;
    }

    /// Says why nothing can be appended now; an empty text: it can.
    pub fn say(&self, why: &str) {
        crate::text::store(&self.view.empty.why, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(file: &File) -> Segment {
        let [read, write] = [0, 1].map(|_| file.try_clone().unwrap());
        Segment::from_files("spool", read, Some(write), segment::SPOOL).unwrap()
    }

    fn taken(emptying: &mut Emptying) -> Option<(u32, Kind, u64, Vec<u8>)> {
        let place = emptying.place();
        let found = emptying.front()?;
        let entry = (
            found.source,
            found.kind,
            found.position,
            found.parts.concat(),
        );
        let place = Place {
            taken: place.taken + found.stride,
            entries: place.entries + 1,
            ..place
        };
        emptying.advance(place);
        Some(entry)
    }

    fn put(filling: &mut Filling, source: usize, bytes: &[u8]) -> bool {
        let before = filling.account(source);
        let after = Account {
            position: before.position + 1,
            consumed: before.consumed + 1,
            bytes: before.bytes + bytes.len() as u64,
            ..before
        };
        let (front, back) = bytes.split_at(bytes.len() / 2);
        filling.put(
            source,
            Kind::Data(1),
            before.position,
            7,
            &[front, back],
            after,
        )
    }

    #[test]
    fn entries_of_every_length_come_out_as_they_went_in_round_the_end_and_in_order() {
        let file = create_anonymous(2, 1).unwrap();
        let segment = opened(&file);
        let (mut filling, mut emptying) = (
            Filling::attach(&segment).unwrap(),
            Emptying::attach(&segment).unwrap(),
        );
        let mut position = [0_u64; 2];
        for length in 0..700_usize {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            let source = length % 2;
            assert!(put(&mut filling, source, &bytes), "{length}");
            let expected = (source as u32, Kind::Data(1), position[source], bytes);
            assert_eq!(taken(&mut emptying), Some(expected));
            position[source] += 1;
        }
        assert_eq!(taken(&mut emptying), None);
        assert_eq!(emptying.view().account(1).consumed, 350);
    }

    #[test]
    fn what_has_no_room_is_not_put_and_changes_no_account() {
        let segment = opened(&create_anonymous(1, 4096).unwrap());
        let (mut filling, mut emptying) = (
            Filling::attach(&segment).unwrap(),
            Emptying::attach(&segment).unwrap(),
        );
        let mut fitted = 0;
        while put(&mut filling, 0, &[1; 1000]) {
            fitted += 1;
        }
        assert_eq!(fitted, 4096 / (64 + 1024));
        assert_eq!(emptying.view().account(0).consumed, fitted);
        assert!(taken(&mut emptying).is_some());
        assert!(put(&mut filling, 0, &[2; 1000]));
        assert!(!filling.has_room(5000));
    }

    #[test]
    fn a_gap_says_what_is_missing_and_why() {
        let segment = opened(&create_anonymous(1, 4096).unwrap());
        let (mut filling, mut emptying) = (
            Filling::attach(&segment).unwrap(),
            Emptying::attach(&segment).unwrap(),
        );
        let account = Account {
            position: 9,
            lapped: 9,
            gaps: 1,
            ..Account::default()
        };
        assert!(filling.put(0, Kind::Gap(9, Why::SpoolFull), 0, 1, &[], account));
        let gap = (0, Kind::Gap(9, Why::SpoolFull), 0, Vec::new());
        assert_eq!(taken(&mut emptying), Some(gap));
        assert_eq!(emptying.view().account(0), account);
    }

    #[test]
    fn a_damaged_entry_costs_what_is_in_the_spool_and_nothing_that_comes_later() {
        use std::os::unix::fs::FileExt;
        let file = create_anonymous(1, 4096).unwrap();
        let segment = opened(&file);
        let (mut filling, mut emptying) = (
            Filling::attach(&segment).unwrap(),
            Emptying::attach(&segment).unwrap(),
        );
        for _ in 0..3 {
            assert!(put(&mut filling, 0, &[3; 10]));
        }
        let at = emptying.view().geometry.entries_at;
        // The length of the first entry: longer than all there is.
        file.write_all_at(&u64::MAX.to_le_bytes(), at + 40).unwrap();
        assert_eq!(taken(&mut emptying), None);
        assert_eq!(
            emptying.view().empty().damaged.load(Ordering::Relaxed),
            3 * 128
        );
        assert!(put(&mut filling, 0, &[4; 10]));
        let next = taken(&mut emptying).map(|(_, _, position, bytes)| (position, bytes));
        assert_eq!(next, Some((3, vec![4; 10])));
    }

    #[test]
    fn words_that_cannot_be_are_refused_or_passed_over() {
        use std::os::unix::fs::FileExt;
        let file = create_anonymous(1, 4096).unwrap();
        let segment = opened(&file);
        let mut filling = Filling::attach(&segment).unwrap();
        while put(&mut filling, 0, &[1; 1000]) {}
        // Somebody says that more was taken than there is: no room comes of that.
        file.write_all_at(&u64::MAX.to_le_bytes(), EMPTY_AT as u64)
            .unwrap();
        assert!(!filling.has_room(4000));
        assert!(Filling::attach(&segment).is_err());
        // A head that is more than a ring ahead.
        file.write_all_at(&(1_u64 << 40).to_le_bytes(), FILL_AT as u64)
            .unwrap();
        assert!(Emptying::attach(&segment).is_err());
        let damaged = SpoolGeometry {
            sources: u64::MAX,
            entries_bytes: 4096,
            entries_at: 4096,
            ..SpoolGeometry::default()
        };
        let mut image = vec![0; 5 * PAGE];
        write_at(&mut image, GEOMETRY_AT, &damaged);
        let other = shm::anonymous(5 * PAGE).unwrap();
        let header = SegmentHeader {
            kind: segment::SPOOL,
            fixed_bytes: PAGE as u64,
            ..SegmentHeader::default()
        };
        shm::publish_anonymous(&other, image, header).unwrap();
        assert!(SpoolView::attach(&opened(&other)).is_err());
    }
}
