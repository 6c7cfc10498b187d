//! `quality`: what is wrong with a channel, second by second.
//!
//! **Mathematics.** Over every second (whole frames, none shared), for each channel:
//!
//! | measure | is | flag | set if |
//! |---|---|---|---|
//! | `railed` | part of the frames at or beyond `rail`, or not finite | 1 | above 0.01 |
//! | `range` | largest minus smallest value | 2 (flat) | below `flat_below` |
//! | `noise` | standard deviation of white noise with the mean square of the differences from frame to frame: their root mean square, divided by the root of 2 | 4 (noisy) | above `noisy_above` |
//! | `mains` | power within 1 Hz of `mains_hz`, divided by the power from 1 to 45 Hz, of one periodogram (Hann) | 8 (mains) | above `mains_above` |
//!
//! What is not finite counts as railed and as 0 in the other measures; a ratio of nothing to nothing is 0.
//!
//! **While it runs** the limits may be changed: they count from the next block on.
//!
//! **Shapes and units.** `time x channel` of any number format in. Out, one row a second, one block (often empty) for every
//! input block: `measures`, `time x channel x measure` `f64`, range and noise in the input's unit (microvolts for volts), and
//! `flags`, `time x channel` `u8`, the sum of the flags that are set: 0 is a good channel. `origin_first`, `origin_frame` and
//! `user` of the header say which frames a row was computed from ([`rows`](crate::rows)). The first second begins with the first
//! settled frame after the start, a gap or a seam.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate, or one below 100 Hz (where there
//! is no 45 Hz); parameters out of range.

use crate::numbers::Numbers;
use crate::rows::{Rows, row_rate};
use crate::spectrum::WindowShape;
use crate::spectrum::history::{History, MOST_NUMBERS, Newest};
use crate::spectrum::periodogram::Periodogram;
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Axis, Dtype, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;

/// Names of the measures, in order.
pub const MEASURES: [&str; 4] = ["railed", "range", "noise", "mains"];
/// Flags, in the same order.
pub const FLAGS: [u8; 4] = [1, 2, 4, 8];
/// Part of a second that may be railed.
const RAILED_ABOVE: f64 = 0.01;
/// What mains are compared with, Hz.
const SIGNAL_HZ: (f64, f64) = (1.0, 45.0);
/// Half the width of the band around the mains, Hz.
const MAINS_HALF_HZ: f64 = 1.0;

/// Parameters of `quality`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QualityParams {
    /// Value at which a channel is at its rail, in the input's unit (microvolts for volts), above 0; the default is a Cyton's at
    /// gain 24, 4.5 V / 24, less a part in a thousand. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0))]
    pub rail: f64,
    /// Range of a second below which a channel is flat, in the input's unit. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0))]
    pub flat_below: f64,
    /// Noise above which a channel is noisy, in the input's unit. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0))]
    pub noisy_above: f64,
    /// Ratio above which the mains drown the signal. May be changed while it runs.
    #[schemars(extend("x-live" = true), range(min = 0.0))]
    pub mains_above: f64,
    /// Frequency of the mains, Hz, 46 to half the input's rate: 50 or 60.
    #[schemars(range(min = 46.0))]
    pub mains_hz: f64,
    /// Room for rows in a block, 1 to 10,000: the seconds that one input block can complete.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rows_per_block: u32,
}

impl Default for QualityParams {
    fn default() -> Self {
        QualityParams {
            rail: 187_300.0,
            flat_below: 0.5,
            noisy_above: 50.0,
            mains_above: 1.0,
            mains_hz: 50.0,
            max_rows_per_block: 2,
        }
    }
}

/// What may change while it runs.
#[derive(Clone, Copy, Debug)]
struct Limits {
    rail: f64,
    flat_below: f64,
    noisy_above: f64,
    mains_above: f64,
}

impl QualityParams {
    fn limits(&self) -> Result<Limits, StageError> {
        for (key, value) in [
            ("rail", self.rail),
            ("flat_below", self.flat_below),
            ("noisy_above", self.noisy_above),
            ("mains_above", self.mains_above),
        ] {
            if !(value >= 0.0 && value.is_finite()) || (key == "rail" && value == 0.0) {
                let why = format!("{value} is not a positive number");
                return Err(StageError::parameter(key, why));
            }
        }
        Ok(Limits {
            rail: self.rail,
            flat_below: self.flat_below,
            noisy_above: self.noisy_above,
            mains_above: self.mains_above,
        })
    }

    fn history(&self, input: &StreamType) -> Result<History, StageError> {
        let channels = Numbers::physical("frames", input)?.channels();
        let rate_hz = input.rate.as_f64();
        if rate_hz < 100.0 {
            let why = format!(
                "has {rate_hz} frames a second ({}); at least 100 are needed",
                input.summary()
            );
            return Err(StageError::input("frames", why));
        }
        let frames = rate_hz.round() as usize;
        if channels.saturating_mul(frames) > MOST_NUMBERS {
            let why = format!(
                "has more than {MOST_NUMBERS} numbers a second ({}): `select` or `decimate` on the edge",
                input.summary()
            );
            return Err(StageError::input("frames", why));
        }
        let top_hz = rate_hz / 2.0;
        if !(self.mains_hz >= SIGNAL_HZ.1 + MAINS_HALF_HZ && self.mains_hz < top_hz) {
            let why = format!(
                "{} Hz is not between 46 and {top_hz} Hz, half the input's rate",
                self.mains_hz
            );
            return Err(StageError::parameter("mains_hz", why));
        }
        let most = (input.frames_per_block() as usize).div_ceil(frames);
        if !(1..=10_000).contains(&self.max_rows_per_block)
            || most > self.max_rows_per_block as usize
        {
            let why = format!(
                "{} is outside 1 to 10000, or less than the {most} seconds that a block can complete",
                self.max_rows_per_block
            );
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        Ok(History { channels, frames })
    }
}

/// `quality`.
pub struct Quality {
    numbers: Numbers,
    history: History,
    limits: Limits,
    mains_hz: f64,
    periodogram: Periodogram,
    second: Vec<f64>,
    density: Vec<f64>,
    converted: Vec<f64>,
    /// Rows of flags, until the measures are done.
    flags: Vec<u8>,
}

impl Stage for Quality {
    const KIND: &'static str = "quality";
    const ABOUT: &'static str = "Railed, flat, noisy and humming channels, second by second.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["measures", "flags"],
    };
    type Params = QualityParams;

    fn describe(
        params: &QualityParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        params.limits()?;
        let history = params.history(input)?;
        let (room, channels) = (params.max_rows_per_block, history.channels as u32);
        let rate = row_rate(input, history.frames as u64);
        let unit = Numbers::physical_type(input).unit;
        let mut flags = StreamType::frames(Dtype::U8, room, channels, rate, "");
        flags.axes[1] = (input.axes.get(1).cloned()).unwrap_or_else(|| Axis::new("channel", 1));
        flags.positions_um.clone_from(&input.positions_um);
        let mut measure = Axis::new("measure", MEASURES.len() as u32);
        measure.labels = MEASURES.map(str::to_owned).into();
        let mut measures = StreamType {
            dtype: Dtype::F64,
            unit,
            ..flags.clone()
        };
        measures.axes.push(measure);
        Ok(Described {
            outputs: vec![
                ("measures".to_owned(), measures),
                ("flags".to_owned(), flags),
            ],
            state_bytes: history.state_bytes(),
            group_delay_frames: history.frames as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: QualityParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::physical("frames", input)?;
        let history = params.history(input)?;
        let rate_hz = input.rate.as_f64();
        let periodogram = Periodogram::new(history.frames, WindowShape::Hann, true, rate_hz);
        Ok(Quality {
            limits: params.limits()?,
            mains_hz: params.mains_hz,
            second: vec![0.0; history.frames],
            density: vec![0.0; periodogram.bins()],
            converted: vec![0.0; input.frames_per_block() as usize * numbers.channels()],
            flags: vec![0; params.max_rows_per_block as usize * history.channels],
            periodogram,
            numbers,
            history,
        })
    }

    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let block = inputs.pacing();
        let mut converted = core::mem::take(&mut self.converted);
        let frames = self.numbers.frames(block.payload, &mut converted);
        let history = self.history;
        let (channels, second) = (history.channels, history.frames);
        let state = ctx.state.parts_mut().0;
        let settling = (block.header.settling as usize).min(block.len());
        if settling > 0 {
            history.forget(state);
        }
        let mut output = outputs.block(0);
        let rows = output.slice::<f64>();
        let width = channels * MEASURES.len();
        let mut made = Rows::new(block.header, rows.len() / width, width);
        let settled = &frames[settling * channels..];
        history.run(state, settled, (second, second), |newest| {
            let number = made.made();
            let Some(row) = made.next(rows, settling + newest.taken, second) else {
                return;
            };
            for (channel, measures) in row.chunks_exact_mut(MEASURES.len()).enumerate() {
                let (found, flags) = self.judge(&newest, channel);
                measures.copy_from_slice(&found);
                self.flags[number * channels + channel] = flags;
            }
        });
        made.write(output.header(), second);
        output.commit(made.made());
        let flags = &self.flags[..made.made() * channels];
        let mut output = outputs.block(1);
        output.slice::<u8>()[..flags.len()].copy_from_slice(flags);
        made.write(output.header(), second);
        output.commit(made.made());
        self.converted = converted;
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        self.history.forget(state);
    }

    fn tune(&mut self, live: &QualityParams) {
        // What `describe` would refuse does not come here; the old limits stay if it does.
        if let Ok(limits) = live.limits() {
            self.limits = limits;
        }
    }
}

impl Quality {
    /// The measures of a channel's newest second, and the sum of its flags.
    fn judge(&mut self, newest: &Newest<'_>, channel: usize) -> ([f64; 4], u8) {
        let frames = self.history.frames;
        let (first, rest) = newest.of(channel, frames, 0..frames);
        let mut bad = 0;
        for (held, x) in self.second.iter_mut().zip(first.iter().chain(rest)) {
            *held = *x;
            if !x.is_finite() || x.abs() >= self.limits.rail {
                bad += 1;
            }
            if !x.is_finite() {
                *held = 0.0;
            }
        }
        let second = self.second.as_slice();
        let highest = second.iter().fold(f64::NEG_INFINITY, |a, x| a.max(*x));
        let lowest = second.iter().fold(f64::INFINITY, |a, x| a.min(*x));
        let differences = second
            .iter()
            .zip(&second[1..])
            .map(|(a, b)| (b - a) * (b - a));
        let noise = (differences.sum::<f64>() / (2 * (frames - 1)) as f64).sqrt();
        self.density.fill(0.0);
        self.periodogram.add((second, &[]), &mut self.density);
        let step_hz = self.periodogram.step_hz();
        let power = |low_hz: f64, high_hz: f64| {
            let bins = self.density.iter().enumerate();
            let within = bins.filter(|(k, _)| (low_hz..=high_hz).contains(&(*k as f64 * step_hz)));
            within.map(|(_, density)| density).sum::<f64>()
        };
        let hum = power(self.mains_hz - MAINS_HALF_HZ, self.mains_hz + MAINS_HALF_HZ);
        let signal = power(SIGNAL_HZ.0, SIGNAL_HZ.1);
        let mains = if hum > 0.0 { hum / signal } else { 0.0 };
        let measures = [bad as f64 / frames as f64, highest - lowest, noise, mains];
        let limits = &self.limits;
        let set = [
            measures[0] > RAILED_ABOVE,
            measures[1] < limits.flat_below,
            noise > limits.noisy_above,
            mains > limits.mains_above,
        ];
        let flags = FLAGS.iter().zip(set).filter(|(_, set)| *set);
        (measures, flags.map(|(flag, _)| flag).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::abi::SlotHeader;
    use ephapse_engine::stage::Rig;
    use ephapse_rtconfig::stream_type::Rate;
    use serde_json::json;
    use zerocopy::IntoBytes;

    const CHANNELS: usize = 6;

    fn input(block: u32) -> StreamType {
        StreamType::frames(Dtype::F64, block, CHANNELS as u32, Rate::hz(250), "uV")
    }

    /// Ten hertz in a good channel, one at its rail, one with no signal, one in noise, one in hum of 50 Hz, one with a NaN.
    fn frames(count: usize) -> Vec<f64> {
        let mut x = 0x2545_F491_4F6C_DD1Du64;
        (0..count)
            .flat_map(|i| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let turn = |hz: f64| (i as f64 / 250.0 * hz * std::f64::consts::TAU).sin();
                let good = 20.0 * turn(10.0) + (x % 100) as f64 * 0.02;
                let noise = (x % 1000) as f64 - 500.0;
                let broken = if i == 300 { f64::NAN } else { good };
                [
                    good,
                    187_500.0,
                    12.0,
                    noise,
                    good + 60.0 * turn(50.0),
                    broken,
                ]
            })
            .collect()
    }

    fn play(block: usize) -> (Vec<f64>, Vec<u8>) {
        let mut rig = Rig::<Quality>::new(json!({}), &[input(block as u32)]).unwrap();
        let (mut measures, mut flags) = (Vec::new(), Vec::new());
        for (number, part) in frames(1000).chunks(block * CHANNELS).enumerate() {
            let header = SlotHeader {
                first_frame: (number * block) as u64,
                valid: (part.len() / CHANNELS) as u32,
                ..SlotHeader::default()
            };
            rig.push(0, header, part.as_bytes());
            rig.take(0)
                .iter()
                .for_each(|made| measures.extend(made.rows::<f64>()));
            rig.take(1)
                .iter()
                .for_each(|made| flags.extend(made.rows::<u8>()));
        }
        (measures, flags)
    }

    #[test]
    fn each_channel_is_told_what_is_wrong_with_it_and_no_other() {
        let (measures, flags) = play(25);
        assert_eq!(flags.len(), 4 * CHANNELS);
        for (second, flags) in flags.chunks(CHANNELS).enumerate() {
            // At its rail a channel is flat, too.
            assert_eq!(flags[..5], [0, 3, 2, 4, 8], "second {second}");
            assert_eq!(flags[5], 0, "one frame of 250 is not a hundredth");
        }
        let of =
            |second: usize, channel: usize| &measures[(second * CHANNELS + channel) * 4..][..4];
        assert_eq!(of(0, 1)[0], 1.0);
        assert!((of(0, 0)[1] - 41.0).abs() < 2.0, "{:?}", of(0, 0));
        // Uniform from -500 to 500: 1000 / sqrt(12).
        assert!((of(2, 3)[2] - 288.7).abs() < 30.0, "{:?}", of(2, 3));
        // 60 uV against 20 uV: nine times the power.
        assert!((of(1, 4)[3] - 9.0).abs() < 0.5, "{:?}", of(1, 4));
        assert_eq!(of(1, 5)[0], 1.0 / 250.0);
        assert_eq!(of(2, 5)[0], 0.0);
        assert!(measures.iter().all(|m| m.is_finite()));
    }

    #[test]
    fn any_blocks_give_the_same_bits() {
        let whole = play(500);
        for block in [1, 7, 250, 333] {
            let made = play(block);
            assert!(
                made.0
                    .iter()
                    .zip(&whole.0)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            );
            assert_eq!(made.1, whole.1);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_line_by_name() {
        let refused = |text: &str, needle: &str| {
            let params: QualityParams = serde_json::from_str(text).unwrap();
            let error = Quality::describe(&params, &[("frames", &input(25))]).unwrap_err();
            assert!(error.to_string().contains(needle), "{text}: {error}");
        };
        refused(r#"{"rail": 0.0}"#, "`rail`: 0 is not a positive number");
        refused(
            r#"{"mains_hz": 16.7}"#,
            "`mains_hz`: 16.7 Hz is not between 46 and 125 Hz",
        );
        refused(
            r#"{"max_rows_per_block": 0}"#,
            "`max_rows_per_block`: 0 is outside",
        );
        let slow = StreamType::frames(Dtype::F64, 25, 6, Rate::hz(50), "uV");
        let error = Quality::describe(&QualityParams::default(), &[("frames", &slow)]).unwrap_err();
        assert!(error.to_string().contains("at least 100"), "{error}");
    }
}
