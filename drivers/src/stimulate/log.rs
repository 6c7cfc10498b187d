//! `stimulate.log`, FIFO side: the interlock around a log. Its helper writes down what has become of every command.

use super::command::check;
use super::handed::{Handed, handed_layout};
use super::interlock::{Interlock, Now};
use super::limits::Limits;
use super::log_file::check_writable;
use super::log_guard::LogSwitch;
use super::log_writer::LogWriter;
use ephapse_engine::guard::OffSwitch;
use ephapse_engine::records::Command;
use ephapse_engine::stage::{
    Ctx, Described, Helper, HelperDirection, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Parameters of `stimulate.log`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogParams {
    /// File of JSON lines, one per command; written anew by every run.
    #[serde(default = "default_path")]
    pub path: PathBuf,
    /// Carry out commands, too, that come from a stage which was started again without its state and has not settled.
    #[serde(default)]
    pub accept_reset: bool,
    /// What no command may exceed.
    #[serde(default)]
    pub limits: Limits,
    /// The guard has switched the device off so long, at most, after a reason to do so, ms (4 to 10000).
    #[serde(default = "default_off_within_ms")]
    #[schemars(range(min = 4.0, max = 10_000.0))]
    pub off_within_ms: f64,
    /// Without a block of commands, empty or not, for so long, the guard switches the device off, ms (10 to 3600000).
    #[serde(default = "default_silent_ms")]
    #[schemars(range(min = 10.0, max = 3_600_000.0))]
    pub silent_ms: f64,
}

fn default_path() -> PathBuf {
    PathBuf::from("stimulation.jsonl")
}

fn default_off_within_ms() -> f64 {
    100.0
}

fn default_silent_ms() -> f64 {
    1000.0
}

impl LogParams {
    fn check(&self) -> Result<(), StageError> {
        let within = |key: &str, value: f64, least: f64, most: f64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                let why = format!("{value} ms is not one of {least} to {most} ms");
                Err(StageError::parameter(key, why))
            }
        };
        within("off_within_ms", self.off_within_ms, 4.0, 10_000.0)?;
        within("silent_ms", self.silent_ms, 10.0, 3_600_000.0)?;
        self.limits.check()
    }
}

/// Slots of the ring to the writer: so many blocks may wait for the disk.
const LOG_SLOTS: u32 = 64;

/// The stage `stimulate.log`.
pub struct Log {
    interlock: Interlock,
}

impl Stage for Log {
    const KIND: &'static str = "stimulate.log";
    const ABOUT: &'static str = "Writes commands to a file of JSON lines instead of to a device.";
    const ROLE: Role = Role::Stimulate;
    const PORTS: Ports = Ports {
        inputs: &["commands"],
        outputs: &["log"],
    };
    type Params = LogParams;

    fn describe(
        params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let commands = check("commands", inputs)?;
        params.check()?;
        check_writable(&params.path)?;
        let most = Interlock::most_handed(&params.limits, commands.frames_per_block());
        let stream_type = StreamType::records(handed_layout(), most);
        Ok(Described {
            outputs: vec![("log".to_owned(), stream_type.clone())],
            state_bytes: Interlock::state_bytes(&params.limits),
            parts_per_call: 1,
            helpers: vec![Helper {
                kind: LogWriter::KIND.to_owned(),
                direction: HelperDirection::Drains,
                port: "log".to_owned(),
                stream_type,
                slots: LOG_SLOTS,
            }],
            guard: Some(LogSwitch::KIND.to_owned()),
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let patience = LogSwitch::patience(&params);
        Ok(Log {
            interlock: Interlock {
                limits: params.limits,
                accept_reset: params.accept_reset,
                silent_ns: patience.silent_ns,
                off_within_ns: patience.off_within_ns,
            },
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let commands = inputs.pacing();
        let mut block = outputs.block(0);
        let room = block.room();
        let now = now(ctx);
        let handed = self.interlock.step(
            ctx.state.slice_mut(),
            now,
            commands.header,
            commands.slice::<Command>(),
            &mut block.slice::<Handed>()[..room],
        );
        block.commit(handed);
        Next::Continue
    }

    /// What stands at the device is no memory of the signal: a gap does not end it.
    fn reset(&mut self, _state: &mut [u8]) {}

    fn finish(&mut self, ctx: &mut Ctx<'_>, outputs: &mut Outputs<'_>) {
        let mut block = outputs.block(0);
        let room = block.room();
        let now = now(ctx);
        let out = &mut block.slice::<Handed>()[..room];
        let handed = self.interlock.end(ctx.state.slice_mut(), now, out);
        if handed > 0 {
            block.commit(handed);
        }
    }
}

fn now(ctx: &Ctx<'_>) -> Now {
    Now {
        tick: ctx.tick,
        ns: ctx.now_ns,
        off: ctx.off,
        held: ctx.held,
    }
}
