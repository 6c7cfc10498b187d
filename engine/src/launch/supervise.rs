//! The supervisor: a FIFO thread blocked in `poll` on every process's descriptor. It touches no disk, terminal or socket.

use crate::os::{self, PidFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

/// FIFO priority; below the timer and the interlock, above every stage.
const PRIORITY: u8 = 93;

/// A process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// Index of the process.
    pub process: usize,
    /// When it was seen, CLOCK_MONOTONIC ns.
    pub at_ns: u64,
}

/// The running thread. Dropped, it ends within a tenth of a second.
pub(super) struct Supervisor {
    deaths: mpsc::Receiver<Death>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    pub fn start(processes: Vec<PidFd>) -> Self {
        let (send, deaths) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let thread = std::thread::spawn(move || {
            if let Ok(value) = ThreadPriorityValue::try_from(PRIORITY) {
                // Without the privilege it runs at normal priority: deaths are then seen later, not missed.
                let _ = thread_priority::set_thread_priority_and_policy(
                    thread_priority::thread_native_id(),
                    ThreadPriority::Crossplatform(value),
                    ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
                );
            }
            let mut living: Vec<(usize, PidFd)> = processes.into_iter().enumerate().collect();
            while !flag.load(Ordering::Acquire) && !living.is_empty() {
                let fds: Vec<i32> = living.iter().map(|(_, fd)| fd.raw()).collect();
                let dead = os::poll_in(&fds, Duration::from_millis(100));
                let at_ns = os::monotonic_ns();
                let mut dead = dead.into_iter();
                living.retain(|(process, _)| {
                    let died = dead.next().unwrap_or(false);
                    // The receiver outlives this thread.
                    died.then(|| {
                        send.send(Death {
                            process: *process,
                            at_ns,
                        })
                    });
                    !died
                });
            }
        });
        Supervisor {
            deaths,
            over,
            thread: Some(thread),
        }
    }

    /// The next death, waiting at most so long for one.
    pub fn next(&self, wait: Duration) -> Option<Death> {
        match self.deaths.recv_timeout(wait) {
            Ok(death) => Some(death),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                // Everybody is dead: the caller's rhythm stays the same.
                std::thread::sleep(wait);
                None
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
