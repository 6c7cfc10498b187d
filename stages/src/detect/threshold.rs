//! `detect.threshold`: spikes where the signal crosses k times its noise.
//!
//! **Mathematics.** `sigma = median(|y|) / 0.6745` per channel (for Gaussian noise the standard deviation, and spikes
//! hardly move it), with numpy's median; threshold `k * sigma`; crossings and dead time as in
//! [`crossings`](super::crossings). `noise` says where sigma comes from:
//!
//! - `calibrate`: the first `calibrate_s` seconds of settled signal (after `calibrate_skip_s`), then frozen. The exact
//!   median is computed during the quarter of that time that follows; detection begins with the next frame. A gap or
//!   seam does not undo it.
//! - `running`: the same over successive windows of `calibrate_s`; each counts until the next is computed.
//! - `given`: `sigma`, in the input's unit.
//!
//! A channel whose sigma is 0 (not connected) is not looked at. Frames that the input's header calls settling are
//! ignored.
//!
//! **Shapes and units.** `time x channel` of any number format in; [`spike`](ephapse_engine::records::Spike) records
//! out, one block (often empty) for every input block, ordered by frame, then channel. `frame` is the input stream's
//! frame number of the first sample beyond the threshold, `amplitude` the value of that sample in the input's unit
//! (waiting for the trough would delay the spike), `width` is 0. What does not fit in a block of `max_spikes_per_block`
//! is lost and counted: the header's `user` word is the number of spikes lost in this block. The stream's type carries
//! the input's rate and channel axis ([conventions](crate)).
//!
//! **Memory.** `channels * calibrate_s * rate * 8` bytes of append-only state (twice that if running), and 16 bytes per
//! sample of one channel's window as scratch.
//!
//! **Errors** (at `describe`): parameters out of range, `sigma` missing, superfluous or of the wrong length, an input
//! that is not `time x channel` of numbers or has no rate.

use super::crossings::{Crossings, Polarity, SpikeBlock};
use super::detector::{Detector, Noise};
use super::noise::Schedule;
use crate::numbers::{Numbers, rate_of};
use ephapse_engine::records::Spike;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{StreamType, spike_layout};
use schemars::JsonSchema;
use serde::Deserialize;

/// Fewest frames of a window: below it a median says nothing about noise.
const MIN_WINDOW_FRAMES: u64 = 16;

/// Parameters of `detect.threshold`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdParams {
    /// Threshold in units of sigma, above 0.
    #[schemars(range(min = 0.0))]
    pub k: f64,
    /// Which crossings count: `negative`, `positive` or `both`.
    pub polarity: Polarity,
    /// Least distance of two spikes of a channel, ms, 0 to 1000; rounded to whole frames.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub dead_ms: f64,
    /// Where sigma comes from: `calibrate`, `running` or `given`.
    pub noise: NoiseSource,
    /// Signal that sigma is computed from, seconds, 0.1 to 600.
    #[schemars(range(min = 0.1, max = 600.0))]
    pub calibrate_s: f64,
    /// Settled signal passed over before that, seconds, 0 to 600.
    #[schemars(range(min = 0.0, max = 600.0))]
    pub calibrate_skip_s: f64,
    /// Sigma with `noise = "given"`, in the input's unit: a number for all channels, or one per channel.
    pub sigma: Option<Sigma>,
    /// Room for spikes in a block, 1 to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_spikes_per_block: u32,
}

impl Default for ThresholdParams {
    fn default() -> Self {
        ThresholdParams {
            k: 5.0,
            polarity: Polarity::Negative,
            dead_ms: 1.0,
            noise: NoiseSource::Calibrate,
            calibrate_s: 2.0,
            calibrate_skip_s: 0.0,
            sigma: None,
            max_spikes_per_block: 256,
        }
    }
}

/// Where sigma comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoiseSource {
    /// One window at the start, then frozen.
    Calibrate,
    /// Window after window.
    Running,
    /// The parameter `sigma`.
    Given,
}

/// Sigma of all channels, or of each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sigma {
    /// The same for every channel.
    All(f64),
    /// One number per channel.
    Each(Vec<f64>),
}

impl ThresholdParams {
    /// The detector these parameters ask for, and how it reads its input.
    fn resolve(&self, input: &StreamType) -> Result<(Numbers, Crossings, Noise), StageError> {
        let numbers = Numbers::stored("frames", input)?;
        let rate_hz = rate_of("frames", input, "a dead time needs one")?;
        let within = |key: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(value)
            } else {
                let why = format!("{value} is outside {low} to {high}");
                Err(StageError::parameter(key, why))
            }
        };
        if !(self.k > 0.0 && self.k.is_finite()) {
            let why = format!("{} is not a positive number", self.k);
            return Err(StageError::parameter("k", why));
        }
        let room = f64::from(self.max_spikes_per_block);
        within("max_spikes_per_block", room, 1.0, 1e6)?;
        let dead_ms = within("dead_ms", self.dead_ms, 0.0, 1000.0)?;
        let crossings = Crossings {
            polarity: self.polarity,
            dead: (dead_ms * rate_hz / 1000.0).round() as u64,
        };
        let noise = if self.noise == NoiseSource::Given {
            Noise::Given(self.given(numbers.channels())?)
        } else {
            if self.sigma.is_some() {
                let why = "is only used with noise = \"given\": drop it, or say so";
                return Err(StageError::parameter("sigma", why));
            }
            let window_s = within("calibrate_s", self.calibrate_s, 0.1, 600.0)?;
            let skip_s = within("calibrate_skip_s", self.calibrate_skip_s, 0.0, 600.0)?;
            let schedule = Schedule {
                skip: (skip_s * rate_hz).round() as u64,
                window: (window_s * rate_hz).round() as u64,
                running: self.noise == NoiseSource::Running,
            };
            // A running window is overwritten two windows later: a block must not reach that far (it may be run again).
            let blocks = if schedule.running { 2 } else { 0 };
            let least = MIN_WINDOW_FRAMES.max(blocks * u64::from(input.frames_per_block()));
            if schedule.window < least {
                let why = format!(
                    "{window_s} s are {} frames at {rate_hz} Hz; at least {least} are needed",
                    schedule.window
                );
                return Err(StageError::parameter("calibrate_s", why));
            }
            Noise::Measured(schedule)
        };
        Ok((numbers, crossings, noise))
    }

    fn given(&self, channels: usize) -> Result<Vec<f64>, StageError> {
        let wrong = |why: String| Err(StageError::parameter("sigma", why));
        let sigma = match &self.sigma {
            None => return wrong("is missing: noise = \"given\" needs it".to_owned()),
            Some(Sigma::All(sigma)) => vec![*sigma; channels],
            Some(Sigma::Each(each)) => each.clone(),
        };
        if sigma.len() != channels {
            return wrong(format!(
                "has {} numbers for {channels} channels",
                sigma.len()
            ));
        }
        if let Some(bad) = sigma.iter().find(|s| !(**s >= 0.0 && s.is_finite())) {
            return wrong(format!("holds {bad}; sigma is a number not below 0"));
        }
        Ok(sigma)
    }
}

/// `detect.threshold`.
#[derive(Debug)]
pub struct Threshold {
    numbers: Numbers,
    detector: Detector,
    /// Scratch for inputs that are not f64.
    converted: Vec<f64>,
}

impl Stage for Threshold {
    const KIND: &'static str = "detect.threshold";
    const ABOUT: &'static str = "Spikes where the signal crosses k times its noise.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["spikes"],
    };
    type Params = ThresholdParams;

    fn describe(
        params: &ThresholdParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let (numbers, _, noise) = params.resolve(input)?;
        let layout = spike_layout(&input.unit);
        let mut spikes = StreamType::records(layout, params.max_spikes_per_block);
        spikes.rate = input.rate;
        spikes.axes.extend(input.axes.get(1).cloned());
        spikes.positions_um.clone_from(&input.positions_um);
        Ok(Described {
            outputs: vec![("spikes".to_owned(), spikes)],
            state_bytes: Detector::state_bytes(numbers.channels()),
            append_bytes: Detector::append_bytes(&noise, numbers.channels()),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: ThresholdParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let (numbers, crossings, noise) = params.resolve(input)?;
        let detector = Detector::new(params.k, crossings, noise, numbers.channels());
        let room = input.frames_per_block() as usize * numbers.channels();
        Ok(Threshold {
            numbers,
            detector,
            converted: vec![0.0; room],
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let frames = self.numbers.frames(block.payload, &mut self.converted);
        let mut output = outputs.block(0);
        let room = output.room();
        let records = output.slice::<Spike>();
        let room = room.min(records.len());
        let mut spikes = SpikeBlock::new(&mut records[..room]);
        self.detector.run(
            ctx.state.parts_mut(),
            block.header.first_frame,
            block.header.settling as usize,
            frames,
            &mut spikes,
        );
        let (found, lost) = (spikes.found(), spikes.lost());
        output.header().user = lost;
        output.commit(found);
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        self.detector.reset(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Dtype, Kind, Rate};

    fn input() -> StreamType {
        let mut t = StreamType::frames(Dtype::F64, 20, 60, Rate::hz(20_000), "uV");
        t.axes[1].labels[0] = "A1".to_owned();
        t
    }

    fn describe(text: &str) -> Result<Described, String> {
        let params: ThresholdParams = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Threshold::describe(&params, &[("frames", &input())]).map_err(|e| e.to_string())
    }

    #[test]
    fn spikes_carry_the_rate_and_the_channels_of_the_frames_they_speak_of() {
        let what = describe("{}").unwrap();
        let spikes = &what.outputs[0].1;
        assert_eq!(spikes.kind, Kind::Records);
        assert_eq!(spikes.rate, Rate::hz(20_000));
        assert_eq!(spikes.channels(), 60);
        assert_eq!(spikes.channel_label(0), "A1");
        assert_eq!(spikes.block_bytes(), 256 * size_of::<Spike>());
        assert_eq!(spikes.record.as_ref().unwrap().fields[3].unit, "uV");
        assert_eq!(what.append_bytes, 60 * 40_000 * 8);
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let refused = |text: &str, needle: &str| {
            let error = describe(text).unwrap_err();
            assert!(error.contains(needle), "{text}: {error}");
        };
        refused(r#"{"k": 0.0}"#, "`k`: 0 is not a positive number");
        refused(r#"{"dead_ms": -1.0}"#, "`dead_ms`: -1 is outside 0 to 1000");
        refused(
            r#"{"calibrate_s": 0.01}"#,
            "`calibrate_s`: 0.01 is outside 0.1 to 600",
        );
        refused(r#"{"max_spikes_per_block": 0}"#, "`max_spikes_per_block`");
        refused(r#"{"noise": "given"}"#, "`sigma`: is missing");
        refused(
            r#"{"sigma": 2.0}"#,
            "`sigma`: is only used with noise = \"given\"",
        );
        refused(
            r#"{"noise": "given", "sigma": [1.0, 2.0]}"#,
            "`sigma`: has 2 numbers for 60 channels",
        );
        refused(r#"{"noise": "given", "sigma": -1.0}"#, "`sigma`: holds -1");
        refused(r#"{"polarity": "up"}"#, "unknown variant `up`");
        refused(r#"{"threshold": 5.0}"#, "unknown field `threshold`");
    }

    #[test]
    fn a_running_window_holds_two_blocks() {
        let mut t = input();
        t.axes[0].length = 4000;
        let params: ThresholdParams =
            serde_json::from_str(r#"{"noise": "running", "calibrate_s": 0.3}"#).unwrap();
        let error = Threshold::describe(&params, &[("frames", &t)]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("6000 frames at 20000 Hz; at least 8000"),
            "{text}"
        );
    }
}
