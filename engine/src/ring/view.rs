//! A ring as it looks from outside: geometry, end, seats, and whose they are. Read-only; claims nothing.

use super::geometry::{self, SlotLayout};
use super::lap::Observer;
use crate::abi::{self, ProducerWords, SeatEntry, SeatWords};
use crate::shm::{Access, Segment, ShmError, Words};
use crate::sync::Ordering;
use crate::text;
use ephapse_rtconfig::plan::{Full, SeatKind};

/// Looks at a ring without taking part in it.
pub struct RingView {
    observer: Observer,
    layout: SlotLayout,
    full: Full,
    bytes: usize,
    producer: Words<ProducerWords>,
    seats: Vec<(SeatEntry, Words<SeatWords>)>,
}

/// Who holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Process.
    pub pid: u32,
    /// How often the process had been started.
    pub generation: u32,
}

/// A stream's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Position at which it ends.
    pub position: u64,
    /// See [`abi::end_reason`].
    pub reason: u64,
    /// Frames lost after the last block.
    pub lost: u64,
}

/// A seat at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatNow {
    /// Kind.
    pub kind: SeatKind,
    /// Planned for whoever joins.
    pub spare: bool,
    /// Stage it was planned for; empty for a spare one.
    pub stage: String,
    /// Its port.
    pub port: String,
    /// Who holds it.
    pub owner: Option<Owner>,
    /// The owner is dead and will not return.
    pub closed: bool,
    /// Next position to be read.
    pub position: u64,
}

impl RingView {
    /// Attaches read-only.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(segment: &Segment) -> Result<Self, ShmError> {
        let attached = geometry::attach(segment)?;
        let g = &attached.geometry;
        let producer = segment.map(g.producer_at as usize, abi::PAGE, Access::ReadOnly)?;
        let seats = attached
            .seats
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let at = g.seats_at as usize + index * abi::PAGE;
                let page = segment.map(at, abi::PAGE, Access::ReadOnly)?;
                Ok((*entry, page.words(0)))
            })
            .collect::<Result<_, ShmError>>()?;
        Ok(RingView {
            observer: Observer::attach(segment)?,
            full: match g.full {
                0 => Full::Wait,
                1 => Full::DropNewest,
                _ => Full::Fault,
            },
            layout: attached.layout,
            bytes: segment.bytes(),
            producer: producer.words(0),
            seats,
        })
    }

    /// For its blocks.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Slots and their sizes.
    pub fn layout(&self) -> &SlotLayout {
        &self.layout
    }

    /// Full-ring policy.
    pub fn full(&self) -> Full {
        self.full
    }

    /// Bytes of the segment.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Who publishes.
    pub fn producer(&self) -> Option<Owner> {
        owner(self.producer.owner.load(Ordering::Acquire))
    }

    /// The end, once there is one.
    pub fn end(&self) -> Option<End> {
        let position = self.producer.end.load(Ordering::Acquire); // [E]
        (position != abi::OPEN).then(|| End {
            position,
            reason: self.producer.end_reason.load(Ordering::Relaxed),
            lost: self.producer.end_lost.load(Ordering::Relaxed),
        })
    }

    /// Every seat, in the order of the table.
    pub fn seats(&self) -> Vec<SeatNow> {
        self.seats
            .iter()
            .map(|(entry, words)| SeatNow {
                kind: if entry.kind == 1 {
                    SeatKind::Hold
                } else {
                    SeatKind::Lap
                },
                spare: entry.spare != 0,
                stage: text::of(&entry.stage),
                port: text::of(&entry.port),
                owner: owner(words.owner.load(Ordering::Acquire)),
                closed: words.closed.load(Ordering::Acquire) != 0,
                position: words.position.load(Ordering::Acquire), // [R]
            })
            .collect()
    }
}

fn owner(word: u64) -> Option<Owner> {
    (word != 0).then_some(Owner {
        pid: word as u32,
        generation: (word >> 32) as u32,
    })
}
