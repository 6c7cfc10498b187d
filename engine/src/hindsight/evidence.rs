//! What is on record of the time in which a hop waited and ran.

use super::cause::{Cause, Skip};
use super::history::{Entry, History};
use super::on_purpose::{drops_on_purpose, on_purpose};
use super::other_inputs::other_inputs;
use super::route::{Out, Route};
use super::walk::Hop;
use crate::abi::circumstance;

/// Shorter than this nobody's work is what a hop waited for, ns.
const LEAST_NS: u64 = 1_000;
/// The same, as a share of the hop's own time: one in so many.
const LEAST_SHARE: u64 = 20;
/// A witness sleeps so long from look to look: a stall may have begun so much before the moment it was to wake, ns.
const WITNESS_SLEEP_NS: u64 = 1_000_000;

/// First record of an activation, in [`ActivationRecord::marks`](crate::abi::ActivationRecord).
const FIRST: u8 = 1;

/// An interval, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub u64, pub u64);

impl Span {
    pub fn length_ns(self) -> u64 {
        self.1.saturating_sub(self.0)
    }

    pub fn shared_ns(self, other: Span) -> u64 {
        self.1.min(other.1).saturating_sub(self.0.max(other.0))
    }
}

/// Collects causes, each with what it cost; what only happened costs nothing.
pub(super) struct Found {
    least_ns: u64,
    causes: Vec<(u64, Cause)>,
}

impl Found {
    /// Something that took time: passed over if that was next to none.
    pub fn cost(&mut self, ns: u64, cause: Cause) {
        if ns >= self.least_ns {
            self.causes.push((ns, cause));
        }
    }

    pub fn fact(&mut self, cause: Cause) {
        self.causes.push((0, cause));
    }

    /// Comes before all else.
    pub fn first(&mut self, cause: Cause) {
        self.causes.push((u64::MAX, cause));
    }

    /// What costs so little is no cause.
    pub fn is_next_to_nothing(&self, ns: u64) -> bool {
        ns < self.least_ns
    }
}

/// What is on record of a hop: faults on purpose, and then what cost most first. `aside`: the hop is one of another input's way,
/// whose own further inputs are not followed.
pub(super) fn causes(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    hop: &Hop,
    aside: bool,
) -> Vec<Cause> {
    let wait = Span(hop.due_ns, hop.woke_ns);
    let run = Span(hop.woke_ns, hop.committed_ns);
    let mut found = Found {
        least_ns: (hop.cost_ns() / LEAST_SHARE).max(LEAST_NS),
        causes: Vec::new(),
    };
    on_purpose(route, history, station, entry, hop, &mut found);
    stalls(route, history, station, wait, run, &mut found);
    stolen(route, history, station, wait, run, &mut found);
    long_run(route, station, hop, &mut found);
    timer(route, history, station, wait, &mut found);
    preempted(route, history, station, wait, run, &mut found);
    busy(history, station, entry, wait, &mut found);
    skipped(route, history, station, entry, hop, &mut found);
    no_room(route, history, station, entry, wait, &mut found);
    if !aside {
        other_inputs(route, history, station, entry, hop, &mut found);
    }
    kernel(history, station, entry, &mut found);
    circumstances(route, history, station, entry, &mut found);
    // What befell an idle stage keeps the next block waiting.
    let before = entry.number.checked_sub(1);
    let before = before.and_then(|number| history.tracks[station].numbered(number));
    let since_ns = before.map_or(hop.from_ns, |e| {
        // And what befell the turn before, if this block was there and waited for it to end.
        let busy = e.record.committed_ns > hop.due_ns;
        let since_ns = if busy { e.record.since_ns } else { e.at_ns };
        since_ns.min(e.at_ns).min(hop.from_ns)
    });
    // What befell its CPU, too.
    let cpu = route.stations[station].cpu.map(|cpu| format!("CPU {cpu}"));
    for event in &history.events {
        let concerns = event.who == hop.stage || Some(&event.who) == cpu.as_ref();
        let on_purpose = route.ordered.iter().any(|o| o.is_told_by(event));
        if concerns && !on_purpose && (since_ns..=hop.committed_ns).contains(&event.at_ns) {
            found.fact(Cause::Event {
                what: event.what.clone(),
                at_ns: event.at_ns,
            });
        }
    }
    // Stable: equals stay in the order above.
    found.causes.sort_by_key(|(ns, _)| core::cmp::Reverse(*ns));
    found.causes.into_iter().map(|(_, cause)| cause).collect()
}

/// Stalls of the stage's CPU, and while it waited to be rung, of the timer's.
fn stalls(
    route: &Route,
    history: &History,
    station: usize,
    wait: Span,
    run: Span,
    found: &mut Found,
) {
    let of = &route.stations[station];
    let timer = route.timer.filter(|_| of.ticked);
    let timer_cpu = timer.and_then(|timer| route.stations[timer].cpu);
    for stall in &history.stalls {
        let end_ns = stall.at_ns.saturating_add(stall.length_ns);
        let span = Span(stall.at_ns.saturating_sub(WITNESS_SLEEP_NS), end_ns);
        let mut ns = 0;
        if Some(stall.cpu) == of.cpu {
            ns = span.shared_ns(wait) + span.shared_ns(run);
        } else if Some(stall.cpu) == timer_cpu {
            ns = span.shared_ns(wait);
        }
        found.cost(
            ns,
            Cause::Stall {
                cpu: stall.cpu,
                at_ns: stall.at_ns,
                length_ns: stall.length_ns,
            },
        );
    }
}

/// What a hypervisor took of the stage's CPU, if that is as long as a stall that a witness saw there in this hop, and as long as
/// the hop was late, or ran on. The kernel counts it in clock ticks of 10 ms, downwards.
fn stolen(
    route: &Route,
    history: &History,
    station: usize,
    wait: Span,
    run: Span,
    found: &mut Found,
) {
    let Some(cpu) = route.stations[station].cpu else {
        return;
    };
    let longest = if wait.length_ns() > run.length_ns() {
        wait
    } else {
        run
    };
    let mut stalls = history.stalls.iter().filter(|stall| stall.cpu == cpu);
    let witnessed = stalls.any(|stall| {
        let end_ns = stall.at_ns.saturating_add(stall.length_ns);
        let shared_ns = Span(stall.at_ns, end_ns).shared_ns(longest);
        shared_ns >= longest.length_ns() / 2
    });
    let steals = history.steals.iter().filter(|steal| {
        let span = Span(steal.until_ns.saturating_sub(steal.over_ns), steal.until_ns);
        steal.cpu == cpu && span.shared_ns(longest) > 0
    });
    let ns: u64 = steals.map(|steal| steal.ns).sum();
    if witnessed && ns >= longest.length_ns() {
        found.cost(longest.length_ns(), Cause::Stolen { cpu, ns });
    }
}

fn long_run(route: &Route, station: usize, hop: &Hop, found: &mut Found) {
    let of = &route.stations[station];
    let limit_ns = of.budget_ns.unwrap_or(of.step_ns);
    let ran_ns = hop.ran_ns();
    if ran_ns > limit_ns {
        found.causes.push((
            ran_ns,
            Cause::LongRun {
                ran_ns,
                limit_ns,
                budget: of.budget_ns.is_some(),
            },
        ));
    }
}

/// A timer that woke late rang late.
fn timer(route: &Route, history: &History, station: usize, wait: Span, found: &mut Found) {
    let Some(timer) = route.timer.filter(|_| route.stations[station].ticked) else {
        return;
    };
    // Its first wake behind the deadline is the one for it.
    if let Some(rang) = history.tracks[timer].from(wait.0) {
        let ns = Span(wait.0, rang.record.woke_ns).shared_ns(wait);
        found.cost(ns, Cause::TimerLate { ns });
    }
}

/// Others of the session that ran on this CPU meanwhile, and come first there.
fn preempted(
    route: &Route,
    history: &History,
    station: usize,
    wait: Span,
    run: Span,
    found: &mut Found,
) {
    let of = &route.stations[station];
    let Some(cpu) = of.cpu else {
        return;
    };
    for (index, other) in route.stations.iter().enumerate() {
        let Some(priority) = other.priority else {
            continue;
        };
        if index == station || other.cpu != Some(cpu) {
            continue;
        }
        // At the same priority who came first goes on, and takes the CPU from nobody.
        let own = of.priority.unwrap_or(0);
        if priority < own {
            continue;
        }
        let mut ns = 0;
        for entry in history.tracks[index].between(wait.0, run.1) {
            let span = Span(entry.record.woke_ns, entry.record.committed_ns);
            ns += span.shared_ns(wait);
            if priority > own {
                ns += span.shared_ns(run);
            }
        }
        let by = other.watched.name.clone();
        found.cost(ns, Cause::Preempted { by, priority, ns });
    }
}

/// The stage's own turns before this one, while the block was there already.
fn busy(history: &History, station: usize, entry: &Entry, wait: Span, found: &mut Found) {
    let (mut turns, mut ns) = (0, 0);
    for before in history.tracks[station].between(wait.0, wait.1) {
        let span = Span(before.record.woke_ns, before.record.committed_ns);
        let shared_ns = span.shared_ns(wait);
        if before.number < entry.number && shared_ns > 0 {
            turns += 1;
            ns += shared_ns;
        }
    }
    found.cost(ns, Cause::Busy { turns, ns });
}

/// Ticks that fell due while the block was there, and were skipped: as far as they are this wait's.
fn skipped(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    hop: &Hop,
    found: &mut Found,
) {
    let of = &route.stations[station];
    if !of.ticked {
        return;
    }
    let track = &history.tracks[station];
    let step_ns = of.step_ns.max(1);
    // Only the first record of an activation tells what was skipped before it.
    let mut earlier = track.back_from(entry.at_ns);
    let first = earlier.find(|e| e.number <= entry.number && e.record.marks & FIRST != 0);
    let Some(first) = first.map(|e| &e.record) else {
        return;
    };
    let missed = first.since_ns.saturating_sub(hop.due_ns) / step_ns;
    let mut left = missed;
    let skips = [Skip::LateWake, Skip::LongRun, Skip::NoRoom, Skip::Dead];
    // Those slept through fell due last.
    for (skip, count) in skips.into_iter().zip(first.skipped) {
        let ticks = u64::from(count).min(left);
        left -= ticks;
        if ticks > 0 {
            found.cost(
                ticks * step_ns,
                Cause::Skipped {
                    skip,
                    ticks,
                    behind: None,
                },
            );
        }
    }
    // A tick without room has a record of its own, of a turn that came to nothing.
    let waited = track.between(hop.due_ns, hop.woke_ns);
    let full: Vec<&Entry> = waited
        .filter(|e| e.number < entry.number && e.record.skipped[2] > 0)
        .filter(|e| e.record.committed_ns == 0 && e.at_ns >= hop.due_ns)
        .collect();
    if let Some(newest) = full.last() {
        let ticks = full.len() as u64;
        found.cost(
            ticks * step_ns,
            Cause::Skipped {
                skip: Skip::NoRoom,
                ticks,
                behind: slowest(route, history, station, newest, newest.at_ns, 1),
            },
        );
    }
}

/// A stage that waits for room when it is paced by blocks leaves no record of that: its readers' records tell.
fn no_room(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    wait: Span,
    found: &mut Found,
) {
    let of = &route.stations[station];
    let waits = of.outputs.iter().any(|output| output.waits);
    let before = entry.number.checked_sub(1);
    let before = before.and_then(|number| history.tracks[station].numbered(number));
    if of.ticked || !waits || wait.0 == wait.1 {
        return;
    }
    if let Some(before) = before
        && let Some(behind) = full(route, history, station, before, wait.0)
    {
        found.cost(wait.1 - wait.0, Cause::NoRoom { behind });
    }
}

/// The reader that had left no room in an output at an instant; `made`: the maker's newest record then.
fn full(
    route: &Route,
    history: &History,
    station: usize,
    made: &Entry,
    at_ns: u64,
) -> Option<String> {
    let outputs = route.stations[station].outputs.iter();
    let mut full = outputs.filter(|output| output.waits).filter_map(|output| {
        let (behind, reader) = furthest_behind(history, output, made, at_ns)?;
        (behind >= output.slots).then_some(reader)
    });
    Some(route.name(full.next()?).to_owned())
}

/// The reader that was furthest behind at an instant, if that was by so many blocks.
fn slowest(
    route: &Route,
    history: &History,
    station: usize,
    made: &Entry,
    at_ns: u64,
    least: u64,
) -> Option<String> {
    let outputs = route.stations[station].outputs.iter();
    let behind = outputs.filter_map(|output| {
        // Of rings of different lengths the one that is full counts.
        let (behind, reader) = furthest_behind(history, output, made, at_ns)?;
        (behind >= least).then_some((output.slots.saturating_sub(behind), reader))
    });
    let (_, reader) = behind.min_by_key(|(left, _)| *left)?;
    Some(route.name(reader).to_owned())
}

/// Of an output's readers the one that is furthest behind at an instant, and by how many blocks.
fn furthest_behind(
    history: &History,
    output: &Out,
    made: &Entry,
    at_ns: u64,
) -> Option<(u64, usize)> {
    let produced = made.record.produced[output.port];
    let readers = output.holders.iter().filter_map(|(reader, input)| {
        // A turn gives back what it took when it is done.
        let mut back = history.tracks[*reader].back_from(at_ns);
        let done = back.find(|e| e.record.committed_ns <= at_ns)?;
        let behind = produced.wrapping_sub(done.record.consumed[*input]);
        // One that is ahead has gone on since.
        Some((if behind < 1 << 15 { behind } else { 0 }, *reader))
    });
    let (behind, reader) = readers.max_by_key(|(behind, _)| *behind)?;
    Some((u64::from(behind), reader))
}

/// What the kernel counted of this activation stands in the record of the next one.
fn kernel(history: &History, station: usize, entry: &Entry, found: &mut Found) {
    let mut number = entry.number;
    for next in history.tracks[station].behind(entry.number) {
        number += 1;
        if next.number != number || next.record.circumstances & circumstance::UNRECORDED != 0 {
            return;
        }
        if next.record.marks & FIRST == 0 {
            continue;
        }
        let [_, involuntary, minor, major] = next.record.usage;
        if minor > 0 || major > 0 {
            found.fact(Cause::Faults { minor, major });
        }
        if involuntary > 0 {
            found.fact(Cause::Switches(involuntary));
        }
        return;
    }
}

fn circumstances(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    found: &mut Found,
) {
    let record = &entry.record;
    let is = |bit| record.circumstances & bit != 0;
    if is(circumstance::STARTED_OVER) {
        found.fact(Cause::StartedOver);
    }
    if is(circumstance::PASSED_OVER) {
        found.fact(Cause::PassedOver);
    }
    // What is dropped on purpose had room.
    let on_purpose = is(circumstance::INJECTED) && drops_on_purpose(route, station);
    if is(circumstance::DROPPED) && !on_purpose {
        found.fact(Cause::Dropped {
            behind: slowest(route, history, station, entry, entry.at_ns, 1),
        });
    }
    if record.lost > 0 {
        found.fact(Cause::FramesLost(u64::from(record.lost)));
    }
}
