//! The supervisor: a FIFO thread blocked in `poll` on every process's descriptor. It touches no disk, terminal or socket.
//!
//! The first thing it does about a death is to hold stimulation; the launcher, which has a normal priority, decides the rest.

use super::listener::Asked;
use crate::abi::{SessionWords, StageWords, stage_state};
use crate::os::{self, PidFd};
use crate::runner::set_fifo;
use crate::shm::Words;
use crate::sync::Ordering as Order;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

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

/// A process that is watched.
pub(super) struct Living {
    /// Its index.
    pub process: usize,
    /// How its death is seen.
    pub fd: PidFd,
    /// Its words, if its death holds stimulation, unless it had said that it was done.
    pub holds: Option<Words<StageWords>>,
}

impl Living {
    /// Holds stimulation if that is needed. Called when it is dead.
    fn hold(&self, session: &SessionWords) {
        let unexpected =
            |words: &Words<StageWords>| words.state.load(Order::Acquire) != stage_state::DONE;
        if self.holds.as_ref().is_some_and(unexpected) {
            session.held.fetch_add(1, Order::AcqRel);
        }
    }
}

/// What the launcher is woken by.
pub(super) enum Happened {
    /// A process ended.
    Death(Death),
    /// Somebody asks through the control socket.
    Asked(Asked),
}

/// The running thread. Dropped, it ends within a tenth of a second.
pub(super) struct Supervisor {
    happened: mpsc::Receiver<Happened>,
    send: mpsc::Sender<Happened>,
    /// Processes to watch from now on; a byte in the pipe says that there are some.
    more: mpsc::Sender<Living>,
    wake: File,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// # Errors
    /// If the system gives no pipe.
    pub fn start(processes: Vec<Living>, session: Words<SessionWords>) -> std::io::Result<Self> {
        let (send, happened) = mpsc::channel();
        let deaths = send.clone();
        let (more, joining) = mpsc::channel();
        let (woken, wake) = os::pipe()?;
        let mut woken = File::from(woken);
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let thread = std::thread::spawn(move || {
            // Without the privilege it runs at normal priority: deaths are then seen later, not missed.
            let _ = set_fifo(PRIORITY);
            let mut living = processes;
            while !flag.load(Ordering::Acquire) {
                let own = std::iter::once(woken.as_raw_fd());
                let fds: Vec<i32> = own.chain(living.iter().map(|one| one.fd.raw())).collect();
                let dead = os::poll_in(&fds, Duration::from_millis(100));
                let at_ns = os::monotonic_ns();
                let mut dead = dead.into_iter();
                let joined = dead.next().unwrap_or(false);
                living.retain(|one| {
                    let died = dead.next().unwrap_or(false);
                    if died {
                        one.hold(&session);
                        // The receiver outlives this thread.
                        let _ = deaths.send(Happened::Death(Death {
                            process: one.process,
                            at_ns,
                        }));
                    }
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
            happened,
            send,
            more,
            wake: File::from(wake),
            over,
            thread: Some(thread),
        })
    }

    /// Where others may say what wakes the launcher.
    pub fn sender(&self) -> mpsc::Sender<Happened> {
        self.send.clone()
    }

    /// Watches one more process: a successor.
    pub fn watch(&mut self, successor: Living) {
        // The thread lives as long as this, and its pipe with it.
        let _ = self.more.send(successor);
        let _ = self.wake.write(&[1]);
    }

    /// What happened next, waiting at most so long for something.
    pub fn next(&self, wait: Duration) -> Option<Happened> {
        self.happened.recv_timeout(wait).ok()
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
