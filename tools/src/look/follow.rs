//! Following a stream as an observer: what the producer has passed over is counted, never waited for.

use ephapse_engine::abi::SlotHeader;
use ephapse_engine::ring::Observer;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the newest block that is there.
    Newest,
    /// With the oldest block that can still be read.
    Oldest,
}

/// A block as copied.
pub struct Taken<'a> {
    pub header: SlotHeader,
    /// Its valid rows.
    pub payload: &'a [u8],
    /// Blocks missed since the one before.
    pub missed: u64,
}

/// A place in a stream.
pub struct Follower {
    observer: Observer,
    next: u64,
    missed: u64,
    passed_over: u64,
    payload: Vec<u8>,
}

impl Follower {
    /// Begins to follow.
    pub fn new(observer: Observer, from: From) -> Self {
        let next = match from {
            From::Newest => observer.published().saturating_sub(1),
            From::Oldest => observer.oldest(),
        };
        Follower {
            payload: vec![0; observer.stream_type().block_bytes()],
            observer,
            next,
            missed: 0,
            passed_over: 0,
        }
    }

    /// The ring.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Blocks that were overwritten before they could be copied.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Blocks left out on purpose.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Leaves out all but the newest block.
    pub fn pass_to_newest(&mut self) {
        let newest = self.observer.published().saturating_sub(1);
        self.passed_over += newest.saturating_sub(self.next);
        self.next = self.next.max(newest);
    }

    /// The next block; `None` if nothing is there yet.
    pub fn block(&mut self) -> Option<Taken<'_>> {
        let missed_before = self.missed;
        let mut payload = core::mem::take(&mut self.payload);
        let header = self.copy(&mut payload);
        self.payload = payload;
        let header = header?;
        let bytes = header.valid as usize * self.observer.stream_type().row_bytes();
        Some(Taken {
            header,
            payload: self.payload.get(..bytes)?,
            missed: self.missed - missed_before,
        })
    }

    /// The next block's header alone.
    pub fn header(&mut self) -> Option<SlotHeader> {
        self.copy(&mut [])
    }

    fn copy(&mut self, payload: &mut [u8]) -> Option<SlotHeader> {
        while self.next < self.observer.published() {
            let here = self.next;
            if let Some(header) = self.observer.copy(here, payload) {
                self.next = here + 1;
                return Some(header);
            }
            self.next = self.observer.oldest().max(here + 1);
            self.missed += self.next - here;
        }
        None
    }

    /// The stream has ended and everything of it was dealt with.
    pub fn done(&self) -> bool {
        self.observer.end().is_some_and(|end| self.next >= end)
    }
}
