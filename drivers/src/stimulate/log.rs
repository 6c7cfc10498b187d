//! `stimulate.log`, FIFO side: stamps commands and hands them to the helper that writes them down.

use super::command::check;
use super::log_writer::{LogWriter, check_writable};
use super::refusal::Refusal;
use ephapse_engine::abi::SlotHeader;
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
}

fn default_path() -> PathBuf {
    PathBuf::from("stimulation.jsonl")
}

/// Slots of the ring to the writer: so many blocks may wait for the disk.
const LOG_SLOTS: u32 = 64;

/// The stage `stimulate.log`.
pub struct Log {
    accept_reset: bool,
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
        let stream_type = check("commands", inputs)?;
        check_writable(&params.path)?;
        Ok(Described {
            outputs: vec![("log".to_owned(), stream_type.clone())],
            parts_per_call: 1,
            memoryless: true,
            helpers: vec![Helper {
                kind: LogWriter::KIND.to_owned(),
                direction: HelperDirection::Drains,
                port: "log".to_owned(),
                stream_type,
                slots: LOG_SLOTS,
            }],
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        Ok(Log {
            accept_reset: params.accept_reset,
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
        let out = &mut block.slice::<Command>()[..room];
        let passed = pass_commands(commands.header, commands.slice(), ctx.tick, ctx.now_ns, out);
        let refusal = Refusal::of(commands.header, ctx.off, ctx.held, self.accept_reset);
        block.header().user = refusal.map_or(0, |refusal| refusal as u64);
        block.commit(passed);
        Next::Continue
    }

    fn reset(&mut self, _state: &mut [u8]) {}
}

/// Copies commands, each with its age at `now_ns` and, if it has none, the tick. Returns how many.
pub fn pass_commands(
    header: &SlotHeader,
    commands: &[Command],
    tick: u64,
    now_ns: u64,
    out: &mut [Command],
) -> usize {
    // A device's clock model may place a frame a little in the future; no age is negative.
    let age_ns = i64::try_from(now_ns.saturating_sub(header.sampled_ns)).unwrap_or(i64::MAX);
    for (target, command) in out.iter_mut().zip(commands) {
        *target = Command {
            tick: if command.tick == 0 {
                tick
            } else {
                command.tick
            },
            age_ns,
            ..*command
        };
    }
    commands.len().min(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sampled_ns: u64) -> SlotHeader {
        SlotHeader {
            sampled_ns,
            ..SlotHeader::default()
        }
    }

    #[test]
    fn a_command_gets_its_age_and_keeps_its_own_tick() {
        let commands = [
            Command {
                tick: 0,
                target: 3,
                values: [8.0, 0.0, 0.0, 0.0],
                ..Command::default()
            },
            Command {
                tick: 41,
                last_frame: 99,
                ..Command::default()
            },
        ];
        let mut out = [Command::default(); 4];
        assert_eq!(
            pass_commands(&header(1_000), &commands, 42, 1_750, &mut out),
            2
        );
        assert_eq!(
            out[0],
            Command {
                tick: 42,
                age_ns: 750,
                ..commands[0]
            }
        );
        assert_eq!(
            out[1],
            Command {
                tick: 41,
                age_ns: 750,
                ..commands[1]
            }
        );
    }

    #[test]
    fn a_frame_of_the_future_has_age_0() {
        let mut out = [Command::default()];
        pass_commands(&header(2_000), &[Command::default()], 1, 1_000, &mut out);
        assert_eq!(out[0].age_ns, 0);
    }

    #[test]
    fn an_empty_block_says_that_nothing_happened() {
        assert_eq!(
            pass_commands(&header(0), &[], 1, 1, &mut [Command::default()]),
            0
        );
    }
}
