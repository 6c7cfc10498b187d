//! `readout.linear`: a decision as a weighted sum of features.
//!
//! **Mathematics.** `y = W x + b` for every row `x` of features. `weights = "population"` is the mean over all
//! channels, in their unit; else it is the path of a JSON file
//! `{"weights": [[...], ...], "bias": [...], "labels": [...]}` with one row of weights, one bias and one label per output (bias and labels may be absent).
//!
//! **Shapes and units.** `time x channel` of any number format (the stored numbers) in; `time x output` in `f64` out,
//! as many rows as came in; the unit is the input's for the population, none for weights from a file. Which frames a
//! row stands for is passed on ([`rows`](crate::rows)).
//!
//! **Errors** (at `describe`): a file that cannot be read or does not fit the input's channels; an input that is not
//! `time x channel` of numbers.

use super::weights::Weights;
use crate::numbers::Numbers;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Axis, Dtype, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// The word that stands for a mean over all channels.
const POPULATION: &str = "population";

/// Parameters of `readout.linear`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearParams {
    /// `population`, or the path of a JSON file with `weights`, `bias` and `labels`.
    pub weights: String,
}

impl LinearParams {
    fn read(&self, channels: usize) -> Result<Weights, StageError> {
        if self.weights == POPULATION {
            Ok(Weights::population(channels))
        } else {
            Weights::read(&self.weights, channels)
        }
    }
}

/// `readout.linear`.
#[derive(Debug)]
pub struct Linear {
    numbers: Numbers,
    weights: Weights,
    converted: Vec<f64>,
}

impl Stage for Linear {
    const KIND: &'static str = "readout.linear";
    const ABOUT: &'static str = "Decision as a weighted sum of features, or their mean.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["features"],
        outputs: &["decision"],
    };
    type Params = LinearParams;

    fn describe(
        params: &LinearParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::stored("features", input)?;
        let weights = params.read(numbers.channels())?;
        let unit = if params.weights == POPULATION {
            input.unit.as_str()
        } else {
            ""
        };
        let rows = input.frames_per_block();
        let mut output = Axis::new("output", weights.outputs() as u32);
        output.labels = weights.labels().to_vec();
        let mut decision = StreamType::frames(Dtype::F64, rows, output.length, input.rate, unit);
        decision.axes[1] = output;
        Ok(Described {
            outputs: vec![("decision".to_owned(), decision)],
            parts_per_call: 1,
            memoryless: true,
            ..Described::default()
        })
    }

    fn prepare(
        params: LinearParams,
        inputs: &[(&str, &StreamType)],
        what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::stored("features", input)?;
        let weights = params.read(numbers.channels())?;
        let described = what
            .outputs
            .first()
            .map_or(0, |(_, t)| t.elements_per_frame());
        if weights.outputs() != described {
            let why = format!(
                "has {} rows of weights now, {described} when the graph was checked: start again",
                weights.outputs()
            );
            return Err(StageError::resource(params.weights, why));
        }
        let room = numbers.channels() * input.frames_per_block() as usize;
        Ok(Linear {
            numbers,
            weights,
            converted: vec![0.0; room],
        })
    }

    fn process(
        &mut self,
        _ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let features = self.numbers.convert(block.payload, &mut self.converted);
        let mut output = outputs.block(0);
        output.header().user = block.header.user;
        let decisions = output
            .slice::<f64>()
            .chunks_exact_mut(self.weights.outputs());
        let rows = features.chunks_exact(self.numbers.channels());
        for (x, y) in rows.zip(decisions) {
            self.weights.apply(x, y);
        }
        output.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, _state: &mut [u8]) {}
}
