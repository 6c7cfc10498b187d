//! An executable with one stage of its own: what `fn main` of somebody's stage calls.

use super::{Stage, StageError};
use crate::os;
use crate::runner::file::{Duty, StageFile};
use crate::runner::{ProcessError, run_stage};
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::modules::question::{Answer, DESCRIBE_ARGUMENT, Question};
use ephapse_rtconfig::stream_type::StreamType;
use std::io::{Read, Write};
use std::process::ExitCode;

/// Runs stage `S` as this process's whole purpose: answers [`DESCRIBE_ARGUMENT`], or does what the launcher's stage file says.
/// To be returned from `main`.
pub fn run<S: Stage>() -> ExitCode {
    let result = if std::env::args().any(|a| a == DESCRIBE_ARGUMENT) {
        answer(|question| {
            let params: S::Params = serde_json::from_value(question.params.clone())
                .map_err(|e| StageError::parameter("", e.to_string()))?;
            let inputs: Vec<(&str, &StreamType)> = question
                .inputs
                .iter()
                .map(|i| (i.port.as_str(), &i.stream_type))
                .collect();
            S::describe(&params, &inputs)
        })
    } else {
        launched::<S>().map_err(|e| e.to_string())
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}: {why}", S::KIND);
            ExitCode::FAILURE
        }
    }
}

/// Reads the [`Question`], writes the [`Answer`] of `describe`.
///
/// # Errors
/// If stdin holds no question or stdout is closed.
pub fn answer(
    describe: impl FnOnce(&Question) -> Result<Described, StageError>,
) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| format!("stdin: {e}"))?;
    let question: Question = serde_json::from_str(&text).map_err(|e| {
        format!("{DESCRIBE_ARGUMENT} wants {{\"params\": ..., \"inputs\": [...]}} on stdin: {e}")
    })?;
    let answer = match describe(&question) {
        Ok(described) => Answer::Described(described),
        Err(error) => Answer::Refused { error },
    };
    let mut stdout = std::io::stdout();
    serde_json::to_writer(&mut stdout, &answer)
        .map_err(std::io::Error::from)
        // The runtime of another language's `main` does not do it.
        .and_then(|()| stdout.flush())
        .map_err(|e| format!("stdout: {e}"))
}

fn launched<S: Stage>() -> Result<(), ProcessError> {
    let file = StageFile::read()?;
    os::block_pacing_signal();
    match &file.duty {
        Duty::Stage(duty) if duty.plan.kind == S::KIND => run_stage::<S>(&file, duty),
        Duty::Stage(duty) => Err(ProcessError::UnknownKind {
            kind: duty.plan.kind.clone(),
        }),
        Duty::Recorder(_) => Err(ProcessError::UnknownKind {
            kind: "recorder".into(),
        }),
        Duty::Timer(_) => Err(ProcessError::UnknownKind {
            kind: "timer".into(),
        }),
    }
}
