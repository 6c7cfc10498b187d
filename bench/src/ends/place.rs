//! Binds the calling thread to a CPU and gives it a scheduling class.

use ephapse_engine::os;
use serde::{Deserialize, Serialize};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

/// Scheduling class of a measuring thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// SCHED_FIFO of this priority, where it is permitted.
    Fifo(u8),
    /// SCHED_OTHER.
    Other,
}

/// What is to be said of `who` if it did not get SCHED_FIFO.
pub fn without_fifo(who: &str) -> String {
    format!("{who} did not get SCHED_FIFO: run as root, or allow it with `ulimit -r 95`")
}

/// Binds this thread to `cpu`. True if it also runs under SCHED_FIFO now; without the permission it goes on without.
///
/// # Errors
/// If the thread is not on that CPU alone afterwards.
pub fn place(cpu: u32, class: Class) -> Result<bool, String> {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize });
    let allowed = os::allowed_cpus();
    if allowed != [cpu] {
        return Err(format!(
            "cannot be bound to CPU {cpu}: it may run on {allowed:?}; choose others with -c"
        ));
    }
    if let Class::Fifo(priority) = class
        && let Ok(priority) = ThreadPriorityValue::try_from(priority)
    {
        // A refusal shows in what the kernel says below.
        let _ = thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Crossplatform(priority),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        );
    }
    Ok(os::scheduling().0)
}
