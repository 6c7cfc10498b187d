//! Stand-ins for stages that are slow to start: started, everything loaded, and waiting for a byte on stdin before they look
//! at their stage file. Until then they are attached to nothing.

use super::LaunchError;
use super::prepare::{Process, Processes, StartedFrom};
use crate::abi::stage_state;
use crate::os;
use crate::runner::file::SPARE_VARIABLE;
use crate::sync::Ordering;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

/// A process that waits. Dropped, it is killed.
pub(super) struct Spare {
    child: Option<Child>,
    go: File,
}

impl Spare {
    fn start(from: &mut StartedFrom, who: &str, errors: &Path) -> Result<Self, LaunchError> {
        let (waits, go) = os::pipe().map_err(|e| LaunchError::File {
            path: "pipe of a spare".into(),
            why: e.to_string(),
        })?;
        from.command.env(SPARE_VARIABLE, "1").stdin(waits);
        let child = from.spawn(who, errors);
        // The pipe's read end stays in the child alone: the command lets go of it here.
        from.command.env_remove(SPARE_VARIABLE).stdin(Stdio::null());
        Ok(Spare {
            child: Some(child?),
            go: File::from(go),
        })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Lets it go on, as the process that its stage file says by now. `None` if it has died while it waited.
    pub fn take_over(mut self) -> Option<Child> {
        let mut child = self.child.take()?;
        let alive = child.try_wait().is_ok_and(|ended| ended.is_none());
        (alive && self.go.write_all(&[1]).is_ok()).then_some(child)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail when it has died by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Process {
    /// It runs, is to have a stand-in, and has none.
    fn lacks_spare(&self) -> bool {
        self.wants_spare
            && self.spare.is_none()
            && self.words().state.load(Ordering::Acquire) == stage_state::RUNNING
    }
}

impl Processes {
    /// Starts the stand-ins that are wanted and not there. One that cannot be started is said and given up.
    pub(super) fn start_spares(&mut self) -> Result<(), LaunchError> {
        let mut started = false;
        let tick = self.tick();
        for process in self.list.iter_mut().filter(|p| p.lacks_spare()) {
            match Spare::start(&mut process.started_from, &process.name, &process.errors) {
                Ok(spare) => {
                    process.spare = Some(spare);
                    started = true;
                }
                Err(why) => {
                    process.wants_spare = false;
                    let what = format!("has no spare: {why}");
                    self.events.say(tick, &process.name, &what);
                }
            }
        }
        if started { self.write_record() } else { Ok(()) }
    }
}
