//! The log file: lines are appended as they come, up to a bound.

use super::entry::LogEntry;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes after which lines are only counted.
pub(super) const MOST: u64 = 16 << 20;

/// A log that is being written.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    bytes: u64,
    /// To be written next.
    next: Vec<u8>,
}

impl LogFile {
    /// Makes it. What an earlier run has left at its place is removed, not written over: somebody may still be reading it.
    pub fn create(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        Ok(LogFile {
            file,
            bytes: 0,
            next: Vec::new(),
        })
    }

    /// True while there is room for lines behind so many bytes that wait. Counts are written beyond it.
    pub fn has_room_behind(&self, waiting: u64) -> bool {
        self.bytes + waiting < MOST
    }

    /// Adds an entry to what is written next.
    pub fn add(&mut self, entry: &LogEntry) {
        // Numbers, names and text: there is nothing in it that JSON could not say.
        if serde_json::to_writer(&mut self.next, entry).is_ok() {
            self.next.push(b'\n');
        }
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// None of it is in the file then, and nothing of it waits any more.
    pub fn write(&mut self) -> io::Result<()> {
        let next = core::mem::take(&mut self.next);
        match self.file.write_all(&next) {
            Ok(()) => {
                self.bytes += next.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Should this fail too, a reader passes over half a line.
                let _ = self.file.set_len(self.bytes);
                Err(error)
            }
        }
    }
}
