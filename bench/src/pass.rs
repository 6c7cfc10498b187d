//! A stage that does next to nothing, so that a turn is the runner's work alone.

use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::Deserialize;

/// Counts frames and passes each block's length on, without a look at its payload.
pub struct Pass;

/// None.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassParams {}

impl Stage for Pass {
    const KIND: &'static str = "bench.pass";
    const ABOUT: &'static str = "Passes lengths on.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["frames"],
    };
    type Params = PassParams;

    fn describe(_: &PassParams, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("frames".into(), inputs[0].1.clone())],
            state_bytes: 8,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        _: PassParams,
        _: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        Ok(Pass)
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let frames: &mut u64 = ctx.state.typed();
        *frames += block.len() as u64;
        outputs.block(0).commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }
}
