//! How far the two CPUs are from each other: a cache line that goes to and fro.

use crate::bare_ring::Memory;
use crate::ends::spin_until;
use core::sync::atomic::Ordering;
use ephapse_engine::os::monotonic_ns;

/// Round trips timed together.
const BATCH: u64 = 500;
/// Batches; the median counts.
const BATCHES: u64 = 40;
/// Round trips of one measurement.
pub const TRIPS: u64 = BATCH * BATCHES;
/// Half a round trip below this: the CPUs share a cache. Above, each line crosses the chip or more (on the host this was
/// written on, near pairs took 45 to 65 ns, far ones about 240 ns).
const NEAR_BELOW_NS: f64 = 120.0;

/// `near` or `far`.
pub fn distance(half_trip_ns: f64) -> &'static str {
    if half_trip_ns < NEAR_BELOW_NS {
        "near"
    } else {
        "far"
    }
}

/// Half a round trip, ns: median over batches.
///
/// # Errors
/// If the other side does not answer.
pub fn measure(memory: &Memory) -> anyhow::Result<f64> {
    let first = memory.pong().load(Ordering::Acquire) + 1;
    let mut batches_ns = Vec::with_capacity(BATCHES as usize);
    for batch in 0..BATCHES {
        let from_ns = monotonic_ns();
        for trip in 0..BATCH {
            let number = first + batch * BATCH + trip;
            memory.ping().store(number, Ordering::Release);
            spin_until("pong", || memory.pong().load(Ordering::Acquire) == number)?;
        }
        batches_ns.push((monotonic_ns() - from_ns) as f64 / (2 * BATCH) as f64);
    }
    Ok(crate::stats::median(&batches_ns).unwrap_or(f64::NAN))
}

/// Sends `trips` pings back.
///
/// # Errors
/// If none comes.
pub fn answer(memory: &Memory, trips: u64) -> anyhow::Result<()> {
    let first = memory.pong().load(Ordering::Acquire) + 1;
    for number in first..first + trips {
        spin_until("ping", || memory.ping().load(Ordering::Acquire) == number)?;
        memory.pong().store(number, Ordering::Release);
    }
    Ok(())
}
