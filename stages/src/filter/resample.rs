//! `filter.resample`: the same signal at another rate, for graphs whose streams come at several.
//!
//! **Mathematics.** The rate times `up / down` through the filter of `scipy.signal.resample_poly`, looking only back, as
//! [`polyphase`](super::polyphase) says. Frame `m` of the output belongs to the instant of frame `m * down / up` of the input,
//! gaps included, so that streams which were resampled to one rate can be merged. Bit for bit independent of block size.
//!
//! **Shapes and units.** `time x channel` of any number format in, `f64` of the same channels out: microvolts for volts, any other
//! unit is kept; one block (perhaps empty) for every input block. Delay: half the filter, ten periods of the lower rate;
//! frames that reach back behind the start, a gap, a seam or settling frames are counted in the header's `settling`.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate; a rate that is the input's own, or
//! is no ratio of whole numbers up to 1000 to it.

use super::polyphase::{MOST_FACTOR, Polyphase};
use crate::numbers::{Numbers, rate_of};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Rate, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `filter.resample`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResampleParams {
    /// Rate of the output, Hz, exact to a microhertz: a ratio of whole numbers up to 1000 to the input's.
    #[schemars(range(min = 0.0))]
    pub rate_hz: f64,
}

impl ResampleParams {
    fn plan(&self, input: &StreamType) -> Result<(Numbers, Polyphase, Rate), StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_in_hz = rate_of("frames", input, "resampling needs one")?;
        let wrong = |why: String| Err(StageError::parameter("rate_hz", why));
        let Some(rate) = Rate::from_f64(self.rate_hz) else {
            return wrong(format!("{} is not a rate", self.rate_hz));
        };
        let factor = (
            rate.numerator.checked_mul(input.rate.denominator),
            rate.denominator.checked_mul(input.rate.numerator),
        );
        let (Some(up), Some(down)) = factor else {
            return wrong(format!(
                "{} Hz is no simple ratio to the input's rate",
                self.rate_hz
            ));
        };
        let factor = Rate::new(up, down);
        let (up, down) = (factor.numerator, factor.denominator);
        if up == 0 || up > MOST_FACTOR || down > MOST_FACTOR {
            return wrong(format!(
                "{} Hz is {up}/{down} of the input's rate of {} Hz; both may be at most {MOST_FACTOR}",
                self.rate_hz, rate_in_hz
            ));
        }
        if up == down {
            return wrong(format!(
                "{} Hz is the input's rate: leave the stage out",
                self.rate_hz
            ));
        }
        let polyphase = Polyphase::new(up, down, numbers.channels());
        Ok((numbers, polyphase, rate))
    }
}

/// `filter.resample`.
#[derive(Debug)]
pub struct Resample {
    numbers: Numbers,
    polyphase: Polyphase,
    converted: Vec<f64>,
}

impl Stage for Resample {
    const KIND: &'static str = "filter.resample";
    const ABOUT: &'static str = "The same signal at another rate, by a polyphase filter.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["frames"],
    };
    type Params = ResampleParams;

    fn describe(
        params: &ResampleParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let (_, polyphase, rate) = params.plan(input)?;
        let mut output = Numbers::physical_type(input);
        output.rate = rate;
        let room = polyphase.most(u64::from(input.frames_per_block()));
        output.axes[0].length = u32::try_from(room).unwrap_or(u32::MAX);
        Ok(Described {
            outputs: vec![("frames".to_owned(), output)],
            state_bytes: polyphase.state_bytes(),
            group_delay_frames: polyphase.delay_frames(),
            settle_frames: polyphase.reach() as u64 - 1,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: ResampleParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let (numbers, polyphase, _) = params.plan(input)?;
        Ok(Resample {
            converted: vec![0.0; input.frames_per_block() as usize * numbers.channels()],
            numbers,
            polyphase,
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
        let state = ctx.state.parts_mut().0;
        let mut output = outputs.block(0);
        let brought = self.polyphase.run(
            state,
            (block.header.first_frame, u64::from(block.header.settling)),
            frames,
            output.slice::<f64>(),
        );
        let header = output.header();
        header.lost = brought.lost;
        header.settling = brought.settling as u32;
        output.commit(brought.frames);
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        self.polyphase.forget(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::abi::{SlotHeader, flag};
    use ephapse_engine::stage::Rig;
    use ephapse_rtconfig::stream_type::Dtype;
    use serde_json::json;
    use zerocopy::IntoBytes;

    fn input(rate: u64) -> StreamType {
        let mut t = StreamType::frames(Dtype::I16, 25, 2, Rate::hz(rate), "count");
        t.si_unit = "V".to_owned();
        t.scale = vec![1e-6; 2];
        t
    }

    fn describe(rate_hz: f64) -> Result<Described, String> {
        Resample::describe(&ResampleParams { rate_hz }, &[("frames", &input(250))])
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_stream_has_the_new_rate_and_room_for_what_a_block_brings() {
        let what = describe(100.0).unwrap();
        assert_eq!(what.outputs[0].1.summary(), "10 x 2 f64, 100 Hz, uV");
        // Ten periods of 100 Hz in frames of 250 Hz.
        assert_eq!(what.group_delay_frames, 25.0);
        assert_eq!(
            describe(256.0).unwrap().outputs[0].1.summary(),
            "26 x 2 f64, 256 Hz, uV"
        );
    }

    #[test]
    fn rates_that_cannot_be_are_refused_in_a_line() {
        let refused = |rate_hz: f64, needle: &str| {
            let error = describe(rate_hz).unwrap_err();
            assert!(error.contains(needle) && !error.contains('\n'), "{error}");
        };
        refused(250.0, "`rate_hz`: 250 Hz is the input's rate");
        refused(0.0, "`rate_hz`: 0 is not a rate");
        refused(f64::NAN, "`rate_hz`: NaN is not a rate");
        refused(123.456789, "both may be at most 1000");
    }

    #[test]
    fn on_rings_a_gap_is_told_in_the_output_s_own_frames() {
        let mut rig = Rig::<Resample>::new(json!({"rate_hz": 100.0}), &[input(250)]).unwrap();
        let mut push = |first_frame: u64, lost: u64| {
            let header = SlotHeader {
                first_frame,
                lost,
                flags: if lost > 0 { flag::GAP } else { 0 },
                valid: 25,
                ..SlotHeader::default()
            };
            rig.push(0, header, [100i16; 50].as_bytes());
            let made = rig.take(0).remove(0);
            (
                made.header.first_frame,
                made.header.valid,
                made.header.lost,
                made.header.settling,
            )
        };
        assert_eq!(push(0, 0), (0, 10, 0, 10));
        assert_eq!(push(25, 0).0, 10);
        assert_eq!(push(50, 0), (20, 10, 0, 0));
        // 50 frames are missing: 20 of the output.
        assert_eq!(push(125, 50), (50, 10, 20, 10));
        assert_eq!(push(150, 0).0, 60);
    }
}
