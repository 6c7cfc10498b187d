//! What is known of a stretch of time: activation records by process, stalls, events.

use super::route::Route;
use crate::abi::{ActivationRecord, EventEntry};
use crate::outcome::{Stall, Steal};
use crate::text;
use std::collections::VecDeque;

/// Records kept of each process: two seconds of a loop of 2 kHz, in half a megabyte.
const MOST_RECORDS: usize = 4096;
/// Stalls and events kept.
const MOST_NOTES: usize = 1024;

/// Something that befell a process, as its events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// CLOCK_MONOTONIC, ns.
    pub at_ns: u64,
    /// Process, or `session`.
    pub who: String,
    /// What.
    pub what: String,
}

/// A record, its number in its telemetry ring, and its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub number: u64,
    /// When it woke; of a record without a time, that of the one before.
    pub at_ns: u64,
    pub record: ActivationRecord,
}

/// Records of one process, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    entries: VecDeque<Entry>,
}

impl Track {
    /// Entries that woke at `at_ns` or before.
    fn until(&self, at_ns: u64) -> usize {
        self.entries.partition_point(|e| e.at_ns <= at_ns)
    }

    /// First that woke at `at_ns` or later.
    pub fn from(&self, at_ns: u64) -> Option<&Entry> {
        let index = self.entries.partition_point(|e| e.at_ns < at_ns);
        self.entries.get(index)
    }

    /// Those whose turn lay, in part, between two instants.
    pub fn between(&self, from_ns: u64, to_ns: u64) -> impl Iterator<Item = &Entry> {
        // One that woke before may reach into it.
        let first = self.until(from_ns).saturating_sub(1);
        let last = self.until(to_ns).max(first);
        self.entries.range(first..last)
    }

    pub fn numbered(&self, number: u64) -> Option<&Entry> {
        let index = self.index_of(number)?;
        self.entries.get(index)
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        let found = self.entries.binary_search_by_key(&number, |e| e.number);
        found.ok()
    }

    /// From the newest that woke at `at_ns` or before back to the oldest.
    pub fn back_from(&self, at_ns: u64) -> impl Iterator<Item = &Entry> {
        self.entries.range(..self.until(at_ns)).rev()
    }

    /// Those behind a number.
    pub fn behind(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|e| e.number <= number);
        self.entries.range(first..)
    }

    /// Those before a number, the newest first, as far as none is missing between.
    pub fn before(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let end = self.entries.partition_point(|e| e.number < number);
        let back = self.entries.range(..end).rev();
        back.scan(number, |next, entry| {
            let follows = entry.number + 1 == *next;
            *next = entry.number;
            follows.then_some(entry)
        })
    }
}

/// What is known of a stretch of time.
#[derive(Clone, Debug)]
pub struct History {
    most_records: usize,
    pub(super) tracks: Vec<Track>,
    pub(super) stalls: VecDeque<Stall>,
    pub(super) steals: VecDeque<Steal>,
    pub(super) events: VecDeque<Happened>,
    /// The common start (tick 0), CLOCK_MONOTONIC ns, if it is known.
    pub(super) start_ns: Option<u64>,
}

impl History {
    /// An empty one, for the processes of a route. Of each it keeps the newest records only.
    pub fn of(route: &Route) -> Self {
        Self::keeping(route, MOST_RECORDS)
    }

    /// One for a stretch of time that whoever fills it has chosen: no record is let go.
    pub(super) fn of_window(route: &Route) -> Self {
        Self::keeping(route, usize::MAX)
    }

    fn keeping(route: &Route, most_records: usize) -> Self {
        History {
            most_records,
            tracks: vec![Track::default(); route.len()],
            stalls: VecDeque::new(),
            steals: VecDeque::new(),
            events: VecDeque::new(),
            start_ns: None,
        }
    }

    /// Tells when tick 0 was, CLOCK_MONOTONIC ns.
    pub fn start(&mut self, start_ns: u64) {
        self.start_ns = Some(start_ns);
    }

    /// Takes in a record of a process, numbered as in its telemetry ring. Records come in the order of their numbers; one
    /// that comes again is passed over.
    pub fn record(&mut self, station: usize, number: u64, record: &ActivationRecord) {
        let Some(Track { entries }) = self.tracks.get_mut(station) else {
            return;
        };
        let last = entries.back().map(|e| (e.number, e.at_ns));
        if last.is_some_and(|(last, _)| number <= last) {
            return;
        }
        if entries.len() >= self.most_records {
            entries.pop_front();
        }
        entries.push_back(Entry {
            number,
            at_ns: last.map_or(record.woke_ns, |(_, at_ns)| record.woke_ns.max(at_ns)),
            record: *record,
        });
    }

    /// Takes in a stall; `at_ns` on CLOCK_MONOTONIC.
    pub fn stall(&mut self, stall: Stall) {
        keep(&mut self.stalls, stall);
    }

    /// Takes in what a hypervisor took of a CPU; `until_ns` on CLOCK_MONOTONIC.
    pub fn steal(&mut self, steal: Steal) {
        keep(&mut self.steals, steal);
    }

    /// Takes in an event of a process.
    pub fn event(&mut self, event: Happened) {
        keep(&mut self.events, event);
    }

    /// Takes in an entry of the session's events: what a witness saw is a stall, what a hypervisor took is told as such, all
    /// else is an event.
    pub fn entry(&mut self, entry: &EventEntry) {
        let (who, what) = (text::of(&entry.who), text::of(&entry.what));
        if let Some(stall) = Stall::told(&who, &what, entry.at_ns) {
            self.stall(stall);
        } else if let Some(steal) = Steal::told(&who, &what, entry.at_ns) {
            self.steal(steal);
        } else {
            self.event(Happened {
                at_ns: entry.at_ns,
                who,
                what,
            });
        }
    }
}

/// The newest notes are kept.
fn keep<T>(notes: &mut VecDeque<T>, note: T) {
    if notes.len() == MOST_NOTES {
        notes.pop_front();
    }
    notes.push_back(note);
}
