//! Faults that the graph asked for, found on a decision's way: by what the records of the struck turn say, not by the order alone.

use super::cause::Cause;
use super::evidence::{Found, Span};
use super::history::{Entry, Happened, History, Track};
use super::route::Route;
use super::walk::Hop;
use crate::abi::circumstance;
use ephapse_rtconfig::chaos::Fault;
use ephapse_rtconfig::plan::Plan;

/// A fault of the plan.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    pub tick: u64,
    pub fault: Fault,
    /// Who suffers it, in words.
    pub who: String,
    /// The stage that suffers it, if it is one.
    pub station: Option<usize>,
}

impl Ordered {
    /// Those of a plan, in order of their ticks; `first` is the station of its first stage.
    pub fn all(plan: &Plan, first: usize) -> Vec<Self> {
        let all = plan.chaos.iter().map(|injection| Ordered {
            tick: injection.tick,
            fault: injection.fault.clone(),
            who: injection.fault.who(plan),
            station: injection.fault.stage().map(|stage| first + stage),
        });
        all.collect()
    }

    /// An event that tells that it struck.
    fn struck(&self, event: &Happened) -> bool {
        event.who == self.who && event.what == self.fault.struck_words()
    }

    /// An event that tells of it: that it struck, or, a second later, what it came to. It befell nobody when it was told.
    pub fn is_told_by(&self, event: &Happened) -> bool {
        let came_to = || event.what.strip_prefix(&self.fault.words());
        self.struck(event)
            || event.who == self.who && came_to().is_some_and(|rest| rest.starts_with("; lost: "))
    }
}

/// What came between a turn and the one before it.
struct Since {
    /// Tick of the turn before; 0: this is the first.
    tick: u64,
    /// Ticks missed while the process was dead.
    dead: u64,
}

impl Since {
    /// `None`: the records before the turn are not there.
    fn of(track: &Track, entry: &Entry) -> Option<Self> {
        let mut dead = u64::from(entry.record.skipped[3]);
        let mut oldest = entry.number;
        for before in track.before(entry.number) {
            let record = &before.record;
            if record.circumstances & circumstance::UNRECORDED != 0 {
                return None;
            }
            if record.committed_ns != 0 {
                return Some(Since {
                    tick: record.tick,
                    dead,
                });
            }
            // A tick at which there was nothing to do, or no room.
            dead += u64::from(record.skipped[3]);
            oldest = before.number;
        }
        (oldest == 0).then_some(Since { tick: 0, dead })
    }
}

/// Tick of the newest turn before this one that published something, 0 if there was none: what was made since was dropped.
/// `None`: the records are not there.
fn last_published(track: &Track, entry: &Entry) -> Option<u64> {
    let (mut oldest, mut produced) = (None, None);
    for before in track.before(entry.number) {
        if produced.is_some_and(|produced| produced != before.record.produced) {
            let at: &Entry = oldest?;
            let known = at.record.circumstances & circumstance::UNRECORDED == 0;
            return known.then_some(at.record.tick);
        }
        produced = Some(before.record.produced);
        oldest = Some(before);
    }
    let at = oldest?;
    (at.number == 0).then(|| match at.record.produced.iter().all(|p| *p == 0) {
        true => 0,
        false => at.record.tick,
    })
}

/// The faults on purpose that met a hop.
pub(super) fn on_purpose(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    hop: &Hop,
    found: &mut Found,
) {
    let record = &entry.record;
    let own = |ordered: &&Ordered| ordered.station == Some(station);
    let injected = record.circumstances & circumstance::INJECTED != 0;
    let track = &history.tracks[station];
    let since = Since::of(track, entry);
    let due = |ordered: &&Ordered| own(ordered) && ordered.tick <= record.tick;
    let newest = route.ordered.iter().rev().find(due).map(|o| o.tick);
    // A fault strikes in the first turn of its tick or behind it.
    let struck = |tick: u64| match &since {
        Some(since) => since.tick < tick && tick <= record.tick,
        None => injected && Some(tick) == newest,
    };
    for ordered in &route.ordered {
        let tick = ordered.tick;
        let (mut ns, mut ticks, mut frames) = (0, 0, 0);
        let meets = match ordered.fault {
            Fault::Stall { .. } | Fault::Delay { .. } | Fault::PageFaults { .. } => {
                own(&ordered) && injected && struck(tick)
            }
            // The turn that was killed left no record: its successor's is the first behind the tick.
            Fault::Kill { .. } => {
                let dead = since.as_ref().map(|since| since.dead);
                ticks = dead.unwrap_or(0);
                let killed = own(&ordered) && dead.is_some() && struck(tick);
                if killed {
                    let killed_ns = killed_ns(route, history, ordered, hop);
                    ns = killed_ns.map_or(0, |at_ns| hop.woke_ns.saturating_sub(at_ns));
                }
                killed
            }
            Fault::Drop { .. } => {
                frames = u64::from(record.lost);
                let dropped = |published| published < tick && tick <= record.tick;
                own(&ordered) && frames > 0 && last_published(track, entry).is_some_and(dropped)
            }
            Fault::Hog { cpu, for_ns } => {
                if route.stations[station].cpu == Some(cpu) {
                    ns = hogged_ns(route, history, ordered, for_ns, hop);
                }
                ns > 0 && !found.is_next_to_nothing(ns)
            }
            Fault::DiskFull { .. } => false,
        };
        if meets {
            found.first(Cause::OnPurpose {
                tick,
                who: ordered.who.clone(),
                fault: ordered.fault.clone(),
                ns,
                ticks,
                frames,
            });
        }
    }
}

/// The graph asks for dropped blocks of this stage.
pub(super) fn drops_on_purpose(route: &Route, station: usize) -> bool {
    let mut own = route.ordered.iter().filter(|o| o.station == Some(station));
    own.any(|ordered| matches!(ordered.fault, Fault::Drop { .. }))
}

fn due_ns(route: &Route, history: &History, tick: u64) -> Option<u64> {
    let since_start_ns = tick.saturating_mul(route.tick_ns);
    Some(history.start_ns?.saturating_add(since_start_ns))
}

/// When a stage was killed: as its event tells, or else at the tick.
fn killed_ns(route: &Route, history: &History, ordered: &Ordered, hop: &Hop) -> Option<u64> {
    let due_ns = due_ns(route, history, ordered.tick);
    let told = told_ns(history, ordered);
    let told = told.filter(|at_ns| *at_ns <= hop.woke_ns && Some(*at_ns) >= due_ns);
    told.max().or(due_ns)
}

/// When events tell that a fault of this kind struck, ns.
fn told_ns<'a>(history: &'a History, ordered: &'a Ordered) -> impl Iterator<Item = u64> + 'a {
    let told = history.events.iter().filter(|event| ordered.struck(event));
    told.map(|event| event.at_ns)
}

/// How much of a hop a burnt CPU took. Above every stage, it lets none of them begin or end before it is over: what did has
/// not been held by it.
fn hogged_ns(route: &Route, history: &History, ordered: &Ordered, for_ns: u64, hop: &Hop) -> u64 {
    let Some(due_ns) = due_ns(route, history, ordered.tick) else {
        return 0;
    };
    // It may itself have been kept waiting: its event tells.
    let begun = told_ns(history, ordered).filter(|at_ns| *at_ns >= due_ns);
    let from_ns = begun.min().unwrap_or(due_ns);
    let burnt = Span(from_ns, from_ns.saturating_add(for_ns));
    let held = [
        Span(hop.due_ns, hop.woke_ns),
        Span(hop.woke_ns, hop.committed_ns),
    ];
    let held = held.into_iter().filter(|span| span.1 >= burnt.1);
    held.map(|span| span.shared_ns(burnt)).sum()
}
