//! `feature.heart_rate`: beats per minute of each channel of a pulse sensor.
//!
//! **Mathematics.** A beat is what [`beats`](super::beats) says: one for every plateau. Every `step_s` a row is made of the
//! beats of the newest `window_s`: 60 divided by the mean interval in seconds, of the intervals that are within three tenths of
//! their median (a missed beat does not halve the rate). NaN while there are fewer than three beats.
//!
//! **While it runs** `min_interval_s` and `prominence` may be changed: they count from the next block on.
//!
//! **Shapes and units.** `time x channel` of any number format in (a Cyton's analog pins: ten-bit values); `time x channel` `f64`
//! in 1/min out, at the rate of the steps, one block (often empty) for every input block. `origin_first`, `origin_frame` and
//! `user` of the header say which frames a row was computed from ([`rows`](crate::rows)). Delay: half the window.
//!
//! After the start, a gap, a seam and settling frames it starts anew.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate; parameters out of range.

use super::beats::{BeatRule, REMEMBERED, STATE};
use crate::numbers::{Numbers, rate_of};
use crate::rows::{Rows, row_rate};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Axis, Dtype, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `feature.heart_rate`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeartRateParams {
    /// Least distance of two beats, seconds, 0.1 to 2: 0.3 are 200 beats a minute. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.1, max = 2.0))]
    pub min_interval_s: f64,
    /// How far the signal must swing for a beat, in the input's unit (microvolts for volts), above 0; the default is for
    /// ten-bit values. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0))]
    pub prominence: f64,
    /// Beats that count, seconds back, 2 to 30.
    #[schemars(range(min = 2.0, max = 30.0))]
    pub window_s: f64,
    /// From one row to the next, seconds, 0.1 to 30; rounded to whole frames, at least two.
    #[schemars(range(min = 0.1, max = 30.0))]
    pub step_s: f64,
    /// Room for rows in a block, 1 to 10,000: the steps that one input block can complete.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rows_per_block: u32,
}

impl Default for HeartRateParams {
    fn default() -> Self {
        HeartRateParams {
            min_interval_s: 0.3,
            prominence: 50.0,
            window_s: 10.0,
            step_s: 1.0,
            max_rows_per_block: 16,
        }
    }
}

impl HeartRateParams {
    fn rule(&self, rate_hz: f64) -> Result<BeatRule, StageError> {
        within("min_interval_s", self.min_interval_s, 0.1, 2.0)?;
        if !(self.prominence > 0.0 && self.prominence.is_finite()) {
            let why = format!("{} is not a positive number", self.prominence);
            return Err(StageError::parameter("prominence", why));
        }
        Ok(BeatRule {
            rate_hz,
            apart: (self.min_interval_s * rate_hz).round(),
            prominence: self.prominence,
        })
    }

    fn plan(&self, input: &StreamType) -> Result<(Numbers, BeatRule, Pace), StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_hz = rate_of("frames", input, "a heart rate needs one")?;
        let rule = self.rule(rate_hz)?;
        let window_s = within("window_s", self.window_s, 2.0, 30.0)?;
        // As many beats as there can be in a window are remembered.
        if window_s / self.min_interval_s > REMEMBERED as f64 {
            let why = format!(
                "{window_s} s hold more than {REMEMBERED} beats {} s apart: shorten it",
                self.min_interval_s
            );
            return Err(StageError::parameter("window_s", why));
        }
        let step_s = within("step_s", self.step_s, 0.1, 30.0)?;
        let step = (step_s * rate_hz).round() as usize;
        if step < 2 {
            let why =
                format!("{step_s} s are {step} frames at {rate_hz} Hz; at least 2 are needed");
            return Err(StageError::parameter("step_s", why));
        }
        let most = (input.frames_per_block() as usize).div_ceil(step);
        if !(1..=10_000).contains(&self.max_rows_per_block)
            || most > self.max_rows_per_block as usize
        {
            let why = format!(
                "{} is outside 1 to 10000, or less than the {most} steps that a block can complete",
                self.max_rows_per_block
            );
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        let window = (window_s * rate_hz).round() as usize;
        Ok((numbers, rule, Pace { window, step }))
    }
}

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<f64, StageError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let why = format!("{value} is outside {low} to {high}");
    Err(StageError::parameter(key, why))
}

/// Windows, in frames.
#[derive(Clone, Copy, Debug)]
struct Pace {
    window: usize,
    step: usize,
}

/// `feature.heart_rate`.
#[derive(Debug)]
pub struct HeartRate {
    numbers: Numbers,
    rule: BeatRule,
    pace: Pace,
    converted: Vec<f64>,
}

impl Stage for HeartRate {
    const KIND: &'static str = "feature.heart_rate";
    const ABOUT: &'static str = "Beats per minute from the signal of a pulse sensor.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["rates"],
    };
    type Params = HeartRateParams;

    fn describe(
        params: &HeartRateParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let (numbers, _, pace) = params.plan(input)?;
        let channels = numbers.channels();
        let rows = row_rate(input, pace.step as u64);
        let room = params.max_rows_per_block;
        let mut rates = StreamType::frames(Dtype::F64, room, channels as u32, rows, "1/min");
        rates.axes[1] = (input.axes.get(1).cloned()).unwrap_or_else(|| Axis::new("channel", 1));
        Ok(Described {
            outputs: vec![("rates".to_owned(), rates)],
            state_bytes: 8 * (1 + channels * STATE),
            group_delay_frames: pace.window as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: HeartRateParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let (numbers, rule, pace) = params.plan(input)?;
        Ok(HeartRate {
            converted: vec![0.0; input.frames_per_block() as usize * numbers.channels()],
            numbers,
            rule,
            pace,
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
        let channels = self.numbers.channels();
        let Pace { window, step } = self.pace;
        let state = ctx.state.slice_mut::<f64>();
        let settling = (block.header.settling as usize).min(block.len());
        if settling > 0 {
            state.fill(0.0);
        }
        let (seen, beats) = state.split_at_mut(1);
        let mut output = outputs.block(0);
        let mut made = Rows::new(block.header, output.room(), channels);
        let rows = output.slice::<f64>();
        for (index, frame) in frames.chunks_exact(channels).enumerate().skip(settling) {
            for (x, beats) in frame.iter().zip(beats.chunks_exact_mut(STATE)) {
                self.rule.take(beats, seen[0] as u64, *x);
            }
            seen[0] += 1.0;
            if !(seen[0] as u64).is_multiple_of(step as u64) {
                continue;
            }
            let length = window.min(seen[0] as usize);
            let Some(row) = made.next(rows, index + 1, length) else {
                continue;
            };
            for (rate, beats) in row.iter_mut().zip(beats.chunks_exact_mut(STATE)) {
                *rate = self.rule.per_minute(beats, seen[0] - window as f64);
            }
        }
        made.write(output.header(), step);
        output.commit(made.made());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }

    fn tune(&mut self, live: &HeartRateParams) {
        // What `describe` would refuse does not come here; the old rule stays if it does.
        if let Ok(rule) = live.rule(self.rule.rate_hz) {
            self.rule = rule;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Rate;

    fn describe(text: &str, rate: Rate) -> Result<Described, String> {
        let input = StreamType::frames(Dtype::I16, 25, 1, rate, "count");
        let params: HeartRateParams = serde_json::from_str(text).map_err(|e| e.to_string())?;
        HeartRate::describe(&params, &[("frames", &input)]).map_err(|e| e.to_string())
    }

    #[test]
    fn rates_come_once_a_second_in_beats_per_minute() {
        let what = describe("{}", Rate::hz(250)).unwrap();
        assert_eq!(what.outputs[0].1.summary(), "16 x 1 f64, 1 Hz, 1/min");
        assert_eq!(what.group_delay_frames, 1250.0);
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_line_by_name() {
        let refused = |text: &str, needle: &str| {
            let error = describe(text, Rate::hz(250)).unwrap_err();
            assert!(
                error.contains(needle) && !error.contains('\n'),
                "{text}: {error}"
            );
        };
        refused(
            r#"{"min_interval_s": 0.05}"#,
            "`min_interval_s`: 0.05 is outside 0.1 to 2",
        );
        refused(
            r#"{"prominence": 0.0}"#,
            "`prominence`: 0 is not a positive",
        );
        refused(r#"{"window_s": 1.0}"#, "`window_s`: 1 is outside 2 to 30");
        refused(
            r#"{"min_interval_s": 0.1, "window_s": 30.0}"#,
            "`window_s`: 30 s hold more",
        );
        refused(
            r#"{"max_rows_per_block": 0}"#,
            "`max_rows_per_block`: 0 is outside",
        );
        assert!(
            describe("{}", Rate::NONE)
                .unwrap_err()
                .contains("has no rate")
        );
    }
}
