//! The supervisor: a FIFO thread blocked in `poll` on every process's descriptor. It touches no disk, terminal or socket.

use crate::os::{self, PidFd};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
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
    /// Processes to watch from now on; a byte in the pipe says that there are some.
    more: mpsc::Sender<(usize, PidFd)>,
    wake: File,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// # Errors
    /// If the system gives no pipe.
    pub fn start(processes: Vec<(usize, PidFd)>) -> std::io::Result<Self> {
        let (send, deaths) = mpsc::channel();
        let (more, joining) = mpsc::channel();
        let (woken, wake) = os::pipe()?;
        let mut woken = File::from(woken);
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
            let mut living = processes;
            while !flag.load(Ordering::Acquire) {
                let own = std::iter::once(woken.as_raw_fd());
                let fds: Vec<i32> = own.chain(living.iter().map(|(_, fd)| fd.raw())).collect();
                let dead = os::poll_in(&fds, Duration::from_millis(100));
                let at_ns = os::monotonic_ns();
                let mut dead = dead.into_iter();
                let joined = dead.next().unwrap_or(false);
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
                if joined {
                    // One byte per process: what cannot be read now is read at the next turn.
                    let _ = woken.read(&mut [0]);
                    living.extend(joining.try_iter());
                }
            }
        });
        Ok(Supervisor {
            deaths,
            more,
            wake: File::from(wake),
            over,
            thread: Some(thread),
        })
    }

    /// Watches one more process: a successor.
    pub fn watch(&mut self, process: usize, fd: PidFd) {
        // The thread lives as long as this, and its pipe with it.
        let _ = self.more.send((process, fd));
        let _ = self.wake.write(&[1]);
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
