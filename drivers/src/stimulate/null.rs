//! `stimulate.null`: counts commands and does nothing with them.

use super::command::check;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::Deserialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Parameters of `stimulate.null`: none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NullParams {}

/// What it has counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct NullState {
    /// Blocks, empty ones included.
    pub blocks: u64,
    /// Commands.
    pub commands: u64,
}

impl NullState {
    /// Counts a block of `commands` commands.
    pub fn count(&mut self, commands: usize) {
        self.blocks += 1;
        self.commands += commands as u64;
    }
}

/// The stage `stimulate.null`: the end of a loop that is only measured.
pub struct Null;

impl Stage for Null {
    const KIND: &'static str = "stimulate.null";
    const ABOUT: &'static str = "Counts commands and does nothing with them: for measuring a loop.";
    const ROLE: Role = Role::Stimulate;
    const PORTS: Ports = Ports {
        inputs: &["commands"],
        outputs: &[],
    };
    type Params = NullParams;

    fn describe(
        _params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        check("commands", inputs)?;
        Ok(Described {
            state_bytes: size_of::<NullState>(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        _params: Self::Params,
        _inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        Ok(Null)
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        _outputs: &mut Outputs<'_>,
    ) -> Next {
        ctx.state.typed::<NullState>().count(inputs.pacing().len());
        Next::Continue
    }

    /// Counts are an account, not a memory of the signal: a gap does not end them.
    fn reset(&mut self, _state: &mut [u8]) {}
}
