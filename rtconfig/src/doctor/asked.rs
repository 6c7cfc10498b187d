//! What a graph asks of a host.

use crate::plan::{Pace, Plan, Policy, WaitKind};
use crate::recording::{least_bytes_per_second, spool_bytes};
use crate::resolve::bytes_of;
use serde::Serialize;
use std::collections::BTreeSet;

/// Ticks that a verdict speaks of if no graph says its own, ns.
const USUAL_TICKS_NS: [u64; 2] = [10_000_000, 1_000_000];
/// What the planner gives if a graph says nothing: stages from 40 on, the timer 95.
const LOWEST_PRIORITY: u8 = 40;
const HIGHEST_PRIORITY: u8 = 95;
/// The demo takes 205 MiB of shared memory, its spool included.
const USUAL_SHM_BYTES: u64 = 256 << 20;
/// The demo records 33 MB/s.
const USUAL_RECORD_BYTES_PER_S: f64 = 35e6;

/// What is asked of a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// CPUs of timer and FIFO stages, by raw id.
    pub cpus: BTreeSet<u32>,
    /// Those of them that something spins on.
    pub spinning_cpus: BTreeSet<u32>,
    /// Lengths of ticks that the verdict speaks of, longest first, ns.
    pub ticks_ns: Vec<u64>,
    /// Lowest FIFO priority of a stage.
    pub lowest_priority: u8,
    /// Highest FIFO priority of all.
    pub highest_priority: u8,
    /// Shared memory for rings and spool, bytes.
    pub shm_bytes: u64,
    /// What is recorded, bytes per second; 0 if nothing is.
    pub record_bytes_per_s: f64,
}

impl Asked {
    /// What the demo would ask, on these CPUs.
    pub fn usual(cpus: BTreeSet<u32>) -> Self {
        Asked {
            cpus,
            spinning_cpus: BTreeSet::new(),
            ticks_ns: USUAL_TICKS_NS.to_vec(),
            lowest_priority: LOWEST_PRIORITY,
            highest_priority: HIGHEST_PRIORITY,
            shm_bytes: USUAL_SHM_BYTES,
            record_bytes_per_s: USUAL_RECORD_BYTES_PER_S,
        }
    }

    /// What a resolved graph asks.
    pub fn by(plan: &Plan) -> Self {
        let fifo = || plan.stages.iter().filter(|s| s.policy == Policy::Fifo);
        let spins = fifo().filter(|s| s.pace == Pace::Data && s.wait == WaitKind::Spin);
        let timer = plan.timer.as_ref();
        let recorder = plan.recorder.as_ref();
        let spool = recorder.map_or(0, |recorder| spool_bytes(plan, recorder));
        Asked {
            cpus: fifo()
                .filter_map(|s| s.cpu)
                .chain(timer.map(|t| t.cpu))
                .collect(),
            spinning_cpus: spins.filter_map(|s| s.cpu).collect(),
            ticks_ns: timer.map_or_else(|| USUAL_TICKS_NS.to_vec(), |t| vec![t.period_ns]),
            lowest_priority: fifo().map(|s| s.priority).min().unwrap_or(LOWEST_PRIORITY),
            highest_priority: fifo()
                .map(|s| s.priority)
                .chain(timer.map(|t| t.priority))
                .max()
                .unwrap_or(HIGHEST_PRIORITY),
            shm_bytes: plan.streams.iter().map(bytes_of).sum::<u64>() + spool,
            record_bytes_per_s: recorder.map_or(0.0, |r| least_bytes_per_second(plan, r)),
        }
    }
}
