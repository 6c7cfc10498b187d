//! `spectrum.bandpower`: the power of each channel in bands of frequencies.
//!
//! **Mathematics.** Every `step_s` a row is made from the newest `window_s`; `power` says how:
//!
//! - `welch`: the mean of the densities of `segments` segments, of which each shares half with the next, as
//!   `scipy.signal.welch(x, fs, 'hann', nperseg)`; the power is the sum over a band's frequencies, times their distance.
//! - `mean`: the mean over a band's frequencies of the density of the whole window.
//! - `median`: their median (NumPy's), which a single strong line moves less.
//!
//! A band's frequencies are those with `low_hz <= f < high_hz`. The first row comes when the window is full of settled frames
//! after the start, a gap or a seam.
//!
//! **While it runs** `window_s` (up to `max_window_s`, to whose frequencies a shorter window is padded with zeros) and the edges
//! of the bands may be changed: they count from the next block on.
//!
//! **Shapes and units.** `time x channel` of any number format in; `time x channel x band` `f64` out, at the rate of the
//! steps, one block (often empty) for every input block: unit^2 for `welch`, unit^2/Hz for the others (microvolts for volts).
//! With a single band the stream is `time x channel`, which a readout takes. `origin_first`, `origin_frame` and `user` of the
//! header say which frames a row was computed from ([`rows`](crate::rows)). Delay: half the window.
//!
//! A NaN or an infinity makes NaN of its channel's row for as long as it lies in the window, and of no other.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate; parameters out of range; a
//! band that holds no frequency.

use super::bands::{self, Band};
use super::history::History;
use super::periodogram::{MIN_FRAMES, Periodogram};
use super::window::WindowShape;
use super::{NEEDS_RATE, frames_of, history_of, squared_type, window_of};
use crate::numbers::{Numbers, rate_of};
use crate::rows::{Rows, row_rate};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Axis, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;

/// Parameters of `spectrum.bandpower`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BandpowerParams {
    /// Bands, 1 to 64, each with `name`, `low_hz`, `high_hz`; default delta, theta, alpha, beta, gamma. Their edges may be
    /// changed while it runs.
    #[schemars(extend("x-live" = true))]
    pub bands: Vec<Band>,
    /// How a band's power is found: `welch`, `mean` or `median`.
    pub power: Power,
    /// Length of the window, seconds, at most `max_window_s`, which is the default. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0, max = 3600.0))]
    pub window_s: Option<f64>,
    /// Longest window, seconds.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub max_window_s: f64,
    /// From one row to the next, seconds; rounded to whole frames, at least two.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub step_s: f64,
    /// Segments of a window with `power = "welch"`, 1 to 64: more of them give a smoother and coarser spectrum.
    #[schemars(range(min = 1, max = 64))]
    pub segments: Option<u32>,
    /// Shape of the windows: `hann`, `hamming`, `blackman` or `boxcar`.
    pub window: WindowShape,
    /// Room for rows in a block, 1 to 10,000: the steps that one input block can complete.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rows_per_block: u32,
}

/// How a band's power is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// The integral of the density that is averaged over segments.
    #[default]
    Welch,
    /// The mean of the density.
    Mean,
    /// The median of the density.
    Median,
}

impl Default for BandpowerParams {
    fn default() -> Self {
        BandpowerParams {
            bands: bands::eeg(),
            power: Power::Welch,
            window_s: None,
            max_window_s: 2.0,
            step_s: 0.5,
            segments: None,
            window: WindowShape::Hann,
            max_rows_per_block: 16,
        }
    }
}

/// Parameters in frames and bins.
#[derive(Debug)]
struct Plan {
    history: History,
    rate_hz: f64,
    step: usize,
    segments: usize,
    /// Frames of the transform.
    transformed: usize,
    window: usize,
    /// Bins of each band.
    bins: Vec<Range<usize>>,
}

/// Frames of a segment, of which `segments` that share half with the next fill `window` frames.
fn segment_of(window: usize, segments: usize) -> usize {
    if segments == 1 {
        return window;
    }
    // Even, so that a half is one.
    2 * (window / (segments + 1))
}

impl BandpowerParams {
    fn plan(&self, input: &StreamType) -> Result<Plan, StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_hz = rate_of("frames", input, NEEDS_RATE)?;
        let longest = frames_of("max_window_s", self.max_window_s, rate_hz, MIN_FRAMES)?;
        let history = history_of("max_window_s", &numbers, longest)?;
        // Two: rows that come with every frame would be taken for the frames themselves.
        let step = frames_of("step_s", self.step_s, rate_hz, 2)?;
        let segments = match (self.power, self.segments) {
            (Power::Welch, segments) => segments.unwrap_or(3),
            (_, None) => 1,
            (_, Some(_)) => {
                let why = "is only used with power = \"welch\": drop it, or say so";
                return Err(StageError::parameter("segments", why));
            }
        };
        if !(1..=64).contains(&segments) {
            let why = format!("{segments} is outside 1 to 64");
            return Err(StageError::parameter("segments", why));
        }
        let segments = segments as usize;
        let window = self.window(rate_hz, longest, segments)?;
        let room = self.max_rows_per_block;
        let block = input.frames_per_block() as usize;
        if !(1..=10_000).contains(&room) {
            let why = format!("{room} is outside 1 to 10000");
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        if block.div_ceil(step) > room as usize {
            let why = format!(
                "{room} is less than the {} steps of {step} frames that a block of {block} can complete",
                block.div_ceil(step)
            );
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        let transformed = segment_of(longest, segments);
        let (all, step_hz) = (transformed / 2 + 1, rate_hz / transformed as f64);
        bands::check(&self.bands, all, step_hz)?;
        Ok(Plan {
            history,
            rate_hz,
            step,
            segments,
            transformed,
            window,
            bins: self
                .bands
                .iter()
                .map(|b| bands::of(b, all, step_hz))
                .collect(),
        })
    }

    /// Frames of the window.
    fn window(&self, rate_hz: f64, longest: usize, segments: usize) -> Result<usize, StageError> {
        let most = (self.max_window_s, longest);
        let window = window_of(self.window_s, most, rate_hz, MIN_FRAMES)?;
        let segment = segment_of(window, segments);
        if segment < MIN_FRAMES {
            let why = format!(
                "a window of {window} frames has segments of {segment}; at least {MIN_FRAMES} are needed"
            );
            return Err(StageError::parameter("segments", why));
        }
        Ok(window)
    }
}

/// `spectrum.bandpower`.
pub struct Bandpower {
    numbers: Numbers,
    plan: Plan,
    power: Power,
    periodogram: Periodogram,
    density: Vec<f64>,
    sorted: Vec<f64>,
    converted: Vec<f64>,
}

impl Stage for Bandpower {
    const KIND: &'static str = "spectrum.bandpower";
    const ABOUT: &'static str = "Power of each channel in bands of frequencies (delta to gamma).";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["powers"],
    };
    type Params = BandpowerParams;

    fn describe(
        params: &BandpowerParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let plan = params.plan(input)?;
        let mut band = Axis::new("band", params.bands.len() as u32);
        band.labels = params.bands.iter().map(|b| b.name.clone()).collect();
        let per_hz = params.power != Power::Welch;
        let mut powers = squared_type(input, params.max_rows_per_block, band, per_hz)?;
        if params.bands.len() == 1 {
            powers.axes.truncate(2);
        }
        powers.rate = row_rate(input, plan.step as u64);
        Ok(Described {
            outputs: vec![("powers".to_owned(), powers)],
            state_bytes: plan.history.state_bytes(),
            group_delay_frames: (plan.window - 1) as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: BandpowerParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::physical("frames", input)?;
        let plan = params.plan(input)?;
        let mut periodogram = Periodogram::new(plan.transformed, params.window, true, plan.rate_hz);
        periodogram.set_length(segment_of(plan.window, plan.segments));
        let bins = periodogram.bins();
        Ok(Bandpower {
            converted: vec![0.0; input.frames_per_block() as usize * numbers.channels()],
            numbers,
            plan,
            power: params.power,
            periodogram,
            density: vec![0.0; bins],
            sorted: vec![0.0; bins],
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
        let Plan {
            history,
            step,
            segments,
            window,
            ref bins,
            ..
        } = self.plan;
        let state = ctx.state.parts_mut().0;
        let mut output = outputs.block(0);
        let width = history.channels * bins.len();
        let mut made = Rows::new(block.header, output.room(), width);
        let settling = (block.header.settling as usize).min(block.len());
        if settling > 0 {
            history.forget(state);
        }
        let rows = output.slice::<f64>();
        let settled = &frames[settling * history.channels..];
        history.run(state, settled, (window, step), |newest| {
            let Some(row) = made.next(rows, settling + newest.taken, window) else {
                return;
            };
            for (channel, powers) in row.chunks_exact_mut(bins.len()).enumerate() {
                self.density.fill(0.0);
                let length = self.periodogram.length();
                for segment in 0..segments {
                    let first = segment * (length / 2);
                    let frames = newest.of(channel, window, first..first + length);
                    self.periodogram.add(frames, &mut self.density);
                }
                let step_hz = self.periodogram.step_hz();
                for (power, bins) in powers.iter_mut().zip(bins) {
                    let band = &self.density[bins.clone()];
                    *power = match self.power {
                        Power::Welch => band.iter().sum::<f64>() / segments as f64 * step_hz,
                        Power::Mean => band.iter().sum::<f64>() / band.len() as f64,
                        Power::Median => median(band, &mut self.sorted),
                    };
                }
            }
        });
        made.write(output.header(), step);
        output.commit(made.made());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        self.plan.history.forget(state);
    }

    fn tune(&mut self, live: &BandpowerParams) {
        // What `describe` would refuse does not come here; all stays as it was if it does.
        let plan = &mut self.plan;
        let (all, step_hz) = (self.periodogram.bins(), self.periodogram.step_hz());
        let window = live.window(plan.rate_hz, plan.history.frames, plan.segments);
        let (Ok(window), Ok(())) = (window, bands::check(&live.bands, all, step_hz)) else {
            return;
        };
        if live.bands.len() == plan.bins.len() {
            plan.window = window;
            self.periodogram
                .set_length(segment_of(window, plan.segments));
            for (bins, band) in plan.bins.iter_mut().zip(&live.bands) {
                *bins = bands::of(band, all, step_hz);
            }
        }
    }
}

/// NumPy's median; NaN if one of them is. `sorted`: at least as long.
fn median(values: &[f64], sorted: &mut [f64]) -> f64 {
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let sorted = &mut sorted[..values.len()];
    sorted.copy_from_slice(values);
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Dtype, Rate};

    fn input() -> StreamType {
        let mut t = StreamType::frames(Dtype::F64, 25, 8, Rate::hz(250), "uV");
        t.si_unit = "V".to_owned();
        t.scale = vec![1e-6; 8];
        t
    }

    fn describe(text: &str) -> Result<Described, String> {
        let params: BandpowerParams = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Bandpower::describe(&params, &[("frames", &input())]).map_err(|e| e.to_string())
    }

    #[test]
    fn the_bands_label_the_third_axis_and_rows_come_at_the_rate_of_the_steps() {
        let what = describe("{}").unwrap();
        let powers = &what.outputs[0].1;
        assert_eq!(powers.summary(), "16 x 8 x 5 f64, 2 Hz, uV^2");
        assert_eq!(
            powers.axes[2].labels,
            ["delta", "theta", "alpha", "beta", "gamma"]
        );
        let what = describe(
            r#"{"power": "median", "bands": [{"name": "alpha", "low_hz": 8, "high_hz": 13}]}"#,
        );
        assert_eq!(
            what.unwrap().outputs[0].1.summary(),
            "16 x 8 f64, 2 Hz, uV^2/Hz"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_line_by_name() {
        let refused = |text: &str, needle: &str| {
            let error = describe(text).unwrap_err();
            assert!(
                error.contains(needle) && !error.contains('\n'),
                "{text}: {error}"
            );
        };
        refused(r#"{"window_s": 3.0}"#, "`window_s`: 3 s is longer");
        refused(
            r#"{"step_s": 0.004}"#,
            "`step_s`: 0.004 s are 1 frames at 250 Hz; at least 2",
        );
        refused(r#"{"segments": 65}"#, "`segments`: 65 is outside");
        refused(
            r#"{"segments": 64, "max_window_s": 0.5}"#,
            "`segments`: a window of 125 frames",
        );
        refused(
            r#"{"power": "mean", "segments": 3}"#,
            "`segments`: is only used with",
        );
        refused(
            r#"{"step_s": 0.008, "max_rows_per_block": 12}"#,
            "13 steps of 2 frames",
        );
        refused(r#"{"bands": []}"#, "`bands`: has 0 bands");
        refused(r#"{"max_window_s": 0.2}"#, "holds no frequency");
    }

    #[test]
    fn the_median_is_numpy_s() {
        let mut room = [0.0; 4];
        assert_eq!(median(&[3.0, 1.0, 2.0], &mut room), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0], &mut room), 2.5);
        assert!(median(&[4.0, f64::NAN], &mut room).is_nan());
    }
}
