//! Worst-case responses of all tasks together, over all CPUs.
//!
//! K. Tindell, J. Clark, Holistic schedulability analysis for distributed hard real-time systems, Microprocessing and
//! Microprogramming 40, 1994: the release jitter of what is paced by data is its predecessor's worst minus best response;
//! responses and jitters depend on each other and are computed in turns, from below, until nothing changes.
//!
//! Beside that, what this engine does: a ticked task takes all blocks that have come, and a chain of ticked tasks on one
//! CPU, in falling priority, passes a block through in one tick.

use super::busy_period::Counted;
use super::curve::Curve;
use super::demand::{Knowledge, Known};
use super::incoming::incoming;
use super::no_bound::{NoBound, Withheld, guessed, reason, withheld};
use super::occupancy::{Occupancy, occupancies};
use super::run_time::Span;
use super::tasks::{Begins, TaskSet};
use super::ticked::{pickup_ns, ring_span};

/// Rounds after which what still grows is called unbounded.
const MOST_ROUNDS: u32 = 2_000;
/// A response of so many of the longest periods is called unbounded.
const MOST_PERIODS: u64 = 64;

/// What is known of the whole schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// One per task.
    pub tasks: Vec<Bound>,
    /// One per reader of each ring, in order of rings and readers.
    pub occupancies: Vec<Occupancy>,
    /// Why none of it is a bound, if so.
    pub withheld: Option<Withheld>,
}

/// What is known of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Worst response, ns: from the tick or the clock's instant, or from when the block was there, to the end of the
    /// activation.
    pub response_ns: Result<u64, NoBound>,
    /// Worst time from the sampling of the newest frame used to the end of the turn that used it, ns; `None`: no bound, or
    /// no blocks.
    pub latency_ns: Option<u64>,
    /// Best time, ns.
    pub best_latency_ns: u64,
    /// Most blocks taken by one activation of a ticked task.
    pub most_turns: Option<u64>,
    /// It, or somebody who may run before it, is taken to have a whole burst at every tick, for nobody knows what comes to it.
    pub guessed: bool,
}

/// Analyses a task set.
pub fn analyse(set: &TaskSet) -> Analysis {
    let mut knowledge = Knowledge {
        set,
        known: vec![from_below(); set.tasks.len()],
        limit_ns: limit_ns(set),
    };
    for round in 0.. {
        let before = knowledge.known.clone();
        for task in 0..set.tasks.len() {
            judge(&mut knowledge, task, round == 0);
        }
        if knowledge.known == before {
            break;
        }
        if round >= MOST_ROUNDS {
            for (known, before) in knowledge.known.iter_mut().zip(&before) {
                if known != before {
                    known.response_ns = None;
                }
            }
        }
    }
    let bounds = (0..set.tasks.len()).map(|task| {
        let known = &knowledge.known[task];
        let paced = !set.tasks[task].inputs.is_empty();
        let is_source = matches!(set.tasks[task].begins, Begins::Clock { .. });
        Bound {
            response_ns: known.response_ns.ok_or_else(|| reason(&knowledge, task)),
            latency_ns: known.latency_ns.filter(|_| paced || is_source),
            best_latency_ns: known.best_latency_ns,
            most_turns: knowledge.pending(task).filter(|_| paced),
            guessed: guessed(&knowledge, task).is_some(),
        }
    });
    let occupancies = occupancies(&knowledge);
    Analysis {
        tasks: bounds.collect(),
        withheld: withheld(set, &occupancies),
        occupancies,
    }
}

/// Nothing takes any time: the first round goes up from there.
fn from_below() -> Known {
    Known {
        response_ns: Some(0),
        latency_ns: Some(0),
        pickup_ns: Some(0),
        ..Known::default()
    }
}

fn limit_ns(set: &TaskSet) -> u64 {
    let turns = (0..set.tasks.len()).filter_map(|task| set.turn_ns(task));
    let longest = turns.max().unwrap_or(0);
    let work: u64 = set
        .tasks
        .iter()
        .map(|task| task.wake.worst_ns() + task.run.as_ref().map_or(0, |run| run.worst_ns()))
        .fold(0, u64::saturating_add);
    longest
        .saturating_add(work)
        .saturating_mul(MOST_PERIODS)
        .min(u64::MAX >> 8)
}

/// Works out what follows for a task from what is known of all. In the `first` round no response takes any time.
fn judge(knowledge: &mut Knowledge<'_>, task: usize, first: bool) {
    let its = &knowledge.set.tasks[task];
    let analysed = its.run.is_some() && its.priority > 0;
    let input = incoming(knowledge, task);
    knowledge.known[task].arrivals = input.arrivals.clone();
    let ring = match its.begins {
        Begins::Tick { .. } => ring_span(knowledge, task),
        _ => Some(Span::default()),
    };
    knowledge.known[task].ring = ring.unwrap_or_default();

    let jobs = knowledge.jobs(task);
    let response_ns = |counted: &Counted<'_>| {
        // What was beyond all bounds stays there.
        let before_ns = knowledge.known[task].response_ns.filter(|_| analysed)?;
        if first {
            return Some(before_ns);
        }
        let ns = knowledge.response_ns(task, counted, |n| knowledge.cost_ns(task, n))?;
        Some(ring?.best_ns.saturating_add(ns))
    };
    let from_arrival = || {
        let ns = response_ns(&Counted::Come(&jobs))?;
        Some((
            ns,
            input
                .latency_ns
                .map(|latency_ns| latency_ns.saturating_add(ns)),
        ))
    };
    let run_ns = its.run.as_ref().map_or(0, |run| run.best_ns());
    let mut known = knowledge.known[task].clone();
    match its.begins {
        Begins::Timer { .. } => known.response_ns = response_ns(&Counted::Nominal(&jobs)),
        Begins::Clock { .. } => {
            known.response_ns = response_ns(&Counted::Nominal(&jobs));
            known.latency_ns = known.response_ns;
            known.best_latency_ns = its.wake.best_ns() + run_ns;
            known.turns.sampled = passed_on(jobs.sampled, &known);
        }
        Begins::Tick { .. } => {
            known.response_ns = response_ns(&Counted::Nominal(&jobs));
            known.best_latency_ns = input.best_ns + run_ns;
            known.pickup_ns = pickup_ns(knowledge, task, &known);
            known.latency_ns = known.pickup_ns.zip(known.response_ns).map(|(a, b)| a + b);
            known.turns.sampled = passed_on(input.arrivals.sampled, &known);
            let best_ns = known.ring.best_ns + its.wake.best_ns() + run_ns;
            let turn_ns = knowledge.set.turn_ns(task).unwrap_or(0);
            let ticks = known.response_ns.map(|worst_ns| Curve {
                blocks: u64::from(its.burst),
                ..Curve::every(turn_ns, worst_ns.saturating_sub(best_ns))
            });
            known.turns.more = ticks.into_iter().collect();
        }
        Begins::Data => {
            let (best_ns, answer) = (its.wake.best_ns() + run_ns, from_arrival());
            known.response_ns = answer.map(|(response_ns, _)| response_ns);
            known.best_latency_ns = input.best_ns + best_ns;
            // Tighter where blocks queue: jitter then counts once, not in the queue and again on the way to it.
            known.latency_ns = answer.and_then(|(_, latency_ns)| {
                let sampled_ns = response_ns(&Counted::Nominal(&jobs))?;
                Some(latency_ns?.min(input.best_ns.saturating_add(sampled_ns)))
            });
            known.turns.sampled = passed_on(input.arrivals.sampled, &known);
            known.turns.more = match known.response_ns {
                Some(ns) => {
                    let more = input.arrivals.more.iter();
                    more.map(|c| c.delayed(ns.saturating_sub(best_ns)))
                        .collect()
                }
                None => Vec::new(),
            };
        }
    }
    knowledge.known[task] = known;
}

/// Curve of what leaves a task, counted from sampling: its jitter is worst minus best latency.
fn passed_on(come: Option<Curve>, known: &Known) -> Option<Curve> {
    let jitter_ns = known.latency_ns?.saturating_sub(known.best_latency_ns);
    come.map(|curve| Curve { jitter_ns, ..curve })
}
