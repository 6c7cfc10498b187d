//! What a CPU does to a thread of high priority on it: how late it wakes, and what interrupts it while it spins.
//!
//! ```text
//! each 100 ms, on all CPUs at the same time:   50 x (sleep 1 ms, look how late)   spin 40 ms, look for gaps   leave 10 ms
//! ```
//!
//! The sleeping half is what a session's witness does, with every lateness kept. The CPUs are never spun on for so long
//! that the kernel's throttling of real-time tasks would be measured instead.

use crate::ends::{Class, place, without_fifo};
use ephapse_engine::launch::WITNESS_PRIORITY;
use ephapse_engine::os;
use ephapse_rtconfig::doctor::MeasuredCpu;
use hdrhistogram::Histogram;
use std::io::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

const WAKES_PER_TURN: u32 = 50;
const SLEEP_NS: u64 = 1_000_000;
const SPIN_NS: u64 = 40_000_000;
/// Left to everything of normal priority.
const REST_NS: u64 = 10_000_000;
/// Two looks at the clock that lie this far apart had something between them: a look takes 24 ns.
const GAP_NS: u64 = 5_000;
/// Longer delays are counted as this long, ns.
const LONGEST_NS: u64 = 10_000_000_000;

/// Tries whether a thread of this process may have SCHED_FIFO of a priority.
///
/// # Errors
/// Why not.
pub fn try_fifo(priority: u8) -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(priority)?;
    let thread = std::thread::spawn(move || {
        let set = thread_priority::set_thread_priority_and_policy(
            thread_priority::thread_native_id(),
            ThreadPriority::Crossplatform(value),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        );
        set.map_err(|error| match error {
            thread_priority::Error::OS(code) => Error::from_raw_os_error(code).to_string(),
            other => format!("{other:?}"),
        })
    });
    joined(thread.join())
}

fn joined<T>(ended: std::thread::Result<Result<T, String>>) -> Result<T, String> {
    ended.unwrap_or_else(|_| Err("the measuring thread panicked".to_owned()))
}

/// Measures CPUs, all at the same time, for so long or until `interrupts` is not 0.
///
/// # Errors
/// A thread could not be bound to its CPU.
pub fn measure(
    cpus: impl IntoIterator<Item = u32>,
    length: Duration,
    interrupts: &AtomicU32,
) -> Result<Vec<MeasuredCpu>, String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = cpus
            .into_iter()
            .map(|cpu| scope.spawn(move || measure_one(cpu, length, interrupts)))
            .collect();
        threads
            .into_iter()
            .map(|thread| joined(thread.join()))
            .collect()
    })
}

fn measure_one(cpu: u32, length: Duration, interrupts: &AtomicU32) -> Result<MeasuredCpu, String> {
    let fifo = place(cpu, Class::Fifo(WITNESS_PRIORITY))?;
    if !fifo {
        eprintln!(
            "ephapse: {}",
            without_fifo(&format!("the measurement on CPU {cpu}"))
        );
    }
    let mut seen = Seen::new()?;
    let end_ns = os::monotonic_ns() + u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    while os::monotonic_ns() < end_ns && interrupts.load(Ordering::Acquire) == 0 {
        for _ in 0..WAKES_PER_TURN {
            let due_ns = os::monotonic_ns() + SLEEP_NS;
            os::sleep_until(due_ns);
            seen.woke(os::monotonic_ns().saturating_sub(due_ns));
        }
        let mut last_ns = os::monotonic_ns();
        let spun_until_ns = last_ns + SPIN_NS;
        while last_ns < spun_until_ns {
            let now_ns = os::monotonic_ns();
            seen.spun(now_ns - last_ns);
            last_ns = now_ns;
        }
        os::sleep_until(last_ns + REST_NS);
    }
    Ok(seen.of_cpu(cpu, fifo))
}

/// What a thread has seen.
struct Seen {
    wakes: Histogram<u64>,
    gaps: Histogram<u64>,
    gaps_ns: u64,
    spun_ns: u64,
}

impl Seen {
    fn new() -> Result<Self, String> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|e| e.to_string());
        Ok(Seen {
            wakes: histogram()?,
            gaps: histogram()?,
            gaps_ns: 0,
            spun_ns: 0,
        })
    }

    fn woke(&mut self, late_ns: u64) {
        self.wakes.saturating_record(late_ns);
    }

    fn spun(&mut self, between_ns: u64) {
        self.spun_ns += between_ns;
        if between_ns >= GAP_NS {
            self.gaps_ns += between_ns;
            self.gaps.saturating_record(between_ns);
        }
    }

    fn of_cpu(&self, cpu: u32, fifo: bool) -> MeasuredCpu {
        MeasuredCpu {
            cpu,
            fifo,
            wakes: self.wakes.len(),
            wake_p50_ns: self.wakes.value_at_quantile(0.5),
            wake_p99_ns: self.wakes.value_at_quantile(0.99),
            wake_p999_ns: self.wakes.value_at_quantile(0.999),
            wake_max_ns: self.wakes.max(),
            spun_ns: self.spun_ns,
            gaps: self.gaps.len(),
            gaps_ns: self.gaps_ns,
            gap_each_second_ns: self.gap_each_second_ns(),
            gap_max_ns: self.gaps.max(),
        }
    }

    /// Length that as many gaps reach as seconds were spun; 0 if there were fewer gaps than that.
    fn gap_each_second_ns(&self) -> u64 {
        let seconds = self.spun_ns.div_ceil(1_000_000_000);
        let gaps = self.gaps.len();
        if gaps < seconds || gaps == 0 {
            return 0;
        }
        let shorter = (gaps - seconds) as f64 / gaps as f64;
        // The first of the longest ones, not the last of the others.
        self.gaps.value_at_quantile(shorter + 0.5 / gaps as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_of_each_second_is_the_shortest_of_as_many_as_there_were_seconds() {
        let mut seen = Seen::new().unwrap();
        seen.spun_ns = 2_500_000_000;
        for gap_ns in [6_000, 7_000, 100_000, 200_000, 300_000] {
            seen.spun(gap_ns);
        }
        seen.spun(4_999);
        let cpu = seen.of_cpu(1, true);
        assert_eq!((cpu.gaps, cpu.gaps_ns), (5, 613_000));
        let near = |value: u64, wanted: u64| value.abs_diff(wanted) * 500 <= wanted;
        assert!(near(cpu.gap_each_second_ns, 100_000), "{cpu:?}");
        assert!(near(cpu.gap_max_ns, 300_000), "{cpu:?}");
        seen.spun_ns = 60_000_000_000;
        assert_eq!(seen.of_cpu(1, true).gap_each_second_ns, 0);
    }

    #[test]
    fn a_measurement_looks_at_each_cpu_and_ends_when_it_is_interrupted() {
        let cpu = os::current_cpu();
        let seen = measure([cpu], Duration::from_millis(1), &AtomicU32::new(0)).unwrap();
        let [seen] = &seen[..] else {
            panic!("{seen:?}");
        };
        assert_eq!((seen.cpu, seen.wakes), (cpu, u64::from(WAKES_PER_TURN)));
        assert!(seen.spun_ns >= SPIN_NS);
        assert!(seen.gaps_ns <= seen.spun_ns);
        let none = measure([cpu], Duration::from_secs(3600), &AtomicU32::new(1)).unwrap();
        assert_eq!(none[0].wakes, 0);
    }
}
