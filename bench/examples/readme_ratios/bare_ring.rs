//! The yardstick: the least that moves a block from one process to one other through shared memory.
//!
//! One position per side, one Release and one Acquire each. No seats, types, accounts, bells or checks. Slots have the
//! engine's size and header, so that the same bytes travel over the same number of cache lines.
#![allow(unsafe_code, reason = "a ring of its own in mapped memory")]

use crate::block::{PAYLOAD_BYTES, SLOTS};
use core::sync::atomic::{AtomicU64, Ordering};
use ephapse_engine::abi::{LINE, PAGE, SlotHeader};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::sync::Arc;

const STRIDE: usize = (size_of::<SlotHeader>() + PAYLOAD_BYTES).next_multiple_of(LINE);
/// The first page holds the words, each on a cache line (and its neighbour) of its own.
const SLOTS_AT: usize = PAGE;
/// Bytes of the mapping.
pub const BYTES: usize = SLOTS_AT + STRIDE * SLOTS as usize;

/// The words in front of the slots.
#[derive(Clone, Copy)]
enum Word {
    Published,
    Released,
    /// For the cache-line ping, not part of the ring.
    Ping,
    Pong,
}

/// The mapped memory; clones share it.
#[derive(Clone)]
pub struct Memory(Arc<MmapRaw>);

impl Memory {
    /// Maps the file (at least [`BYTES`] long, zeroed), populated.
    pub fn map(file: &File) -> anyhow::Result<Self> {
        anyhow::ensure!(
            file.metadata()?.len() >= BYTES as u64,
            "the bare ring's memory is shorter than {BYTES} bytes"
        );
        let map = MmapOptions::new().len(BYTES).populate().map_raw(file)?;
        Ok(Memory(Arc::new(map)))
    }

    fn word(&self, word: Word) -> &AtomicU64 {
        // SAFETY: the words lie within the first page of a mapping of `BYTES` > `PAGE` bytes, 128-aligned (a mapping
        // starts on a page), live as long as `self`, and are accessed as atomics only, by both processes.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().add(word as usize * LINE).cast()) }
    }

    /// The word this side's ping goes through.
    pub fn ping(&self) -> &AtomicU64 {
        self.word(Word::Ping)
    }

    /// The word through which it comes back.
    pub fn pong(&self) -> &AtomicU64 {
        self.word(Word::Pong)
    }

    fn slot(&self, position: u64) -> *mut u8 {
        let index = (position % u64::from(SLOTS)) as usize;
        // SAFETY: `index < SLOTS`, so the whole slot lies inside the `BYTES` of the mapping.
        unsafe { self.0.as_mut_ptr().add(SLOTS_AT + index * STRIDE) }
    }
}

/// The producing end: one in all processes.
pub struct BareProducer {
    memory: Memory,
    published: u64,
    /// `Released` as last seen: a lower bound.
    released: u64,
}

impl BareProducer {
    /// The producing end of a fresh ring.
    pub fn new(memory: Memory) -> Self {
        BareProducer {
            memory,
            published: 0,
            released: 0,
        }
    }

    /// Next position.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// True if a slot is free.
    pub fn has_room(&mut self) -> bool {
        if self.published - self.released >= u64::from(SLOTS) {
            self.released = self.memory.word(Word::Released).load(Ordering::Acquire);
        }
        self.published - self.released < u64::from(SLOTS)
    }

    /// Header and payload of the next slot.
    ///
    /// # Panics
    /// If there is no room.
    pub fn slot(&mut self) -> (&mut SlotHeader, &mut [u8]) {
        assert!(self.has_room(), "a slot that is still being read");
        let base = self.memory.slot(self.published);
        // SAFETY: the slot lies inside the mapping, 128-aligned; header and payload do not overlap. The consumer has
        // released it (asserted, Acquire above) and looks at it again only after `publish`; this is the only producer.
        unsafe {
            (
                &mut *base.cast(),
                core::slice::from_raw_parts_mut(base.add(size_of::<SlotHeader>()), PAYLOAD_BYTES),
            )
        }
    }

    /// Hands the slot over.
    pub fn publish(&mut self) {
        self.published += 1;
        self.memory
            .word(Word::Published)
            .store(self.published, Ordering::Release);
    }
}

/// The consuming end: one in all processes.
pub struct BareConsumer {
    memory: Memory,
    released: u64,
}

impl BareConsumer {
    /// The consuming end of a fresh ring.
    pub fn new(memory: Memory) -> Self {
        BareConsumer {
            memory,
            released: 0,
        }
    }

    /// True if a block is there.
    pub fn has_block(&self) -> bool {
        self.memory.word(Word::Published).load(Ordering::Acquire) != self.released
    }

    /// Next position to be released.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// Header and payload of the next block, if it is there.
    pub fn peek(&self) -> Option<(SlotHeader, &[u8])> {
        if !self.has_block() {
            return None;
        }
        let base = self.memory.slot(self.released);
        // SAFETY: the slot lies inside the mapping, 128-aligned, and was published (Acquire above); the producer does
        // not write it again before `release`, which needs this borrow to have ended. Any bytes are a valid header.
        unsafe {
            Some((
                base.cast::<SlotHeader>().read(),
                core::slice::from_raw_parts(base.add(size_of::<SlotHeader>()), PAYLOAD_BYTES),
            ))
        }
    }

    /// Gives the slot back.
    pub fn release(&mut self) {
        self.released += 1;
        self.memory
            .word(Word::Released)
            .store(self.released, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{expected_sum, fill, header, sum};

    fn ring() -> (BareProducer, BareConsumer) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(BYTES as u64).unwrap();
        let memory = Memory::map(&file).unwrap();
        (BareProducer::new(memory.clone()), BareConsumer::new(memory))
    }

    #[test]
    fn blocks_cross_between_threads_unhurt_and_in_order() {
        let (mut producer, mut consumer) = ring();
        const BLOCKS: u64 = 1_000;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for position in 0..BLOCKS {
                    while !producer.has_room() {
                        std::thread::yield_now();
                    }
                    let (head, payload) = producer.slot();
                    fill(payload, position);
                    *head = header(position, 0);
                    producer.publish();
                }
            });
            for position in 0..BLOCKS {
                while consumer.peek().is_none() {
                    std::thread::yield_now();
                }
                let (head, payload) = consumer.peek().unwrap();
                assert_eq!(head.position, position);
                assert_eq!(sum(payload), expected_sum(position));
                consumer.release();
            }
        });
        assert!(consumer.peek().is_none());
    }

    #[test]
    fn a_full_ring_has_room_again_after_one_release() {
        let (mut producer, mut consumer) = ring();
        for _ in 0..SLOTS {
            assert!(producer.has_room());
            producer.publish();
        }
        assert!(!producer.has_room());
        consumer.release();
        assert!(producer.has_room());
    }
}
