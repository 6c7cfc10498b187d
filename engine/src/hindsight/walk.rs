//! One decision, from the frames it was made of to the device it was handed to.

use super::cause::Cause;
use super::evidence::causes;
use super::history::{Entry, History};
use super::route::{Paced, Route, Station};
use super::worst::Decisions;
use crate::abi::circumstance;

/// Longest way: more stages than a chain of a graph has.
const MOST_HOPS: usize = 256;

/// One stage on a decision's way. Its time is gapless: it begins where the hop before it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Stage.
    pub stage: String,
    /// CPU it is bound to; `None`: any.
    pub cpu: Option<u32>,
    /// Tick of the turn.
    pub tick: u64,
    /// Position of the pacing block on its stream, the low 16 bits; `None` for a source.
    pub position: Option<u16>,
    /// When there was something to do: the last frame was sampled (source), or the block was committed upstream;
    /// CLOCK_MONOTONIC ns.
    pub from_ns: u64,
    /// From when on it should have been at work: at its next tick, or at once; CLOCK_MONOTONIC ns.
    pub due_ns: u64,
    /// When it was, with the block there; CLOCK_MONOTONIC ns.
    pub woke_ns: u64,
    /// When its output was committed, or handed to the device; CLOCK_MONOTONIC ns.
    pub committed_ns: u64,
    /// What is on record of its wait and its run, what cost most first.
    pub causes: Vec<Cause>,
}

impl Hop {
    /// From [`Hop::from_ns`] until it was at work, ns.
    pub fn waited_ns(&self) -> u64 {
        self.woke_ns.saturating_sub(self.from_ns)
    }

    /// Of that, what the graph plans: the time to its next tick, ns.
    pub fn planned_ns(&self) -> u64 {
        self.due_ns.saturating_sub(self.from_ns)
    }

    /// Of that, what it does not, ns.
    pub fn late_ns(&self) -> u64 {
        self.woke_ns.saturating_sub(self.due_ns)
    }

    /// At work, ns.
    pub fn ran_ns(&self) -> u64 {
        self.committed_ns.saturating_sub(self.woke_ns)
    }

    /// What it cost beyond the plan's own waiting, ns.
    pub fn cost_ns(&self) -> u64 {
        self.late_ns() + self.ran_ns()
    }
}

/// A decision and its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Tick in which it was handed over.
    pub tick: u64,
    /// The stage that handed it over.
    pub stage: String,
    /// Number of its activation record there, from 0.
    pub number: u64,
    /// When its last frame was sampled; CLOCK_MONOTONIC ns.
    pub sampled_ns: u64,
    /// When it was handed over; CLOCK_MONOTONIC ns.
    pub handed_ns: u64,
    /// Decisions before it that never came, and waited for this one.
    pub lost: u64,
    /// What the first of them waited more, ns.
    pub lost_ns: u64,
    /// Its stages in the order of the way: the source first, unless `broken`.
    pub hops: Vec<Hop>,
    /// Why the way cannot be followed back to the frames; `None`: it was.
    pub broken: Option<String>,
}

impl Walk {
    /// A fault of the graph's `[chaos]` that was to strike at this tick met it, on its way or on that of an input that it had
    /// to wait for; `who` suffered it.
    pub fn was_met_by(&self, tick: u64, who: &str) -> bool {
        fn among(causes: &[Cause], tick: u64, who: &str) -> bool {
            causes.iter().any(|cause| match cause {
                Cause::OnPurpose {
                    tick: at, who: by, ..
                } => *at == tick && by == who,
                Cause::OtherInput { causes, .. } => among(causes, tick, who),
                _ => false,
            })
        }
        self.hops.iter().any(|hop| among(&hop.causes, tick, who))
    }

    /// Sampled to handed, ns.
    pub fn total_ns(&self) -> u64 {
        self.handed_ns.saturating_sub(self.sampled_ns)
    }

    /// The hop that cost most beyond the plan's own waiting.
    pub fn costliest(&self) -> Option<&Hop> {
        // Of equals the first.
        self.hops.iter().rev().max_by_key(|hop| hop.cost_ns())
    }
}

/// True if the record is one of a decision that was handed over: one that the loop histogram holds.
pub(super) fn is_decision(record: &crate::abi::ActivationRecord) -> bool {
    record.circumstances & (circumstance::FINISH | circumstance::UNRECORDED) == 0
        && record.committed_ns != 0
        && record.sampled_ns != 0
}

/// Walks the decision of a record of a stimulating stage back to its frames. `None` if there is no such record, or it is
/// no decision.
pub fn walk(route: &Route, history: &History, station: usize, number: u64) -> Option<Walk> {
    let entry = history.tracks.get(station)?.numbered(number)?;
    let decision = &entry.record;
    if !is_decision(decision) {
        return None;
    }
    let watched = &route.stations[station].watched;
    let mut decisions = Decisions::default();
    let mut next = number;
    for before in history.tracks[station].back_from(entry.at_ns) {
        if before.number >= number {
            continue;
        }
        if before.number + 1 != next {
            // What is not there may have been decisions.
            break;
        }
        next = before.number;
        if is_decision(&before.record) {
            decisions.lost(watched, &before.record);
            break;
        }
    }
    let lost = decisions.lost(watched, decision);
    let (mut hops, broken) = way(route, history, station, entry, false);
    if lost > 0
        && let Some(last) = hops.last_mut()
    {
        last.causes.push(Cause::DecisionsLost(lost));
    }
    let mut walk = Walk {
        tick: decision.tick,
        stage: watched.name.clone(),
        number,
        sampled_ns: decision.sampled_ns,
        handed_ns: decision.committed_ns,
        lost,
        lost_ns: lost.saturating_mul(watched.origin_ns),
        hops,
        broken,
    };
    admit(&mut walk);
    Some(walk)
}

/// If what cost most is a wait, and nothing on record explains it, that is said.
fn admit(walk: &mut Walk) {
    let costliest = walk.hops.iter().map(Hop::cost_ns).max().unwrap_or(0);
    let hop = walk.hops.iter_mut().find(|hop| hop.cost_ns() == costliest);
    if let Some(hop) = hop
        && hop.causes.is_empty()
        && hop.late_ns() > hop.ran_ns()
    {
        let ns = hop.late_ns();
        hop.causes.push(Cause::Unexplained { ns });
    }
}

/// The hops of what was made in a turn, the source first, and why there are not more. `aside`: it came by another input.
pub(super) fn way(
    route: &Route,
    history: &History,
    station: usize,
    decision: &Entry,
    aside: bool,
) -> (Vec<Hop>, Option<String>) {
    let mut hops = Vec::new();
    let (mut station, mut entry) = (station, decision);
    let broken = loop {
        let upstream = upstream(route, history, station, entry);
        let of = &route.stations[station];
        let from_ns = match &upstream {
            Ok(Some((_, maker))) => maker.record.committed_ns,
            Ok(None) => entry.record.sampled_ns,
            Err(_) if of.ticked => entry.record.woke_ns,
            // What begins the turn of a stage that waits for blocks is the block's commit.
            Err(_) => entry.record.since_ns,
        };
        hops.push(hop(route, history, station, entry, from_ns, aside));
        match upstream {
            Err(why) => break Some(why),
            Ok(None) => break None,
            Ok(Some(_)) if hops.len() == MOST_HOPS => {
                break Some(format!("the way is longer than {MOST_HOPS} stages"));
            }
            Ok(Some((maker, made))) => (station, entry) = (maker, made),
        }
    };
    hops.reverse();
    (hops, broken)
}

/// Who made the block that a turn took, and in which turn; `None` for a source. The error says which record is not there.
fn upstream<'a>(
    route: &Route,
    history: &'a History,
    station: usize,
    entry: &Entry,
) -> Result<Option<(usize, &'a Entry)>, String> {
    let Some(paced) = route.stations[station].paced else {
        return Ok(None);
    };
    made(route, history, paced, entry).map(Some)
}

/// Who made the newest block of an input that a turn took, and in which turn. The error says which record is not there.
pub(super) fn made<'a>(
    route: &Route,
    history: &'a History,
    paced: Paced,
    entry: &Entry,
) -> Result<(usize, &'a Entry), String> {
    let maker = route.name(paced.maker);
    let taken = entry.record.consumed[paced.input];
    // How many blocks a turn of the maker stood behind the one that was taken, modulo 2^16.
    let covers = |e: &Entry| e.record.produced[paced.output].wrapping_sub(taken) < 1 << 15;
    let track = &history.tracks[paced.maker];
    let mut made: Option<&Entry> = None;
    let mut before = None;
    for candidate in track.back_from(entry.record.committed_ns) {
        if !covers(candidate) {
            before = Some(candidate);
            break;
        }
        made = Some(candidate);
    }
    let Some(made) = made else {
        return Err(format!("no record of {maker} tells of the block"));
    };
    let next_to = match before {
        Some(before) => before.number + 1 == made.number,
        None => made.number == 0,
    };
    if !next_to {
        return Err(format!(
            "records of {maker} before its {}th are not there: the one that made the block may be among them",
            made.number + 1
        ));
    }
    if made.record.circumstances & circumstance::UNRECORDED != 0 {
        return Err(format!(
            "{maker} was killed before it could record the turn that made the block"
        ));
    }
    if made.record.committed_ns == 0 {
        return Err(format!(
            "the record of {maker} that tells of the block has no time"
        ));
    }
    Ok((paced.maker, made))
}

fn hop(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    from_ns: u64,
    aside: bool,
) -> Hop {
    let record = &entry.record;
    let of = &route.stations[station];
    // The block may have come after the wake and before the look for it: until then the stage was not at work on it.
    let woke_ns = if from_ns <= record.committed_ns {
        record.woke_ns.max(from_ns)
    } else {
        record.woke_ns
    };
    // A predecessor that was killed had published the block before this turn was done: what is on record is the turn.
    let from_ns = from_ns.min(woke_ns);
    let mut hop = Hop {
        stage: of.watched.name.clone(),
        cpu: of.cpu,
        tick: record.tick,
        position: of
            .paced
            .map(|paced| record.consumed[paced.input].wrapping_sub(1)),
        from_ns,
        due_ns: due(of, record.since_ns, from_ns).min(woke_ns),
        woke_ns,
        committed_ns: record.committed_ns,
        causes: Vec::new(),
    };
    hop.causes = causes(route, history, station, entry, &hop, aside);
    hop
}

/// When a stage should have been at work on what was there from `from_ns` on: at the first of its deadlines from then on. Its
/// turn was that of the deadline `since_ns`.
fn due(of: &Station, since_ns: u64, from_ns: u64) -> u64 {
    if !of.ticked || since_ns <= from_ns {
        return from_ns;
    }
    from_ns + (since_ns - from_ns) % of.step_ns.max(1)
}
