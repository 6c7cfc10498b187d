//! `filter.moving_average`: the smallest filter with memory, and the example of how a stage is written.
//!
//! **Mathematics.** `y[i] = (x[i] + x[i-1] + ... + x[i-n+1]) / n` per channel, `n = frames`; after a reset, while fewer
//! frames have been seen, the mean of those. **Shapes and units.** `time x channel` of any number format in, `f64` of
//! the same shape and of the units of [`Numbers::physical`] out. **Errors.** `frames` outside 1 to 1000, an input that
//! is not `time x channel` of numbers.

use crate::numbers::Numbers;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `filter.moving_average`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovingAverageParams {
    /// Frames averaged, 1 to 1000: they are state, which is copied in every activation.
    #[schemars(range(min = 1, max = 1000))]
    pub frames: u32,
}

/// `filter.moving_average`.
#[derive(Debug)]
pub struct MovingAverage {
    numbers: Numbers,
    length: usize,
}

impl Stage for MovingAverage {
    const KIND: &'static str = "filter.moving_average";
    const ABOUT: &'static str = "Mean of the newest frames, channel by channel.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["frames"],
    };
    type Params = MovingAverageParams;

    fn describe(
        params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let channels = Numbers::physical("frames", inputs[0].1)?.channels();
        let length = params.frames as usize;
        if !(1..=1000).contains(&length) {
            return Err(StageError::parameter(
                "frames",
                format!("{length} is outside 1 to 1000"),
            ));
        }
        Ok(Described {
            outputs: vec![("frames".to_owned(), Numbers::physical_type(inputs[0].1))],
            // Frames seen, then per channel the sum, then the newest frames themselves.
            state_bytes: 8 * (1 + channels + length * channels),
            group_delay_frames: (length - 1) as f64 / 2.0,
            settle_frames: length as u64 - 1,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: Self::Params,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let numbers = Numbers::physical("frames", inputs[0].1)?;
        Ok(MovingAverage {
            numbers,
            length: params.frames as usize,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let mut output = outputs.block(0);
        let frames = self.numbers.convert(block.payload, output.slice::<f64>());
        average(
            ctx.state.slice_mut(),
            self.numbers.channels(),
            self.length,
            frames,
        );
        output.commit(block.len());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }
}

/// Replaces frames by their moving average. `state`: frames seen (exact in f64), sums, ring of the newest `length`
/// frames.
fn average(state: &mut [f64], channels: usize, length: usize, frames: &mut [f64]) {
    let (seen, rest) = state.split_at_mut(1);
    let (sum, ring) = rest.split_at_mut(channels);
    for frame in frames.chunks_exact_mut(channels) {
        let slot = seen[0] as usize % length;
        for (c, x) in frame.iter().enumerate() {
            let oldest = std::mem::replace(&mut ring[slot * channels + c], *x);
            sum[c] += x - oldest;
        }
        if slot + 1 == length {
            // Summed afresh once per turn of the ring: rounding errors do not pile up.
            sum.fill(0.0);
            for old in ring.chunks_exact(channels) {
                for (sum, x) in sum.iter_mut().zip(old) {
                    *sum += x;
                }
            }
        }
        seen[0] += 1.0;
        let n = seen[0].min(length as f64);
        for (y, sum) in frame.iter_mut().zip(&*sum) {
            *y = sum / n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_the_newest_frames_comes_out_for_any_chunking() {
        let (channels, length, frames) = (3, 7, 200);
        let x: Vec<f64> = (0..frames * channels)
            .map(|i| ((i * 37) % 101) as f64)
            .collect();
        for chunk in [1, 5, 7, 64, 200] {
            let mut y = x.clone();
            let mut state = vec![0.0; 1 + channels + length * channels];
            for block in y.chunks_mut(chunk * channels) {
                average(&mut state, channels, length, block);
            }
            for i in 0..frames {
                let first = (i + 1).saturating_sub(length);
                for c in 0..channels {
                    let sum: f64 = (first..=i).map(|j| x[j * channels + c]).sum();
                    assert_eq!(
                        y[i * channels + c],
                        sum / (i + 1 - first) as f64,
                        "{chunk}: {i}, {c}"
                    );
                }
            }
        }
    }
}
