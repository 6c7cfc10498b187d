//! The capture that a running session is recorded to.

use super::file_set::first_of;
use super::scan::read_file_header;
use crate::launch::{ProcessRecord, SessionRecord};
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;

/// Name of the process that records.
const RECORDER: &str = "recorder";

/// First file of the capture that the session's recorder is writing now; `None` if nothing is recorded, or by a process of
/// another user.
///
/// The kernel is asked which file the recorder holds open: nobody else knows it when a capture has rolled over or recording
/// was switched on in the middle of a run.
pub fn of_session(session: &SessionRecord) -> Option<PathBuf> {
    let mut recorders = session.processes.iter().filter(|p| p.name == RECORDER);
    let recorder = recorders.find(|p| ProcessRecord::is_alive(p))?;
    let open = std::fs::read_dir(format!("/proc/{}/fd", recorder.pid)).ok()?;
    let paths = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let mut captures = paths.filter(|path| path.extension() == Some(OsStr::new("cap")));
    captures.find_map(|path| {
        let header = read_file_header(&File::open(&path).ok()?).ok()?;
        Some(first_of(&path, header.number))
    })
}
