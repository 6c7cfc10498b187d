//! The file of `stimulate.log`: lines of what has become of each command, and beside them those of a guard.

use super::handed::Handed;
use super::log_line::{OFF_BEGINS, write_line};
use super::refusal::Refusal;
use ephapse_engine::stage::StageError;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How much of the file is known to be written: the whole state of the writer. All zero is the beginning of a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct WriterState {
    /// Bytes of complete lines.
    pub bytes: u64,
    /// Commands in them.
    pub commands: u64,
}

/// The log, open. Lines are in the file when [`LogFile::write`] returns.
pub struct LogFile {
    file: File,
    /// The lines of a block: they go out in one piece, for a guard writes into the same file.
    lines: Vec<u8>,
    resumed: bool,
}

impl LogFile {
    /// Opens or creates the file, and leaves what is in it until the first block says where to go on.
    ///
    /// # Errors
    /// `Resource` naming the file or its folder.
    pub fn open(path: &Path) -> Result<Self, StageError> {
        Ok(LogFile {
            file: open_for_writing(path)?,
            lines: Vec::new(),
            resumed: false,
        })
    }

    /// Writes what has become of the commands; `late` is a reason, known only now, to carry none of them out. A block without
    /// commands costs nothing.
    ///
    /// At the first call everything behind `state.bytes` is cut off: what an earlier run left, or, after a restart, the
    /// block that was half written when the writer was killed. Every command stands in the file exactly once. What a guard
    /// has written meanwhile stays.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(
        &mut self,
        state: &mut WriterState,
        handed: &[Handed],
        late: Option<Refusal>,
    ) -> io::Result<()> {
        if !self.resumed {
            self.cut(state.bytes)?;
            self.resumed = true;
        }
        if handed.is_empty() {
            return Ok(());
        }
        self.lines.clear();
        for one in handed {
            // Nobody is late with switching off.
            let late = late.filter(|_| one.command.values[0] != 0.0);
            write_line(&mut self.lines, one, one.refusal().or(late))?;
        }
        self.file.write_all(&self.lines)?;
        state.bytes = self.file.stream_position()?;
        state.commands += handed.len() as u64;
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let mut kept = Vec::new();
        if bytes > 0 {
            let mut behind = Vec::new();
            self.file.seek(SeekFrom::Start(bytes))?;
            self.file.read_to_end(&mut behind)?;
            let lines = behind.split_inclusive(|byte| *byte == b'\n');
            let guards = lines.filter(|line| line.starts_with(OFF_BEGINS) && line.ends_with(b"\n"));
            kept = guards.collect::<Vec<_>>().concat();
        }
        self.file.set_len(bytes)?;
        self.file.write_all(&kept)
    }
}

/// Everybody writes at the end, wherever that is by then.
pub(super) fn open_for_writing(path: &Path) -> Result<File, StageError> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| refusal(path, &error))
}

fn refusal(path: &Path, error: &io::Error) -> StageError {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (what, why) = if path.is_dir() {
        (
            path,
            "is a directory; name a file in it with `path`".to_owned(),
        )
    } else if !folder.is_dir() {
        (
            folder,
            "no such folder for the stimulation log; make it, or give another `path`".to_owned(),
        )
    } else if path.exists() {
        (
            path,
            format!("the stimulation log cannot be written ({error}); give another `path`"),
        )
    } else {
        (
            folder,
            format!(
                "no stimulation log can be written in this folder ({error}); give another `path`"
            ),
        )
    };
    StageError::resource(what.display().to_string(), why)
}

/// Refuses a path that cannot be written, without leaving a file behind or touching one that is there.
pub(super) fn check_writable(path: &Path) -> Result<(), StageError> {
    let existed = path.exists();
    open_for_writing(path)?;
    if !existed {
        std::fs::remove_file(path).map_err(|error| refusal(path, &error))?;
    }
    Ok(())
}
