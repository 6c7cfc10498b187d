//! What the processes of a session write to stdout and stderr: read by the launcher, stamped, sifted, kept in a file.
//!
//! ```text
//! process ──stdout, stderr──> pipes ──> reader ──> lines ──> sift ──> log_file ──> `ephapse logs`
//!                                      (thread)                 └───> last words, screen
//! ```
//!
//! One thread of normal priority reads everything, and reads it at once: a process is never held by what it says as long as that
//! thread comes to run within the time in which its pipe fills. What is too much is counted, not kept.

mod entry;
mod lines;
mod log_file;
mod reader;
mod sift;

pub use entry::{LOG_FORMAT, LogBegin, LogEnd, LogEntry, Said, SaidAccount, Spout};

use super::{LaunchError, ProcessRecord, segment_name};
use crate::abi::segment;
use crate::os;
use crate::runner::memory::SessionView;
use crate::shm::{Access, Segment};
use log_file::LogFile;
use reader::Reader;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes that a pipe holds, if this user may have pipes so large: at 100 bytes a line and a line per millisecond, ten seconds
/// in which nobody reads.
const PIPE_BYTES: i32 = 1 << 20;
/// Last lines of a process that are at hand.
const LAST_LINES: usize = 10;
/// Entries that wait for whoever shows them; the oldest give way, and stand in the file.
const FRESH: usize = 1000;

/// What the threads share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A turn of the reader is over.
    turned: Condvar,
    /// A byte in it begins a turn.
    wake: File,
}

#[derive(Debug, Default)]
struct State {
    /// Read ends nobody reads yet: process, stream, pipe.
    joining: Vec<(usize, Spout, File)>,
    /// By process: its newest lines, by stream.
    last: Vec<[VecDeque<String>; 2]>,
    /// By process: the last turn has not come to the end of what it has said.
    behind: Vec<bool>,
    /// What was kept and not shown yet.
    fresh: VecDeque<LogEntry>,
    turns: u64,
    over: bool,
    /// Written when the reader has left.
    accounts: Vec<SaidAccount>,
    /// What the disk said last; empty if nothing.
    why: String,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done in it at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // A pipe that is full of them wakes as well.
        let _ = (&self.wake).write(&[1]);
    }
}

/// The log of a session. Dropped, it is ended: what was said is in the file.
#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<Shared>,
    names: Vec<String>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Begins the log of a session whose segment is there. `names` are its processes.
    ///
    /// # Errors
    /// The file cannot be made, or the system gives no pipe or thread.
    pub fn start(session: &str, names: Vec<String>, path: &Path) -> Result<Self, LaunchError> {
        let refused = |e: std::io::Error| LaunchError::File {
            path: path.to_owned(),
            why: format!("the log of what the stages say cannot be made: {e}"),
        };
        let segment = segment_name(session, "session");
        let segment = Segment::open(&segment, segment::SESSION, Access::ReadOnly)?;
        let clock = SessionView::attach(&segment, Access::ReadOnly)?;
        let mut file = LogFile::create(path).map_err(refused)?;
        file.add(&LogEntry::Begin(LogBegin {
            format: LOG_FORMAT.to_owned(),
            session: session.to_owned(),
            realtime_ns: os::realtime_ns(),
            launcher: ProcessRecord::of("launcher", std::process::id()),
            processes: names.clone(),
        }));
        file.write().map_err(refused)?;
        let (woken, wake) = os::pipe().map_err(refused)?;
        for end in [&woken, &wake] {
            os::never_wait(end.as_raw_fd());
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                last: names.iter().map(|_| Default::default()).collect(),
                behind: vec![false; names.len()],
                ..State::default()
            }),
            turned: Condvar::new(),
            wake: File::from(wake),
        });
        let reader = Reader::new(shared.clone(), &names, file, clock, File::from(woken));
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || reader.run())
            .map_err(refused)?;
        Ok(Log {
            shared,
            names,
            path: path.to_owned(),
            thread: Some(thread),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a process of that name says something.
    pub fn of(&self, name: &str) -> Voice {
        Voice {
            shared: self.shared.clone(),
            process: self.names.iter().position(|n| n == name),
        }
    }

    /// What was kept since this was asked last.
    pub fn fresh(&self) -> Vec<LogEntry> {
        self.shared.state().fresh.drain(..).collect()
    }

    /// Ends the log: everybody has left. Returns the accounts of those who have said anything, and what the disk said last
    /// (empty if nothing).
    pub fn end(&mut self) -> (Vec<SaidAccount>, String) {
        self.shared.state().over = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let mut state = self.shared.state();
        (
            core::mem::take(&mut state.accounts),
            core::mem::take(&mut state.why),
        )
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

/// A process's way into the log: for each process that is started under its name.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    shared: Arc<Shared>,
    /// `None`: nobody of that name was announced; what it says is not read.
    process: Option<usize>,
}

/// Read ends of a process that is about to be started.
pub(super) struct Ears([OwnedFd; 2]);

impl Ears {
    /// What the process must hold.
    pub fn held(&self) -> [RawFd; 2] {
        [self.0[0].as_raw_fd(), self.0[1].as_raw_fd()]
    }
}

impl Voice {
    /// Gives a command its stdout and stderr.
    ///
    /// The process is to hold the read ends as well, though it never reads: a pipe without readers kills who writes to it
    /// (SIGPIPE), or makes a `println!` panic, and a stage whose launcher has just died has stimulation to switch off first.
    /// That its pipe then fills is dealt with elsewhere ([`os::fall_silent_when_cut`]).
    pub fn pipe(&self, command: &mut Command) -> std::io::Result<Option<Ears>> {
        if self.process.is_none() {
            command.stdout(Stdio::null()).stderr(Stdio::null());
            return Ok(None);
        }
        let ((out, stdout), (err, stderr)) = (os::pipe()?, os::pipe()?);
        for end in [&out, &err] {
            os::enlarge_pipe(end.as_raw_fd(), PIPE_BYTES);
            os::never_wait(end.as_raw_fd());
        }
        command.stdout(stdout).stderr(stderr);
        Ok(Some(Ears([out, err])))
    }

    /// The process runs: it is listened to from now on.
    pub fn listen(&self, ears: Option<Ears>) {
        let (Some(process), Some(Ears([out, err]))) = (self.process, ears) else {
            return;
        };
        {
            let mut state = self.shared.state();
            // What its predecessor has said is not the reason of its death.
            state.last[process] = Default::default();
            state
                .joining
                .push((process, Spout::Stdout, File::from(out)));
            state
                .joining
                .push((process, Spout::Stderr, File::from(err)));
        }
        self.shared.wake();
    }

    /// The last line that a process which is dead wrote to stderr, or else to stdout; empty if there is none. Waits at most so
    /// long until all it has left is read.
    pub fn last_words(&self, within: Duration) -> String {
        let Some(process) = self.process else {
            return String::new();
        };
        let deadline = Instant::now() + within;
        let mut state = self.shared.state();
        // The turn that is under way may have looked at its pipes before it died.
        let after = state.turns + 2;
        while state.turns < after || state.behind[process] {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.shared.wake();
            // Each turn is a short one: what it waits for is the last of them.
            let step = left.min(Duration::from_millis(1));
            let waited = self.shared.turned.wait_timeout(state, step);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let [stdout, stderr] = &state.last[process];
        let newest = stderr.back().or(stdout.back());
        newest.cloned().unwrap_or_default()
    }
}
