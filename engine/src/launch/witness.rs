//! Witnesses: a FIFO thread per stage CPU that sleeps 1 ms and logs its own lateness. What stalls a witness (the
//! hypervisor, an interrupt, a more urgent task) stalled the stages of that CPU too, and was none of their doing.

use crate::os;
use crate::outcome::Stall;
use crate::runner::set_fifo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

/// FIFO priority: above every stage, below timer and supervisor.
pub const PRIORITY: u8 = 92;
const SLEEP_NS: u64 = 1_000_000;
/// Lateness from which on it is called a stall.
const STALL_NS: u64 = 2_000_000;
/// Stalls kept for the report; a run that has more is no measurement.
const MOST_STALLS: usize = 4096;

const NO_STALL: Stall = Stall {
    cpu: u32::MAX,
    at_ns: u64::MAX,
    length_ns: u64::MAX,
};

/// The witnesses of a session. Dropped, they end.
pub(super) struct Witnesses {
    over: Arc<AtomicBool>,
    /// No lock between them and the launcher: a witness that waits for a launcher of normal priority would take that for a
    /// stall.
    seen: mpsc::Receiver<Stall>,
    stalls: Vec<Stall>,
    threads: Vec<JoinHandle<()>>,
}

impl Witnesses {
    pub fn start(cpus: impl IntoIterator<Item = u32>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (send, seen) = mpsc::channel();
        let threads = cpus.into_iter().map(|cpu| {
            let (over, send) = (over.clone(), send.clone());
            std::thread::spawn(move || watch(cpu, &over, &send))
        });
        // Its memory is taken and touched now: an hour full of stalls makes the launcher no larger.
        let mut stalls = vec![NO_STALL; MOST_STALLS];
        stalls.clear();
        Witnesses {
            threads: threads.collect(),
            over,
            seen,
            stalls,
        }
    }

    /// Stalls seen since the last look.
    pub fn look(&mut self) -> Vec<Stall> {
        let new: Vec<Stall> = self.seen.try_iter().collect();
        let room = MOST_STALLS.saturating_sub(self.stalls.len());
        self.stalls.extend(new.iter().take(room));
        new
    }

    /// Stalls seen up to the last look, in order of their time.
    pub fn stalls(&self) -> Vec<Stall> {
        let mut stalls = self.stalls.clone();
        stalls.sort_by_key(|s| s.at_ns);
        stalls
    }
}

fn watch(cpu: u32, over: &AtomicBool, seen: &mpsc::Sender<Stall>) {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize });
    // Without the privilege it witnesses at normal priority, as the stages then run.
    let _ = set_fifo(PRIORITY);
    let mut now_ns = os::monotonic_ns();
    while !over.load(Ordering::Acquire) {
        // From look to look, for a stall may also meet the witness while it is awake.
        let due_ns = now_ns + SLEEP_NS;
        os::sleep_until(due_ns);
        now_ns = os::monotonic_ns();
        let length_ns = now_ns.saturating_sub(due_ns);
        if length_ns >= STALL_NS {
            // The receiver outlives this thread.
            let _ = seen.send(Stall {
                cpu,
                at_ns: due_ns,
                length_ns,
            });
        }
    }
}

impl Drop for Witnesses {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // A witness that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}
