//! What is said of a process in the report.

use super::prepare::{Part, Process, Processes};
use crate::abi::OPEN;
use crate::outcome::StageRecord;
use crate::sync::Ordering;

/// The record of a process that has left.
pub(super) fn record(processes: &Processes, process: &Process) -> StageRecord {
    let words = process.words();
    let bank = process.memory.bank();
    let get = |word: &crate::sync::AtomicU64| word.load(Ordering::Relaxed);
    let cpu = get(&words.cpu);
    StageRecord {
        name: process.name.clone(),
        pid: process.child.id(),
        policy: if get(&words.policy) == 1 {
            "fifo".into()
        } else {
            "other".into()
        },
        priority: get(&words.priority) as u32,
        cpu: (cpu != OPEN).then_some(cpu as u32),
        locked_bytes: get(&words.locked_bytes),
        minor_faults: get(&words.minor_faults),
        major_faults: get(&words.major_faults),
        voluntary_switches: get(&words.voluntary),
        involuntary_switches: get(&words.involuntary),
        allocations_after_start: get(&words.allocations),
        late_wakes: get(&bank.late_wake),
        long_runs: get(&bank.long_run),
        restarts: get(&process.memory.orders.generation).saturating_sub(1),
        activations: get(&bank.activations),
        spurious_rings: get(&words.spurious),
        helper: match process.part {
            Part::Timer => false,
            Part::Stage(stage) => processes.plan.stages[stage].helper_of.is_some(),
            Part::Recorder => true,
        },
        rt_why: crate::text::load(&words.rt_why),
    }
}
