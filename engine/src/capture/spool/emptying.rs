//! The end that empties the spool.
#![allow(unsafe_code, reason = "reads a ring of bytes in mapped memory")]

use super::entry::{ALIGNMENT, ENTRY_MAGIC, Kind, SpoolEntry, Why};
use super::layout::MOST_BYTES;
use super::place::Place;
use super::view::SpoolView;
use crate::shm::{self, Access, Mapping, Segment, ShmError, read_at};
use crate::sync::Ordering;
use crate::trap::{Point, trap};

/// What the emptying end found.
#[derive(Debug)]
pub struct Found<'a> {
    /// Source.
    pub source: u32,
    /// What it is.
    pub kind: Kind,
    /// First position.
    pub position: u64,
    /// When it was read, CLOCK_MONOTONIC ns.
    pub at_ns: u64,
    /// Its bytes, one part behind the other.
    pub parts: [&'a [u8]; 2],
    /// Bytes of the spool that it takes.
    pub stride: u64,
}

/// The emptying end.
pub struct Emptying {
    view: SpoolView,
    entries: Mapping,
    place: Place,
}

impl Emptying {
    /// Attaches where a predecessor stood.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        use Access::{ReadOnly, ReadWrite};
        let view = SpoolView::mapped(segment, [ReadOnly, ReadWrite, ReadOnly])?;
        let g = view.geometry;
        let entries = segment.map(g.entries_at as usize, g.entries_bytes as usize, ReadOnly)?;
        let flip = view.empty.flip.load(Ordering::Acquire) & 1;
        let place = view.empty.places[flip as usize].each_ref();
        let place = Place::from_words(place.map(|word| word.load(Ordering::Relaxed)));
        let head = view.fill.head.load(Ordering::Acquire); // [H]
        if head
            .checked_sub(place.taken)
            .is_none_or(|used| used > g.entries_bytes)
            || head > MOST_BYTES
        {
            return Err(ShmError::refused(
                segment.name(),
                format!(
                    "says that {head} bytes were written and {} taken: damaged",
                    place.taken
                ),
            ));
        }
        view.empty.taken.store(place.taken, Ordering::Release); // [K]
        Ok(Emptying {
            view,
            entries,
            place,
        })
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The words of all.
    pub fn view(&self) -> &SpoolView {
        &self.view
    }

    /// The oldest entry; `None` if there is none. Bytes that are no entry are passed over, all there are, and counted: there
    /// is no telling where the next one begins.
    pub fn front(&mut self) -> Option<Found<'_>> {
        let head = self.view.fill.head.load(Ordering::Acquire); // [H]
        let all = self.view.geometry.entries_bytes;
        let there = head.checked_sub(self.place.taken)?;
        if there == 0 || there > all {
            return None;
        }
        let Some((entry, kind)) = self.entry(there) else {
            self.give_up(there);
            return None;
        };
        let from = self.place.taken + ALIGNMENT as u64;
        let offset = (from % all) as usize;
        let length = entry.length as usize;
        let first = length.min(all as usize - offset);
        let base = self.entries.as_ptr();
        // SAFETY: in bounds as in `copy_in`, for `entry` has checked the length against `there <= all`. The filling end does
        // not write here before `taken` has passed it [K], which takes `&mut self` while these slices borrow it.
        let parts = unsafe {
            [
                core::slice::from_raw_parts(base.add(offset), first),
                core::slice::from_raw_parts(base, length - first),
            ]
        };
        Some(Found {
            source: entry.source,
            kind,
            position: entry.position,
            at_ns: entry.at_ns,
            parts,
            stride: SpoolEntry::stride(entry.length),
        })
    }

    /// The header of the entry at `taken`, if it is one that lies within `there` bytes.
    fn entry(&self, there: u64) -> Option<(SpoolEntry, Kind)> {
        let offset = (self.place.taken % self.view.geometry.entries_bytes) as usize;
        let mut bytes = [0; ALIGNMENT];
        if !offset.is_multiple_of(ALIGNMENT) {
            return None;
        }
        // In bounds: offset and length of the ring are multiples of the header's length.
        shm::copy_relaxed(self.entries.as_ptr().wrapping_add(offset), &mut bytes);
        let entry: SpoolEntry = read_at(&bytes, 0)?;
        let whole = entry.magic == ENTRY_MAGIC
            && entry.crc == entry.checksum()
            && entry.number == self.place.entries
            && entry.length <= there
            && SpoolEntry::stride(entry.length) <= there
            && (entry.source as usize) < self.view.accounts.len();
        let kind = match entry.kind {
            1 => Kind::Data(u32::try_from(entry.count).ok()?),
            2 => Kind::Gap(entry.count, Why::of(entry.why)?),
            _ => return None,
        };
        whole.then_some((entry, kind))
    }

    fn give_up(&mut self, bytes: u64) {
        self.view.empty.damaged.fetch_add(bytes, Ordering::Release);
        let entries = self.view.fill.entries.load(Ordering::Acquire);
        self.advance(Place {
            taken: self.place.taken + bytes,
            entries,
            ..self.place
        });
    }

    /// Stands at `place` from now on: what lies before it is done with.
    pub fn advance(&mut self, place: Place) {
        let empty = &self.view.empty;
        let flip = empty.flip.load(Ordering::Relaxed);
        let other = &empty.places[(flip & 1 ^ 1) as usize];
        for (word, value) in other.iter().zip(place.words()) {
            word.store(value, Ordering::Release);
        }
        trap(Point::Place);
        empty.flip.store(flip.wrapping_add(1), Ordering::Release);
        trap(Point::Flipped);
        empty.taken.store(place.taken, Ordering::Release); // [K]
        self.place = place;
    }

    /// Says why nothing can be appended now; an empty text: it can.
    pub fn say(&self, why: &str) {
        crate::text::store(&self.view.empty.why, why);
    }
}
