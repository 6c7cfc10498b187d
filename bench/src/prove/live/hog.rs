//! Two threads on the timer's CPU: the hog, more urgent than the timer, takes the CPU away for known lengths; a watcher,
//! a little less urgent, runs only when the timer sleeps, and so tells when the timer must have run. Another watcher on the
//! CPU of the stages, less urgent than they, tells whether they could run.
//!
//! ```text
//! hog              ├──────── spins ────────┤
//! timer       ran  ·     ·     ·     ·     ·└ wakes ┐ sleeps
//! watcher        looks                              └ looks
//!                                          ├────────┤ in here the timer has read the clock
//! ```

use crate::ends::{Class, place};
use ephapse_engine::os;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// FIFO priority of the hog: above the timer's (95), below the kernel's own at 99.
pub(super) const PRIORITY: u8 = 97;
/// FIFO priority of a watcher below the timer and above everything else of a session.
pub(super) const BELOW_TIMER: u8 = 94;
/// FIFO priority of a watcher below every stage.
pub(super) const BELOW_STAGES: u8 = 20;
/// The session's tick.
pub(super) const PERIOD_NS: u64 = 1_000_000;
/// Lengths of the stalls, in hundredths of a period. They begin half way between two deadlines and end at differing parts of
/// a period, so that what one of them leaves in a histogram is not taken for another's.
const LENGTHS: [u64; 4] = [724, 1155, 1701, 2378];
/// The end of a stall, and the timer's look at the clock after it, are known this well, or the stall was disturbed.
pub(super) const KNOWN_NS: u64 = 200_000;
/// A stall that something else disturbed is repeated this many times.
const TRIES: u64 = 4;
/// A repeated stall is longer than the disturbed one by so many periods, so that the two are told apart.
const LONGER: u64 = 4;
/// From the start of the session to the first stall, and from one to the next.
const REST_NS: u64 = 150_000_000;
/// A watcher looks this often.
const LOOK_NS: u64 = 100_000;
/// How long the hog waits for the watcher's look.
const PATIENCE_NS: u64 = 50_000_000;

/// One time that the CPU was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spin {
    /// By the hog's own clock, ns.
    pub began_ns: u64,
    /// By the hog's own clock, ns.
    pub ended_ns: u64,
    /// By then the timer has run, ns.
    pub ran_ns: u64,
    /// What kept it from being as it should, one sentence; `None` if it is what it should be.
    pub disturbed: Option<String>,
}

/// A time in which a watcher did not run: whoever is more urgent had the CPU, or nobody in this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    /// It looked at the clock then, ns.
    pub from_ns: u64,
    /// It looked again then, ns.
    pub to_ns: u64,
}

impl Away {
    /// At most so late has it made somebody, ns. An interrupt may have been on its way when it began.
    pub fn at_most_ns(&self) -> u64 {
        self.to_ns - self.from_ns + LOOK_NS
    }
}

/// A watcher and what it saw.
#[derive(Default)]
pub(super) struct Watcher {
    looked_ns: AtomicU64,
    away: Mutex<Vec<Away>>,
}

impl Watcher {
    /// Watches a CPU until it is over.
    pub fn run(&self, cpu: u32, priority: u8, over: &AtomicBool) {
        if place(cpu, Class::Fifo(priority)) != Ok(true) {
            return;
        }
        let mut last_ns = os::monotonic_ns();
        while !over.load(Ordering::Acquire) {
            os::sleep_until(last_ns + LOOK_NS);
            let now_ns = os::monotonic_ns();
            // From look to look: the CPU may also be taken away from this thread itself.
            if now_ns - last_ns > 2 * LOOK_NS {
                let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                away.push(Away {
                    from_ns: last_ns,
                    to_ns: now_ns,
                });
            }
            self.looked_ns.store(now_ns, Ordering::Release);
            last_ns = now_ns;
        }
    }

    /// Its newest look at the clock.
    fn looked_ns(&self) -> u64 {
        self.looked_ns.load(Ordering::Acquire)
    }

    /// When it was kept from the CPU.
    pub fn away(&self) -> Vec<Away> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.clone()
    }
}

/// The hog's state.
pub(super) struct Hog<'a> {
    start_ns: u64,
    over: &'a AtomicBool,
    watcher: &'a Watcher,
}

impl<'a> Hog<'a> {
    /// For a session that starts at `start_ns`. The calling thread has [`PRIORITY`] already.
    pub fn new(start_ns: u64, over: &'a AtomicBool, watcher: &'a Watcher) -> Self {
        Hog {
            start_ns,
            over,
            watcher,
        }
    }

    /// Takes the CPU away for each length, again where it was disturbed.
    pub fn run(&self) -> Vec<Spin> {
        let mut spins = Vec::new();
        os::sleep_until(self.start_ns + REST_NS);
        for length in LENGTHS {
            for again in 0..TRIES {
                if self.over.load(Ordering::Acquire) {
                    return spins;
                }
                let spin = self.take((length + again * LONGER * 100) * PERIOD_NS / 100);
                let calm = spin.disturbed.is_none();
                spins.push(spin);
                os::sleep_until(os::monotonic_ns() + REST_NS);
                if calm {
                    break;
                }
            }
        }
        spins
    }

    /// Takes the CPU away.
    fn take(&self, length_ns: u64) -> Spin {
        let soon_ns = os::monotonic_ns() + 3 * PERIOD_NS;
        let ticks = soon_ns.saturating_sub(self.start_ns) / PERIOD_NS;
        let last_deadline_ns = self.start_ns + ticks * PERIOD_NS;
        let due_ns = last_deadline_ns + PERIOD_NS / 2;
        os::sleep_until(due_ns);
        let began_ns = os::monotonic_ns();
        // The timer has dealt with the last deadline if the watcher has run since; not just then, for the interrupt that
        // wakes the timer may be on its way.
        let slept = self.watcher.looked_ns() > last_deadline_ns + LOOK_NS;
        let until_ns = due_ns + length_ns;
        let mut ended_ns = began_ns;
        while ended_ns < until_ns {
            core::hint::spin_loop();
            ended_ns = os::monotonic_ns();
        }
        let mut ran_ns = 0;
        while ran_ns < ended_ns && os::monotonic_ns() < ended_ns + PATIENCE_NS {
            os::sleep_until(os::monotonic_ns() + LOOK_NS);
            ran_ns = self.watcher.looked_ns();
        }
        let us = |ns: u64| ns / 1_000;
        let disturbed = if began_ns > due_ns + PERIOD_NS / 4 {
            Some(format!("it began {} us too late", us(began_ns - due_ns)))
        } else if !slept {
            Some("the timer was not yet asleep".to_owned())
        } else if ran_ns < ended_ns {
            Some("nobody ran behind it".to_owned())
        } else if ran_ns > until_ns + KNOWN_NS {
            Some(format!(
                "something else had the CPU for {} us behind it",
                us(ran_ns - until_ns)
            ))
        } else {
            None
        };
        Spin {
            began_ns,
            ended_ns,
            ran_ns,
            disturbed,
        }
    }
}
