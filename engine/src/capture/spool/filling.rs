//! The end that fills the spool.
#![allow(unsafe_code, reason = "writes to a ring of bytes in mapped memory")]

use super::account::{ACCOUNT_WORDS, Account};
use super::entry::{ALIGNMENT, ENTRY_MAGIC, Kind, SpoolEntry};
use super::layout::MOST_BYTES;
use super::view::SpoolView;
use crate::abi::OPEN;
use crate::shm::{Access, Mapping, Segment, ShmError};
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use zerocopy::IntoBytes;

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
