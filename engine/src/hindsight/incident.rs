//! Decisions that the same thing kept waiting.

use super::cause::Cause;
use super::evidence::Span;
use super::walk::{Hop, Walk};

/// Incidents that the report lists.
pub(super) const KEPT: usize = 10;

/// Neighbouring decisions that the same thing kept waiting: for each of them the hop that cost most was late, or at work, at the
/// same time as another's at the same stage; or a stall that a witness saw, or a fault on purpose, is on record of both; or
/// the two stages share a CPU, and the shorter of the two times lies by half or more in the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The one that waited longest.
    pub worst: Walk,
    /// How many were handed over, of those that waited longer than the list's last entry then.
    pub decisions: u64,
    /// How many never came, before one of them.
    pub lost: u64,
    /// Tick in which the first was handed over.
    pub first_tick: u64,
    /// Tick in which the last was.
    pub last_tick: u64,
    /// When the last frame of the first was sampled; CLOCK_MONOTONIC ns.
    pub from_ns: u64,
    /// When the last was handed over; CLOCK_MONOTONIC ns.
    pub to_ns: u64,
}

/// What is on record with its time, so that two walks that have it have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dated {
    Stall { cpu: u32, at_ns: u64 },
    OnPurpose { tick: u64, who: String },
}

/// A stage's late or working time.
#[derive(Clone, Debug)]
struct Held {
    stage: String,
    cpu: Option<u32>,
    span: Span,
}

/// An incident that may still grow.
#[derive(Clone, Debug)]
struct Open {
    incident: Incident,
    /// What its worst decision waited, those counted that never came before it, ns.
    waited_ns: u64,
    held: Vec<Held>,
    dated: Vec<Dated>,
}

/// The incidents with the worst decisions, while walks come in.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    /// Worst first.
    list: Vec<Open>,
}

impl Incidents {
    /// Whether a decision that waited so long would be listed.
    pub fn wants(&self, waited_ns: u64) -> bool {
        let last = self.list.get(KEPT - 1);
        last.is_none_or(|last| waited_ns > last.waited_ns)
    }

    /// Takes in a decision that waited so long.
    pub fn add(&mut self, waited_ns: u64, walk: &Walk) {
        let mut open = Open::of(waited_ns, walk);
        // It may be what lies between two that were apart.
        let (same, others): (Vec<Open>, Vec<Open>) = core::mem::take(&mut self.list)
            .into_iter()
            .partition(|other| other.is_one_with(&open));
        same.into_iter().for_each(|other| open.join(other));
        self.list = others;
        let longer = |other: &Open| other.waited_ns >= open.waited_ns;
        let place = self.list.partition_point(longer);
        self.list.insert(place, open);
        self.list.truncate(KEPT);
    }

    /// Worst first.
    pub fn finish(self) -> Vec<Incident> {
        self.list.into_iter().map(|open| open.incident).collect()
    }
}

impl Open {
    fn of(waited_ns: u64, walk: &Walk) -> Self {
        let costliest = walk.costliest();
        Open {
            incident: Incident {
                decisions: 1,
                lost: walk.lost,
                first_tick: walk.tick,
                last_tick: walk.tick,
                from_ns: walk.sampled_ns,
                to_ns: walk.handed_ns,
                worst: walk.clone(),
            },
            waited_ns,
            held: costliest.map(Held::of).into_iter().collect(),
            dated: costliest.map_or_else(Vec::new, |hop| dated(&hop.causes)),
        }
    }

    fn is_one_with(&self, other: &Open) -> bool {
        let shared = self.dated.iter().any(|dated| other.dated.contains(dated));
        let mut pairs = self.held.iter();
        shared || pairs.any(|held| other.held.iter().any(|o| held.is_one_with(o)))
    }

    fn join(&mut self, other: Open) {
        let (own, its) = (&mut self.incident, other.incident);
        own.decisions += its.decisions;
        own.lost += its.lost;
        own.first_tick = own.first_tick.min(its.first_tick);
        own.last_tick = own.last_tick.max(its.last_tick);
        own.from_ns = own.from_ns.min(its.from_ns);
        own.to_ns = own.to_ns.max(its.to_ns);
        if other.waited_ns >= self.waited_ns {
            (self.waited_ns, own.worst) = (other.waited_ns, its.worst);
        }
        for held in other.held {
            match self.held.iter_mut().find(|h| h.stage == held.stage) {
                Some(same) => {
                    same.span = Span(same.span.0.min(held.span.0), same.span.1.max(held.span.1));
                }
                None => self.held.push(held),
            }
        }
        let new = other.dated.into_iter().filter(|d| !self.dated.contains(d));
        let new: Vec<Dated> = new.collect();
        self.dated.extend(new);
    }
}

impl Held {
    fn of(hop: &Hop) -> Self {
        Held {
            stage: hop.stage.clone(),
            cpu: hop.cpu,
            span: Span(hop.due_ns, hop.committed_ns),
        }
    }

    fn is_one_with(&self, other: &Held) -> bool {
        let shared_ns = self.span.shared_ns(other.span);
        let shorter_ns = self.span.length_ns().min(other.span.length_ns());
        let same_cpu = self.cpu.is_some() && self.cpu == other.cpu;
        shared_ns > 0 && (self.stage == other.stage || same_cpu && shared_ns >= shorter_ns / 2)
    }
}

fn dated(causes: &[Cause]) -> Vec<Dated> {
    let all = causes.iter().flat_map(|cause| match cause {
        Cause::Stall { cpu, at_ns, .. } => vec![Dated::Stall {
            cpu: *cpu,
            at_ns: *at_ns,
        }],
        Cause::OnPurpose { tick, who, .. } => vec![Dated::OnPurpose {
            tick: *tick,
            who: who.clone(),
        }],
        Cause::OtherInput { causes, .. } => dated(causes),
        _ => Vec::new(),
    });
    all.collect()
}
