//! The events segment: what happened, in shared memory, so that it outlives whoever it happened to.

use crate::abi::{EventEntry, PAGE, SegmentHeader, segment};
use crate::os;
use crate::shm::{Access, Owned, Segment, ShmError, copy_relaxed};
use crate::sync::{AtomicU64, Ordering};
use crate::text;
use zerocopy::IntoBytes;

const ENTRIES: usize = 256;
const WORDS: usize = size_of::<EventEntry>() / 8;

/// Writer's end; the launcher's.
pub(super) struct Events {
    segment: Owned,
    count: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// CLOCK_MONOTONIC, ns.
    pub at_ns: u64,
    /// Tick.
    pub tick: u64,
    /// Stage, or `session`.
    pub who: String,
    /// What happened.
    pub what: String,
}

impl Events {
    pub fn create(name: &str, header: SegmentHeader) -> Result<Self, ShmError> {
        let mut segment = Owned::create(name, PAGE + ENTRIES * size_of::<EventEntry>())?;
        segment.publish(SegmentHeader {
            kind: segment::EVENTS,
            fixed_bytes: PAGE as u64,
            ..header
        });
        // Every page is there from the beginning: the launcher is no larger when the segment is full.
        for entry in 0..ENTRIES {
            let at = PAGE + entry * size_of::<EventEntry>();
            segment.words::<AtomicU64>(at).store(0, Ordering::Relaxed);
        }
        Ok(Events { segment, count: 0 })
    }

    /// Appends an event, over the oldest when the segment is full.
    pub fn say(&mut self, tick: u64, who: &str, what: &str) {
        self.say_at(os::monotonic_ns(), tick, who, what);
    }

    /// The same of something that was at `at_ns`.
    pub fn say_at(&mut self, at_ns: u64, tick: u64, who: &str, what: &str) {
        self.count += 1;
        let entry = EventEntry {
            number: self.count,
            at_ns,
            tick,
            who: text::fixed(who),
            what: text::fixed(what),
        };
        let at = PAGE + (self.count as usize - 1) % ENTRIES * size_of::<EventEntry>();
        let slot: &[AtomicU64; WORDS] = self.segment.words(at);
        slot[0].store(0, Ordering::Release);
        for (word, bytes) in slot.iter().zip(entry.as_bytes().as_chunks::<8>().0).skip(1) {
            word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
        }
        slot[0].store(self.count, Ordering::Release);
    }
}

/// The entries of an opened events segment whose numbers lie above `behind`, oldest first. (Whoever looks often asks for the
/// new ones alone, and needs no more memory the longer a session lasts.)
///
/// # Errors
/// If it is damaged.
pub fn read_entries(segment: &Segment, behind: u64) -> Result<Vec<EventEntry>, ShmError> {
    let bytes = ENTRIES * size_of::<EventEntry>();
    let map = segment.map(PAGE, bytes, Access::ReadOnly)?;
    let mut copy = vec![0; bytes];
    copy_relaxed(map.as_ptr(), &mut copy);
    let entries = (0..ENTRIES)
        .filter_map(|i| crate::shm::read_at::<EventEntry>(&copy, i * size_of::<EventEntry>()));
    let mut entries: Vec<EventEntry> = entries.filter(|e| e.number > behind).collect();
    entries.sort_by_key(|e| e.number);
    Ok(entries)
}

/// The events of a session, oldest first.
///
/// # Errors
/// If there is no such segment, or it is damaged.
pub fn read_events(session: &str) -> Result<Vec<Event>, ShmError> {
    let segment = Segment::open(
        &super::segment_name(session, "events"),
        segment::EVENTS,
        Access::ReadOnly,
    )?;
    let entries = read_entries(&segment, 0)?;
    Ok(entries
        .iter()
        .map(|e| Event {
            at_ns: e.at_ns,
            tick: e.tick,
            who: text::of(&e.who),
            what: text::of(&e.what),
        })
        .collect())
}
