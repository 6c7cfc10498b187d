//! The producer's end of a ring.
#![allow(unsafe_code, reason = "hands out slots of mapped memory")]

use super::geometry::{self, SlotLayout};
use super::{expect_type, room_behind};
use crate::abi::{self, BellWords, ProducerWords, SeatWords, SlotHeader};
use crate::os;
use crate::shm::{Access, Mapping, Segment, ShmError, Words};
use crate::sync::{AtomicU64, Ordering, fence, store_load_fence};
use crate::trap::{Point, trap};
use ephapse_rtconfig::plan::Full;
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// The producer of a ring: at most one per ring, not cloneable.
pub struct Producer {
    layout: SlotLayout,
    stream_type: StreamType,
    full: Full,
    words: Words<ProducerWords>,
    bells: Words<BellWords>,
    slots: Mapping,
    /// `hold` seats as the producer sees them (read-only), each with the position last seen: a lower bound.
    holds: Vec<(Words<SeatWords>, u64)>,
    /// The seats whose owners may sleep on the data bell.
    sleepers: Vec<Words<SeatWords>>,
    /// This producer never sleeps on the room bell: nobody would ring it.
    sleepless: bool,
    published: u64,
    /// Slots handed out for writing beyond `published`, so that the lap fence is issued once for each.
    claimed: u64,
}

impl Producer {
    /// Attaches as the producer, claims the role for `owner` (generation << 32 | pid).
    ///
    /// # Errors
    /// Another type, a damaged segment, or a role that somebody living holds.
    pub fn attach(segment: &Segment, expected: &StreamType, owner: u64) -> Result<Self, ShmError> {
        let attached = geometry::attach(segment)?;
        expect_type(segment, &attached.stream_type, expected)?;
        let g = &attached.geometry;
        let producer = segment.map(g.producer_at as usize, abi::PAGE, Access::ReadWrite)?;
        let seats = segment.map(
            g.seats_at as usize,
            (g.seats as usize * abi::PAGE).max(abi::PAGE),
            Access::ReadOnly,
        )?;
        let bells = segment.map(g.bells_at as usize, abi::PAGE, Access::ReadWrite)?;
        let slots = segment.map(
            g.slots_at as usize,
            attached.layout.stride * attached.layout.slots as usize,
            Access::ReadWrite,
        )?;
        let words: Words<ProducerWords> = producer.words(0);
        let published = words.published.load(Ordering::Relaxed);
        // No ring lives long enough to come here; from such a number the next positions would wrap.
        if published > abi::OPEN / 2 {
            return Err(ShmError::refused(
                segment.name(),
                format!("says it has published {published} blocks: damaged"),
            ));
        }
        trap(Point::Attach);
        claim_role(segment.name(), "producer", &words.owner, owner)?;
        trap(Point::Attached);
        let published = words.published.load(Ordering::Acquire);
        let seat_words = |index: usize| seats.words::<SeatWords>(index * abi::PAGE);
        Ok(Producer {
            full: match g.full {
                0 => Full::Wait,
                1 => Full::DropNewest,
                _ => Full::Fault,
            },
            holds: attached
                .seats
                .iter()
                .enumerate()
                .filter(|(_, s)| s.kind == 1)
                .map(|(i, _)| (seat_words(i), 0))
                .collect(),
            sleepers: attached
                .seats
                .iter()
                .enumerate()
                .filter(|(_, s)| s.sleepless == 0)
                .map(|(i, _)| seat_words(i))
                .collect(),
            sleepless: g.sleepless != 0,
            words,
            bells: bells.words(0),
            slots,
            layout: attached.layout,
            stream_type: attached.stream_type,
            published,
            claimed: published,
        })
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.stream_type
    }

    /// Full-ring policy.
    pub fn full(&self) -> Full {
        self.full
    }

    /// Slots.
    pub fn slots(&self) -> u64 {
        self.layout.slots
    }

    /// Next position to be published.
    #[inline]
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Free slots, bounded by the slowest open `hold` seat; looks at the seats only when the cached positions do not suffice.
    #[inline]
    pub fn room(&mut self, wanted: u64) -> u64 {
        let mut room = self.layout.slots;
        for (seat, seen) in &mut self.holds {
            let mut here = room_behind(self.published, *seen, self.layout.slots);
            if here < wanted {
                *seen = seat.position.load(Ordering::Acquire); // [R]
                here = room_behind(self.published, *seen, self.layout.slots);
                if here < wanted && seat.closed.load(Ordering::Acquire) != 0 {
                    here = self.layout.slots;
                }
            }
            room = room.min(here);
        }
        room
    }

    /// Header and payload of the slot `ahead` positions beyond `published`, to be written before [`Producer::publish`].
    ///
    /// # Panics
    /// If `ahead` is not below the room: the caller has asked for credit first.
    #[inline]
    pub fn slot(&mut self, ahead: u64) -> (&mut SlotHeader, &mut [u8]) {
        assert!(
            ahead < self.room(ahead + 1),
            "a slot that a reader still holds was asked for"
        );
        // SAFETY: asserted.
        unsafe { self.slot_granted(ahead) }
    }

    /// The same for a caller that keeps count of the room it was told of: the seats are not looked at again.
    ///
    /// # Safety
    /// Since [`Producer::room`] last said that there are more than `ahead` and `n` slots, no more than `n` were published.
    #[inline]
    pub unsafe fn slot_granted(&mut self, ahead: u64) -> (&mut SlotHeader, &mut [u8]) {
        #[cfg(loom)]
        self.tell_model();
        let position = self.published + ahead;
        self.claim(position);
        let at = (position & self.layout.mask) as usize * self.layout.stride;
        // SAFETY: `at + stride` is inside the slots region (mask and stride were checked at attach, invariant I3); the slot
        // is free (the caller's obligation, and room only grows but by publishing, I5: no `hold` reader stands on it, lap
        // readers never take references), and `&mut self` makes this the only reference in this process, which is the only
        // producer (I4).
        unsafe {
            let base = self.slots.as_ptr().add(at);
            let header = &mut *base.cast::<SlotHeader>();
            let payload = core::slice::from_raw_parts_mut(
                base.add(size_of::<SlotHeader>()),
                self.layout.rows as usize * self.layout.row_bytes,
            );
            (header, payload)
        }
    }

    /// Makes `count` written slots visible to every seat with one store.
    #[inline]
    pub fn publish(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        #[cfg(loom)]
        self.tell_model();
        trap(Point::Commit);
        self.published += count;
        self.claimed = self.published;
        self.words
            .published
            .store(self.published, Ordering::Release); // [P]
        trap(Point::Committed);
    }

    /// True if every open `hold` seat has released all there is: nobody is reading now.
    #[inline]
    pub fn all_read(&mut self) -> bool {
        self.room(self.layout.slots) == self.layout.slots
    }

    /// True if the next slot has been warmed or claimed.
    #[inline]
    pub fn is_warm(&self) -> bool {
        self.claimed > self.published
    }

    /// Takes the lines of the next slot into this CPU's cache before they are wanted, by writing a zero into each: the
    /// readers' CPUs still have them, and most of the time of writing a block goes into getting them back (ADR 0004). For
    /// the time between two blocks, once for each; best when nobody reads ([`Producer::all_read`]), for it competes with
    /// readers for the same wires. Does nothing while the next slot is still being read, or is warm.
    pub fn warm(&mut self) {
        if self.is_warm() || self.room(1) == 0 {
            return;
        }
        self.claim(self.published);
        let at = (self.published & self.layout.mask) as usize * self.layout.stride;
        for line in (at..at + self.layout.stride).step_by(CACHE_LINE) {
            // SAFETY: inside the slots region (mask and stride were checked at attach, I3), 8-aligned; the slot is free and
            // claimed, as in `slot`. Volatile, for nobody in this process reads what it writes.
            unsafe {
                self.slots
                    .as_ptr()
                    .add(line)
                    .cast::<u64>()
                    .write_volatile(0)
            };
        }
        #[cfg(loom)]
        self.tell_model();
    }

    /// What was written in place into slots that are claimed and not yet published, for loom, which cannot see it.
    #[cfg(loom)]
    fn tell_model(&self) {
        for position in self.published..self.claimed {
            let at = (position & self.layout.mask) as usize * self.layout.stride;
            let slot = self.slots.as_ptr().wrapping_add(at);
            crate::sync::modelled::written(slot, self.layout.stride);
        }
    }

    /// \[L\] Before the first byte for `position` is written, `published` must have been seen to be at least `position`'s own
    /// ring round: pairs with the lap reader's fence.
    #[inline]
    fn claim(&mut self, position: u64) {
        if position >= self.claimed {
            fence(Ordering::Release); // [L]
            self.claimed = position + 1;
            trap(Point::Claim);
        }
    }

    /// Wakes readers that sleep. After everything else of an activation: a reader of higher priority on this CPU runs
    /// before this returns.
    #[inline]
    pub fn ring_readers(&self) {
        if self.sleepers.is_empty() {
            return;
        }
        store_load_fence(); // [W]
        if self
            .sleepers
            .iter()
            .any(|seat| seat.waiting.load(Ordering::Relaxed) != 0)
        {
            self.bells.data.fetch_add(1, Ordering::Relaxed);
            os::futex_wake_all(&self.bells.data);
        }
    }

    /// Sleeps until a reader releases something, at most `timeout`. True if `wanted` slots are free.
    pub fn wait_for_room(&mut self, wanted: u64, timeout: Duration) -> bool {
        if self.sleepless {
            super::nap_until(timeout, || self.room(wanted) >= wanted);
            return self.room(wanted) >= wanted;
        }
        let seen = self.bells.room.load(Ordering::Relaxed);
        self.words.waiting.store(1, Ordering::Relaxed);
        store_load_fence(); // [W]
        trap(Point::Wait);
        if self.room(wanted) < wanted {
            super::sleep_on(&self.bells.room, seen, timeout);
        }
        self.words.waiting.store(0, Ordering::Relaxed);
        self.room(wanted) >= wanted
    }

    /// Ends the stream after the last published block, once; `lost` frames would have followed it.
    pub fn end(&mut self, reason: u64, lost: u64) {
        if self.words.end.load(Ordering::Relaxed) != abi::OPEN {
            return;
        }
        self.words.end_reason.store(reason, Ordering::Relaxed);
        self.words.end_lost.store(lost, Ordering::Relaxed);
        trap(Point::End);
        self.words.end.store(self.published, Ordering::Release); // [E]
    }

    /// True once the stream has been ended.
    pub fn ended(&self) -> bool {
        self.words.end.load(Ordering::Relaxed) != abi::OPEN
    }

    /// Touches every page, so that no later access faults.
    pub fn touch(&self) {
        self.slots.touch();
    }
}

/// Bytes of a cache line on every CPU this runs on; where lines are longer, some are written twice.
const CACHE_LINE: usize = 64;

/// Claims an ownership word by compare-and-swap. A role is free when the word is 0 or already holds an older generation
/// that the launcher has seen dead (it sets the word to 0 then).
pub(super) fn claim_role(
    segment: &str,
    role: &str,
    word: &AtomicU64,
    owner: u64,
) -> Result<(), ShmError> {
    match word.compare_exchange(0, owner, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(holder) => Err(ShmError::refused(
            segment,
            format!("its {role} is pid {} already", holder & 0xffff_ffff),
        )),
    }
}
