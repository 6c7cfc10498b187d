//! `filter.bandpass` and `filter.bandstop`.
//!
//! **Mathematics.** A Butterworth filter of order `n` (2n poles, n second-order sections) designed as SciPy's
//! `butter(n, [low_hz, high_hz], btype, fs, output='sos')`, or given coefficients; causal, zero initial state, run as
//! [`cascade`](super::cascade) says. Bit for bit independent of block size.
//!
//! **While it runs** the edges may be changed: from the next block on the new filter takes over without a leap, as
//! [`crossfade`](super::crossfade) says.
//!
//! **Shapes and units.** `time x channel` of any number format in, the same shape in `f64` out. A stream whose SI unit
//! is V becomes microvolts; any other keeps its unit.
//!
//! **Errors** (at `describe`): edges that are missing, not ascending, or not below half the input's rate; unstable or
//! malformed `sos` rows; an input that is not `time x channel` of numbers or has no rate.

use super::cascade::Cascade;
use super::crossfade::Crossfade;
use super::design::{
    Band, Section, butterworth, butterworth_into, centre_hz, from_rows, group_delay_frames,
    settle_frames,
};
use crate::numbers::{Numbers, rate_of};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `filter.bandpass` and `filter.bandstop`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandParams {
    /// Lower edge of the band (-3 dB), above 0. May be changed while it runs. At an EEG's rate (125 to 2000 Hz) the edges are 1
    /// and 60 Hz for a band-pass and 59 and 61 Hz for a band-stop, if neither they nor `sos` are given.
    #[schemars(extend("x-live" = true))]
    pub low_hz: Option<f64>,
    /// Upper edge of the band (-3 dB), below half the input's rate. May be changed while it runs. Default as for `low_hz`.
    #[schemars(extend("x-live" = true))]
    pub high_hz: Option<f64>,
    /// Butterworth order, 1 to 8: each edge falls off with 6 dB per octave times this. Default 2.
    #[schemars(range(min = 1, max = 8))]
    pub order: Option<u32>,
    /// Coefficients instead of edges and order: rows `[b0, b1, b2, 1, a1, a2]`, as SciPy's `output='sos'` gives them.
    pub sos: Option<Vec<Vec<f64>>>,
}

impl BandParams {
    fn sections(&self, band: Band, rate_hz: f64) -> Result<Vec<Section>, StageError> {
        if let Some(rows) = &self.sos {
            for (key, given) in [
                ("low_hz", self.low_hz.is_some()),
                ("high_hz", self.high_hz.is_some()),
                ("order", self.order.is_some()),
            ] {
                if given {
                    let why = "contradicts `sos`: give edges and order, or coefficients";
                    return Err(StageError::parameter(key, why));
                }
            }
            return from_rows(rows);
        }
        let (low, high) = self.edges(band, rate_hz)?;
        butterworth(band, self.order.unwrap_or(2), low, high, rate_hz)
    }
}

impl BandParams {
    fn edges(&self, band: Band, rate_hz: f64) -> Result<(f64, f64), StageError> {
        if self.low_hz.is_none() && self.high_hz.is_none() && EEG_RATES_HZ.contains(&rate_hz) {
            return Ok(match band {
                Band::Pass => EEG_BAND_HZ,
                Band::Stop => MAINS_HZ,
            });
        }
        let edge = |key: &str, value: Option<f64>| {
            value.ok_or_else(|| {
                StageError::parameter(key, "is missing: give both edges of the band, or `sos`")
            })
        };
        Ok((edge("low_hz", self.low_hz)?, edge("high_hz", self.high_hz)?))
    }
}

/// Rates at which the edges have a default.
const EEG_RATES_HZ: std::ops::RangeInclusive<f64> = 125.0..=2000.0;
/// What is usually kept of an EEG, Hz.
const EEG_BAND_HZ: (f64, f64) = (1.0, 60.0);
/// Around mains of 60 Hz.
const MAINS_HZ: (f64, f64) = (59.0, 61.0);

const PORTS: Ports = Ports {
    inputs: &["frames"],
    outputs: &["frames"],
};

/// The filter by itself: the way into `f64`, and the cascade.
#[derive(Debug)]
pub struct BandFilter {
    numbers: Numbers,
    cascade: Cascade,
}

impl BandFilter {
    /// The filter that `params` ask for, for a stream of type `input`.
    ///
    /// # Errors
    /// As at `describe`.
    pub fn new(band: Band, params: &BandParams, input: &StreamType) -> Result<Self, StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_hz = rate_of("frames", input, "a filter needs one")?;
        let sections = params.sections(band, rate_hz)?;
        let cascade = Cascade::new(sections, numbers.channels());
        Ok(BandFilter { numbers, cascade })
    }

    /// The cascade.
    pub fn cascade(&self) -> &Cascade {
        &self.cascade
    }

    /// Filters the payload of a block into the start of `out`. `state`: that of the [cascade](Self::cascade).
    ///
    /// # Panics
    /// As [`Numbers::convert`] and [`Cascade::run`].
    pub fn run(&self, state: &mut [u8], payload: &[u8], out: &mut [f64]) {
        let frames = self.numbers.convert(payload, out);
        self.cascade.run(state, frames);
    }
}

/// What both kinds do: the way into `f64`, and a filter that may be changed.
#[derive(Debug)]
pub struct LiveFilter {
    band: Band,
    numbers: Numbers,
    rate_hz: f64,
    sections: Vec<Section>,
    crossfade: Crossfade,
}

impl LiveFilter {
    fn new(band: Band, params: &BandParams, input: &StreamType) -> Result<Self, StageError> {
        let BandFilter { numbers, cascade } = BandFilter::new(band, params, input)?;
        let (sections, rate_hz) = (cascade.sections().to_vec(), input.rate.as_f64());
        let frames = input.frames_per_block() as usize;
        Ok(LiveFilter {
            band,
            rate_hz,
            crossfade: Crossfade::new(&sections, numbers.channels(), rate_hz, frames),
            sections,
            numbers,
        })
    }

    fn describe(
        band: Band,
        params: &BandParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let filter = LiveFilter::new(band, params, input)?;
        let (sections, rate_hz) = (filter.sections.as_slice(), input.rate.as_f64());
        let mut output = Numbers::physical_type(input);
        if band == Band::Pass {
            // A stored zero is zero again: the filter has removed what does not change.
            output.offset = Vec::new();
        }
        let edges = match params.sos {
            None => Some(params.edges(band, rate_hz)?),
            Some(_) => None,
        };
        let centre = centre_hz(sections, band, edges, rate_hz);
        Ok(Described {
            outputs: vec![("frames".to_owned(), output)],
            group_delay_frames: group_delay_frames(sections, centre, rate_hz),
            settle_frames: settle_frames(sections, rate_hz),
            state_bytes: filter.crossfade.state_bytes(),
            parts_per_call: 1,
            ..Described::default()
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
        let state = ctx.state.parts_mut().0;
        let frames = self.numbers.convert(block.payload, output.slice::<f64>());
        let settling = self.crossfade.run(state, frames, block.header.settling);
        // The runner counts by the parameters at the start, the filter by those in use.
        let header = output.header();
        header.settling = header.settling.max(settling);
        output.commit(block.len());
        Next::Continue
    }

    fn tune(&mut self, live: &BandParams) {
        // What `describe` would refuse does not come here; the old edges stay if it does.
        if live.sos.is_some() {
            return;
        }
        let designed = live
            .edges(self.band, self.rate_hz)
            .and_then(|edges| butterworth_into(self.band, edges, self.rate_hz, &mut self.sections));
        if designed.is_ok() {
            self.crossfade.wanted().copy_from_slice(&self.sections);
        }
    }
}

macro_rules! band_stage {
    ($name:ident, $band:expr, $kind:literal, $about:literal) => {
        #[doc = concat!("`", $kind, "`: ", $about)]
        #[derive(Debug)]
        pub struct $name(LiveFilter);

        impl Stage for $name {
            const KIND: &'static str = $kind;
            const ABOUT: &'static str = $about;
            const ROLE: Role = Role::Process;
            const PORTS: Ports = PORTS;
            type Params = BandParams;

            fn describe(
                params: &BandParams,
                inputs: &[(&str, &StreamType)],
            ) -> Result<Described, StageError> {
                LiveFilter::describe($band, params, inputs)
            }

            fn prepare(
                params: BandParams,
                inputs: &[(&str, &StreamType)],
                _what: &Described,
            ) -> Result<Self, StageError> {
                LiveFilter::new($band, &params, inputs[0].1).map($name)
            }

            fn process(
                &mut self,
                ctx: &mut Ctx<'_>,
                inputs: &Inputs<'_>,
                outputs: &mut Outputs<'_>,
            ) -> Next {
                self.0.process(ctx, inputs, outputs)
            }

            fn reset(&mut self, state: &mut [u8]) {
                state.fill(0);
            }

            fn tune(&mut self, live: &BandParams) {
                self.0.tune(live);
            }
        }
    };
}

band_stage!(
    Bandpass,
    Band::Pass,
    "filter.bandpass",
    "Butterworth band-pass filter, state carried from block to block."
);
band_stage!(
    Bandstop,
    Band::Stop,
    "filter.bandstop",
    "Butterworth band-stop filter (mains hum), state carried from block to block."
);

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::stream_type::{Dtype, Rate};

    fn params(text: &str) -> BandParams {
        serde_json::from_str(text).unwrap()
    }

    fn input() -> StreamType {
        let mut t = StreamType::frames(Dtype::I32, 20, 60, Rate::hz(20_000), "count");
        t.si_unit = "V".to_owned();
        t.scale = vec![59.605e-9; 60];
        t
    }

    fn describe(text: &str) -> Result<Described, StageError> {
        Bandpass::describe(&params(text), &[("frames", &input())])
    }

    #[test]
    fn volts_come_out_as_microvolts_in_the_input_s_shape() {
        let what = describe(r#"{"low_hz": 300.0, "high_hz": 3000.0}"#).unwrap();
        let output = &what.outputs[0].1;
        assert_eq!(output.summary(), "20 x 60 f64, 20000 Hz, uV");
        assert_eq!(output.axes, input().axes);
        // Where it stands, the sections, and the memory of the filter in use and of the one that may follow it.
        assert_eq!(what.state_bytes, 24 + 2 * 2 * 40 + 2 * (8 + 2 * 2 * 60 * 8));
        assert!(what.settle_frames > 0 && what.group_delay_frames > 0.0);
    }

    #[test]
    fn coefficients_may_stand_in_for_edges_but_not_beside_them() {
        let sos = r#""sos": [[1.0, 0.0, 0.0, 1.0, -0.5, 0.25]]"#;
        assert!(describe(&format!("{{{sos}}}")).is_ok());
        let both = describe(&format!("{{{sos}, \"low_hz\": 300.0}}")).unwrap_err();
        assert!(
            both.to_string()
                .contains("parameter `low_hz`: contradicts `sos`"),
            "{both}"
        );
        let neither = describe(r#"{"low_hz": 300.0}"#).unwrap_err().to_string();
        assert!(
            neither.contains("parameter `high_hz`: is missing"),
            "{neither}"
        );
    }

    #[test]
    fn edges_have_a_default_at_the_rate_of_an_eeg_alone() {
        let eeg = StreamType::frames(Dtype::F64, 25, 8, Rate::hz(250), "uV");
        let same = |kind: Band, given: &str| {
            let none = LiveFilter::new(kind, &params("{}"), &eeg).unwrap();
            let given = LiveFilter::new(kind, &params(given), &eeg).unwrap();
            assert_eq!(none.sections, given.sections);
        };
        same(
            Band::Pass,
            r#"{"low_hz": 1.0, "high_hz": 60.0, "order": 2}"#,
        );
        same(
            Band::Stop,
            r#"{"low_hz": 59.0, "high_hz": 61.0, "order": 2}"#,
        );
        let error = describe("{}").unwrap_err().to_string();
        assert!(error.contains("`low_hz`: is missing"), "{error}");
    }

    #[test]
    fn an_input_without_a_rate_is_refused() {
        let mut t = input();
        t.rate = Rate::NONE;
        let p = params(r#"{"low_hz": 300.0, "high_hz": 3000.0}"#);
        let error = Bandstop::describe(&p, &[("frames", &t)]).unwrap_err();
        assert!(error.to_string().contains("has no rate"), "{error}");
    }
}
