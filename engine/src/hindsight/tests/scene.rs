//! A session that never ran: a timer, a source, a filter on its blocks, a ticked readout, a stimulator, and a rival on the
//! filter's CPU. Ten ticks, one block each.

use crate::abi::ActivationRecord;
use crate::hindsight::history::History;
use crate::hindsight::route::{Out, Paced, Route, Station};
use crate::hindsight::{Walk, walk};
use crate::launch::Watched;
use ephapse_rtconfig::describe::Role;

pub const TIMER: usize = 0;
pub const SOURCE: usize = 1;
pub const BAND: usize = 2;
pub const READOUT: usize = 3;
pub const ACT: usize = 4;
pub const RIVAL: usize = 5;

pub const US: u64 = 1_000;
pub const MS: u64 = 1_000_000;
pub const START_NS: u64 = 5_000 * MS;
/// Blocks pass 65,536 in the middle of it.
const FIRST_POSITION: u16 = u16::MAX - 4;
pub const TICKS: u64 = 10;
/// The block that the tests look at.
pub const K: usize = 5;

pub fn at(tick: u64) -> u64 {
    START_NS + tick * MS
}

pub struct Scene {
    pub route: Route,
    /// By station, in order: the number of a record is its place.
    pub records: Vec<Vec<ActivationRecord>>,
    /// Station and number of records that are not there.
    pub lapped: Vec<(usize, u64)>,
    /// Stalls and events are put here.
    pub history: History,
}

fn station(name: &str, role: Option<Role>, cpu: u32, priority: u8) -> Station {
    Station {
        watched: Watched {
            name: name.into(),
            role,
            origin_frames: 20,
            origin_ns: MS,
            ..Watched::timer()
        },
        priority: Some(priority),
        cpu: Some(cpu),
        ticked: false,
        step_ns: MS,
        budget_ns: None,
        paced: None,
        companions: Vec::new(),
        outputs: Vec::new(),
    }
}

/// A reader of the station before it, and its maker's output with its only holder.
fn link(stations: &mut [Station], maker: usize, reader: usize) {
    stations[reader].paced = Some(Paced {
        input: 0,
        maker,
        output: 0,
    });
    stations[maker].outputs.push(Out {
        port: 0,
        slots: 4,
        waits: true,
        holders: vec![(reader, 0)],
    });
}

impl Scene {
    pub fn new() -> Self {
        let mut stations = vec![
            station("timer", None, 0, 95),
            station("source", Some(Role::Acquire), 0, 80),
            station("band", Some(Role::Process), 2, 70),
            station("readout", Some(Role::Process), 1, 60),
            station("act", Some(Role::Stimulate), 1, 50),
            station("rival", Some(Role::Process), 2, 90),
        ];
        stations[READOUT].ticked = true;
        link(&mut stations, SOURCE, BAND);
        link(&mut stations, BAND, READOUT);
        link(&mut stations, READOUT, ACT);
        let route = Route {
            stations,
            timer: Some(TIMER),
            tick_ns: MS,
            ordered: Vec::new(),
        };
        let mut records = vec![Vec::new(); route.len()];
        for k in 0..TICKS {
            let sampled_ns = at(k);
            let position = FIRST_POSITION.wrapping_add(k as u16 + 1);
            let turn = |tick: u64, since_ns: u64, woke_ns: u64, ran_ns: u64| {
                let mut record = ActivationRecord {
                    tick,
                    since_ns,
                    woke_ns,
                    committed_ns: woke_ns + ran_ns,
                    sampled_ns,
                    arrived_ns: sampled_ns,
                    origin_frame: k * 20 + 19,
                    marks: 1,
                    ..ActivationRecord::default()
                };
                (record.consumed[0], record.produced[0]) = (position, position);
                record
            };
            records[TIMER].push(turn(k, at(k), at(k) + US / 2, US / 4));
            records[SOURCE].push(turn(k, at(k), at(k) + 10 * US, 10 * US));
            records[BAND].push(turn(k, at(k) + 20 * US, at(k) + 30 * US, 50 * US));
            // It comes after the deadline of its own tick.
            records[READOUT].push(turn(k + 1, at(k + 1), at(k + 1) + 20 * US, 40 * US));
            records[ACT].push(turn(
                k + 1,
                at(k + 1) + 60 * US,
                at(k + 1) + 70 * US,
                20 * US,
            ));
        }
        Scene {
            history: {
                let mut history = History::of(&route);
                history.start(START_NS);
                history
            },
            route,
            records,
            lapped: Vec::new(),
        }
    }

    /// The block's turn at a station.
    pub fn turn(&mut self, station: usize) -> &mut ActivationRecord {
        &mut self.records[station][K]
    }

    /// The block comes so much later to a station, and to those behind it.
    pub fn delay(&mut self, first: usize, by_ns: u64) {
        for station in first..=ACT {
            let turn = self.turn(station);
            turn.woke_ns += by_ns;
            turn.committed_ns += by_ns;
            if station > first && station != READOUT {
                turn.since_ns += by_ns;
            }
        }
    }

    /// What is known when all of it has been read.
    pub fn read(&self) -> History {
        let mut history = self.history.clone();
        for (station, records) in self.records.iter().enumerate() {
            for (number, record) in (0..).zip(records) {
                if !self.lapped.contains(&(station, number)) {
                    history.record(station, number, record);
                }
            }
        }
        history
    }

    /// The block's decision.
    pub fn walk(&self) -> Walk {
        walk(&self.route, &self.read(), ACT, K as u64).unwrap()
    }
}
