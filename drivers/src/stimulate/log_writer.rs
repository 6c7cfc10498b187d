//! `stimulate.log.writer`: the helper that writes down, in a file of JSON lines, what has become of each command.

use super::command::check_handed;
use super::handed::Handed;
use super::log::LogParams;
use super::log_file::{LogFile, WriterState, check_writable};
use super::log_guard::LogSwitch;
use super::refusal::Refusal;
use ephapse_engine::guard::{Off, OffSwitch};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Program, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use std::io;
use std::path::PathBuf;

/// The stage `stimulate.log.writer`.
pub struct LogWriter {
    path: PathBuf,
    file: LogFile,
    /// For the end: what stands then is switched off, whoever else has been killed.
    switch: LogSwitch,
    /// Newest tick seen.
    tick: u64,
}

impl LogWriter {
    fn stop(&self, error: &io::Error) -> Next {
        let why = format!(
            "{}: the stimulation log cannot be written ({error})",
            self.path.display()
        );
        // Said once, and the process ends with it.
        Next::Stop(Box::leak(why.into_boxed_str()))
    }
}

impl Stage for LogWriter {
    const KIND: &'static str = "stimulate.log.writer";
    const ABOUT: &'static str = "Writes the commands of stimulate.log to its file.";
    const ROLE: Role = Role::Sink;
    const PORTS: Ports = Ports {
        inputs: &["helped"],
        outputs: &[],
    };
    const PROGRAM: Program = Program::Full;
    const HELPER: bool = true;
    type Params = LogParams;

    fn describe(
        params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        check_handed("helped", inputs)?;
        check_writable(&params.path)?;
        Ok(Described {
            state_bytes: size_of::<WriterState>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        Ok(LogWriter {
            file: LogFile::open(&params.path)?,
            path: params.path.clone(),
            switch: LogSwitch::open(params)?,
            tick: 0,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        _outputs: &mut Outputs<'_>,
    ) -> Next {
        let commands = inputs.pacing();
        self.tick = ctx.tick;
        // What the interlock let pass may have become forbidden on its way here.
        let late = if ctx.off {
            Some(Refusal::Off)
        } else {
            ctx.held.then_some(Refusal::Held)
        };
        let handed = commands.slice::<Handed>();
        match self.file.write(ctx.state.typed(), handed, late) {
            Ok(()) => Next::Continue,
            Err(error) => self.stop(&error),
        }
    }

    /// The state says what is in the file, which a gap does not change.
    fn reset(&mut self, _state: &mut [u8]) {}

    /// A run without a single block still leaves a log of its own: an empty one.
    fn finish(&mut self, ctx: &mut Ctx<'_>, _outputs: &mut Outputs<'_>) {
        let _ = self.file.write(ctx.state.typed(), &[], None);
    }

    fn leave(&mut self) {
        let off = Off {
            why: "the writer leaves",
            tick: self.tick,
        };
        // If the file cannot be read it cannot be written either; a guard says so.
        if !self.switch.is_off().unwrap_or(false) {
            let _ = self.switch.switch_off(&off);
        }
    }
}
