//! One line of a log file: what a process said, or how much of that was not kept.

use crate::launch::ProcessRecord;
use serde::{Deserialize, Serialize};

/// Value of `format` in the first line of a log.
pub const LOG_FORMAT: &str = "ephapse-logs 1";

/// A line of the log file, as JSON. Lines may be added to `ephapse-logs 1`, and keys to a line; none changes its meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogEntry {
    /// The first line.
    Begin(LogBegin),
    /// A line that was kept.
    Line(Said),
    /// The line before it, of the same process and stream, came again so many times in a row.
    Repeated(Said),
    /// So many lines were not kept here: there were too many in too short a time, or the file is full.
    NotKept(Said),
    /// The last line: the session is over. A log without it is that of a launcher which lives, or was killed.
    End(LogEnd),
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogBegin {
    /// [`LOG_FORMAT`].
    pub format: String,
    /// Session.
    pub session: String,
    /// CLOCK_REALTIME, ns since the epoch.
    pub realtime_ns: u64,
    /// Who writes the log: as long as it lives, more may come.
    pub launcher: ProcessRecord,
    /// Processes of the session, by name.
    pub processes: Vec<String>,
}

/// Something that was said, and when. Times are those at which the launcher read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// CLOCK_REALTIME, ns since the epoch.
    pub realtime_ns: u64,
    /// After the common start, ns; null before it.
    pub after_start_ns: Option<u64>,
    /// Newest tick.
    pub tick: u64,
    /// Process: the stage, `timer` or `recorder`.
    pub stage: String,
    /// Where it was written.
    pub from: Spout,
    /// Lines that the process has written and this entry stands for: 1 for a line.
    pub lines: u64,
    /// The line: UTF-8, without control characters. Empty where lines were not kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Bytes at its end that were left out, for the line was too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_bytes: u64,
    /// The process ended before the line did.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub unfinished: bool,
}

/// Where something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spout {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEnd {
    /// CLOCK_REALTIME, ns since the epoch.
    pub realtime_ns: u64,
    /// Newest tick.
    pub tick: u64,
    /// What each process has said, silent ones left out.
    pub said: Vec<SaidAccount>,
}

/// What one process has said: `lines = kept + repeated + not_kept`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidAccount {
    /// Process.
    pub stage: String,
    /// Bytes.
    pub bytes: u64,
    /// Lines, one that was never finished included.
    pub lines: u64,
    /// Those that stand in the log.
    pub kept: u64,
    /// Those that were the same as the one before them.
    pub repeated: u64,
    /// Those that are only counted.
    pub not_kept: u64,
    /// Kept lines whose end was left out.
    pub cut: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl LogEntry {
    /// What was said, if this entry is of that kind.
    pub fn said(&self) -> Option<&Said> {
        match self {
            LogEntry::Line(said) | LogEntry::Repeated(said) | LogEntry::NotKept(said) => Some(said),
            LogEntry::Begin(_) | LogEntry::End(_) => None,
        }
    }

    /// What a reader is shown of it, behind the name of its stage.
    pub fn words(&self) -> String {
        match self {
            LogEntry::Line(said) if said.cut_bytes > 0 => {
                format!("{} ... ({} bytes more)", said.text, said.cut_bytes)
            }
            LogEntry::Line(said) if said.unfinished => format!("{} ... (unfinished)", said.text),
            LogEntry::Line(said) => said.text.clone(),
            LogEntry::Repeated(said) => {
                format!("... {} more times: {}", grouped(said.lines), said.text)
            }
            LogEntry::NotKept(said) => format!("... {} lines not kept", grouped(said.lines)),
            LogEntry::Begin(_) | LogEntry::End(_) => String::new(),
        }
    }
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: u64, text: &str) -> Said {
        Said {
            realtime_ns: 1,
            after_start_ns: Some(2),
            tick: 3,
            stage: "detect".into(),
            from: Spout::Stderr,
            lines,
            text: text.into(),
            cut_bytes: 0,
            unfinished: false,
        }
    }

    #[test]
    fn what_was_not_kept_is_said_with_its_number() {
        let entry = LogEntry::NotKept(said(1_234_567, ""));
        assert_eq!(entry.words(), "... 1,234,567 lines not kept");
        let entry = LogEntry::Repeated(said(999, "again"));
        assert_eq!(entry.words(), "... 999 more times: again");
    }

    #[test]
    fn an_entry_is_one_flat_json_object() {
        let text = serde_json::to_string(&LogEntry::Line(said(1, "hello"))).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"line","realtime_ns":1,"after_start_ns":2,"tick":3,"stage":"detect","from":"stderr","lines":1,"text":"hello"}"#
        );
        let back: LogEntry = serde_json::from_str(&text).unwrap();
        assert_eq!(back, LogEntry::Line(said(1, "hello")));
    }
}
