//! Other people's executables: where they are, how they are called, and how one is asked what it is.

use super::asking::{self, Ended, LONGEST_ANSWER, NotEnded};
use super::manifest::MOST_STATE_BYTES;
use super::question::{DESCRIBE_ARGUMENT, Question, QuestionInput};
use crate::describe::{DescribeError, Described};
use crate::problem::suggest;
use crate::stream_type::StreamType;
use serde::Deserialize;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Time to answer, if nobody says another: a Python that imports numpy from a cold disk needs seconds.
pub const DESCRIBE_WITHIN: Duration = Duration::from_secs(10);
/// What an answer may say: the keys of [`Described`] without helpers, which only our own executables can run.
const ANSWER_KEYS: [&str; 7] = [
    "outputs",
    "state_bytes",
    "append_bytes",
    "memoryless",
    "group_delay_frames",
    "settle_frames",
    "parts_per_call",
];
/// Longest quotation of a command's own words, in characters.
const LONGEST_QUOTE: usize = 200;

/// `PATH`, as the kernel's exec family uses it when there is none.
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"))
}

/// The file that a command executes.
///
/// # Errors
/// Says what is missing, and where it was looked for.
pub fn find(command: &[String], search_path: &OsStr) -> Result<PathBuf, String> {
    let program = command.first().map_or("", String::as_str);
    let executable = |file: &Path| {
        std::fs::metadata(file)
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let file = PathBuf::from(program);
        return match (executable(&file), file.exists()) {
            (true, _) => Ok(file),
            (false, true) => Err(format!("{program} is not executable (chmod +x)")),
            (false, false) => Err(format!("there is no {program}")),
        };
    }
    std::env::split_paths(search_path)
        .map(|folder| folder.join(program))
        .find(|file| executable(file))
        .ok_or_else(|| {
            format!(
                "there is no program `{program}` in PATH ({})",
                search_path.to_string_lossy()
            )
        })
}

/// The command, to be started in its folder.
pub fn command(command: &[String], folder: &Path) -> Command {
    let mut words = command.iter();
    let mut started = Command::new(words.next().map_or("", String::as_str));
    started.args(words).current_dir(folder);
    started
}

/// Runs `command... --ephapse-describe` once: the question on its stdin, its answer on its stdout, both JSON.
///
/// # Errors
/// What the stage refuses, in its own words; or why there is no answer that can be used.
pub fn describe(
    words: &[String],
    folder: &Path,
    params: &Value,
    inputs: &[(&str, &StreamType)],
    within: Duration,
) -> Result<Described, DescribeError> {
    let asked = format!("{} {DESCRIBE_ARGUMENT}", words.join(" "));
    let failed = |why: String| DescribeError::resource(format!("`{asked}`"), why);
    let question = Question {
        params: params.clone(),
        inputs: inputs
            .iter()
            .map(|(port, stream_type)| QuestionInput {
                port: (*port).to_owned(),
                stream_type: (*stream_type).clone(),
            })
            .collect(),
    };
    let question = serde_json::to_vec(&question).map_err(|error| failed(error.to_string()))?;
    let mut started = command(words, folder);
    started.arg(DESCRIBE_ARGUMENT);
    let ended = asking::run(started, question, within).map_err(|error| {
        failed(match error {
            NotEnded::Start(error) => format!("cannot be started: {error}"),
            NotEnded::Late => format!(
                "no answer within {within:?}, it was killed; let it read stdin, answer and exit"
            ),
        })
    })?;
    answer_of(&ended).map_err(|error| match error {
        Refusal::Own(error) => error,
        Refusal::Unusable(why) => failed(format!("{why}{}", in_its_words(&ended))),
    })
}

enum Refusal {
    /// The stage's.
    Own(DescribeError),
    /// No answer.
    Unusable(String),
}

fn answer_of(ended: &Ended) -> Result<Described, Refusal> {
    let parsed: Result<Value, _> = serde_json::from_slice(&ended.stdout);
    let unusable = |why: String| Err(Refusal::Unusable(why));
    // A refusal counts whatever the exit code is: many programs that refuse exit with 1.
    if let Ok(answer) = &parsed
        && let Some(error) = answer.get("error")
    {
        return match DescribeError::deserialize(error) {
            Ok(error) => Err(Refusal::Own(error)),
            Err(_) => unusable(format!(
                "its refusal {} cannot be read; write {{\"error\": {{\"parameter\": {{\"key\": ..., \"why\": ...}}}}}}, or \
                 \"input\" with \"port\", or \"resource\" with \"what\"",
                quote(&error.to_string())
            )),
        };
    }
    // Before the exit code: a command that we have stopped reading fails because of that.
    if ended.stdout.len() > LONGEST_ANSWER {
        return unusable(format!("its answer is longer than {LONGEST_ANSWER} bytes"));
    }
    if !ended.status.success() {
        return unusable(format!("it failed ({})", ended.status));
    }
    let answer = match parsed {
        Ok(Value::Object(answer)) => answer,
        Ok(other) => {
            return unusable(format!(
                "its answer is {}, not a JSON object with `outputs`",
                quote(&other.to_string())
            ));
        }
        Err(_) if ended.stdout.trim_ascii().is_empty() => {
            return unusable("it answered nothing; it must print JSON on stdout".to_owned());
        }
        Err(error) => {
            return unusable(format!(
                "its answer {} is not JSON ({error}); stdout must hold the answer alone",
                quote(&String::from_utf8_lossy(&ended.stdout))
            ));
        }
    };
    if let Some(key) = answer
        .keys()
        .find(|key| !ANSWER_KEYS.contains(&key.as_str()))
    {
        return unusable(format!(
            "its answer has an unknown key `{key}`; {}",
            suggest(key, &ANSWER_KEYS)
        ));
    }
    let described = Described::deserialize(Value::Object(answer))
        .or_else(|error| unusable(format!("its answer does not fit: {error}")))?;
    let fault = if described.parts_per_call == 0 {
        "`parts_per_call` is 0"
    } else if described.group_delay_frames < 0.0 {
        "`group_delay_frames` is negative"
    } else if described.state_bytes.max(described.append_bytes) > MOST_STATE_BYTES {
        "there are too many bytes of state"
    } else {
        return Ok(described);
    };
    unusable(format!("its answer cannot be: {fault}"))
}

/// The last line on stderr: where a Python traceback says what went wrong.
fn in_its_words(ended: &Ended) -> String {
    let written = String::from_utf8_lossy(&ended.stderr);
    match written.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("; it says {}", quote(line.trim())),
        None => String::new(),
    }
}

fn quote(words: &str) -> String {
    let words = words.trim();
    let short: String = words.chars().take(LONGEST_QUOTE).collect();
    let more = if short.len() < words.len() { "..." } else { "" };
    format!("`{short}{more}`")
}
