//! What the doctor says about one property of a host.

use serde::Serialize;

/// How much a property weighs when it is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; matters to few.
    Note,
    /// Costs time, or data, now and then.
    Warning,
    /// Stages do not get what makes them real-time (`run --require-rt` refuses), or the kernel bounds no latency.
    Critical,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// It could not be read. Never counts as passed.
    Unknown,
}

/// What a failed check takes from a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Harm {
    /// Stages do not get what makes them real-time.
    Run,
    /// A delay to be reckoned with: spoils ticks shorter than [`TICKS_PER_DELAY`](super::verdict::TICKS_PER_DELAY) of it.
    Delay {
        /// Its usual length, ns.
        delay_ns: u64,
    },
    /// Something that can then not be promised, in words that end the verdict.
    Promise {
        /// `no X, so no promise of Y`.
        words: String,
    },
    /// Nothing that a tick would notice.
    None,
}

/// What was read, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// File as the host itself calls it, or the system call.
    pub from: String,
    /// What stood there, shortened; or why it could not be read.
    pub value: String,
}

/// Way in which something is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// A shell command, in effect at once.
    Command,
    /// Kernel parameters, in effect after a reboot.
    Boot,
    /// Nothing that can be typed.
    Advice,
}

/// A value that files of the kernel are given: what `--apply` sets, and takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Files as the host itself calls them.
    pub files: Vec<String>,
    /// What each of them is given.
    pub value: String,
}

/// How to put something right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Way.
    pub kind: FixKind,
    /// The command, the kernel parameters, or the advice.
    pub text: String,
    /// The command only writes this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<Write>,
}

impl Fix {
    /// Writes `value` into files.
    pub fn write(files: Vec<String>, value: &str) -> Self {
        Fix {
            kind: FixKind::Command,
            text: format!("echo {value} | sudo tee {} > /dev/null", files.join(" ")),
            write: Some(Write {
                files,
                value: value.to_owned(),
            }),
        }
    }

    /// A command that `--apply` leaves to the user.
    pub fn command(text: impl Into<String>) -> Self {
        Fix {
            kind: FixKind::Command,
            text: text.into(),
            write: None,
        }
    }

    /// Kernel parameters.
    pub fn boot(text: impl Into<String>) -> Self {
        Fix {
            kind: FixKind::Boot,
            text: text.into(),
            write: None,
        }
    }

    /// Words.
    pub fn advice(text: impl Into<String>) -> Self {
        Fix {
            kind: FixKind::Advice,
            text: text.into(),
            write: None,
        }
    }
}

/// One property of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// How it came out.
    pub state: State,
    /// How much it weighs if it has not passed.
    pub severity: Severity,
    /// What was found, one line.
    pub what: String,
    /// Why it matters, one line.
    pub why: &'static str,
    /// What was read, in order.
    pub read: Vec<Reading>,
    /// What it takes from a run, if it failed.
    pub harm: Harm,
    /// How to put it right, if it failed.
    pub fix: Vec<Fix>,
}
