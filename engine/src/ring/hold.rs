//! A `hold` seat: reads in place, and the producer cannot pass it.
#![allow(unsafe_code, reason = "hands out slots of mapped memory")]

use super::expect_type;
use super::geometry::{self, SlotLayout};
use super::producer::claim_role;
use crate::abi::{self, BellWords, ProducerWords, SeatWords, SlotHeader};
use crate::os;
use crate::shm::{Access, Mapping, Segment, ShmError, Words, copy_relaxed};
use crate::sync::{Ordering, store_load_fence};
use crate::trap::{Point, trap};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;
use zerocopy::IntoBytes;

/// What a peek found.
pub struct Peeked<'a> {
    /// Private copy of the header. `valid` is within the capacity and `position` is the one asked for, unless `damaged`.
    pub header: SlotHeader,
    /// The valid rows, in place.
    pub payload: &'a [u8],
    /// The producer wrote a position or a length that cannot be: nothing of the block is shown.
    pub damaged: bool,
}

/// One reader's own cursor on a ring.
pub struct HoldSeat {
    layout: SlotLayout,
    stream_type: StreamType,
    producer: Words<ProducerWords>,
    words: Words<SeatWords>,
    bells: Words<BellWords>,
    slots: Mapping,
    position: u64,
    /// `published` as last seen: a lower bound.
    published: u64,
    /// This reader never sleeps on the data bell: nobody would ring it.
    sleepless: bool,
    /// The producer never sleeps on the room bell: nobody need ring it.
    producer_sleepless: bool,
}

impl HoldSeat {
    /// Attaches to seat `index` and claims it for `owner`. Maps the ring read-only but for its own page and the bells.
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
            Some(seat) if seat.kind == 1 => seat.sleepless != 0,
            _ => {
                return Err(ShmError::refused(
                    segment.name(),
                    format!("has no `hold` seat {index}"),
                ));
            }
        };
        let g = &attached.geometry;
        let producer = segment.map(g.producer_at as usize, abi::PAGE, Access::ReadOnly)?;
        let own = segment.map(
            g.seats_at as usize + index as usize * abi::PAGE,
            abi::PAGE,
            Access::ReadWrite,
        )?;
        let bells = segment.map(g.bells_at as usize, abi::PAGE, Access::ReadWrite)?;
        let slots = segment.map(
            g.slots_at as usize,
            attached.layout.stride * attached.layout.slots as usize,
            Access::ReadOnly,
        )?;
        let words: Words<SeatWords> = own.words(0);
        trap(Point::Attach);
        claim_role(
            segment.name(),
            &format!("seat {index}"),
            &words.owner,
            owner,
        )?;
        trap(Point::Attached);
        let position = words.position.load(Ordering::Acquire);
        let producer: Words<ProducerWords> = producer.words(0);
        let mut seat = HoldSeat {
            layout: attached.layout,
            stream_type: attached.stream_type,
            words,
            bells: bells.words(0),
            slots,
            producer,
            position,
            published: position,
            sleepless,
            producer_sleepless: g.sleepless != 0,
        };
        seat.refresh();
        Ok(seat)
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.stream_type
    }

    /// Next position to be released.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Blocks that can be peeked. A `published` that cannot be (behind this seat, or more than a ring ahead) counts as none.
    #[inline]
    pub fn available(&mut self) -> u64 {
        if self.published <= self.position {
            self.refresh();
        }
        self.published.saturating_sub(self.position)
    }

    /// Looks at `published` again.
    #[inline]
    pub fn refresh(&mut self) {
        let published = self.producer.published.load(Ordering::Acquire); // [P]
        if published >= self.position && published - self.position <= self.layout.slots {
            self.published = published;
        }
    }

    /// The block `ahead` positions beyond the seat's; `None` if it is not there yet. Looks at `published` again if needed.
    #[inline]
    pub fn peek(&mut self, ahead: u64) -> Option<Peeked<'_>> {
        if ahead >= self.published.saturating_sub(self.position) {
            self.refresh();
        }
        self.at(ahead)
    }

    /// The same, as [`HoldSeat::at_into`].
    #[inline]
    pub fn peek_into(&mut self, ahead: u64, header: &mut SlotHeader) -> Option<(&[u8], bool)> {
        if ahead >= self.published.saturating_sub(self.position) {
            self.refresh();
        }
        self.at_into(ahead, header)
    }

    /// The same as [`HoldSeat::peek`] among the blocks already known to be there, so that several may be looked at together.
    #[inline]
    pub fn at(&self, ahead: u64) -> Option<Peeked<'_>> {
        let mut header = SlotHeader::default();
        let (payload, damaged) = self.at_into(ahead, &mut header)?;
        Some(Peeked {
            header,
            payload,
            damaged,
        })
    }

    /// The same, with the private copy of the header in a place of the caller's; the payload, and whether the block is damaged.
    #[inline]
    pub fn at_into(&self, ahead: u64, header: &mut SlotHeader) -> Option<(&[u8], bool)> {
        if ahead >= self.published.saturating_sub(self.position) {
            return None;
        }
        trap(Point::Peek);
        let position = self.position + ahead;
        let at = (position & self.layout.mask) as usize * self.layout.stride;
        // SAFETY: `at` is inside the mapped slots region (I3); the producer cannot overwrite this slot before it is released (I5).
        let base = unsafe { self.slots.as_ptr().add(at) };
        #[cfg(loom)]
        crate::sync::modelled::read_in_place(base, self.layout.stride);
        copy_relaxed(base, header.as_mut_bytes());
        let damaged = header.position != position || header.valid > self.layout.rows;
        if damaged {
            header.position = position;
            header.valid = 0;
        }
        let bytes = header.valid as usize * self.layout.row_bytes;
        // SAFETY: the payload begins 128 bytes into the slot and `bytes` is at most the capacity, for `valid` was checked
        // against the private copy of the geometry (I3, I6). The producer does not write here before `release` (I5).
        let payload =
            unsafe { core::slice::from_raw_parts(base.add(size_of::<SlotHeader>()), bytes) };
        Some((payload, damaged))
    }

    /// Gives `count` blocks back to the producer.
    #[inline]
    pub fn release(&mut self, count: u64) {
        #[cfg(loom)]
        for ahead in 0..count {
            // Whoever releases a block may have read it until now.
            self.at(ahead);
        }
        trap(Point::Release);
        self.position += count.min(self.published.saturating_sub(self.position));
        self.words.position.store(self.position, Ordering::Release); // [R]
        trap(Point::Released);
    }

    /// Wakes the producer if it sleeps for room. After everything else of an activation.
    #[inline]
    pub fn ring_producer(&self) {
        if self.producer_sleepless {
            return;
        }
        store_load_fence(); // [W]
        if self.producer.waiting.load(Ordering::Relaxed) != 0 {
            self.bells.room.fetch_add(1, Ordering::Relaxed);
            os::futex_wake_all(&self.bells.room);
        }
    }

    /// Sleeps until more than `beyond` blocks can be peeked or the stream has ended, at most `timeout`.
    pub fn wait(&mut self, beyond: u64, timeout: Duration) {
        if self.sleepless {
            super::nap_until(timeout, || {
                self.refresh();
                self.published.saturating_sub(self.position) > beyond || self.end().is_some()
            });
            return;
        }
        let seen = self.bells.data.load(Ordering::Relaxed);
        self.words.waiting.store(1, Ordering::Relaxed);
        store_load_fence(); // [W]
        trap(Point::Wait);
        self.refresh();
        if self.published.saturating_sub(self.position) <= beyond && self.end().is_none() {
            super::sleep_on(&self.bells.data, seen, timeout);
        }
        self.words.waiting.store(0, Ordering::Relaxed);
        self.refresh();
    }

    /// Position at which the stream ends, with the reason, once it is known.
    pub fn end(&self) -> Option<(u64, u64)> {
        let end = self.producer.end.load(Ordering::Acquire); // [E]
        (end != abi::OPEN).then(|| (end, self.producer.end_reason.load(Ordering::Relaxed)))
    }

    /// True when the stream has ended and everything was released.
    pub fn done(&self) -> bool {
        self.end().is_some_and(|(end, _)| self.position >= end)
    }

    /// Touches every page, so that no later access faults.
    pub fn touch(&self) {
        self.slots.touch();
    }
}
