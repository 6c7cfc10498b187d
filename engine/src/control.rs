//! The control socket of a session: what it is asked and answers, and how to ask.
//!
//! One request per connection, one line of JSON each way: `{"id": "7f3a", "command": "restart", "stage": "band"}` and
//! `{"id": "7f3a", "ok": true, "answer": {...}}`. A request that comes again with the same id is answered with the same
//! answer and has no second effect, so whoever got no answer may simply ask again.

use crate::launch::{LaunchError, runtime_dir};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longest line in either direction, bytes.
pub const LONGEST_LINE: u64 = 1 << 20;

/// Longest remark, bytes: what an entry of the events segment holds.
pub const LONGEST_MARK: usize = 192;

/// Who the events name for a remark.
pub const MARK: &str = "mark";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by whoever asks; at most 64 bytes.
    pub id: String,
    /// What is wanted.
    #[serde(flatten)]
    pub command: Command,
}

/// What a session can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Command {
    /// State, ticks, processes.
    Status {},
    /// Ends the sources, drains, leaves: what the first Ctrl-C does.
    Stop {
        /// Leave at once, without draining: what the second Ctrl-C does.
        #[serde(default)]
        now: bool,
    },
    /// From now on every stimulation command is refused, and recorded as refused.
    Off {},
    /// Changes live parameters of a stage, between two of its activations.
    Set {
        /// Its name in the graph.
        stage: String,
        /// The parameters that change, and their new values.
        params: serde_json::Map<String, Value>,
    },
    /// The graph as resolved, every default written out.
    Graph {},
    /// A remark, recorded with the tick at which it arrives.
    Mark {
        /// At most [`LONGEST_MARK`] bytes, one line.
        text: String,
    },
    /// Switches recording off, or on again; what comes meanwhile is a gap in the capture.
    Record {
        /// On?
        on: bool,
    },
    /// Ends a stage's process and starts its executable again, where the last activation left off.
    Restart {
        /// Its name in the graph.
        stage: String,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's.
    pub id: String,
    /// Done?
    pub ok: bool,
    /// Why not, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub answer: Value,
}

impl Answer {
    /// Done.
    pub fn done(id: &str, answer: Value) -> Self {
        Answer {
            id: id.to_owned(),
            ok: true,
            error: None,
            answer,
        }
    }

    /// Not done.
    pub fn refused(id: &str, why: impl Into<String>) -> Self {
        Answer {
            id: id.to_owned(),
            ok: false,
            error: Some(why.into()),
            answer: Value::Null,
        }
    }
}

/// Why a session gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no place for session files.
    #[error(transparent)]
    Place(#[from] LaunchError),
    /// Nobody listens.
    #[error("session `{session}` cannot be asked ({}: {source}): is it running? see `ephapse status`", path.display())]
    NoSession {
        /// Session.
        session: String,
        /// Its socket.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The connection was closed, or the answer is none.
    #[error("session `{session}` gave no answer ({why}): ask again")]
    NoAnswer {
        /// Session.
        session: String,
        /// Cause.
        why: String,
    },
}

/// Where a session's control socket is.
///
/// # Errors
/// As [`runtime_dir`].
pub fn socket_path(session: &str) -> Result<PathBuf, LaunchError> {
    Ok(runtime_dir()?.join(format!("{session}.control")))
}

/// Asks a session of this user, waiting at most `within` for the answer.
///
/// # Errors
/// If nobody listens or answers. An answer that says no is none of these.
pub fn ask(session: &str, request: &Request, within: Duration) -> Result<Answer, AskError> {
    let path = socket_path(session)?;
    let no_answer = |why: String| AskError::NoAnswer {
        session: session.to_owned(),
        why,
    };
    let mut stream = UnixStream::connect(&path).map_err(|source| AskError::NoSession {
        session: session.to_owned(),
        path,
        source,
    })?;
    let mut line = serde_json::to_vec(request).map_err(|e| no_answer(e.to_string()))?;
    line.push(b'\n');
    stream
        .set_read_timeout(Some(within))
        .and_then(|()| stream.write_all(&line))
        .map_err(|e| no_answer(e.to_string()))?;
    let mut text = String::new();
    BufReader::new(stream.take(LONGEST_LINE))
        .read_line(&mut text)
        .map_err(|e| no_answer(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| no_answer(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn requests_are_read_as_they_are_documented() {
        let restart = read(r#"{"id": "7f3a", "command": "restart", "stage": "band"}"#).unwrap();
        assert_eq!(restart.id, "7f3a");
        assert_eq!(
            restart.command,
            Command::Restart {
                stage: "band".into()
            }
        );
        let stop = read(r#"{"id": "1", "command": "stop"}"#).unwrap();
        assert_eq!(stop.command, Command::Stop { now: false });
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"id": "1"}"#,
            r#"{"id": "1", "command": "halt"}"#,
            r#"{"id": "1", "command": "restart"}"#,
            r#"{"id": "1", "command": "set", "stage": "policy"}"#,
            r#"{"command": "off"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
