//! The words of a spool.

use super::account::Account;
use super::layout::{
    EMPTY_AT, EmptyWords, FILL_AT, FillWords, GEOMETRY_AT, ORDERS_AT, OrderWords, SourceAccount,
    SpoolGeometry,
};
use crate::abi::{LINE, PAGE};
use crate::shm::{Access, Segment, ShmError, Words, pages, read_at};
use crate::sync::Ordering;

/// The words of a spool, for whoever looks on.
pub struct SpoolView {
    pub(super) fill: Words<FillWords>,
    pub(super) empty: Words<EmptyWords>,
    pub(super) orders: Words<OrderWords>,
    pub(super) accounts: Vec<Words<SourceAccount>>,
    pub(super) geometry: SpoolGeometry,
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
    pub(super) fn mapped(segment: &Segment, access: [Access; 3]) -> Result<Self, ShmError> {
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
