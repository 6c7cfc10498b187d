//! How a check reads a host: below a root folder, every reading kept.

use super::finding::{Fix, Harm, Reading};
use super::{Asked, Facts};
use crate::host::{cpu_list, online_cpus};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

/// A reading is shown with at most so many characters.
const SHOWN: usize = 120;

/// A host to be looked at.
#[derive(Clone, Debug)]
pub struct Host {
    /// Folder in which its `proc`, `sys` and `dev` stand: `/`, or that of a copy.
    pub root: PathBuf,
    /// What it says beside its files.
    pub facts: Facts,
    /// What is asked of it.
    pub asked: Asked,
}

/// Why something is not known.
#[derive(Debug)]
pub(super) struct Unread(pub String);

/// What a check found.
pub(super) enum Judgement {
    Good(String),
    Bad {
        what: String,
        harm: Harm,
        fix: Vec<Fix>,
    },
}

impl Judgement {
    pub fn good(what: impl Into<String>) -> Result<Self, Unread> {
        Ok(Judgement::Good(what.into()))
    }

    pub fn bad(what: impl Into<String>, harm: Harm, fix: Vec<Fix>) -> Result<Self, Unread> {
        Ok(Judgement::Bad {
            what: what.into(),
            harm,
            fix,
        })
    }
}

/// A check at work.
pub(super) struct Look<'a> {
    pub host: &'a Host,
    pub read: Vec<Reading>,
}

impl Look<'_> {
    /// CPUs of timer and stages.
    pub fn cpus(&self) -> &BTreeSet<u32> {
        &self.host.asked.cpus
    }

    /// Something that was asked for spins.
    pub fn spins(&self) -> bool {
        !self.host.asked.spinning_cpus.is_empty()
    }

    /// CPUs online.
    pub fn online(&mut self) -> Result<BTreeSet<u32>, Unread> {
        let file = "/sys/devices/system/cpu/online";
        self.text(file)?;
        online_cpus(&self.host.root).ok_or_else(|| Unread(format!("{file}: is no list of CPUs")))
    }

    /// CPUs without stages: there everything else may go.
    pub fn free_cpus(&mut self) -> Result<BTreeSet<u32>, Unread> {
        Ok(&self.online()? - self.cpus())
    }

    /// Notes what was read without a file, or in other words than the file's.
    pub fn note(&mut self, from: impl Into<String>, value: &str) {
        let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = line.chars().take(SHOWN).collect();
        if shown.len() < line.len() {
            shown.push_str("...");
        }
        if shown.is_empty() {
            shown.push_str("empty");
        }
        self.read.push(Reading {
            from: from.into(),
            value: shown,
        });
    }

    /// A file's text; it must be there.
    pub fn text(&mut self, file: &str) -> Result<String, Unread> {
        self.optional(file)?
            .ok_or_else(|| Unread(format!("{file}: is not there")))
    }

    /// A file's text; `None` if there is no such file.
    pub fn optional(&mut self, file: &str) -> Result<Option<String>, Unread> {
        let read = self.quiet(file);
        match &read {
            Ok(Some(text)) => self.note(file, text),
            Ok(None) => self.note(file, "not there"),
            Err(Unread(why)) => self.note(file, why.clone().as_str()),
        }
        read
    }

    /// The same, without a note: for one of many files, or a part of a long one.
    pub fn quiet(&self, file: &str) -> Result<Option<String>, Unread> {
        let path = self.host.root.join(file.trim_start_matches('/'));
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Unread(format!("{file}: {error}"))),
        }
    }

    /// Value behind `NAME:` in a file of such lines.
    pub fn field(&mut self, file: &str, name: &str) -> Result<String, Unread> {
        let from = format!("{file}, {name}");
        let text = match self.quiet(file) {
            Ok(Some(text)) => text,
            Ok(None) => {
                self.note(from, "not there");
                return Err(Unread(format!("{file}: is not there")));
            }
            Err(Unread(why)) => {
                self.note(from, &why);
                return Err(Unread(why));
            }
        };
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(key, _)| key.trim() == name);
        let value = named.next().map(|(_, value)| value.trim().to_owned());
        self.note(from, value.as_deref().unwrap_or("not there"));
        value.ok_or_else(|| Unread(format!("{file}: has no `{name}`")))
    }

    /// Which of these flags the first CPU has.
    pub fn cpu_flags<'f>(&mut self, flags: &[&'f str]) -> Result<Vec<&'f str>, Unread> {
        let file = "/proc/cpuinfo";
        let text = self
            .quiet(file)?
            .ok_or_else(|| Unread(format!("{file}: is not there")))?;
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(key, _)| key.trim() == "flags");
        let (_, has) = named
            .next()
            .ok_or_else(|| Unread(format!("{file}: has no `flags`")))?;
        let has = |flag: &&str| has.split_whitespace().any(|has| has == *flag);
        let found: Vec<&str> = flags.iter().copied().filter(has).collect();
        let shown = match found.join(" ") {
            none if none.is_empty() => format!("not there: {}", flags.join(" ")),
            found => found,
        };
        self.note(format!("{file}, flags"), &shown);
        Ok(found)
    }

    /// A number in a file of its own.
    pub fn number(&mut self, file: &str) -> Result<i64, Unread> {
        let text = self.text(file)?;
        text.trim()
            .parse()
            .map_err(|_| Unread(format!("{file}: is no number")))
    }

    /// Names in a folder, in order; empty if it is not there.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let path = self.host.root.join(folder.trim_start_matches('/'));
        let mut names: Vec<String> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        // `state10` behind `state9`.
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    /// Value of a parameter on the kernel's command line; `None` if it is not there.
    pub fn boot_parameter(&mut self, name: &str) -> Result<Option<String>, Unread> {
        let line = self.quiet("/proc/cmdline")?;
        let line = line.ok_or_else(|| Unread("/proc/cmdline: is not there".to_owned()))?;
        let mut words = line.split_whitespace();
        let value = words.find_map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key == name).then(|| value.to_owned())
        });
        let shown = value.clone().unwrap_or_else(|| "not there".to_owned());
        self.note(format!("/proc/cmdline, {name}"), &shown);
        Ok(value)
    }

    /// A fact, unless nobody has asked for it.
    pub fn fact<T: Clone>(&mut self, from: &str, fact: &Option<T>) -> Result<T, Unread> {
        fact.clone()
            .ok_or_else(|| Unread(format!("{from}: has no answer here")))
    }
}

/// A list of CPUs as the kernel writes it; nothing, and `(null)` of older kernels, is the empty list.
pub(super) fn cpus_of(file: &str, text: &str) -> Result<BTreeSet<u32>, Unread> {
    match text.trim() {
        "" | "(null)" => Ok(BTreeSet::new()),
        list => cpu_list(list).ok_or_else(|| Unread(format!("{file}: is no list of CPUs"))),
    }
}
