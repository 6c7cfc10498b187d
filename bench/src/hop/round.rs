//! Rounds over a link, as both ends run them. The loops are written once, for every mechanism.

use super::payload::Seen;
use crate::ends::{Mode, Round};
use ephapse_engine::os::monotonic_ns;
use std::time::Duration;

/// No block and no free slot for so long means that the other end is gone.
const GIVE_UP_NS: u64 = 2_000_000_000;

/// The sending end of a mechanism.
pub trait Sender {
    /// Sends block `position`, waiting for room first: reads the clock, claims, writes every word in place where the
    /// mechanism can, publishes, wakes.
    ///
    /// # Errors
    /// If there is no room for two seconds, or the mechanism fails.
    fn send(&mut self, position: u64) -> Result<(), String>;

    /// What the mechanism does between two blocks when there is time, until the next one is due.
    fn idle(&mut self, _until_ns: u64) {}
}

/// The receiving end of a mechanism.
pub trait Receiver {
    /// Waits for the next block, reads every word of it in place where the mechanism can, and answers what it saw and
    /// when it had seen it, ns; then gives it back.
    ///
    /// # Errors
    /// If no block comes for two seconds, or the mechanism fails.
    fn receive(&mut self) -> Result<(Seen, u64), String>;
}

/// Runs rounds as the sending end.
pub trait Send {
    /// Runs one; answers values if this end measures.
    ///
    /// # Errors
    /// One line.
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String>;
}

/// Runs rounds as the receiving end.
pub trait Receive {
    /// Runs one; answers values if this end measures.
    ///
    /// # Errors
    /// One line.
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String>;
}

/// A sender with its count of blocks.
pub struct Sending<S> {
    link: S,
    position: u64,
}

impl<S: Sender> Sending<S> {
    /// Around an open link.
    pub fn new(link: S) -> Self {
        Sending { link, position: 0 }
    }
}

/// A receiver with its count of blocks.
pub struct Receiving<R> {
    link: R,
    position: u64,
}

impl<R: Receiver> Receiving<R> {
    /// Around an open link.
    pub fn new(link: R) -> Self {
        Receiving { link, position: 0 }
    }
}

impl<S: Sender> Send for Sending<S> {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let mut due_ns = round.start_ns;
        wait_until(due_ns);
        for _ in 0..round.warm_up + round.blocks {
            if round.mode == Mode::Paced {
                wait_until(due_ns);
            }
            self.link.send(self.position)?;
            self.position += 1;
            if round.mode == Mode::Paced {
                // Counted from here: blocks missed while this process was away are not sent in a burst.
                due_ns = monotonic_ns() + round.period_ns;
                self.link.idle(due_ns);
            }
        }
        Ok(Vec::new())
    }
}

impl<R: Receiver> Receive for Receiving<R> {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let mut take = || {
            let (seen, now_ns) = self.link.receive()?;
            seen.check(self.position)?;
            self.position += 1;
            Ok::<_, String>((seen, now_ns))
        };
        let mut last_ns = 0;
        for _ in 0..round.warm_up {
            last_ns = take()?.1;
        }
        let mut values = Vec::with_capacity(round.blocks as usize);
        match round.mode {
            Mode::Paced => {
                for _ in 0..round.blocks {
                    let (seen, now_ns) = take()?;
                    values.push(now_ns.saturating_sub(seen.began_ns));
                }
            }
            Mode::Stream { batch } => {
                for _ in 0..round.blocks / batch {
                    let mut now_ns = last_ns;
                    for _ in 0..batch {
                        now_ns = take()?.1;
                    }
                    values.push(now_ns - last_ns);
                    last_ns = now_ns;
                }
                for _ in 0..round.blocks % batch {
                    take()?;
                }
            }
        }
        Ok(values)
    }
}

/// Waits for an instant: sleeps far from it, spins near it. A sender that owns its CPU spins, so that its own waking up
/// is in no measurement.
pub fn wait_until(due_ns: u64) {
    const NEAR_NS: u64 = 1_500_000;
    loop {
        let now_ns = monotonic_ns();
        if now_ns >= due_ns {
            return;
        }
        if due_ns - now_ns > NEAR_NS {
            std::thread::sleep(Duration::from_nanos(due_ns - now_ns - NEAR_NS));
        }
        core::hint::spin_loop();
    }
}

/// Spins until `ready`; looks at the clock only now and then.
///
/// # Errors
/// After two seconds, naming `what` did not come.
pub fn spin_until(what: &str, mut ready: impl FnMut() -> bool) -> Result<(), String> {
    let mut since_ns = None;
    loop {
        for _ in 0..4096 {
            if ready() {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        let now_ns = monotonic_ns();
        if now_ns - *since_ns.get_or_insert(now_ns) > GIVE_UP_NS {
            return Err(format!(
                "no {what} for 2 s: the other end is gone, or gets no CPU time"
            ));
        }
    }
}

/// Sleeps with `sleep` (bounded by itself) until `ready`.
///
/// # Errors
/// After two seconds, naming `what` did not come.
pub fn sleep_until(
    what: &str,
    mut ready: impl FnMut() -> bool,
    mut sleep: impl FnMut(),
) -> Result<(), String> {
    let since_ns = monotonic_ns();
    while !ready() {
        sleep();
        if monotonic_ns() - since_ns > GIVE_UP_NS {
            return Err(format!(
                "no {what} for 2 s: the other end is gone, or gets no CPU time"
            ));
        }
    }
    Ok(())
}
