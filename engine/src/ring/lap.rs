//! `lap` readers: they copy out and validate, and the producer may pass them.
#![allow(
    unsafe_code,
    reason = "reads slots of mapped memory that may be overwritten meanwhile"
)]

use super::expect_type;
use super::geometry::{self, SlotLayout};
use super::producer::claim_role;
use crate::abi::{self, BellWords, ProducerWords, SeatWords, SlotHeader};
use crate::shm::{Access, Mapping, Segment, ShmError, Words, copy_relaxed};
use crate::sync::{Ordering, fence, store_load_fence};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;
use zerocopy::IntoBytes;

/// An anonymous reader: owns no seat, is in no account, holds nothing back.
pub struct Observer {
    layout: SlotLayout,
    stream_type: StreamType,
    producer: Words<ProducerWords>,
    slots: Mapping,
}

impl Observer {
    /// Attaches read-only.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        let attached = geometry::attach(segment)?;
        let g = &attached.geometry;
        let producer = segment.map(g.producer_at as usize, abi::PAGE, Access::ReadOnly)?;
        let slots = segment.map(
            g.slots_at as usize,
            attached.layout.stride * attached.layout.slots as usize,
            Access::ReadOnly,
        )?;
        Ok(Observer {
            layout: attached.layout,
            stream_type: attached.stream_type,
            producer: producer.words(0),
            slots,
        })
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.stream_type
    }

    /// Next position to be published.
    pub fn published(&self) -> u64 {
        self.producer.published.load(Ordering::Acquire) // [P]
    }

    /// Oldest position that may still be read: the one before it is being overwritten perhaps.
    pub fn oldest(&self) -> u64 {
        self.published()
            .saturating_add(1)
            .saturating_sub(self.layout.slots)
    }

    /// Position at which the stream ends, once it is known.
    pub fn end(&self) -> Option<u64> {
        let end = self.producer.end.load(Ordering::Acquire); // [E]
        (end != abi::OPEN).then_some(end)
    }

    /// Copies the block at `position` into `payload` (capacity of a block, kept by the caller, so that nothing is
    /// allocated) and returns its header; `None` if it is not there yet, or was overwritten before or while it was read.
    pub fn copy(&self, position: u64, payload: &mut [u8]) -> Option<SlotHeader> {
        let before = self.published();
        if position >= before || before - position >= self.layout.slots {
            return None;
        }
        let at = (position & self.layout.mask) as usize * self.layout.stride;
        // SAFETY: inside the mapped slots region (I3).
        let base = unsafe { self.slots.as_ptr().add(at) };
        let mut header = SlotHeader::default();
        copy_relaxed(base, header.as_mut_bytes());
        let rows = header.valid.min(self.layout.rows) as usize;
        let bytes = (rows * self.layout.row_bytes)
            .min(payload.len())
            .min(self.layout.payload_bytes);
        // SAFETY: the payload begins 128 bytes into the slot and is at least `bytes` long.
        copy_relaxed(
            unsafe { base.add(size_of::<SlotHeader>()) },
            &mut payload[..bytes],
        );
        fence(Ordering::Acquire); // [L]
        let after = self.producer.published.load(Ordering::Relaxed);
        // The producer writes position p + slots only after it published p + slots - 1 (claim follows publish): while
        // `published < p + slots` this slot had not been claimed again.
        (after.wrapping_sub(position) < self.layout.slots
            && header.position == position
            && header.valid <= self.layout.rows)
            .then_some(header)
    }
}

/// A seat of kind `lap`: an observer with an account.
pub struct LapSeat {
    observer: Observer,
    words: Words<SeatWords>,
    bells: Words<BellWords>,
    position: u64,
    lapped: u64,
    /// This reader never sleeps on the data bell: nobody would ring it.
    sleepless: bool,
}

impl LapSeat {
    /// Attaches to seat `index` and claims it for `owner`.
    ///
    /// # Errors
    /// Another type, no such seat, a seat of another kind, or one that somebody living holds.
    pub fn attach(
        segment: &Segment,
        index: u32,
        expected: &StreamType,
        owner: u64,
    ) -> Result<Self, ShmError> {
        let attached = geometry::attach(segment)?;
        expect_type(segment, &attached.stream_type, expected)?;
        let sleepless = match attached.seats.get(index as usize) {
            Some(seat) if seat.kind == 2 => seat.sleepless != 0,
            _ => {
                return Err(ShmError::refused(
                    segment.name(),
                    format!("has no `lap` seat {index}"),
                ));
            }
        };
        let g = &attached.geometry;
        let own = segment.map(
            g.seats_at as usize + index as usize * abi::PAGE,
            abi::PAGE,
            Access::ReadWrite,
        )?;
        let bells = segment.map(g.bells_at as usize, abi::PAGE, Access::ReadWrite)?;
        let words: Words<SeatWords> = own.words(0);
        claim_role(
            segment.name(),
            &format!("seat {index}"),
            &words.owner,
            owner,
        )?;
        let position = words.position.load(Ordering::Acquire);
        Ok(LapSeat {
            observer: Observer::attach(segment)?,
            words,
            bells: bells.words(0),
            position,
            lapped: 0,
            sleepless,
        })
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.observer.stream_type
    }

    /// Next position to be read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Blocks overwritten before they were read, since the last call.
    pub fn take_lapped(&mut self) -> u64 {
        core::mem::take(&mut self.lapped)
    }

    /// Blocks between this seat and the producer.
    pub fn available(&self) -> u64 {
        self.observer.published().saturating_sub(self.position)
    }

    /// Passes over all but the newest `keep` blocks; returns how many.
    pub fn jump_to_newest(&mut self, keep: u64) -> u64 {
        let to = self
            .observer
            .published()
            .saturating_sub(keep)
            .max(self.position);
        let jumped = to - self.position;
        self.advance(to);
        jumped
    }

    /// Copies the next readable block into `payload` (capacity of a block) and moves behind it; what was overwritten on
    /// the way is counted as lapped. `None` if nothing is there.
    pub fn take(&mut self, payload: &mut [u8]) -> Option<SlotHeader> {
        while self.position < self.observer.published() {
            let here = self.position;
            if let Some(header) = self.observer.copy(here, payload) {
                self.advance(here + 1);
                return Some(header);
            }
            let to = self.observer.oldest().max(here + 1);
            self.lapped += to - here;
            self.advance(to);
        }
        None
    }

    /// Capacity of a block's payload, for the buffer given to [`LapSeat::take`].
    pub fn payload_bytes(&self) -> usize {
        self.observer.layout.payload_bytes
    }

    /// Bytes of a row of the payload.
    pub fn row_bytes(&self) -> usize {
        self.observer.layout.row_bytes
    }

    /// Stands at `position` again: what a predecessor took after its last account counts as not taken.
    pub fn resume_at(&mut self, position: u64) {
        if position < self.position {
            self.advance(position);
        }
    }

    fn advance(&mut self, to: u64) {
        self.position = to;
        self.words.position.store(to, Ordering::Release); // [R]
    }

    /// Sleeps until something is published or the stream has ended, at most `timeout`.
    pub fn wait(&mut self, timeout: Duration) {
        if self.sleepless {
            super::nap_until(timeout, || {
                self.available() > 0 || self.observer.end().is_some()
            });
            return;
        }
        let seen = self.bells.data.load(Ordering::Relaxed);
        self.words.waiting.store(1, Ordering::Relaxed);
        store_load_fence(); // [W]
        if self.available() == 0 && self.observer.end().is_none() {
            super::sleep_on(&self.bells.data, seen, timeout);
        }
        self.words.waiting.store(0, Ordering::Relaxed);
    }

    /// Why the stream ended; `None` while it is open.
    pub fn end_reason(&self) -> Option<u64> {
        self.observer
            .end()
            .map(|_| self.observer.producer.end_reason.load(Ordering::Relaxed))
    }

    /// True when the stream has ended and everything was read.
    pub fn done(&self) -> bool {
        self.observer.end().is_some_and(|end| self.position >= end)
    }
}
