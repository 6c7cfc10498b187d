//! `spectrum.fft`: the spectral density of each channel over a sliding window.
//!
//! **Mathematics.** One row is the modified periodogram of the newest `window_s`: its mean removed, times a window (Hann), as
//! [`periodogram`](super::periodogram) says. Each equals one segment of `scipy.signal.welch(x, fs, window, nperseg, noverlap,
//! nfft)`, and the mean over rows is its result; `nperseg` is `window_s`, `noverlap` is `overlap` of it, `nfft` is
//! `max_window_s`. The first row comes when the window is full of settled frames after the start, a gap or a seam.
//!
//! **While it runs** `window_s` (up to `max_window_s`) and `overlap` may be changed: they count from the next block on. A
//! shorter window is padded with zeros to `max_window_s`, so that the frequencies stay the same.
//!
//! **Shapes and units.** `time x channel` of any number format in; `time x channel x frequency` `f64` in unit^2/Hz out
//! (microvolts for volts), one-sided, one block (often empty) for every input block. The labels of the axis `frequency` are
//! its hertz. The stream has no rate, for the overlap may change: `origin_first`, `origin_frame` and `user` of the header say
//! which frames a row was computed from ([`rows`](crate::rows)). Delay: half the window.
//!
//! A NaN or an infinity makes NaN of its channel's row for as long as it lies in the window, and of no other.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate; parameters out of range; a
//! step so short that a block of input can complete more rows than there is room for.

use super::history::History;
use super::periodogram::{MIN_FRAMES, Periodogram};
use super::window::WindowShape;
use super::{
    NEEDS_RATE, bins_below, frames_of, frequency_axis, history_of, squared_type, window_of,
};
use crate::numbers::{Numbers, rate_of};
use crate::rows::Rows;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `spectrum.fft`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpectrumParams {
    /// Length of the window, seconds, at most `max_window_s`, which is the default. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0, max = 3600.0))]
    pub window_s: Option<f64>,
    /// Longest window, seconds: it sets the frequencies, which are multiples of 1 / `max_window_s`.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub max_window_s: f64,
    /// Part of a window that the next one shares, 0 to 0.99. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0, max = 0.99))]
    pub overlap: f64,
    /// Shape of the window: `hann`, `hamming`, `blackman` or `boxcar`.
    pub window: WindowShape,
    /// Whether the mean of each window is removed first.
    pub remove_mean: bool,
    /// Highest frequency given, Hz; default half the input's rate.
    pub high_hz: Option<f64>,
    /// Room for rows in a block, 1 to 10,000: the windows that one input block can complete.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rows_per_block: u32,
}

impl Default for SpectrumParams {
    fn default() -> Self {
        SpectrumParams {
            window_s: None,
            max_window_s: 2.0,
            overlap: 0.5,
            window: WindowShape::Hann,
            remove_mean: true,
            high_hz: None,
            max_rows_per_block: 1,
        }
    }
}

/// Parameters in frames.
#[derive(Debug)]
struct Plan {
    history: History,
    rate_hz: f64,
    /// Frequencies given.
    bins: usize,
    pace: Pace,
}

/// What may change while it runs.
#[derive(Clone, Copy, Debug)]
struct Pace {
    length: usize,
    step: usize,
}

impl SpectrumParams {
    fn plan(&self, input: &StreamType) -> Result<Plan, StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_hz = rate_of("frames", input, NEEDS_RATE)?;
        let longest = frames_of("max_window_s", self.max_window_s, rate_hz, MIN_FRAMES)?;
        let history = history_of("max_window_s", &numbers, longest)?;
        if !(1..=10_000).contains(&self.max_rows_per_block) {
            let why = format!("{} is outside 1 to 10000", self.max_rows_per_block);
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        let bins = bins_below(self.high_hz, longest, rate_hz)?;
        let pace = self.pace(rate_hz, longest, input.frames_per_block())?;
        Ok(Plan {
            history,
            rate_hz,
            bins,
            pace,
        })
    }

    fn pace(&self, rate_hz: f64, longest: usize, block: u32) -> Result<Pace, StageError> {
        let most = (self.max_window_s, longest);
        let length = window_of(self.window_s, most, rate_hz, MIN_FRAMES)?;
        if !(0.0..=0.99).contains(&self.overlap) {
            let why = format!("{} is outside 0 to 0.99", self.overlap);
            return Err(StageError::parameter("overlap", why));
        }
        let shared = (length as f64 * self.overlap) as usize;
        let step = length - shared;
        if (block as usize).div_ceil(step) > self.max_rows_per_block as usize {
            let why = format!(
                "{} leaves a step of {step} frames, of which a block of {block} completes more than \
                 max_rows_per_block = {}: overlap less or raise that",
                self.overlap, self.max_rows_per_block
            );
            return Err(StageError::parameter("overlap", why));
        }
        Ok(Pace { length, step })
    }
}

/// `spectrum.fft`.
pub struct Spectrum {
    numbers: Numbers,
    plan: Plan,
    longest: usize,
    block: u32,
    periodogram: Periodogram,
    converted: Vec<f64>,
}

impl Stage for Spectrum {
    const KIND: &'static str = "spectrum.fft";
    const ABOUT: &'static str = "Spectral density of each channel over a sliding window.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["spectra"],
    };
    type Params = SpectrumParams;

    fn describe(
        params: &SpectrumParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let plan = params.plan(input)?;
        let frequency = frequency_axis(plan.bins, plan.rate_hz / plan.history.frames as f64);
        let mut spectra = squared_type(input, params.max_rows_per_block, frequency, true)?;
        spectra.rate = Rate::NONE;
        Ok(Described {
            outputs: vec![("spectra".to_owned(), spectra)],
            state_bytes: plan.history.state_bytes(),
            group_delay_frames: (plan.pace.length - 1) as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: SpectrumParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::physical("frames", input)?;
        let plan = params.plan(input)?;
        let longest = plan.history.frames;
        let mut periodogram =
            Periodogram::new(longest, params.window, params.remove_mean, plan.rate_hz);
        periodogram.set_length(plan.pace.length);
        let block = input.frames_per_block();
        Ok(Spectrum {
            converted: vec![0.0; block as usize * numbers.channels()],
            numbers,
            plan,
            longest,
            block,
            periodogram,
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
            bins,
            pace: Pace { length, step },
            ..
        } = self.plan;
        let state = ctx.state.parts_mut().0;
        let mut output = outputs.block(0);
        let mut made = Rows::new(block.header, output.room(), history.channels * bins);
        let settling = (block.header.settling as usize).min(block.len());
        if settling > 0 {
            history.forget(state);
        }
        let rows = output.slice::<f64>();
        let settled = &frames[settling * history.channels..];
        history.run(state, settled, (length, step), |newest| {
            let Some(row) = made.next(rows, settling + newest.taken, length) else {
                return;
            };
            row.fill(0.0);
            for (channel, density) in row.chunks_exact_mut(bins).enumerate() {
                let segment = newest.of(channel, length, 0..length);
                self.periodogram.add(segment, density);
            }
        });
        made.write(output.header(), step);
        output.commit(made.made());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        self.plan.history.forget(state);
    }

    fn tune(&mut self, live: &SpectrumParams) {
        // What `describe` would refuse does not come here; the old window stays if it does.
        if let Ok(pace) = live.pace(self.plan.rate_hz, self.longest, self.block) {
            self.plan.pace = pace;
            self.periodogram.set_length(pace.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Dtype;

    fn input() -> StreamType {
        let mut t = StreamType::frames(Dtype::I32, 25, 8, Rate::hz(250), "count");
        t.si_unit = "V".to_owned();
        t.scale = vec![0.02235e-6; 8];
        t
    }

    fn describe(text: &str, input: &StreamType) -> Result<Described, String> {
        let params: SpectrumParams = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Spectrum::describe(&params, &[("frames", input)]).map_err(|e| e.to_string())
    }

    #[test]
    fn frequencies_are_labelled_and_volts_become_microvolts_squared_per_hertz() {
        let what = describe(r#"{"high_hz": 60.0}"#, &input()).unwrap();
        let spectra = &what.outputs[0].1;
        assert_eq!(spectra.summary(), "1 x 8 x 121 f64, 0 Hz, uV^2/Hz");
        assert_eq!(
            (spectra.si_unit.as_str(), spectra.scale[7]),
            ("V^2/Hz", 1e-12)
        );
        assert_eq!(spectra.axes[2].labels[..3], ["0", "0.5", "1"]);
        assert_eq!(spectra.axes[2].labels[120], "60");
        assert_eq!(what.group_delay_frames, 249.5);
        let counts = StreamType::frames(Dtype::F64, 25, 8, Rate::hz(250), "count");
        let what = describe("{}", &counts).unwrap();
        assert_eq!(what.outputs[0].1.unit, "count^2/Hz");
        assert_eq!(what.outputs[0].1.axes[2].length, 251);
    }

    #[test]
    fn live_changes_leave_streams_and_state_as_they_are() {
        let before = describe("{}", &input()).unwrap();
        let after = describe(r#"{"window_s": 0.5, "overlap": 0.75}"#, &input()).unwrap();
        assert_eq!(before.outputs, after.outputs);
        assert_eq!(before.state_bytes, after.state_bytes);
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_line_by_name() {
        let refused = |text: &str, needle: &str| {
            let error = describe(text, &input()).unwrap_err();
            assert!(
                error.contains(needle) && !error.contains('\n'),
                "{text}: {error}"
            );
        };
        refused(
            r#"{"window_s": 3.0}"#,
            "`window_s`: 3 s is longer than max_window_s = 2",
        );
        refused(
            r#"{"window_s": 0.01}"#,
            "`window_s`: 0.01 s are 3 frames at 250 Hz; at least 8",
        );
        refused(r#"{"overlap": 1.0}"#, "`overlap`: 1 is outside 0 to 0.99");
        refused(
            r#"{"overlap": 0.96}"#,
            "`overlap`: 0.96 leaves a step of 20 frames",
        );
        refused(
            r#"{"high_hz": 126.0}"#,
            "`high_hz`: 126 Hz is outside 0 to 125 Hz",
        );
        refused(
            r#"{"max_window_s": 1000.0}"#,
            "`max_window_s`: 250000 frames of 8 channels",
        );
        refused(r#"{"window": "tukey"}"#, "unknown variant `tukey`");
        let mut rateless = input();
        rateless.rate = Rate::NONE;
        assert!(
            describe("{}", &rateless)
                .unwrap_err()
                .contains("has no rate")
        );
    }
}
