//! Where and how a process runs: memory lock, CPU, policy; everything read back from the kernel.

use crate::abi::StageWords;
use crate::os;
use crate::sync::Ordering;
use ephapse_rtconfig::plan::Policy;
use std::time::Duration;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

/// CPU time a FIFO process may use without blocking before the kernel kills it.
const RUNAWAY_LIMIT: Duration = Duration::from_secs(1);
/// Stack touched before the loop begins; a stage's frames lie well within it.
const STACK_TOUCHED: usize = 128 * 1024;

/// What a process should be.
pub(crate) struct Wanted {
    pub policy: Policy,
    pub priority: u8,
    pub nice: i8,
    pub cpu: Option<u32>,
    /// It never blocks: it has its CPU for itself, and using it without end is no sign of a runaway.
    pub spins: bool,
}

/// Places the calling process and states in its words what came of it. Never fails: a run without real time says so.
pub(crate) fn place(wanted: &Wanted, words: &StageWords) {
    let mut why = Vec::new();
    if wanted.policy == Policy::Fifo
        && let Err(error) = os::lock_memory()
    {
        why.push(format!(
            "memory is not locked ({error}; needs CAP_IPC_LOCK or `ulimit -l unlimited`)"
        ));
    }
    touch_stack();
    if let Some(cpu) = wanted.cpu {
        // `core_affinity` aborts on ids beyond its set and does not say why it failed: ids are checked by the planner
        // and the mask is read back.
        core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize });
        let allowed = os::allowed_cpus();
        if allowed != [cpu] {
            why.push(format!(
                "is not bound to CPU {cpu} but may run on {allowed:?}"
            ));
        }
    }
    match wanted.policy {
        Policy::Other => os::set_nice(wanted.nice),
        Policy::Fifo => {
            if !wanted.spins {
                os::limit_runaway(RUNAWAY_LIMIT);
            }
            why.extend(set_fifo(wanted.priority));
        }
    }
    read_back(words, &why.join("; "));
}

/// Puts the calling thread under SCHED_FIFO, with the runaway limit of the others; why not, if that cannot be had.
pub(super) fn run_fifo(priority: u8) -> Option<String> {
    os::limit_runaway(RUNAWAY_LIMIT);
    set_fifo(priority)
}

/// Puts the calling thread under SCHED_FIFO; why not, if that cannot be had.
pub(crate) fn set_fifo(priority: u8) -> Option<String> {
    let set = ThreadPriorityValue::try_from(priority)
        .map_err(|e| e.to_string())
        .and_then(|value| {
            let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
            thread_priority::set_thread_priority_and_policy(
                thread_priority::thread_native_id(),
                ThreadPriority::Crossplatform(value),
                policy,
            )
            .map_err(|e| format!("{e:?}"))
        });
    let (fifo, now) = os::scheduling();
    if fifo && now == u32::from(priority) {
        return None;
    }
    let cause = set.err().unwrap_or_else(|| "refused".to_owned());
    Some(format!(
        "SCHED_FIFO {priority} is not permitted ({cause}; needs CAP_SYS_NICE or `ulimit -r {priority}`)"
    ))
}

/// States in a process's words how its calling thread runs, as the kernel says, and what stands against real time.
pub(super) fn read_back(words: &StageWords, why: &str) {
    let (fifo, priority) = os::scheduling();
    words.policy.store(u64::from(fifo), Ordering::Relaxed);
    words.priority.store(u64::from(priority), Ordering::Relaxed);
    let cpu = match os::allowed_cpus().as_slice() {
        [cpu] => u64::from(*cpu),
        _ => u64::MAX,
    };
    words.cpu.store(cpu, Ordering::Relaxed);
    words.locked_bytes.store(locked_bytes(), Ordering::Relaxed);
    crate::text::store(&words.rt_why, why);
}

fn touch_stack() {
    let mut area = [0_u8; STACK_TOUCHED];
    for byte in area.iter_mut().step_by(crate::abi::PAGE) {
        *core::hint::black_box(byte) = 1;
    }
}

fn locked_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmLck:"))
        .unwrap_or("0");
    line.split_whitespace()
        .next()
        .and_then(|n| n.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}
