//! How far two CPUs are from each other: a cache line that goes to and fro.
#![allow(unsafe_code, reason = "two words in mapped memory")]

use super::round::{Receive, Send, spin_until};
use crate::ends::Round;
use core::sync::atomic::{AtomicU64, Ordering};
use ephapse_engine::abi::{LINE, PAGE};
use ephapse_engine::os::monotonic_ns;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;

/// Round trips timed together.
const BATCH: u64 = 500;
/// Bytes of the memory.
pub const BYTES: usize = PAGE;

/// Either end; the sender measures. A round of `n` blocks is `n` batches of 500 round trips; a value is half a round trip
/// in picoseconds (whole nanoseconds are too coarse for near CPUs).
pub struct Ping {
    map: MmapRaw,
    turn: u64,
}

impl Ping {
    /// Maps the two words.
    ///
    /// # Errors
    /// If the file is too short or cannot be mapped.
    pub fn open(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < BYTES as u64 {
            return Err(io::Error::other("the ping's memory is shorter than a page"));
        }
        let map = MmapOptions::new().len(BYTES).populate().map_raw(file)?;
        Ok(Ping { map, turn: 0 })
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: both words lie in the mapped page, 128-aligned, and are accessed as atomics only.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(index * LINE).cast()) }
    }
}

impl Send for Ping {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let mut halves_ps = Vec::with_capacity(round.blocks as usize);
        for batch in 0..round.warm_up + round.blocks {
            let from_ns = monotonic_ns();
            for _ in 0..BATCH {
                self.turn += 1;
                self.word(0).store(self.turn, Ordering::Release);
                let pong = self.word(1);
                spin_until("pong", || pong.load(Ordering::Acquire) == self.turn)?;
            }
            if batch >= round.warm_up {
                halves_ps.push((monotonic_ns() - from_ns) * 1_000 / (2 * BATCH));
            }
        }
        Ok(halves_ps)
    }
}

impl Receive for Ping {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        for _ in 0..u64::from(round.warm_up + round.blocks) * BATCH {
            self.turn += 1;
            let ping = self.word(0);
            spin_until("ping", || ping.load(Ordering::Acquire) == self.turn)?;
            self.word(1).store(self.turn, Ordering::Release);
        }
        Ok(Vec::new())
    }
}
