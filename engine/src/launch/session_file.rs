//! The session file: says that a session exists, and with whom; locked by its launcher for as long as that lives.

use super::LaunchError;
use super::place::{make_private_dir, runtime_dir, segment_name};
use super::proc_stat::field;
use crate::capture::recover::{Recovered, recorder_duty, recover};
use crate::os;
use crate::shm::SHM_DIR;
use crate::trap::{Point, trap};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a session file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Session name.
    pub session: String,
    /// Launcher first, then every process.
    pub processes: Vec<ProcessRecord>,
    /// Streams, each with a ring segment of the same name.
    pub streams: Vec<String>,
    /// The graph file.
    pub graph: Option<PathBuf>,
    /// The file that keeps what the processes say.
    #[serde(default)]
    pub log: Option<PathBuf>,
}

/// A process that belongs to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// `launcher`, `timer`, or the stage.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// Start time (clock ticks since boot): with the pid, one process for good.
    pub start_time: u64,
}

impl ProcessRecord {
    /// The record of a living process.
    pub fn of(name: &str, pid: u32) -> Self {
        ProcessRecord {
            name: name.to_owned(),
            pid,
            start_time: start_time(pid).unwrap_or(0),
        }
    }

    /// True while that very process lives (a zombie does not).
    pub fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.start_time)
    }
}

/// Start time of a living process; `None` for a dead one or a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    (field(&stat, 3) != Some("Z"))
        .then(|| field(&stat, 22)?.parse().ok())
        .flatten()
}

/// Extension of a session file that is being written.
const NEXT: &str = "session.new";
/// Whoever looks at sessions holds each file's lock for less than this.
const LOOK: Duration = Duration::from_millis(5);
/// So often a name is tried that only somebody looking may hold.
const LOOKS: u32 = 40;

/// A session file this process holds locked. Dropped, it is removed with everything beside it.
pub struct SessionLock {
    file: File,
    path: PathBuf,
    folder: PathBuf,
}

impl SessionLock {
    /// Takes the name. What a killed session of any name has left is removed first.
    ///
    /// # Errors
    /// [`LaunchError::Running`] if a session of this name lives.
    pub fn take(session: &str) -> Result<Self, LaunchError> {
        let dir = runtime_dir()?;
        let mut left = collect_garbage()?.into_iter();
        if let Some(own) = left.find(|left| left.session == session && left.segments == 0)
            && let Some(why) = own.recovered.and_then(|recovered| recovered.error)
        {
            return Err(LaunchError::Unrecovered {
                session: session.to_owned(),
                why: why.to_string(),
            });
        }
        let path = dir.join(format!("{session}.session"));
        let refused = |e: std::io::Error| LaunchError::File {
            path: path.clone(),
            why: e.to_string(),
        };
        let file = open(&path).map_err(refused)?;
        trap(Point::SessionFile);
        let mut locked = os::try_lock(&file);
        for _ in 0..LOOKS {
            let launcher_lives = || {
                let record = read(&file);
                record
                    .processes
                    .first()
                    .is_some_and(ProcessRecord::is_alive)
            };
            if locked || launcher_lives() {
                break;
            }
            // Somebody looks whether the session is running, and lets go at once.
            std::thread::sleep(LOOK);
            locked = os::try_lock(&file);
        }
        if locked && !is_still_at(&file, &path) {
            // A `gc` removed it between our open and our lock: nobody would find the session by this file.
            return Self::take(session);
        }
        if !locked {
            let record = read(&file);
            let pid = record.processes.first().map_or(0, |p| p.pid);
            return Err(LaunchError::Running {
                session: session.to_owned(),
                pid,
            });
        }
        let record = read(&file);
        if let Some(alive) = record.processes.iter().find(|p| p.is_alive()) {
            return Err(LaunchError::Orphans {
                session: session.to_owned(),
                who: alive.name.clone(),
                pid: alive.pid,
            });
        }
        trap(Point::Locked);
        let folder = dir.join(session);
        make_private_dir(&folder)?;
        Ok(SessionLock { file, path, folder })
    }

    /// Folder for the files of the session's processes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes who belongs to the session: all at once, so that whoever looks, also after this process was killed here,
    /// finds the old record or the new one.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&mut self, record: &SessionRecord) -> Result<(), LaunchError> {
        let next = self.path.with_extension(NEXT);
        let written = || {
            // Of one that could not be written to its end.
            let _ = std::fs::remove_file(&next);
            let mut file = open(&next)?;
            // Nobody else looks for this name: it is locked before it can be found.
            if !os::try_lock(&file) {
                return Err(std::io::Error::other("the new file is locked already"));
            }
            let text = serde_json::to_vec(record)?;
            file.write_all(&text)?;
            trap(Point::Record);
            std::fs::rename(&next, &self.path)?;
            Ok(file)
        };
        self.file = written().map_err(|e| LaunchError::File {
            path: self.path.clone(),
            why: e.to_string(),
        })?;
        trap(Point::Recorded);
        Ok(())
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the next start removes what is left.
        let _ = std::fs::remove_dir_all(&self.folder);
        trap(Point::Folder);
        let _ = std::fs::remove_file(self.path.with_extension(NEXT));
        let _ = std::fs::remove_file(&self.path);
    }
}

/// True if `path` still names the very file that is open.
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(ours), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// Opens a session file and tries its lock. `None`: it is gone.
fn look(path: &Path) -> Option<(File, bool)> {
    loop {
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let locked = os::try_lock(&file);
        // Its launcher may have put a newer one in its place meanwhile, and let go of this one.
        if !locked || is_still_at(&file, path) {
            return Some((file, locked));
        }
    }
}

fn read(mut file: &File) -> SessionRecord {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// A session as its file tells.
#[derive(Debug)]
pub struct Found {
    /// What the file holds.
    pub record: SessionRecord,
    /// Its launcher lives.
    pub running: bool,
}

/// All sessions of this user.
///
/// # Errors
/// If the folder cannot be read.
pub fn sessions() -> Result<Vec<Found>, LaunchError> {
    let mut found = Vec::new();
    for (path, name) in session_files()? {
        let Some((file, locked)) = look(&path) else {
            continue;
        };
        let mut record = read(&file);
        record.session = name;
        found.push(Found {
            record,
            running: !locked,
        });
    }
    found.sort_by(|a, b| a.record.session.cmp(&b.record.session));
    Ok(found)
}

fn session_files() -> Result<Vec<(PathBuf, String)>, LaunchError> {
    let dir = runtime_dir()?;
    let entries = std::fs::read_dir(&dir).map_err(|e| LaunchError::File {
        path: dir.clone(),
        why: e.to_string(),
    })?;
    let files = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((entry.path(), name.strip_suffix(".session")?.to_owned()))
    });
    Ok(files.collect())
}

/// What a killed session had left.
#[derive(Debug)]
pub struct Collected {
    /// Its name.
    pub session: String,
    /// Segments removed; 0 if all were kept, for its capture could not be ended yet.
    pub segments: usize,
    /// What became of its capture, if it had one.
    pub recovered: Option<Recovered>,
}

impl Collected {
    /// What to tell the user of the capture.
    pub fn capture_words(&self) -> Option<String> {
        let recovered = self.recovered.as_ref()?;
        let capture = recovered.capture.display();
        Some(match &recovered.error {
            None => format!(
                "its capture {capture} is whole and sealed ({} bytes were still in memory)",
                recovered.bytes
            ),
            Some(error) if recovered.may_be_tried_again() => format!(
                "its capture cannot be ended, and what it left stays in memory: {error}; then run `ephapse gc` (or remove {capture} to give it up)"
            ),
            Some(error) => format!("nothing could be added to its capture {capture}: {error}"),
        })
    }
}

/// Removes what sessions have left whose launcher and processes are all dead; what of it was recorded and is not yet in the
/// capture is appended first.
///
/// # Errors
/// If the folder of session files cannot be read.
pub fn collect_garbage() -> Result<Vec<Collected>, LaunchError> {
    collect(|_| true)
}

/// The same for one session; `None` if it is not dead, or not there.
///
/// # Errors
/// As [`collect_garbage`].
pub fn collect_session(session: &str) -> Result<Option<Collected>, LaunchError> {
    Ok(collect(|name| name == session)?.pop())
}

/// The session whose recorder wrote that capture and never ended it, if its memory is still there.
///
/// # Errors
/// The folder of session files cannot be read.
pub fn session_of_capture(capture: &Path) -> Result<Option<String>, LaunchError> {
    let Ok(capture) = capture.canonicalize() else {
        return Ok(None);
    };
    let mut sessions = session_files()?.into_iter();
    let found = sessions.find(|(path, _)| {
        let duty = recorder_duty(&path.with_extension(""));
        duty.is_some_and(|duty| duty.1.capture.canonicalize().ok().as_ref() == Some(&capture))
    });
    Ok(found.map(|(_, session)| session))
}

fn collect(wanted: impl Fn(&str) -> bool) -> Result<Vec<Collected>, LaunchError> {
    let mut collected = Vec::new();
    for (path, session) in session_files()? {
        if !wanted(&session) {
            continue;
        }
        let Some((file, locked)) = look(&path) else {
            continue;
        };
        if !locked || read(&file).processes.iter().any(ProcessRecord::is_alive) {
            continue;
        }
        let folder = path.with_extension("");
        let recovered = recover(&folder);
        if recovered
            .as_ref()
            .is_some_and(Recovered::may_be_tried_again)
        {
            collected.push(Collected {
                session,
                segments: 0,
                recovered,
            });
            continue;
        }
        let segments = remove_segments(&session);
        let _ = std::fs::remove_dir_all(folder);
        for beside in ["control", "control.new", NEXT] {
            let _ = std::fs::remove_file(path.with_extension(beside));
        }
        let _ = std::fs::remove_file(&path);
        collected.push(Collected {
            session,
            segments,
            recovered,
        });
    }
    Ok(collected)
}

/// Unlinks every segment of a session; returns how many.
fn remove_segments(session: &str) -> usize {
    let prefix = segment_name(session, "").trim_start_matches('/').to_owned();
    let Ok(entries) = std::fs::read_dir(SHM_DIR) else {
        return 0;
    };
    let ours = entries.flatten().filter(|e| {
        e.file_name()
            .to_str()
            .is_some_and(|n| n.starts_with(&prefix))
    });
    ours.filter(|entry| std::fs::remove_file(entry.path()).is_ok())
        .count()
}
