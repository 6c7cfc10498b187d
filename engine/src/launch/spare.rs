//! Stand-ins: second processes of slow starters, prepared and parked until the first one dies.

use super::LaunchError;
use super::prepare::{Processes, StartedFrom};
use crate::abi::stage_state;
use crate::os;
use crate::runner::file::StageFile;
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::process::Child;

/// A parked process. Dropped, it is killed: it holds nothing that anybody waits for.
pub(super) struct Spare {
    child: Option<Child>,
    go: File,
}

impl Spare {
    /// Starts a second process of what `from` starts.
    fn park(who: &str, from: &StartedFrom, lifeline: RawFd) -> Result<Self, LaunchError> {
        let name = format!("{who}.spare");
        let (parked, go) = os::pipe().map_err(|e| LaunchError::File {
            path: name.clone().into(),
            why: format!("no pipe for the stand-in: {e}"),
        })?;
        let from = StartedFrom {
            words: from.words.clone(),
            folder: from.folder.clone(),
            file: StageFile {
                parked_fd: Some(parked.as_raw_fd()),
                ..from.file.clone()
            },
            path: from.path.with_file_name(format!("{name}.json")),
            voice: from.voice.clone(),
        };
        let child = from.spawn(&name, &[lifeline, parked.as_raw_fd()])?;
        trap(Point::Parked);
        Ok(Spare {
            child: Some(child),
            go: File::from(go),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Lets it begin as that generation, and gives its process away; `None` if it has died while it was parked.
    pub fn go(mut self, generation: u32) -> Option<Child> {
        let mut child = self.child.take()?;
        let lives = matches!(child.try_wait(), Ok(None));
        if lives && self.go.write_all(&generation.to_le_bytes()).is_ok() {
            return Some(child);
        }
        self.child = Some(child);
        None
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A failure means that it is dead already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Processes {
    /// Parks a stand-in for every stage that wants one, has none and is running.
    pub(super) fn park_spares(&mut self) -> Result<(), LaunchError> {
        let lifeline = self.lifeline_read.as_raw_fd();
        let mut parked = false;
        for process in &mut self.list {
            let wanted = process
                .part
                .stage()
                .is_some_and(|s| self.plan.stages[s].spare);
            // Not while it starts itself: both would then start more slowly.
            let state = process.words().state.load(Ordering::Acquire);
            let settled = matches!(state, stage_state::READY | stage_state::RUNNING);
            if wanted && settled && process.spare.is_none() && process.exited.is_none() {
                process.spare = Some(Spare::park(&process.name, &process.started_from, lifeline)?);
                parked = true;
            }
        }
        if parked {
            self.write_record()?;
        }
        Ok(())
    }

    /// Ends all stand-ins.
    pub(super) fn end_spares(&mut self) {
        for process in &mut self.list {
            process.spare = None;
        }
    }
}
