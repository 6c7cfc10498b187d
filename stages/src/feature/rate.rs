//! `feature.rate`: how often each channel fires.
//!
//! **Mathematics.** Time is divided into bins of `bin_ms` (rounded to whole frames), aligned to the first frame after
//! the start, a gap or a seam. When a bin is complete, each channel's rate is the number of its spikes in the newest
//! `bins` bins, divided by their duration. While fewer bins have passed, those that are missing count as empty, and the
//! row is counted in the header's `settling`.
//!
//! **Shapes and units.** `spike` records in; `time x channel` `f64` in Hz out, at most `max_bins_per_block` rows in a
//! block and one block (often empty) for every input block. Rows come at the rate of the bins. `origin_first`,
//! `origin_frame` and `user` of the header say which frames they were computed from ([`rows`](crate::rows)); rows that
//! did not fit are lost and counted there. How far time has come is the input header's `origin_frame`, so spikes must
//! count the frames of the pacing source (no resampling in between).
//!
//! **Errors** (at `describe`): an input that is not spikes or does not carry the rate and the channels of its frames;
//! parameters out of range.

use super::rate_window::RateWindow;
use crate::rows::{RowWord, row_rate};
use ephapse_engine::records::Spike;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Dtype, Kind, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `feature.rate`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpikeRateParams {
    /// Length of a bin, ms, at most 60,000; rounded to whole frames, at least one.
    #[schemars(range(max = 60_000.0))]
    pub bin_ms: f64,
    /// Bins of the window, 1 to 10,000.
    #[schemars(range(min = 1, max = 10_000))]
    pub bins: u32,
    /// Room for rows in a block, 1 to 10,000: the bins that one input block can complete.
    #[serde(default = "SpikeRateParams::default_room")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_bins_per_block: u32,
}

impl SpikeRateParams {
    fn default_room() -> u32 {
        16
    }

    fn window(&self, input: &StreamType) -> Result<RateWindow, StageError> {
        let wrong = |why: String| Err(StageError::input("spikes", why));
        let is_spikes =
            input.kind == Kind::Records && input.record.as_ref().is_some_and(|r| r.name == "spike");
        if !is_spikes {
            return wrong(format!("is {}; needed are spike records", input.summary()));
        }
        let rate_hz = input.rate.as_f64();
        if rate_hz <= 0.0 || input.axes.len() < 2 {
            return wrong(
                "does not say the rate and the channels of the frames it counts: its maker must set `rate` and a second \
                 axis `channel`, as detect.threshold does"
                    .to_owned(),
            );
        }
        for (key, value) in [
            ("bins", self.bins),
            ("max_bins_per_block", self.max_bins_per_block),
        ] {
            if !(1..=10_000).contains(&value) {
                let why = format!("{value} is outside 1 to 10000");
                return Err(StageError::parameter(key, why));
            }
        }
        if !(self.bin_ms > 0.0 && self.bin_ms <= 60_000.0) {
            let why = format!("{} ms is not above 0 and at most 60000", self.bin_ms);
            return Err(StageError::parameter("bin_ms", why));
        }
        let bin_frames = (self.bin_ms * rate_hz / 1000.0).round();
        if !(1.0..=f64::from(u32::MAX)).contains(&bin_frames) {
            let why = format!(
                "{} ms are {bin_frames} frames at {rate_hz} Hz; a bin has at least one and fewer than 2^32",
                self.bin_ms
            );
            return Err(StageError::parameter("bin_ms", why));
        }
        Ok(RateWindow {
            bin_frames: bin_frames as u64,
            bins: self.bins as usize,
            channels: input.channels(),
            rate_hz,
        })
    }
}

/// `feature.rate`.
#[derive(Debug)]
pub struct SpikeRate {
    window: RateWindow,
}

impl Stage for SpikeRate {
    const KIND: &'static str = "feature.rate";
    const ABOUT: &'static str = "Spikes per second of each channel over a window of bins.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["spikes"],
        outputs: &["rates"],
    };
    type Params = SpikeRateParams;

    fn describe(
        params: &SpikeRateParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let window = params.window(input)?;
        let rows = row_rate(input, window.bin_frames);
        let channels = window.channels as u32;
        let mut rates =
            StreamType::frames(Dtype::F64, params.max_bins_per_block, channels, rows, "Hz");
        rates.axes[1] = input.axes[1].clone();
        rates.positions_um.clone_from(&input.positions_um);
        Ok(Described {
            outputs: vec![("rates".to_owned(), rates)],
            state_bytes: window.state_bytes(),
            group_delay_frames: (window.bin_frames * window.bins as u64) as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: SpikeRateParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let window = params.window(inputs[0].1)?;
        Ok(SpikeRate { window })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let mut output = outputs.block(0);
        let made = self.window.run(
            ctx.state.parts_mut().0,
            (block.header.origin_first, block.header.origin_frame),
            block.slice::<Spike>(),
            output.slice::<f64>(),
        );
        let header = output.header();
        header.settling = made.settling as u32;
        header.user = RowWord {
            step_frames: self.window.bin_frames as u32,
            dropped: u32::try_from(made.dropped).unwrap_or(u32::MAX),
        }
        .to_user();
        if made.rows > 0 {
            header.origin_first = made.first_frame;
            header.origin_frame = made.last_frame;
        }
        output.commit(made.rows);
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        state.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::Rate;
    use ephapse_rtconfig::stream_type::{Axis, spike_layout};

    fn spikes() -> StreamType {
        let mut t = StreamType::records(spike_layout("uV"), 256);
        t.rate = Rate::hz(20_000);
        t.axes.push(Axis::new("channel", 60));
        t
    }

    fn describe(text: &str, input: &StreamType) -> Result<Described, String> {
        let params: SpikeRateParams = serde_json::from_str(text).map_err(|e| e.to_string())?;
        SpikeRate::describe(&params, &[("spikes", input)]).map_err(|e| e.to_string())
    }

    #[test]
    fn rows_come_at_the_rate_of_the_bins() {
        let what = describe(r#"{"bin_ms": 10.0, "bins": 10}"#, &spikes()).unwrap();
        let rates = &what.outputs[0].1;
        assert_eq!(rates.summary(), "16 x 60 f64, 100 Hz, Hz");
        assert_eq!(what.group_delay_frames, 1000.0);
    }

    #[test]
    fn what_cannot_be_counted_is_refused_by_name() {
        let good = r#"{"bin_ms": 10.0, "bins": 10}"#;
        let mut nameless = spikes();
        nameless.axes.truncate(1);
        let error = describe(good, &nameless).unwrap_err();
        assert!(
            error.contains("input `spikes`") && error.contains("detect.threshold"),
            "{error}"
        );
        let frames = StreamType::frames(Dtype::F64, 20, 60, Rate::hz(20_000), "uV");
        let error = describe(good, &frames).unwrap_err();
        assert!(
            error.contains("20 x 60 f64") && error.contains("spike records"),
            "{error}"
        );
        let error = describe(r#"{"bin_ms": 0.001, "bins": 10}"#, &spikes()).unwrap_err();
        assert!(
            error.contains("`bin_ms`: 0.001 ms are 0 frames at 20000 Hz"),
            "{error}"
        );
        let error = describe(r#"{"bin_ms": 10.0, "bins": 0}"#, &spikes()).unwrap_err();
        assert!(error.contains("`bins`: 0 is outside"), "{error}");
    }
}
