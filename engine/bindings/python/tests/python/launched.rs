//! Scripts of the tests as stages.

use ephapse_driven::{Driven, interpreter};
use ephapse_rtconfig::plan::{Pace, Read};
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is to run.
pub struct Wanted<'a> {
    pub script: PathBuf,
    pub params: Value,
    pub inputs: Vec<(&'a str, StreamType)>,
    pub outputs: Vec<(&'a str, StreamType)>,
    /// How a further input is read; the first paces.
    pub read: Read,
    pub pace: Pace,
    /// Of the state that flips, and of the one that is appended to.
    pub state_bytes: usize,
    /// Most blocks a call commits on one output.
    pub parts_per_call: u32,
}

impl Wanted<'_> {
    /// A data-paced stage among those of the tests.
    pub fn stage(script: &str) -> Self {
        let folder = Path::new(interpreter::PACKAGE);
        Wanted {
            script: folder.join("tests/stages").join(script),
            params: serde_json::json!({}),
            inputs: Vec::new(),
            outputs: Vec::new(),
            read: Read::Same,
            pace: Pace::Data,
            state_bytes: 0,
            parts_per_call: 1,
        }
    }

    /// The example, moving average over channels.
    pub fn channel_average(script: &str, frames: &StreamType, mean: StreamType) -> Self {
        let folder = Path::new(interpreter::PACKAGE);
        Wanted {
            script: folder.join(script),
            params: serde_json::json!({"width": 3}),
            inputs: vec![("frames", frames.clone())],
            outputs: vec![("mean", mean)],
            ..Wanted::stage("")
        }
    }

    /// Starts the stage and waits until it is ready. `None` if there is no Python.
    pub fn start(self) -> Option<Driven> {
        Some(Driven::start(self.command()?, &self.driven(false)))
    }

    /// The same; what the stage says on stdout can be read.
    pub fn start_piped(self) -> Option<Driven> {
        Some(Driven::start(self.command()?, &self.driven(true)))
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(self) -> Option<Driven> {
        Some(Driven::spawn(self.command()?, &self.driven(false)))
    }

    fn command(&self) -> Option<Command> {
        let mut command = interpreter::command()?;
        command.arg(&self.script);
        Some(command)
    }

    fn driven(&self, stdout: bool) -> ephapse_driven::Wanted<'_> {
        ephapse_driven::Wanted {
            params: self.params.clone(),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            read: self.read,
            pace: self.pace,
            state_bytes: self.state_bytes,
            append_bytes: self.state_bytes,
            parts_per_call: self.parts_per_call,
            stdout,
            ..ephapse_driven::Wanted::default()
        }
    }
}
