//! What the engine and the host take beside the stages' own run time. Measured on one host, a virtual machine with idle CPUs
//! that poll (`engine/adr`, README): a yardstick, named in every answer, not a promise about another host.

use super::run_time::{RunTime, Span};

/// From a signal or bell to the stage's own code, and its accounts and bells behind its last turn.
pub fn wake() -> RunTime {
    between(1_000, 6_000)
}

/// Telling one ticked stage: 1 us if its CPU polls, 7 us if it halts.
pub fn ring() -> RunTime {
    between(1_000, 7_000)
}

/// From the deadline to the published tick, in a timer that spins the last part, or that only sleeps.
pub fn tick(spins: bool) -> RunTime {
    if spins {
        between(50, 1_000)
    } else {
        between(3_000, 20_000)
    }
}

/// A witness's look at the clock.
pub fn witness() -> RunTime {
    between(1_000, 5_000)
}

/// Priority of a witness, and from one look of it to the next, ns.
pub const WITNESS: (u8, u64) = (92, 1_000_000);

fn between(best_ns: u64, worst_ns: u64) -> RunTime {
    RunTime::between(Span { best_ns, worst_ns })
}
