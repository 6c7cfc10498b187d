//! The launcher: makes the segments, starts the processes, lets them run, ends them in order, draws up the accounts.
//!
//! ```text
//! Plan ─> take the name ─> segments ─> spawn ─> ready barrier ─> common start ─> watch ─> drain ─> stop tick ─> accounts
//!          session_file    prepare     prepare      run              run          run      run        run       account
//! ```

mod account;
mod aftermath;
mod chaos;
mod collect;
mod commands;
mod deaths;
mod events;
mod guards;
mod hold;
mod hung;
mod intervals;
mod listener;
mod on;
mod place;
mod prepare;
mod proc_stat;
mod ready;
mod recording;
mod restart;
mod rt_state;
mod run;
mod said;
mod session_file;
mod spare;
mod stage_record;
mod supervise;
mod ties;
mod told;
mod used_files;
mod witness;

pub use collect::{Collector, LoopNow, Measured, Records, Watched};
pub use events::{Event, read_entries, read_events};
pub use place::{runtime_dir, segment_name};
pub use prepare::{Part, Process, Processes, for_exec};
pub use recording::Recording;
pub use run::{Live, launch};
pub use said::{LOG_FORMAT, LogBegin, LogEnd, LogEntry, Said, SaidAccount, Spout};
pub use session_file::{
    Collected, Found, ProcessRecord, SessionLock, SessionRecord, collect_garbage, collect_session,
    session_of_capture, sessions,
};
pub use witness::PRIORITY as WITNESS_PRIORITY;

use crate::capture::AppendError;
use crate::shm::ShmError;
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::plan::StagePlan;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// What the launcher is told beside the plan.
pub struct Options<'a> {
    /// How long sources give data: wall-clock time in a paced run, stream time in an unpaced one. `None`: until they end.
    pub duration: Option<Duration>,
    /// Refuse to run without real time.
    pub require_rt: bool,
    /// Keep idle CPUs polling during a paced run, where that is permitted: waking costs microseconds instead of tens of
    /// them, and the CPUs do not save power.
    pub hold_cpu_latency: bool,
    /// The lean executable: real-time stages and the timer.
    pub lean_program: PathBuf,
    /// The executable with file-format libraries, and the arguments that make it a helper.
    pub full_program: (PathBuf, Vec<String>),
    /// Folder of the capture, if the graph names none.
    pub capture_folder: PathBuf,
    /// The file that keeps what the processes write to stdout and stderr; `None`: it is gone with the session.
    pub log: Option<PathBuf>,
    /// Times the user has asked to stop: one drains, two leave at once.
    pub interrupts: Arc<AtomicU32>,
    /// Called about ten times a second while the session runs.
    pub live: &'a mut dyn FnMut(&Live),
    /// Asks a stage once more what it is with these parameters: before its executable is started again by command, for it may
    /// have been rebuilt, and before live parameters change.
    pub redescribe: &'a dyn Fn(&StagePlan, &Value) -> Result<Described, String>,
    /// Names of a stage's live parameters.
    pub live_params: &'a dyn Fn(&StagePlan) -> Vec<String>,
    /// Called once when everything has ended and before the accounts are checked: the tests of the accounts corrupt a
    /// counter here.
    pub before_check: &'a mut dyn FnMut(&Processes),
}

/// Why a session did not come to run. One line each.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file of the session.
    #[error("{}: {why}", path.display())]
    File {
        /// Path.
        path: PathBuf,
        /// Cause.
        why: String,
    },
    /// The name is taken.
    #[error(
        "session `{session}` is running already (launcher pid {pid}): stop it, or give the graph another `name`"
    )]
    Running {
        /// Session.
        session: String,
        /// Launcher.
        pid: u32,
    },
    /// The launcher died and a process of the session has not yet left.
    #[error(
        "session `{session}`: `{who}` (pid {pid}) still runs although its launcher is gone: wait two seconds, or kill it"
    )]
    Orphans {
        /// Session.
        session: String,
        /// Process.
        who: String,
        /// Its id.
        pid: u32,
    },
    /// A segment.
    #[error(transparent)]
    Shm(#[from] ShmError),
    /// The capture cannot be begun.
    #[error(
        "the recording cannot be begun: {0}; name another folder, or record nothing (`record = []`)"
    )]
    Capture(#[from] AppendError),
    /// What a killed session left must be appended to its capture first, and that cannot be done now.
    #[error(
        "session `{session}` was killed and its capture cannot be ended: {why}; what it left stays in shared memory until then (`ephapse gc` tries again)"
    )]
    Unrecovered {
        /// Session.
        session: String,
        /// Cause.
        why: String,
    },
    /// A process could not be started.
    #[error("{who}: cannot start {}: {source}", program.display())]
    Spawn {
        /// Process.
        who: String,
        /// Executable.
        program: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A process gave up before it was ready.
    #[error("{who}: {why}")]
    Stage {
        /// Process.
        who: String,
        /// Its own words.
        why: String,
    },
    /// A process missed a phase's deadline.
    #[error(
        "{who}: not ready within {within:?} (state {state}): see what it waits for, or give it less to do before `ready`"
    )]
    Deadline {
        /// Process.
        who: String,
        /// Deadline.
        within: Duration,
        /// State it was in.
        state: &'static str,
    },
    /// `--require-rt`.
    #[error("real time is required and cannot be had: {why}")]
    NoRealTime {
        /// Cause.
        why: String,
    },
    /// Ctrl-C before the start.
    #[error("interrupted before the start")]
    Interrupted,
}
