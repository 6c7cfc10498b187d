//! A process of a session that is neither a stage nor the timer: what it shares with its launcher.

use super::ProcessError;
use super::file::StageFile;
use super::memory::{SessionView, StageMemory};
use super::placement;
use super::process::{failed, outlive_the_reader, owner, report_panics, wait_for_start};
use crate::abi::{PAGE, StageWords, segment, stage_state};
use crate::os;
use crate::shm::{Access, Segment, Words};
use crate::sync::Ordering;

/// The calling process's own segment, and the session's.
pub struct Attendant {
    session: Segment,
    view: SessionView,
    words: Words<StageWords>,
    memory: StageMemory,
    file: StageFile,
}

impl Attendant {
    /// Attaches to both and says whose they are.
    ///
    /// # Errors
    /// A damaged segment.
    pub fn attach(file: &StageFile) -> Result<Self, ProcessError> {
        outlive_the_reader(file);
        let session = Segment::open(&file.session_segment, segment::SESSION, Access::ReadOnly)?;
        let own = session.open_beside(&file.stage_segment, segment::STAGE)?;
        let memory = StageMemory::attach(&own, Access::ReadWrite)?;
        report_panics(&own)?;
        let words: Words<StageWords> = own.map(PAGE, PAGE, Access::ReadWrite)?.words(0);
        words.owner.store(owner(file), Ordering::Release);
        words.state.store(stage_state::ATTACHED, Ordering::Release);
        Ok(Attendant {
            view: SessionView::attach(&session, Access::ReadOnly)?,
            session,
            words,
            memory,
            file: file.clone(),
        })
    }

    /// The session's segment.
    pub fn session(&self) -> &Segment {
        &self.session
    }

    /// Owner word of everything this process takes.
    pub fn owner(&self) -> u64 {
        owner(&self.file)
    }

    /// Puts the calling thread under SCHED_FIFO, with neither memory locked nor a CPU of its own, and states what came of it.
    /// `None`: it stays as it is.
    pub fn place(&self, priority: Option<u8>) {
        let why = priority.and_then(placement::run_fifo);
        placement::read_back(&self.words, &why.unwrap_or_default());
    }

    /// Says that it is ready, and waits for the common start. False if the session is given up first.
    pub fn wait_for_start(&self) -> bool {
        self.words
            .state
            .store(stage_state::READY, Ordering::Release);
        let started = wait_for_start(&self.view, self.file.lifeline_fd);
        if started {
            self.words
                .state
                .store(stage_state::RUNNING, Ordering::Release);
        }
        started
    }

    /// True when the launcher is gone.
    pub fn launcher_gone(&self) -> bool {
        os::lifeline_cut(self.file.lifeline_fd)
    }

    /// Shows that it lives, and counts a turn if it came to something.
    pub fn beat(&mut self, now_ns: u64, turn: bool) {
        self.words.heartbeat_ns.store(now_ns, Ordering::Relaxed);
        if turn {
            let turns = self.memory.bank().activations.load(Ordering::Relaxed) + 1;
            self.memory
                .next_bank()
                .activations
                .store(turns, Ordering::Relaxed);
            self.memory.flip();
        }
    }

    /// Leaves well.
    pub fn leave(&self) {
        self.words.state.store(stage_state::DONE, Ordering::Release);
    }

    /// Leaves the reason where the launcher looks for it.
    pub fn fail(&self, why: impl Into<String>) -> ProcessError {
        failed(&self.words, ProcessError::Stage(why.into()))
    }
}
