//! Who is to conform.

use ephapse_driven::compiled::{Compiled, How, compiled};
use ephapse_driven::{Driven, Wanted, interpreter};
use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Frames of a full block of the tests.
pub const FRAMES: u32 = 4;
/// Channels.
pub const CHANNELS: u32 = 2;

/// A way of writing stages.
pub trait Subject {
    /// A stage that passes frames of f64 on. `None`, said on stderr, where the machine lacks what it needs.
    fn passes(&self) -> Option<Program>;

    /// The same; before it is ready it loads this file and reads this socket to its end, if it is a stage that can. It says
    /// so on stderr.
    fn loads(&self, file: &Path, socket: &Path) -> Option<Program>;
}

/// An executable with what it is told.
pub struct Program {
    command: Box<dyn Fn() -> Command>,
    pub kind: &'static str,
    pub params: Value,
    pub input: &'static str,
    pub output: &'static str,
    pub state_bytes: usize,
    /// It loads what it is told to.
    pub loads: bool,
}

impl Program {
    /// A command that starts it.
    pub fn command(&self) -> Command {
        (self.command)()
    }

    /// What it is run with in the tests.
    pub fn wanted(&self) -> Wanted<'static> {
        Wanted {
            kind: self.kind,
            params: self.params.clone(),
            inputs: vec![(self.input, frames())],
            outputs: vec![(self.output, frames())],
            slots: 8,
            state_bytes: self.state_bytes,
            ..Wanted::default()
        }
    }

    /// Starts it as [`Program::wanted`] says.
    #[track_caller]
    pub fn start(&self) -> Driven {
        Driven::start(self.command(), &self.wanted())
    }
}

/// The streams of the tests.
pub fn frames() -> StreamType {
    StreamType::frames(Dtype::F64, FRAMES, CHANNELS, Rate::hz(1000), "uV")
}

/// Header and payload of the block whose number is `number`: every value in it is that number.
pub fn block(number: u64) -> (SlotHeader, Vec<u8>) {
    let header = SlotHeader {
        first_frame: number * u64::from(FRAMES),
        valid: FRAMES,
        ..SlotHeader::default()
    };
    let values = (FRAMES * CHANNELS) as usize;
    (header, (number as f64).to_le_bytes().repeat(values))
}

/// Our own stages, in their lean executable.
pub struct BuiltIn;

impl Subject for BuiltIn {
    fn passes(&self) -> Option<Program> {
        Some(Program {
            command: Box::new(|| Command::new(env!("CARGO_BIN_EXE_ephapse-stage"))),
            kind: "filter.moving_average",
            // The mean of one frame is that frame.
            params: json!({ "frames": 1 }),
            input: "frames",
            output: "averaged",
            state_bytes: 8 * (1 + 2 * CHANNELS as usize),
            loads: false,
        })
    }

    fn loads(&self, _file: &Path, _socket: &Path) -> Option<Program> {
        self.passes()
    }
}

/// Stages in C, by the system's compiler.
pub struct InC;

/// A stage in C among those of the binding's tests.
fn in_c(source: &str, params: Value, loads: bool) -> Option<Program> {
    let compiled: Compiled = compiled(source, How::Shared)?;
    Some(Program {
        command: Box::new(move || {
            // All of it: the executable is there as long as this.
            let compiled = &compiled;
            Command::new(&compiled.program)
        }),
        kind: "test.c",
        params,
        input: "in",
        output: "out",
        state_bytes: 0,
        loads,
    })
}

impl Subject for InC {
    fn passes(&self) -> Option<Program> {
        in_c("tests/pass_through.c", json!({}), false)
    }

    fn loads(&self, file: &Path, socket: &Path) -> Option<Program> {
        let params = json!({ "file": file, "socket": socket });
        in_c("tests/loads.c", params, true)
    }
}

/// Stages in Python.
pub struct InPython;

/// A script among those of the binding's tests.
fn in_python(script: &str, params: Value, loads: bool) -> Option<Program> {
    interpreter::command()?;
    let script: PathBuf = Path::new(interpreter::PACKAGE)
        .join("tests/stages")
        .join(script);
    Some(Program {
        command: Box::new(move || {
            let mut command = interpreter::command().unwrap();
            command.arg(&script);
            command
        }),
        kind: "test.python",
        params,
        input: "in",
        output: "out",
        state_bytes: 0,
        loads,
    })
}

impl Subject for InPython {
    fn passes(&self) -> Option<Program> {
        in_python("pass_through.py", json!({}), false)
    }

    fn loads(&self, file: &Path, socket: &Path) -> Option<Program> {
        let params = json!({ "file": file, "socket": socket });
        in_python("loads.py", params, true)
    }
}
