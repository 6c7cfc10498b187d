//! The mean over neighbouring channels, frame by frame: a stage of one's own in Rust.

use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError, run,
};
use ephapse_rtconfig::stream_type::{Dtype, Kind, StreamType};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Channels that are averaged: the channel itself and as many on both sides, fewer at the edges. Odd, 1 to 15.
    width: usize,
}

pub struct ChannelAverage {
    /// Channels on either side.
    side: usize,
}

impl Stage for ChannelAverage {
    const KIND: &'static str = "example.channel_average";
    const ABOUT: &'static str = "Mean over neighbouring channels, frame by frame.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["mean"],
    };
    type Params = Params;

    fn describe(params: &Params, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        let (port, input) = inputs[0];
        if input.kind != Kind::Frames || input.dtype != Dtype::F64 {
            return Err(StageError::input(
                port,
                "wants f64 frames: put a `cast` on the edge",
            ));
        }
        if params.width > 15 || params.width.is_multiple_of(2) {
            return Err(StageError::parameter(
                "width",
                "must be odd, 1 to 15 channels",
            ));
        }
        Ok(Described {
            outputs: vec![("mean".into(), input.clone())],
            ..Described::default()
        })
    }

    fn prepare(
        params: Params,
        _: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        let side = params.width / 2;
        Ok(ChannelAverage { side })
    }

    fn process(&mut self, _: &mut Ctx<'_>, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        let (input, mut output) = (inputs.pacing(), outputs.block(0));
        let (n, side) = (input.stream_type.elements_per_frame(), self.side);
        let frames = input.slice::<f64>().chunks_exact(n);
        for (x, y) in frames.zip(output.slice::<f64>().chunks_exact_mut(n)) {
            for (c, y) in y.iter_mut().enumerate() {
                let near = &x[c.saturating_sub(side)..=(c + side).min(n - 1)];
                *y = near.iter().fold(0.0, |sum, x| sum + x) / near.len() as f64;
            }
        }
        output.commit(input.len());
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

fn main() -> std::process::ExitCode {
    run::<ChannelAverage>()
}
