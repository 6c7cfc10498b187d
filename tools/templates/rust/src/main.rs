//! Common average reference: each channel less the mean of all channels, times a gain.

use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError, run,
};
use ephapse_rtconfig::stream_type::StreamType;

/// Parameters, as stage.toml has them.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// What each difference is multiplied with.
    gain: f64,
}

pub struct AverageReference {
    gain: f64,
}

impl Stage for AverageReference {
    const KIND: &'static str = "mylab.template-name";
    const ABOUT: &'static str =
        "Common average reference: each channel less the mean of all channels, times a gain.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["referenced"],
    };
    type Params = Params;

    /// For the tests below; a session reads stage.toml.
    fn describe(_: &Params, inputs: &[(&str, &StreamType)]) -> Result<Described, StageError> {
        Ok(Described {
            outputs: vec![("referenced".into(), inputs[0].1.clone())],
            memoryless: true,
            ..Described::default()
        })
    }

    fn prepare(
        params: Params,
        _: &[(&str, &StreamType)],
        _: &Described,
    ) -> Result<Self, StageError> {
        Ok(AverageReference { gain: params.gain })
    }

    /// Real time: nothing here allocates, locks, prints or enters the kernel.
    fn process(&mut self, _: &mut Ctx<'_>, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        let (input, mut output) = (inputs.pacing(), outputs.block(0));
        let channels = input.stream_type.channels();
        let frames = input.slice::<f64>().chunks_exact(channels);
        let referenced = output.slice::<f64>().chunks_exact_mut(channels);
        for (x, y) in frames.zip(referenced) {
            let mean = x.iter().sum::<f64>() / channels as f64;
            for (x, y) in x.iter().zip(y) {
                *y = (x - mean) * self.gain;
            }
        }
        output.commit(input.len());
        Next::Continue
    }

    fn reset(&mut self, _: &mut [u8]) {}
}

fn main() -> std::process::ExitCode {
    run::<AverageReference>()
}

#[cfg(test)]
mod tests {
    use super::AverageReference;
    use ephapse_engine::abi::SlotHeader;
    use ephapse_engine::stage::Rig;
    use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};

    #[test]
    fn each_channel_loses_the_mean_of_its_frame_and_is_multiplied() {
        let frames = StreamType::frames(Dtype::F64, 2, 3, Rate::hz(1000), "uV");
        let params = serde_json::json!({ "gain": 2.0 });
        let mut rig = Rig::<AverageReference>::new(params, &[frames]).unwrap();
        let header = SlotHeader {
            valid: 2,
            ..SlotHeader::default()
        };
        let block = [1.0_f64, 2.0, 6.0, -4.0, 0.0, 4.0].map(f64::to_le_bytes);
        rig.push(0, header, &block.concat());
        let referenced = rig.take(0)[0].rows::<f64>();
        assert_eq!(referenced, [-4.0, -2.0, 6.0, -8.0, 0.0, 8.0]);
    }
}
