//! Decisions found in a capture, and walked back with what it holds of that time.

use super::asked::{Found, HindsightError, Wanted};
use super::history::History;
use super::route::Route;
use super::walk::{Walk, is_decision, walk};
use super::worst::Decisions;
use crate::abi::ActivationRecord;
use crate::capture::layout::{RecordHeader, kind};
use crate::capture::{Capture, CaptureError, Cursor, Item};
use std::collections::{BTreeMap, VecDeque};

/// A record is appended at most so long after it was made, with a full spool, ns.
pub(super) const LATEST_NS: u64 = 30_000_000_000;
/// What is looked at before a decision's frames and behind its end, beside four turns of the slowest stage, ns.
const AROUND_NS: u64 = 1_000_000_000;
/// In work at a tick is what was sampled at most so many ticks after it, and handed at most so many before.
const TICKS_AROUND: u64 = 4;
/// Of the newest decisions those are tried whose makers' records may not be there yet.
const NEWEST: usize = 64;

/// A decision's record.
#[derive(Clone, Copy)]
struct Decision {
    station: usize,
    number: u64,
    record: ActivationRecord,
    /// With what those waited that never came before it, ns.
    waited_ns: u64,
}

/// A capture, with the processes of its plan.
pub(super) struct Look<'a> {
    pub capture: &'a Capture,
    pub route: Route,
    /// Station of each of its processes.
    stations: Vec<Option<usize>>,
    stimulators: Vec<usize>,
}

/// Finds a decision in a capture and walks it back. The capture may be growing. Of its blocks nothing is read; at no time is
/// more of it held than what surrounds the decision.
///
/// # Errors
/// It cannot be read, or has no such decision.
pub fn of_capture(capture: &Capture, wanted: Wanted) -> Result<Found, HindsightError> {
    let look = Look::of(capture)?;
    let start_ns = look.start_ns()?;
    let decisions = match wanted {
        Wanted::Worst => look.worst()?.into_iter().collect(),
        Wanted::Last => look.newest()?,
        Wanted::Tick(tick) => look.of_tick(tick, start_ns)?,
    };
    let history = look.history(&decisions, start_ns)?;
    let walks = decisions
        .iter()
        .filter_map(|d| walk(&look.route, &history, d.station, d.number));
    let walks: Vec<Walk> = walks.collect();
    let (walk, next_instead) = match wanted {
        Wanted::Tick(tick) => {
            let worked = |walk: &&Walk| walk.hops.iter().any(|hop| hop.tick == tick);
            let met = walks.iter().filter(|walk| look.was_met(tick, walk));
            let met = met.max_by_key(|walk| walk.total_ns());
            let longest = || walks.iter().filter(worked).max_by_key(|w| w.total_ns());
            match met.or_else(longest) {
                Some(longest) => (Some(longest), false),
                None => (walks.iter().find(|walk| walk.tick >= tick), true),
            }
        }
        Wanted::Worst | Wanted::Last => {
            let whole = walks.iter().rev().find(|walk| walk.broken.is_none());
            (whole.or(walks.last()), false)
        }
    };
    match walk {
        Some(walk) => Ok(Found {
            walk: walk.clone(),
            start_ns,
            next_instead,
            on_purpose: match wanted {
                Wanted::Tick(tick) => look.asked(tick, look.due_ns(tick, start_ns), walk)?,
                Wanted::Worst | Wanted::Last => Vec::new(),
            },
        }),
        None => Err(look.nothing(wanted)?),
    }
}

impl<'a> Look<'a> {
    fn of(capture: &'a Capture) -> Result<Self, HindsightError> {
        let meta = capture.meta();
        let path = || capture.path().to_owned();
        if meta.plan.timer.is_none() {
            return Err(HindsightError::Unpaced { capture: path() });
        }
        let route = Route::of(&meta.plan);
        let stations = meta.processes.iter().map(|name| route.station(name));
        let stations: Vec<Option<usize>> = stations.collect();
        let stimulators: Vec<usize> = route.stimulators().collect();
        let Some(first) = stimulators.first() else {
            return Err(HindsightError::NoStimulator { capture: path() });
        };
        if !stimulators.iter().any(|s| stations.contains(&Some(*s))) {
            return Err(HindsightError::NoRecords {
                capture: path(),
                stage: route.name(*first).to_owned(),
            });
        }
        Ok(Look {
            capture,
            route,
            stations,
            stimulators,
        })
    }

    pub fn station(&self, process: u32) -> Option<usize> {
        *self.stations.get(process as usize)?
    }

    fn is_stimulator(&self, process: u32) -> bool {
        let station = self.station(process);
        station.is_some_and(|station| self.stimulators.contains(&station))
    }

    /// The common start, by the first record that tells the deadline of its tick.
    fn start_ns(&self) -> Result<Option<u64>, CaptureError> {
        let tick_ns = self.capture.meta().plan.tick_ns;
        let tells = |process: u32| {
            let station = self.station(process);
            station.is_some_and(|s| Some(s) == self.route.timer || self.route.stations[s].ticked)
        };
        let mut cursor = self.capture.items()?;
        while let Some(item) =
            cursor.next_item_of(|h| h.kind == kind::ACTIVATIONS && tells(h.source))?
        {
            if let Item::Activation { record, .. } = item
                && record.since_ns != 0
                && record.skipped == [0; 4]
            {
                return Ok(record.since_ns.checked_sub(record.tick * tick_ns));
            }
        }
        Ok(None)
    }

    /// Calls `heed` with every decision that a cursor still comes by, as long as it wants more.
    fn decisions(
        &self,
        cursor: &mut Cursor,
        mut heed: impl FnMut(Decision) -> bool,
    ) -> Result<(), CaptureError> {
        let mut known: BTreeMap<usize, (Decisions, u64)> = BTreeMap::new();
        let of = |h: &RecordHeader| h.kind == kind::ACTIVATIONS && self.is_stimulator(h.source);
        while let Some(item) = cursor.next_item_of(of)? {
            let Item::Activation {
                process,
                number,
                record,
            } = item
            else {
                continue;
            };
            let Some(station) = self.station(process) else {
                continue;
            };
            let (decisions, next) = known.entry(station).or_default();
            // What comes a second time, a successor has appended again.
            if number < *next {
                continue;
            }
            if number > *next {
                // What is not there may have been decisions.
                *decisions = Decisions::default();
            }
            *next = number + 1;
            if !is_decision(&record) {
                continue;
            }
            let watched = &self.route.stations[station].watched;
            let lost = decisions.lost(watched, &record);
            let age_ns = record.committed_ns.saturating_sub(record.sampled_ns);
            let decision = Decision {
                station,
                number,
                record,
                waited_ns: age_ns.saturating_add(lost.saturating_mul(watched.origin_ns)),
            };
            if !heed(decision) {
                break;
            }
        }
        Ok(())
    }

    fn worst(&self) -> Result<Option<Decision>, CaptureError> {
        let mut worst: Option<Decision> = None;
        self.decisions(&mut self.capture.items()?, |decision| {
            if worst.is_none_or(|worst| decision.waited_ns > worst.waited_ns) {
                worst = Some(decision);
            }
            true
        })?;
        Ok(worst)
    }

    /// The newest, oldest first.
    fn newest(&self) -> Result<Vec<Decision>, CaptureError> {
        let mut cursor = self.capture.items()?;
        cursor.pass_until(u64::MAX)?;
        let mut end_ns = 0;
        let mut rest = |header: &RecordHeader| {
            end_ns = end_ns.max(if is_timed(header) { header.at_ns } else { 0 });
            false
        };
        while cursor.next_item_of(&mut rest)?.is_some() {}
        let mut cursor = self.capture.items()?;
        cursor.pass_until(end_ns.saturating_sub(LATEST_NS + AROUND_NS))?;
        let newest = self.newest_behind(&mut cursor)?;
        if newest.is_empty() {
            // The loop had stopped long before the recording ended.
            return self.newest_behind(&mut self.capture.items()?);
        }
        Ok(newest)
    }

    fn newest_behind(&self, cursor: &mut Cursor) -> Result<Vec<Decision>, CaptureError> {
        let mut newest: VecDeque<Decision> = VecDeque::new();
        self.decisions(cursor, |decision| {
            if newest.len() == NEWEST {
                newest.pop_front();
            }
            newest.push_back(decision);
            true
        })?;
        Ok(newest.into())
    }

    /// The decisions that may have been in work in a tick, and the next one behind it, in the order of the capture.
    fn of_tick(&self, tick: u64, start_ns: Option<u64>) -> Result<Vec<Decision>, CaptureError> {
        let due_ns = self.due_ns(tick, start_ns);
        let until_ns = self.struck_until(tick, due_ns)?;
        let around_ns = TICKS_AROUND * self.route.tick_ns;
        let mut cursor = self.capture.items()?;
        if start_ns.is_some() {
            cursor.pass_until(due_ns.saturating_sub(LATEST_NS))?;
        }
        let (mut near, mut next) = (Vec::new(), false);
        self.decisions(&mut cursor, |decision| {
            let record = &decision.record;
            let begun = record.sampled_ns <= until_ns.saturating_add(around_ns);
            let in_work = begun && record.committed_ns.saturating_add(around_ns) >= due_ns;
            let is_next = record.tick >= tick && !next;
            next |= record.tick >= tick;
            if in_work || is_next {
                near.push(decision);
            }
            // Another stimulator's may come later.
            !next || record.committed_ns <= until_ns.saturating_add(LATEST_NS)
        })?;
        Ok(near)
    }

    /// When a tick was due, CLOCK_MONOTONIC ns; after the start, if that is not on record.
    fn due_ns(&self, tick: u64, start_ns: Option<u64>) -> u64 {
        let since_start_ns = tick.saturating_mul(self.route.tick_ns);
        start_ns.unwrap_or(0).saturating_add(since_start_ns)
    }

    /// What the capture holds of the time around decisions.
    fn history(
        &self,
        decisions: &[Decision],
        start_ns: Option<u64>,
    ) -> Result<History, CaptureError> {
        let mut history = History::of_window(&self.route);
        if let Some(start_ns) = start_ns {
            history.start(start_ns);
        }
        let Some(from_ns) = decisions.iter().map(|d| d.record.sampled_ns).min() else {
            return Ok(history);
        };
        let to_ns = decisions.iter().map(|d| d.record.committed_ns).max();
        let slowest_ns = self.route.stations.iter();
        let slowest_ns = slowest_ns.map(|s| s.step_ns.max(s.watched.origin_ns)).max();
        let around_ns = AROUND_NS + 4 * slowest_ns.unwrap_or(0);
        let window =
            from_ns.saturating_sub(around_ns)..=to_ns.unwrap_or(from_ns).saturating_add(around_ns);
        let mut cursor = self.capture.items()?;
        cursor.pass_until(window.start().saturating_sub(LATEST_NS))?;
        let mut over = false;
        while let Some(item) = cursor.next_item_of(|h| {
            over = is_behind(h, *window.end());
            over || matches!(h.kind, kind::ACTIVATIONS | kind::EVENTS)
        })? {
            if over {
                break;
            }
            match item {
                Item::Activation {
                    process,
                    number,
                    record,
                } => {
                    // One without a time stands between those before and behind it.
                    if let Some(station) = self.station(process)
                        && (record.woke_ns == 0 || window.contains(&record.woke_ns))
                    {
                        history.record(station, number, &record);
                    }
                }
                Item::Event(entry) if window.contains(&entry.at_ns) => history.entry(&entry),
                _ => {}
            }
        }
        Ok(history)
    }

    /// Why nothing was found.
    fn nothing(&self, wanted: Wanted) -> Result<HindsightError, CaptureError> {
        let capture = self.capture.path().to_owned();
        let stage = self.route.name(self.stimulators[0]).to_owned();
        let mut first = None;
        self.decisions(&mut self.capture.items()?, |decision| {
            first = Some(decision.record.tick);
            false
        })?;
        let last = self.newest()?.last().map(|d| d.record.tick);
        Ok(match (wanted, first, last) {
            (Wanted::Tick(tick), Some(first), Some(last)) => HindsightError::NoTick {
                capture,
                tick,
                first,
                last,
            },
            _ if self.has_records()? => HindsightError::NoDecision { capture, stage },
            _ => HindsightError::NoRecords { capture, stage },
        })
    }

    fn has_records(&self) -> Result<bool, CaptureError> {
        let mut cursor = self.capture.items()?;
        let of = |h: &RecordHeader| h.kind == kind::ACTIVATIONS && self.is_stimulator(h.source);
        Ok(cursor.next_item_of(of)?.is_some())
    }
}

/// What is stamped with the time of what it holds, not of its appending.
fn is_timed(header: &RecordHeader) -> bool {
    matches!(header.kind, kind::BLOCKS | kind::ACTIVATIONS)
}

/// Whatever is of a time up to `until_ns` stands before this record.
fn is_behind(header: &RecordHeader, until_ns: u64) -> bool {
    is_timed(header) && header.at_ns > until_ns.saturating_add(LATEST_NS)
}
