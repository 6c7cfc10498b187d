//! Logs of sessions: read from their files, and shown.

use anyhow::{Context, bail};
use ephapse_bench::report::rfc3339;
use ephapse_engine::launch::{LOG_FORMAT, LogBegin, LogEntry, Spout};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A log's name in the folder of its report.
pub const LOG: &str = "logs.jsonl";

/// A log that is read from its beginning, and may still grow.
pub struct Log {
    growing: Growing,
    begin: LogBegin,
    /// The entries that were there when it was opened.
    first: Vec<LogEntry>,
}

/// A file to which whole lines are added.
struct Growing {
    file: File,
    path: PathBuf,
    /// A line whose end is not written yet.
    held: Vec<u8>,
}

impl Growing {
    /// The entries that have come since it was asked last. What is no entry (half a line, where a disk was full) is passed over.
    fn more(&mut self) -> anyhow::Result<Vec<LogEntry>> {
        let read = self.file.read_to_end(&mut self.held);
        read.with_context(|| format!("{}: cannot be read", self.path.display()))?;
        let end = self.held.iter().rposition(|b| *b == b'\n');
        let whole = end.map_or(0, |at| at + 1);
        let entries = self.held[..whole]
            .split(|b| *b == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        self.held.drain(..whole);
        Ok(entries)
    }
}

impl Log {
    /// Opens a log.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let mut growing = Growing {
            file,
            path: path.to_owned(),
            held: Vec::new(),
        };
        let mut entries = growing.more()?.into_iter();
        match entries.next() {
            Some(LogEntry::Begin(begin)) if begin.format == LOG_FORMAT => Ok(Log {
                growing,
                begin,
                first: entries.collect(),
            }),
            Some(LogEntry::Begin(begin)) => bail!(
                "{}: is `{}`, and this program reads `{LOG_FORMAT}`",
                path.display(),
                begin.format
            ),
            _ => bail!("{}: is not a log of a session", path.display()),
        }
    }

    /// Whose it is.
    pub fn begin(&self) -> &LogBegin {
        &self.begin
    }

    /// The entries that were there when it was opened.
    pub fn entries(&self) -> impl Iterator<Item = &LogEntry> {
        self.first.iter()
    }

    /// The entries that have come since it was opened or asked last.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn more(&mut self) -> anyhow::Result<Vec<LogEntry>> {
        self.growing.more()
    }
}

/// An entry as it is shown while its session runs: `detect: text`, or `detect! text` from stderr.
pub fn line(entry: &LogEntry) -> String {
    match entry.said() {
        Some(said) => format!("{}{} {}", said.stage, mark(said.from), entry.words()),
        None => String::new(),
    }
}

/// The same with time and tick.
pub fn stamped_line(entry: &LogEntry) -> String {
    match entry.said() {
        Some(said) => {
            // To the microsecond: it was read then, not written.
            let time = rfc3339(said.realtime_ns);
            let time = time.get(..26).unwrap_or(&time);
            format!("{time}Z tick {:<8} {}", said.tick, line(entry))
        }
        None => String::new(),
    }
}

fn mark(from: Spout) -> char {
    match from {
        Spout::Stdout => ':',
        Spout::Stderr => '!',
    }
}
