//! The words that waker and waiters share, each on a cache line (and its neighbour) of its own.
#![allow(unsafe_code, reason = "words in mapped memory")]

use super::MOST_WAITERS;
use crate::hop::spin_until;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use ephapse_engine::abi::{LINE, OPEN, PAGE};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Bytes of the memory.
pub const BYTES: usize = 2 * PAGE;
/// Lines in front of the waiters'.
const SHARED_LINES: usize = 4;
/// Lines of a waiter.
const WAITER_LINES: usize = 4;
const _: () = assert!((SHARED_LINES + WAITER_LINES * MOST_WAITERS) * LINE <= BYTES);

/// The mapped words; clones share the mapping.
#[derive(Clone)]
pub struct WakeWords {
    map: Arc<MmapRaw>,
}

impl WakeWords {
    /// Maps them.
    ///
    /// # Errors
    /// If the file is too short or cannot be mapped.
    pub fn map(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < BYTES as u64 {
            return Err(io::Error::other("the memory of the wake is too short"));
        }
        let map = MmapOptions::new().len(BYTES).populate().map_raw(file)?;
        Ok(WakeWords { map: Arc::new(map) })
    }

    /// Start of a line.
    fn line(&self, line: usize) -> *mut u8 {
        debug_assert!((line + 1) * LINE <= BYTES);
        // SAFETY: every line asked for lies inside the mapping (asserted at compile time for the last waiter's).
        unsafe { self.map.as_mut_ptr().add(line * LINE) }
    }

    fn word(&self, line: usize) -> &AtomicU64 {
        // SAFETY: 128-aligned (a mapping starts on a page), inside the mapping, live as long as `self`, and accessed as an
        // atomic only, by all processes.
        unsafe { AtomicU64::from_ptr(self.line(line).cast()) }
    }

    /// Newest wake, the waker's.
    pub fn tick(&self) -> &AtomicU64 {
        self.word(0)
    }

    /// The end of all wakes: never.
    pub fn stop_tick(&self) -> &AtomicU64 {
        self.word(1)
    }

    /// A futex word.
    pub fn bell(&self) -> &AtomicU32 {
        // SAFETY: as `word`; this line is only ever used as 32 bits.
        unsafe { AtomicU32::from_ptr(self.line(2).cast()) }
    }

    fn count(&self) -> &AtomicU64 {
        self.word(3)
    }

    fn of_waiter(&self, waiter: usize, line: usize) -> usize {
        SHARED_LINES + waiter * WAITER_LINES + line
    }

    /// The waiter's process.
    pub fn pid(&self, waiter: usize) -> &AtomicU64 {
        self.word(self.of_waiter(waiter, 0))
    }

    /// Rounds to which the waiter has come.
    fn rounds(&self, waiter: usize) -> &AtomicU64 {
        self.word(self.of_waiter(waiter, 1))
    }

    /// Newest wake that the waiter has dealt with.
    pub fn ran(&self, waiter: usize) -> &AtomicU64 {
        self.word(self.of_waiter(waiter, 2))
    }

    /// Room of a line for what a foreign library keeps in shared memory.
    pub fn room(&self, waiter: usize) -> *mut u8 {
        self.line(self.of_waiter(waiter, 3))
    }

    /// Makes them ready for the waiters, who come later.
    pub fn begin(&self) {
        self.stop_tick().store(OPEN, Ordering::Release);
    }

    /// Takes the place of the next waiter.
    ///
    /// # Errors
    /// If all are taken.
    pub fn join(self) -> Result<Joined, String> {
        let waiter = self.count().fetch_add(1, Ordering::AcqRel) as usize;
        if waiter >= MOST_WAITERS {
            return Err(format!("more than {MOST_WAITERS} waiters"));
        }
        let pid = u64::from(std::process::id());
        self.pid(waiter).store(pid, Ordering::Release);
        Ok(Joined {
            words: self,
            waiter,
        })
    }

    /// Waiters that have joined.
    pub fn waiters(&self) -> usize {
        (self.count().load(Ordering::Acquire) as usize).min(MOST_WAITERS)
    }

    /// The waker waits until all have come to round `round`.
    ///
    /// # Errors
    /// If one does not come within two seconds.
    pub fn gather(&self, round: u64) -> Result<(), String> {
        for waiter in 0..self.waiters() {
            let rounds = self.rounds(waiter);
            spin_until(&format!("waiter {waiter} at the start"), || {
                rounds.load(Ordering::Acquire) >= round
            })?;
        }
        Ok(())
    }

    /// All have dealt with `wake`.
    pub fn all_ran(&self, wake: u64) -> bool {
        (0..self.waiters()).all(|waiter| self.ran(waiter).load(Ordering::Acquire) >= wake)
    }
}

/// A waiter that has joined.
pub struct Joined {
    /// The words.
    pub words: WakeWords,
    /// Which it is: they are told in this order.
    pub waiter: usize,
}

impl Joined {
    /// Says that it has come to the next round.
    pub fn arrive(&self) {
        self.words
            .rounds(self.waiter)
            .fetch_add(1, Ordering::Release);
    }

    /// Says that it woke.
    pub fn woke(&self, wake: u64) {
        self.words.ran(self.waiter).store(wake, Ordering::Release);
    }
}
