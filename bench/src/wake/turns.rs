//! A round of wakes, as the waker and as a waiter runs it. The loops are written once, for every mechanism.
//!
//! ```text
//! waker   ─ spins until due ─ clock ─ tell ─ tell ─ ... ─ spins until all have woken ─
//! waiter  ─ sleeps ───────────────────────── woken ─ clock ─ says so ─ sleeps ───────
//! ```
//!
//! Waker and waiters answer instants; the driver takes the difference. What a waiter says, and how it says it, comes after
//! its clock and is in no value.

use super::words::{Joined, WakeWords};
use crate::ends::{Mode, Round};
use crate::hop::{Receive, Send, spin_until, wait_until};
use ephapse_engine::os::monotonic_ns;
use std::time::Duration;

/// A waiter's sleep is bounded by this where the mechanism allows it.
pub const BOUND: Duration = Duration::from_millis(100);
/// So many bounded sleeps in vain mean that the waker is gone: two seconds.
pub const SLEEPS: u32 = 20;

/// The waker's side of a mechanism.
pub trait Tell {
    /// By which the waiters say that they are there and that they woke; `None` if the mechanism itself tells.
    fn words(&self) -> Option<&WakeWords>;

    /// Before each round: all waiters have joined.
    ///
    /// # Errors
    /// If one of them is gone.
    fn prepare(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Tells all waiters of wake `wake`, which counts from 1 over all rounds.
    ///
    /// # Errors
    /// If the mechanism fails.
    fn tell(&mut self, wake: u64) -> Result<(), String>;

    /// All waiters have said that they woke.
    fn all_woke(&mut self, wake: u64) -> bool {
        self.words().is_some_and(|words| words.all_ran(wake))
    }
}

/// A waiter's side of a mechanism.
pub trait Hear {
    /// As what it says that it is there and that it woke; `None` if the mechanism itself tells.
    fn joined(&self) -> Option<&Joined>;

    /// Before each round: forgets what may have come since the round before.
    fn prepare(&mut self) {}

    /// Waits for wake `wake`.
    ///
    /// # Errors
    /// If it does not come for two seconds.
    fn hear(&mut self, wake: u64) -> Result<(), String>;

    /// Says that it woke.
    fn woke(&mut self, wake: u64) {
        if let Some(joined) = self.joined() {
            joined.woke(wake);
        }
    }
}

/// A waker with its counts of rounds and wakes.
pub struct Waking<T> {
    link: T,
    round: u64,
    wake: u64,
}

/// A waiter with its count of wakes.
pub struct Waiting<H> {
    link: H,
    wake: u64,
}

impl<T: Tell> Waking<T> {
    /// Around an open mechanism.
    pub fn new(link: T) -> Self {
        Waking {
            link,
            round: 0,
            wake: 0,
        }
    }
}

impl<H: Hear> Waiting<H> {
    /// Around an open mechanism.
    pub fn new(link: H) -> Self {
        Waiting { link, wake: 0 }
    }
}

fn only_paced(round: &Round) -> Result<(), String> {
    match round.mode {
        Mode::Paced => Ok(()),
        Mode::Stream { .. } => Err("a wake is paced, it has no stream".to_owned()),
    }
}

impl<T: Tell> Send for Waking<T> {
    /// Answers when it began to tell each wake, CLOCK_MONOTONIC, ns.
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        only_paced(round)?;
        self.link.prepare()?;
        self.round += 1;
        if let Some(words) = self.link.words() {
            words.gather(self.round)?;
        }
        let mut told = Vec::with_capacity(round.blocks as usize);
        let mut due_ns = round.start_ns;
        for turn in 0..round.warm_up + round.blocks {
            wait_until(due_ns);
            self.wake += 1;
            let now_ns = monotonic_ns();
            self.link.tell(self.wake)?;
            if turn >= round.warm_up {
                told.push(now_ns);
            }
            spin_until("sign of life from every waiter", || {
                self.link.all_woke(self.wake)
            })?;
            // Counted from here: all waiters sleep for a whole period before they are told again.
            due_ns = monotonic_ns() + round.period_ns;
        }
        Ok(told)
    }
}

impl<H: Hear> Receive for Waiting<H> {
    /// Answers when it ran after each wake, CLOCK_MONOTONIC, ns.
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        only_paced(round)?;
        self.link.prepare();
        if let Some(joined) = self.link.joined() {
            joined.arrive();
        }
        let mut woke = Vec::with_capacity(round.blocks as usize);
        for turn in 0..round.warm_up + round.blocks {
            self.wake += 1;
            self.link.hear(self.wake)?;
            let now_ns = monotonic_ns();
            self.link.woke(self.wake);
            if turn >= round.warm_up {
                woke.push(now_ns);
            }
        }
        Ok(woke)
    }
}

/// What a waiter says of a wake that does not come.
pub fn no_wake() -> String {
    "no wake for 2 s: the waker is gone, or gets no CPU time".to_owned()
}
