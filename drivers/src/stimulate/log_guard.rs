//! `stimulate.log.guard`: the guard of a log. Its device is the file: what its last lines leave standing is on.

use super::log::LogParams;
use super::log_file::open_for_writing;
use super::log_line::{OFF_BEGINS, off_line};
use ephapse_engine::guard::{Off, OffSwitch, Patience};
use ephapse_engine::stage::StageError;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What a line says about its target.
#[derive(Deserialize)]
struct Said {
    target: u32,
    value: Option<f64>,
    refused: Option<String>,
}

/// The log, seen by somebody else than its writer.
pub struct LogSwitch {
    file: File,
    /// What has been read, and understood, so far.
    read: u64,
    /// Targets that something stands at.
    on: BTreeSet<u32>,
}

impl LogSwitch {
    /// Reads what has been added. A line that is not yet complete is read at the next look.
    fn follow(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length < self.read {
            // A run has begun, or a half-written block has been cut off: both leave whole lines.
            self.read = 0;
            self.on.clear();
        }
        if length == self.read {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut added = Vec::new();
        self.file.read_to_end(&mut added)?;
        for line in added.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                break;
            }
            self.read += line.len() as u64;
            if line.starts_with(OFF_BEGINS) {
                self.on.clear();
            } else if let Ok(said) = serde_json::from_slice::<Said>(line)
                && said.refused.is_none()
            {
                if said.value == Some(0.0) {
                    self.on.remove(&said.target);
                } else {
                    self.on.insert(said.target);
                }
            }
        }
        Ok(())
    }
}

impl OffSwitch for LogSwitch {
    const KIND: &'static str = "stimulate.log.guard";
    const ABOUT: &'static str =
        "Switches off, in the log, what stands there when nobody else may be able to.";
    type Params = LogParams;

    fn patience(params: &LogParams) -> Patience {
        let ns = |ms: f64| (ms * 1e6) as u64;
        Patience {
            silent_ns: ns(params.silent_ms),
            off_within_ns: ns(params.off_within_ms),
        }
    }

    fn open(params: LogParams) -> Result<Self, StageError> {
        Ok(LogSwitch {
            file: open_for_writing(&params.path)?,
            read: 0,
            on: BTreeSet::new(),
        })
    }

    fn keep_up(&mut self) -> io::Result<()> {
        self.follow()
    }

    fn is_off(&mut self) -> io::Result<bool> {
        self.follow()?;
        Ok(self.on.is_empty())
    }

    fn switch_off(&mut self, off: &Off<'_>) -> io::Result<()> {
        self.file.write_all(&off_line(off)?)
    }
}
