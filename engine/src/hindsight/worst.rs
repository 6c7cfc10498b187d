//! The decisions that took longest, found while records come in.

use super::history::{Happened, History};
use super::incident::{Incident, Incidents};
use super::route::Route;
use super::walk::{Walk, is_decision, walk};
use crate::abi::ActivationRecord;
use crate::launch::Watched;
use crate::outcome::{Stall, Steal};
use std::collections::BTreeMap;

/// Decisions that the report walks back.
const KEPT: usize = 10;
/// A decision is walked when so many looks at the records have followed: by then those that came before and behind it are
/// there.
const LOOKS: u32 = 2;
/// Decisions that may wait to be walked: more than come to a loop of 2 kHz between two looks while a stall's are handed over.
const MOST_CANDIDATES: usize = 1024;

/// What the decisions of one stimulating stage tell of those that never came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decisions {
    last_origin: Option<u64>,
}

impl Decisions {
    /// Decisions between the last one and this that never came.
    pub fn lost(&mut self, watched: &Watched, record: &ActivationRecord) -> u64 {
        let last = self.last_origin.replace(record.origin_frame);
        let jump = last.map_or(0, |last| record.origin_frame.saturating_sub(last));
        (jump / watched.origin_frames.max(1)).saturating_sub(1)
    }
}

/// One that may be among the worst, and is not walked yet.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    waited_ns: u64,
    station: usize,
    number: u64,
    looks: u32,
}

/// Keeps what is needed to walk the worst decisions of a session back, in bounded memory.
pub(crate) struct Worst {
    route: Route,
    history: History,
    /// By stimulating station: what is known of its last decision, and the number of its next record.
    decisions: BTreeMap<usize, (Decisions, u64)>,
    candidates: Vec<Candidate>,
    /// Longest first, with what it was ranked by.
    walks: Vec<(u64, Walk)>,
    incidents: Incidents,
}

impl Worst {
    /// For a session's processes.
    pub fn of(route: Route) -> Self {
        Worst {
            history: History::of(&route),
            route,
            decisions: BTreeMap::new(),
            candidates: Vec::new(),
            walks: Vec::new(),
            incidents: Incidents::default(),
        }
    }

    /// The common start (tick 0), CLOCK_MONOTONIC ns.
    pub fn start(&mut self, start_ns: u64) {
        self.history.start(start_ns);
    }

    /// The process of that name.
    pub fn station(&self, name: &str) -> Option<usize> {
        self.route.station(name)
    }

    /// Takes in a record of a process, numbered as in its telemetry ring.
    pub fn record(&mut self, station: usize, number: u64, record: &ActivationRecord) {
        self.history.record(station, number, record);
        if !self.route.stimulators().any(|s| s == station) {
            return;
        }
        let (decisions, next) = self.decisions.entry(station).or_default();
        if number > *next {
            // What is not there may have been decisions.
            *decisions = Decisions::default();
        }
        *next = number + 1;
        if !is_decision(record) {
            return;
        }
        let watched = &self.route.stations[station].watched;
        let lost = decisions.lost(watched, record);
        let age_ns = record.committed_ns.saturating_sub(record.sampled_ns);
        let waited_ns = age_ns.saturating_add(lost.saturating_mul(watched.origin_ns));
        if !self.wants(waited_ns) {
            return;
        }
        let longer = |c: &Candidate| c.waited_ns >= waited_ns;
        let place = self.candidates.partition_point(longer);
        if place < MOST_CANDIDATES {
            self.candidates.insert(
                place,
                Candidate {
                    waited_ns,
                    station,
                    number,
                    looks: 0,
                },
            );
            self.candidates.truncate(MOST_CANDIDATES);
        }
    }

    /// Whether a decision that waited so long would be listed, by itself or with its incident.
    fn wants(&self, waited_ns: u64) -> bool {
        let last = self.walks.get(KEPT - 1);
        last.is_none_or(|last| waited_ns > last.0) || self.incidents.wants(waited_ns)
    }

    /// Takes in a stall; `at_ns` on CLOCK_MONOTONIC.
    pub fn stall(&mut self, stall: Stall) {
        self.history.stall(stall);
    }

    /// Takes in what a hypervisor took; `until_ns` on CLOCK_MONOTONIC.
    pub fn steal(&mut self, steal: Steal) {
        self.history.steal(steal);
    }

    /// Takes in an event.
    pub fn event(&mut self, event: Happened) {
        self.history.event(event);
    }

    /// Walks what has waited long enough for the records around it. To be called when all new records were taken in.
    pub fn look(&mut self) {
        self.settle(LOOKS);
    }

    fn settle(&mut self, looks: u32) {
        let (due, waiting) = core::mem::take(&mut self.candidates)
            .into_iter()
            .map(|c| Candidate {
                looks: c.looks + 1,
                ..c
            })
            .partition(|c| c.looks >= looks);
        self.candidates = waiting;
        let due: Vec<Candidate> = due;
        for candidate in due {
            // Those before it may have made the list longer.
            if !self.wants(candidate.waited_ns) {
                continue;
            }
            let walked = walk(
                &self.route,
                &self.history,
                candidate.station,
                candidate.number,
            );
            let Some(walked) = walked else {
                continue;
            };
            if self.incidents.wants(candidate.waited_ns) {
                self.incidents.add(candidate.waited_ns, &walked);
            }
            let place = self
                .walks
                .partition_point(|(waited_ns, _)| *waited_ns >= candidate.waited_ns);
            if place < KEPT {
                self.walks.insert(place, (candidate.waited_ns, walked));
                self.walks.truncate(KEPT);
            }
        }
    }

    /// The worst decisions, and the worst incidents, longest first. To be called when all records were taken in.
    pub fn finish(mut self) -> (Vec<Walk>, Vec<Incident>) {
        self.settle(0);
        let walks = self.walks.into_iter().map(|(_, walk)| walk);
        (walks.collect(), self.incidents.finish())
    }
}
