//! Signals: the engine's door-bell, and the bare signal it rings with.

use super::turns::{BOUND, Hear, SLEEPS, Tell, no_wake};
use super::words::{Joined, WakeWords};
use core::sync::atomic::Ordering;
use ephapse_engine::doorbell::{self, Announced, DueTicks, Rung, TickWords, Waited};
use ephapse_engine::os::{self, PidFd};
use std::time::Duration;

/// Every wake is a due tick of every waiter.
const EVERY: DueTicks = DueTicks {
    divider: 1,
    phase: 0,
};

fn open_process(words: &WakeWords, waiter: usize) -> Result<PidFd, String> {
    let pid = words.pid(waiter).load(Ordering::Acquire) as u32;
    PidFd::open(pid).map_err(|e| format!("waiter {waiter} (pid {pid}): {e}"))
}

/// Opens the processes of all waiters, who have joined by the first round.
fn open_all<T>(
    words: &WakeWords,
    open: &mut Vec<T>,
    make: impl Fn(usize, PidFd) -> T,
) -> Result<(), String> {
    for waiter in open.len()..words.waiters() {
        open.push(make(waiter, open_process(words, waiter)?));
    }
    Ok(())
}

/// A waiter, as the door-bell knows it.
struct RungWaiter {
    words: WakeWords,
    waiter: usize,
    announced: Announced,
    process: PidFd,
}

impl Rung for RungWaiter {
    fn announced(&mut self) -> &mut Announced {
        &mut self.announced
    }

    fn ran(&self) -> u64 {
        self.words.ran(self.waiter).load(Ordering::Relaxed)
    }

    fn ring(&self) {
        // A dead waiter does not say that it woke, which the waker notices.
        let _ = self.process.signal(os::pacing_signal());
    }
}

/// The timer's side of the door-bell.
pub struct DoorBellWaker {
    words: WakeWords,
    waiters: Vec<RungWaiter>,
}

impl DoorBellWaker {
    /// Before the waiters come.
    pub fn new(words: WakeWords) -> Self {
        words.begin();
        DoorBellWaker {
            words,
            waiters: Vec::new(),
        }
    }
}

impl Tell for DoorBellWaker {
    fn words(&self) -> Option<&WakeWords> {
        Some(&self.words)
    }

    fn prepare(&mut self) -> Result<(), String> {
        let words = &self.words;
        open_all(words, &mut self.waiters, |waiter, process| RungWaiter {
            words: words.clone(),
            waiter,
            announced: Announced::new(EVERY, 1),
            process,
        })
    }

    fn tell(&mut self, wake: u64) -> Result<(), String> {
        doorbell::announce(self.words.tick(), wake, &mut self.waiters);
        Ok(())
    }
}

/// A ticked stage's side of the door-bell.
pub struct DoorBellWaiter {
    joined: Joined,
}

impl DoorBellWaiter {
    /// Joins.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn join(words: WakeWords) -> Result<Self, String> {
        os::block_pacing_signal();
        let joined = words.join()?;
        Ok(DoorBellWaiter { joined })
    }
}

impl Hear for DoorBellWaiter {
    fn joined(&self) -> Option<&Joined> {
        Some(&self.joined)
    }

    fn hear(&mut self, wake: u64) -> Result<(), String> {
        let words = TickWords {
            tick: self.joined.words.tick(),
            stop_tick: self.joined.words.stop_tick(),
        };
        let mut sleeps = 0;
        let due = doorbell::next_due(words, EVERY, wake - 1, &mut 0, || {
            sleeps += 1;
            if sleeps > SLEEPS {
                Waited::Leave
            } else if os::wait_for_pacing_signal(BOUND) {
                Waited::Rung
            } else {
                Waited::NotRung
            }
        });
        due.map(|_| ()).ok_or_else(no_wake)
    }
}

/// Sends a signal to each waiter, and nothing else.
pub struct SignalWaker {
    words: WakeWords,
    waiters: Vec<PidFd>,
}

impl SignalWaker {
    /// Before the waiters come.
    pub fn new(words: WakeWords) -> Self {
        SignalWaker {
            words,
            waiters: Vec::new(),
        }
    }
}

impl Tell for SignalWaker {
    fn words(&self) -> Option<&WakeWords> {
        Some(&self.words)
    }

    fn prepare(&mut self) -> Result<(), String> {
        open_all(&self.words, &mut self.waiters, |_, process| process)
    }

    fn tell(&mut self, _: u64) -> Result<(), String> {
        for process in &self.waiters {
            // A dead waiter does not say that it woke, which the waker notices.
            let _ = process.signal(os::pacing_signal());
        }
        Ok(())
    }
}

/// Waits for the signal, and looks at nothing else.
pub struct SignalWaiter {
    joined: Joined,
}

impl SignalWaiter {
    /// Joins.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn join(words: WakeWords) -> Result<Self, String> {
        os::block_pacing_signal();
        let joined = words.join()?;
        Ok(SignalWaiter { joined })
    }
}

impl Hear for SignalWaiter {
    fn joined(&self) -> Option<&Joined> {
        Some(&self.joined)
    }

    fn prepare(&mut self) {
        // A ring of another link that came after its tick had been seen must not pass for a wake of this one.
        while os::wait_for_pacing_signal(Duration::ZERO) {}
    }

    fn hear(&mut self, _: u64) -> Result<(), String> {
        let came = (0..SLEEPS).any(|_| os::wait_for_pacing_signal(BOUND));
        came.then_some(()).ok_or_else(no_wake)
    }
}
