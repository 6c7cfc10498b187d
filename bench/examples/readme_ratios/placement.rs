//! Binds the calling thread to a CPU, under SCHED_FIFO where that is permitted.

use anyhow::ensure;
use ephapse_engine::os;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

/// Priority of both ends of a hop: among the stages'.
const PRIORITY: u8 = 80;

/// Binds this thread to `cpu`. True if it also runs under SCHED_FIFO now.
///
/// # Errors
/// If the thread is not on that CPU alone afterwards.
pub fn place(cpu: u32) -> anyhow::Result<bool> {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize });
    let allowed = os::allowed_cpus();
    ensure!(
        allowed == [cpu],
        "this thread cannot be bound to CPU {cpu}: it may run on {allowed:?} (two CPUs are needed, 0 and 1)"
    );
    if let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY) {
        // A refusal shows in what the kernel says below.
        let _ = thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Crossplatform(priority),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        );
    }
    Ok(os::scheduling().0)
}
