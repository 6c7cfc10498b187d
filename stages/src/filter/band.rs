//! `filter.bandpass` and `filter.bandstop`.
//!
//! **Mathematics.** A Butterworth filter of order `n` (2n poles, n second-order sections) designed as SciPy's
//! `butter(n, [low_hz, high_hz], btype, fs, output='sos')`, or given coefficients; causal, zero initial state, run as
//! [`cascade`](super::cascade) says. Bit for bit independent of block size.
//!
//! **Shapes and units.** `time x channel` of any number format in, the same shape in `f64` out. A stream whose SI unit
//! is V becomes microvolts; any other keeps its unit.
//!
//! **Errors** (at `describe`): edges that are missing, not ascending, or not below half the input's rate; unstable or
//! malformed `sos` rows; an input that is not `time x channel` of numbers or has no rate.

use super::cascade::Cascade;
use super::design::{
    Band, Section, butterworth, centre_hz, from_rows, group_delay_frames, settle_frames,
};
use crate::numbers::Numbers;
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
    /// Lower edge of the band (-3 dB), above 0. Needed unless `sos` is given.
    pub low_hz: Option<f64>,
    /// Upper edge of the band (-3 dB), below half the input's rate. Needed unless `sos` is given.
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
        let edge = |key: &str, value: Option<f64>| {
            value.ok_or_else(|| {
                StageError::parameter(key, "is missing: give both edges of the band, or `sos`")
            })
        };
        let low = edge("low_hz", self.low_hz)?;
        let high = edge("high_hz", self.high_hz)?;
        butterworth(band, self.order.unwrap_or(2), low, high, rate_hz)
    }
}

const PORTS: Ports = Ports {
    inputs: &["frames"],
    outputs: &["frames"],
};

/// What both kinds do: the way into `f64`, and the cascade.
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
        let rate_hz = input.rate.as_f64();
        if rate_hz <= 0.0 {
            let why = format!("has no rate ({}): a filter needs one", input.summary());
            return Err(StageError::input("frames", why));
        }
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

    fn describe(
        band: Band,
        params: &BandParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let cascade = BandFilter::new(band, params, input)?.cascade;
        let (sections, rate_hz) = (cascade.sections(), input.rate.as_f64());
        let mut output = Numbers::physical_type(input);
        if band == Band::Pass {
            // A stored zero is zero again: the filter has removed what does not change.
            output.offset = Vec::new();
        }
        let centre = centre_hz(sections, band, params.low_hz.zip(params.high_hz), rate_hz);
        Ok(Described {
            outputs: vec![("frames".to_owned(), output)],
            group_delay_frames: group_delay_frames(sections, centre, rate_hz),
            settle_frames: settle_frames(sections, rate_hz),
            state_bytes: cascade.state_bytes(),
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn process(&self, ctx: &mut Ctx<'_>, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Next {
        let block = inputs.pacing();
        let mut output = outputs.block(0);
        let state = ctx.state.parts_mut().0;
        self.run(state, block.payload, output.slice::<f64>());
        output.commit(block.len());
        Next::Continue
    }
}

macro_rules! band_stage {
    ($name:ident, $band:expr, $kind:literal, $about:literal) => {
        #[doc = concat!("`", $kind, "`: ", $about)]
        #[derive(Debug)]
        pub struct $name(BandFilter);

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
                BandFilter::describe($band, params, inputs)
            }

            fn prepare(
                params: BandParams,
                inputs: &[(&str, &StreamType)],
                _what: &Described,
            ) -> Result<Self, StageError> {
                BandFilter::new($band, &params, inputs[0].1).map($name)
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
        assert_eq!(what.state_bytes, 8 + 2 * 2 * 60 * 8);
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
    fn an_input_without_a_rate_is_refused() {
        let mut t = input();
        t.rate = Rate::NONE;
        let p = params(r#"{"low_hz": 300.0, "high_hz": 3000.0}"#);
        let error = Bandstop::describe(&p, &[("frames", &t)]).unwrap_err();
        assert!(error.to_string().contains("has no rate"), "{error}");
    }
}
