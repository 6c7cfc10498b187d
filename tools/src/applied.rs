//! Files of the kernel that are changed for the time of a command, and set back.
//!
//! A journal with the old values is on disk before the first file is written, locked by whoever will set them back: if that
//! process is killed, the next start that finds the journal unlocked does it ([`undo_left`]).
//!
//! Whoever sets a host back must outlive what it was set for. So this is done by a process that does nothing but wait for
//! a command, whichever it is, and not by the launcher, of which a session must survive every death.

use anyhow::{Context, bail, ensure};
use ephapse_engine::launch::runtime_dir;
use ephapse_engine::os;
use ephapse_rtconfig::doctor::Write;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The journal's name in the folder of session files.
const JOURNAL: &str = "applied.json";

/// A file and what it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    file: PathBuf,
    old: String,
    new: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}", self.file.display(), self.old, self.new)
    }
}

/// What these writes would change below `root`. What has its value already, or cannot be read, is left out.
pub fn changes<'a>(root: &Path, writes: impl Iterator<Item = &'a Write>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for write in writes {
        for file in &write.files {
            let file = root.join(file.trim_start_matches('/'));
            let Ok(old) = setting(&file) else { continue };
            let known = changes.iter().any(|change| change.file == file);
            if !same(&old, &write.value) && !known {
                changes.push(Change {
                    file,
                    old,
                    new: write.value.clone(),
                });
            }
        }
    }
    changes
}

/// Changed files. Dropped, they are set back.
pub struct Applied {
    /// Locked as long as this lives.
    _journal: File,
    path: PathBuf,
    changes: Vec<Change>,
    undone: bool,
}

impl Applied {
    /// Writes the journal, then the files. Also says which of them could not be written.
    ///
    /// # Errors
    /// Another process has files to set back, or the journal cannot be written: then nothing is changed.
    pub fn apply(changes: Vec<Change>) -> anyhow::Result<(Self, Vec<String>)> {
        let path = runtime_dir()?.join(JOURNAL);
        let mut journal = journal(&path, true)?.context("the journal was not made")?;
        let shown = path.display();
        ensure!(
            journal.metadata()?.len() == 0,
            "{shown}: a `doctor --apply` has just been killed: `ephapse gc` sets back what it had changed"
        );
        journal
            .write_all(&serde_json::to_vec(&changes)?)
            .and_then(|()| journal.sync_all())
            .with_context(|| format!("{shown}: cannot be written, nothing was set"))?;
        let refused = changes.iter().filter_map(|change| {
            let error = set(&change.file, &change.new).err()?;
            Some(format!("{}: not set: {error:#}", change.file.display()))
        });
        let refused = refused.collect();
        let applied = Applied {
            _journal: journal,
            path,
            changes,
            undone: false,
        };
        Ok((applied, refused))
    }

    /// Sets the files back, the last one first. Says which of them could not be; they stay in the journal for `gc`.
    pub fn undo(mut self) -> Vec<String> {
        self.set_back()
    }

    fn set_back(&mut self) -> Vec<String> {
        self.undone = true;
        let failed = set_back(&self.changes);
        if failed.is_empty()
            && let Err(error) = fs::remove_file(&self.path)
        {
            return vec![format!(
                "{}: cannot be removed: {error}",
                self.path.display()
            )];
        }
        failed
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        if self.undone {
            return;
        }
        for problem in self.set_back() {
            eprintln!("ephapse: {problem}");
        }
    }
}

/// Sets back what a killed process had changed; returns the files. Nothing if that process lives.
///
/// # Errors
/// A file cannot be set back.
pub fn undo_left() -> anyhow::Result<Vec<String>> {
    let path = runtime_dir()?.join(JOURNAL);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let Ok(Some(mut journal)) = journal(&path, false) else {
        return Ok(Vec::new());
    };
    let mut text = String::new();
    journal.read_to_string(&mut text)?;
    let changes: Vec<Change> = if text.is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{}: is no journal of `doctor --apply`: remove it",
                path.display()
            )
        })?
    };
    let failed = set_back(&changes);
    ensure!(
        failed.is_empty(),
        "a `doctor --apply` was killed, and what it had changed cannot be set back by this user: {}",
        failed.join("; ")
    );
    fs::remove_file(&path).with_context(|| format!("{}: cannot be removed", path.display()))?;
    let files = changes
        .iter()
        .map(|change| change.file.display().to_string());
    Ok(files.collect())
}

/// The journal, locked; `None` if it is not there and is not to be made.
fn journal(path: &Path, make: bool) -> anyhow::Result<Option<File>> {
    loop {
        let opened = File::options()
            .read(true)
            .write(true)
            .create(make)
            .truncate(false)
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if !make && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{}: cannot be opened", path.display()));
            }
        };
        if !os::try_lock(&file) {
            bail!(
                "{}: another `ephapse doctor --apply` is at work: wait for its command to end",
                path.display()
            );
        }
        // Whoever had it locked before has removed it, perhaps between our open and our lock.
        let there = fs::metadata(path).map(|meta| meta.ino()).ok();
        if there == Some(file.metadata()?.ino()) {
            return Ok(Some(file));
        }
    }
}

fn set_back(changes: &[Change]) -> Vec<String> {
    let failed = changes.iter().rev().filter_map(|change| {
        let error = set(&change.file, &change.old).err()?;
        let (file, old) = (change.file.display(), &change.old);
        Some(format!("{file}: not set back to `{old}`: {error:#}"))
    });
    failed.collect()
}

/// Gives a file a value, and sees that it has it.
fn set(file: &Path, value: &str) -> anyhow::Result<()> {
    if same(&setting(file)?, value) {
        return Ok(());
    }
    // Files of the kernel are there or not: none is made.
    let mut open = File::options().write(true).truncate(true).open(file)?;
    open.write_all(format!("{value}\n").as_bytes())?;
    drop(open);
    let now = setting(file)?;
    ensure!(same(&now, value), "it says `{now}`");
    Ok(())
}

/// What a file is set to: its text, or of several choices the one in brackets.
fn setting(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let text = text.trim();
    let chosen = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    Ok(chosen.map_or(text, |(chosen, _)| chosen).to_owned())
}

/// The same setting: the kernel fills masks of CPUs up with zeros in front.
fn same(a: &str, b: &str) -> bool {
    let short = |text: &str| text.trim_start_matches(['0', ',']).to_owned();
    short(a) == short(b)
}
