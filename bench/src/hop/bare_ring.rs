//! The yardstick: the least that moves a block from one process to one other through shared memory.
//!
//! One position per side, one Release and one Acquire each. No seats, types, accounts, bells or checks. The *floor* moves
//! the same bytes as the engine's ring (slots of the same stride, a 128-byte header written and read) and stamps the
//! commit, one look at the clock; the *naked* floor has neither header nor stamp.
#![allow(unsafe_code, reason = "a ring of its own in mapped memory")]

use super::payload::{self, Seen};
use super::round::{Receiver, Sender, sleep_until, spin_until};
use crate::ends::Wait;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use ephapse_engine::abi::{LINE, PAGE, SlotHeader};
use ephapse_engine::os;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Sleeps are bounded by this and look again.
const BOUND: Duration = Duration::from_millis(100);

/// Size of a bare ring.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes of a payload.
    pub payload: usize,
    /// Slots; a power of two.
    pub slots: u32,
    /// With header and commit stamp.
    pub headed: bool,
    /// The next slot is warmed between two blocks, as the engine does (ADR 0004).
    pub warmed: bool,
}

impl Shape {
    fn header(self) -> usize {
        if self.headed {
            size_of::<SlotHeader>()
        } else {
            0
        }
    }

    fn stride(self) -> usize {
        (self.header() + self.payload).next_multiple_of(LINE)
    }

    /// Bytes of its mapping: one page of words, then the slots.
    pub fn bytes(self) -> usize {
        PAGE + self.stride() * self.slots as usize
    }
}

/// The words in front of the slots, each on a cache line (and its neighbour) of its own.
#[derive(Clone, Copy)]
enum Word {
    Published,
    Released,
    Bell,
}

#[derive(Clone)]
struct Memory {
    map: Arc<MmapRaw>,
    shape: Shape,
}

impl Memory {
    fn map(file: &File, shape: Shape) -> io::Result<Self> {
        if file.metadata()?.len() < shape.bytes() as u64 {
            return Err(io::Error::other(format!(
                "the bare ring's memory is shorter than {} bytes",
                shape.bytes()
            )));
        }
        let map = MmapOptions::new()
            .len(shape.bytes())
            .populate()
            .map_raw(file)?;
        Ok(Memory {
            map: Arc::new(map),
            shape,
        })
    }

    fn word(&self, word: Word) -> &AtomicU64 {
        // SAFETY: the words lie within the first page of a mapping longer than a page, 128-aligned (a mapping starts on a
        // page), live as long as `self`, and are accessed as atomics only, by both processes.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(word as usize * LINE).cast()) }
    }

    fn bell(&self) -> &AtomicU32 {
        // SAFETY: as `word`; this one is only ever used as 32 bits.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(Word::Bell as usize * LINE).cast()) }
    }

    fn slot(&self, position: u64) -> *mut u8 {
        let index = (position & u64::from(self.shape.slots - 1)) as usize;
        // SAFETY: `index < slots` (a power of two), so the whole slot lies inside the mapping.
        unsafe {
            self.map
                .as_mut_ptr()
                .add(PAGE + index * self.shape.stride())
        }
    }
}

/// The producing end: one in all processes.
pub struct BareSender {
    memory: Memory,
    wait: Wait,
    published: u64,
    /// `Released` as last seen: a lower bound.
    released: u64,
}

impl BareSender {
    /// The producing end of a fresh ring in `file`.
    ///
    /// # Errors
    /// If the file is too short or cannot be mapped.
    pub fn open(file: &File, shape: Shape, wait: Wait) -> io::Result<Self> {
        Ok(BareSender {
            memory: Memory::map(file, shape)?,
            wait,
            published: 0,
            released: 0,
        })
    }

    fn has_room(&mut self) -> bool {
        let slots = u64::from(self.memory.shape.slots);
        if self.published - self.released >= slots {
            self.released = self.memory.word(Word::Released).load(Ordering::Acquire);
        }
        self.published - self.released < slots
    }

    /// Writes a free slot.
    fn write(&mut self, position: u64, began_ns: u64) {
        let base = self.memory.slot(self.published);
        let Shape {
            payload, headed, ..
        } = self.memory.shape;
        // SAFETY: the slot lies inside the mapping, 64-aligned; header and payload do not overlap. The receiver has
        // released it (`has_room`, Acquire) and looks at it again only after `published`; this is the only producer.
        unsafe {
            let at = base.add(self.memory.shape.header());
            payload::fill(
                core::slice::from_raw_parts_mut(at, payload),
                position,
                began_ns,
            );
            if headed {
                *base.cast::<SlotHeader>() = SlotHeader {
                    position,
                    valid: 1,
                    committed_ns: os::monotonic_ns(),
                    ..SlotHeader::default()
                };
            }
        }
    }
}

impl Sender for BareSender {
    fn send(&mut self, position: u64) -> Result<(), String> {
        let began_ns = os::monotonic_ns();
        spin_until("free slot", || self.has_room())?;
        self.write(position, began_ns);
        self.published += 1;
        self.memory
            .word(Word::Published)
            .store(self.published, Ordering::Release);
        if self.wait == Wait::Sleep {
            self.memory.bell().fetch_add(1, Ordering::Release);
            os::futex_wake_all(self.memory.bell());
        }
        Ok(())
    }

    fn idle(&mut self, until_ns: u64) {
        if !self.memory.shape.warmed {
            return;
        }
        while self.memory.word(Word::Released).load(Ordering::Acquire) != self.published {
            if os::monotonic_ns() >= until_ns {
                return;
            }
            core::hint::spin_loop();
        }
        let base = self.memory.slot(self.published);
        for line in (0..self.memory.shape.stride()).step_by(64) {
            // SAFETY: inside the slot, 8-aligned; the receiver has released every slot (Acquire above).
            unsafe { base.add(line).cast::<u64>().write_volatile(0) };
        }
    }
}

/// The consuming end: one in all processes.
pub struct BareReceiver {
    memory: Memory,
    wait: Wait,
    released: u64,
}

impl BareReceiver {
    /// The consuming end of a fresh ring in `file`.
    ///
    /// # Errors
    /// If the file is too short or cannot be mapped.
    pub fn open(file: &File, shape: Shape, wait: Wait) -> io::Result<Self> {
        Ok(BareReceiver {
            memory: Memory::map(file, shape)?,
            wait,
            released: 0,
        })
    }

    fn has_block(&self) -> bool {
        self.memory.word(Word::Published).load(Ordering::Acquire) != self.released
    }
}

impl Receiver for BareReceiver {
    fn receive(&mut self) -> Result<(Seen, u64), String> {
        match self.wait {
            Wait::Spin => spin_until("block", || self.has_block())?,
            Wait::Sleep => {
                let bell = self.memory.bell();
                let seen = core::cell::Cell::new(bell.load(Ordering::Acquire));
                sleep_until(
                    "block",
                    || {
                        seen.set(bell.load(Ordering::Acquire));
                        self.has_block()
                    },
                    || os::futex_wait(bell, seen.get(), BOUND),
                )?;
            }
        }
        let base = self.memory.slot(self.released);
        let shape = self.memory.shape;
        // SAFETY: the slot lies inside the mapping and was published (Acquire above); the producer does not write it again
        // before `released`. Any bytes are a valid header.
        let (position, seen) = unsafe {
            let position = if shape.headed {
                let header = base.cast::<SlotHeader>().read();
                core::hint::black_box(header).position
            } else {
                u64::MAX
            };
            let payload = core::slice::from_raw_parts(base.add(shape.header()), shape.payload);
            (position, payload::read(payload))
        };
        let now_ns = os::monotonic_ns();
        self.released += 1;
        self.memory
            .word(Word::Released)
            .store(self.released, Ordering::Release);
        if shape.headed && position != seen.position {
            return Err(format!(
                "header says block {position}, payload {}",
                seen.position
            ));
        }
        Ok((seen, now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(headed: bool, wait: Wait) -> (BareSender, BareReceiver) {
        let shape = Shape {
            payload: 240,
            slots: 4,
            headed,
            warmed: true,
        };
        let file = tempfile::tempfile().unwrap();
        file.set_len(shape.bytes() as u64).unwrap();
        (
            BareSender::open(&file, shape, wait).unwrap(),
            BareReceiver::open(&file, shape, wait).unwrap(),
        )
    }

    #[test]
    fn blocks_cross_between_threads_unhurt_and_in_order() {
        for (headed, wait) in [(true, Wait::Spin), (false, Wait::Spin), (true, Wait::Sleep)] {
            let (mut sender, mut receiver) = ring(headed, wait);
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    for position in 0..1_000 {
                        while !sender.has_room() {
                            std::thread::yield_now();
                        }
                        sender.send(position).unwrap();
                    }
                });
                for position in 0..1_000 {
                    while !receiver.has_block() {
                        std::thread::yield_now();
                    }
                    let (seen, _) = receiver.receive().unwrap();
                    seen.check(position).unwrap();
                }
            });
            assert!(!receiver.has_block());
        }
    }

    #[test]
    fn a_full_ring_has_room_again_after_one_release() {
        let (mut sender, mut receiver) = ring(true, Wait::Spin);
        for position in 0..4 {
            assert!(sender.has_room());
            sender.send(position).unwrap();
        }
        assert!(!sender.has_room());
        receiver.receive().unwrap();
        assert!(sender.has_room());
    }
}
