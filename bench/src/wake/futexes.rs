//! Futexes: the bells of the engine's ring, and a bare futex word.

use super::turns::{BOUND, Hear, SLEEPS, Tell, no_wake};
use super::words::{Joined, WakeWords};
use crate::hop::stream_type;
use core::sync::atomic::Ordering;
use ephapse_engine::abi::segment;
use ephapse_engine::os;
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::Segment;
use ephapse_rtconfig::plan::{Full, SeatKind};
use std::fs::File;

/// Payload of the ring's blocks, which nobody writes or reads: a wake is a position.
const PAYLOAD: usize = crate::hop::payload::LEAST;
/// Slots of the ring.
const SLOTS: u32 = 2;

/// A ring with `waiters` seats.
///
/// # Errors
/// What the system said.
pub fn create_ring(waiters: usize) -> std::io::Result<File> {
    let seat = |index: usize| SeatSpec {
        kind: SeatKind::Hold,
        stage: format!("waiter {index}"),
        port: "wakes".into(),
        sleepless: false,
    };
    RingSpec {
        stream_type: stream_type(PAYLOAD),
        slots: SLOTS,
        full: Full::Wait,
        seats: (0..waiters).map(seat).collect(),
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    }
    .create_anonymous()
}

fn segment_in(file: &File) -> Result<Segment, String> {
    let copy = |f: &File| f.try_clone().map_err(|e| e.to_string());
    Segment::from_files("wake ring", copy(file)?, Some(copy(file)?), segment::RING)
        .map_err(|e| e.to_string())
}

fn owner() -> u64 {
    u64::from(std::process::id())
}

/// A producer that publishes blocks nobody looks into.
pub struct RingWaker {
    producer: Producer,
}

impl RingWaker {
    /// Attaches.
    ///
    /// # Errors
    /// The engine's own.
    pub fn open(file: &File) -> Result<Self, String> {
        let producer = Producer::attach(&segment_in(file)?, &stream_type(PAYLOAD), owner());
        let producer = producer.map_err(|e| e.to_string())?;
        producer.touch();
        Ok(RingWaker { producer })
    }
}

impl Tell for RingWaker {
    /// None: a position is waited for, not an instant, and whoever comes late still finds it.
    fn words(&self) -> Option<&WakeWords> {
        None
    }

    fn tell(&mut self, _: u64) -> Result<(), String> {
        self.producer.publish(1);
        self.producer.ring_readers();
        Ok(())
    }

    fn all_woke(&mut self, _: u64) -> bool {
        self.producer.room(u64::from(SLOTS)) == u64::from(SLOTS)
    }
}

/// A `hold` seat that releases what it is woken for.
pub struct RingWaiter {
    seat: HoldSeat,
}

impl RingWaiter {
    /// Attaches to the first free seat.
    ///
    /// # Errors
    /// The engine's own, if there is none.
    pub fn open(file: &File) -> Result<Self, String> {
        let segment = segment_in(file)?;
        let mut refused = "a ring without seats".to_owned();
        for index in 0..super::MOST_WAITERS as u32 {
            match HoldSeat::attach(&segment, index, &stream_type(PAYLOAD), owner()) {
                Ok(seat) => {
                    seat.touch();
                    return Ok(RingWaiter { seat });
                }
                Err(error) => refused = error.to_string(),
            }
        }
        Err(refused)
    }
}

impl Hear for RingWaiter {
    fn joined(&self) -> Option<&Joined> {
        None
    }

    fn hear(&mut self, _: u64) -> Result<(), String> {
        for _ in 0..SLEEPS {
            if self.seat.available() > 0 {
                return Ok(());
            }
            self.seat.wait(0, BOUND);
        }
        Err(no_wake())
    }

    fn woke(&mut self, _: u64) {
        self.seat.release(1);
    }
}

/// Counts the word up and always enters the kernel.
pub struct FutexWaker {
    words: WakeWords,
}

impl FutexWaker {
    /// Before the waiters come.
    pub fn new(words: WakeWords) -> Self {
        FutexWaker { words }
    }
}

impl Tell for FutexWaker {
    fn words(&self) -> Option<&WakeWords> {
        Some(&self.words)
    }

    fn tell(&mut self, _: u64) -> Result<(), String> {
        let bell = self.words.bell();
        bell.fetch_add(1, Ordering::Release);
        os::futex_wake_all(bell);
        Ok(())
    }
}

/// Sleeps while the word has not changed.
pub struct FutexWaiter {
    joined: Joined,
    seen: u32,
}

impl FutexWaiter {
    /// Joins.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn join(words: WakeWords) -> Result<Self, String> {
        let joined = words.join()?;
        Ok(FutexWaiter { joined, seen: 0 })
    }
}

impl Hear for FutexWaiter {
    fn joined(&self) -> Option<&Joined> {
        Some(&self.joined)
    }

    fn hear(&mut self, _: u64) -> Result<(), String> {
        let bell = self.joined.words.bell();
        for _ in 0..SLEEPS {
            let now = bell.load(Ordering::Acquire);
            if now != self.seen {
                self.seen = now;
                return Ok(());
            }
            os::futex_wait(bell, self.seen, BOUND);
        }
        Err(no_wake())
    }
}
