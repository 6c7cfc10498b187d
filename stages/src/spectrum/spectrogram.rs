//! `spectrum.spectrogram`: the picture of the newest spectra, for whoever looks now and then.
//!
//! **Mathematics.** Every `step_s` the density of the newest `window_s` (mean removed, Hann window, as
//! [`periodogram`](super::periodogram) says), in decibels over 1 unit^2/Hz, becomes the last of `columns` columns, and the first one
//! leaves. A density below 1e-30 is given as -300 dB. Columns that have not come yet are NaN; after the start, a gap, a seam and
//! settling frames all are.
//!
//! **Shapes and units.** `time x channel` of any number format in; `time x channel x column x frequency` `f64` in dB out (over
//! microvolts squared per hertz for volts), oldest column first, at the rate of the steps: one frame is the whole picture. One block
//! (often empty) for every input block. The labels of the axis `frequency` are its hertz, those of `column` the seconds from its
//! window's end to the newest one's. `origin_first`, `origin_frame` and `user` of the header say which frames the newest column was
//! computed from ([`rows`](crate::rows)). Delay: half the window.
//!
//! Pictures are large, and as state they are copied in every activation: `select` the channels that are looked at on the edge, and
//! limit the frequencies with `high_hz`.
//!
//! **Errors** (at `describe`): an input that is not `time x channel` of numbers or has no rate; parameters out of range; pictures
//! and frames of more than 2^20 numbers.

use super::history::{History, MOST_NUMBERS};
use super::periodogram::{MIN_FRAMES, Periodogram};
use super::window::WindowShape;
use super::{NEEDS_RATE, bins_below, frames_of, frequency_axis, history_of, label, squared_type};
use crate::numbers::{Numbers, rate_of};
use crate::rows::{Rows, row_rate};
use ephapse_engine::stage::{
    Ctx, Described, Inputs, Next, Outputs, Ports, Role, Stage, StageError,
};
use ephapse_rtconfig::stream_type::{Axis, StreamType};
use schemars::JsonSchema;
use serde::Deserialize;
use zerocopy::FromBytes;

/// Least density that is told apart from none.
const LEAST: f64 = 1e-30;

/// Parameters of `spectrum.spectrogram`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpectrogramParams {
    /// Length of a window, seconds.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub window_s: f64,
    /// From one column to the next, seconds; rounded to whole frames, at least two.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub step_s: f64,
    /// Columns of the picture, 1 to 10,000.
    #[schemars(range(min = 1, max = 10_000))]
    pub columns: u32,
    /// Highest frequency of the picture, Hz; default 60 or half the input's rate, whichever is less.
    pub high_hz: Option<f64>,
    /// Room for pictures in a block, 1 to 100: the steps that one input block can complete.
    #[schemars(range(min = 1, max = 100))]
    pub max_rows_per_block: u32,
}

impl Default for SpectrogramParams {
    fn default() -> Self {
        SpectrogramParams {
            window_s: 1.0,
            step_s: 0.5,
            columns: 60,
            high_hz: None,
            max_rows_per_block: 1,
        }
    }
}

/// Parameters in frames and bins.
#[derive(Clone, Copy, Debug)]
struct Plan {
    history: History,
    rate_hz: f64,
    step: usize,
    columns: usize,
    bins: usize,
}

impl Plan {
    /// Numbers of a picture.
    fn picture(&self) -> usize {
        self.history.channels * self.columns * self.bins
    }
}

impl SpectrogramParams {
    fn plan(&self, input: &StreamType) -> Result<Plan, StageError> {
        let numbers = Numbers::physical("frames", input)?;
        let rate_hz = rate_of("frames", input, NEEDS_RATE)?;
        let window = frames_of("window_s", self.window_s, rate_hz, MIN_FRAMES)?;
        let history = history_of("window_s", &numbers, window)?;
        let step = frames_of("step_s", self.step_s, rate_hz, 2)?;
        let top_hz = Some(self.high_hz.unwrap_or(60_f64.min(rate_hz / 2.0)));
        let bins = bins_below(top_hz, window, rate_hz)?;
        let within = |key: &str, value: u32, high: u32| {
            if (1..=high).contains(&value) {
                return Ok(value as usize);
            }
            let why = format!("{value} is outside 1 to {high}");
            Err(StageError::parameter(key, why))
        };
        let columns = within("columns", self.columns, 10_000)?;
        let room = within("max_rows_per_block", self.max_rows_per_block, 100)?;
        let most = (input.frames_per_block() as usize).div_ceil(step);
        if most > room {
            let why = format!("{room} is less than the {most} steps that a block can complete");
            return Err(StageError::parameter("max_rows_per_block", why));
        }
        let plan = Plan {
            history,
            rate_hz,
            step,
            columns,
            bins,
        };
        let numbers = plan.picture().saturating_add(history.channels * window);
        if numbers > MOST_NUMBERS {
            let why = format!(
                "{columns} columns of {bins} frequencies and {} channels are {numbers} numbers with the frames they are made \
                 of; at most {MOST_NUMBERS} are kept: fewer columns, a lower high_hz, or `select` on the edge",
                history.channels
            );
            return Err(StageError::parameter("columns", why));
        }
        Ok(plan)
    }
}

/// `spectrum.spectrogram`.
pub struct Spectrogram {
    numbers: Numbers,
    plan: Plan,
    periodogram: Periodogram,
    density: Vec<f64>,
    converted: Vec<f64>,
}

impl Stage for Spectrogram {
    const KIND: &'static str = "spectrum.spectrogram";
    const ABOUT: &'static str = "The newest spectra of each channel as one picture, in decibels.";
    const ROLE: Role = Role::Process;
    const PORTS: Ports = Ports {
        inputs: &["frames"],
        outputs: &["pictures"],
    };
    type Params = SpectrogramParams;

    fn describe(
        params: &SpectrogramParams,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError> {
        let input = inputs[0].1;
        let plan = params.plan(input)?;
        let mut column = Axis::new("column", plan.columns as u32);
        column.unit = "s".to_owned();
        let step_s = plan.step as f64 / plan.rate_hz;
        column.labels = (0..plan.columns)
            .rev()
            .map(|back| {
                label(if back == 0 {
                    0.0
                } else {
                    -(back as f64) * step_s
                })
            })
            .collect();
        let mut pictures = squared_type(input, params.max_rows_per_block, column, true)?;
        let step_hz = plan.rate_hz / plan.history.frames as f64;
        pictures.axes.push(frequency_axis(plan.bins, step_hz));
        // Decibels have no SI scale: they are no multiple of anything.
        pictures.unit = "dB".to_owned();
        pictures.si_unit = String::new();
        pictures.scale = Vec::new();
        pictures.rate = row_rate(input, plan.step as u64);
        Ok(Described {
            outputs: vec![("pictures".to_owned(), pictures)],
            state_bytes: plan.history.state_bytes() + 8 * (1 + plan.picture()),
            group_delay_frames: (plan.history.frames - 1) as f64 / 2.0,
            parts_per_call: 1,
            ..Described::default()
        })
    }

    fn prepare(
        params: SpectrogramParams,
        inputs: &[(&str, &StreamType)],
        _what: &Described,
    ) -> Result<Self, StageError> {
        let input = inputs[0].1;
        let numbers = Numbers::physical("frames", input)?;
        let plan = params.plan(input)?;
        let window = plan.history.frames;
        let periodogram = Periodogram::new(window, WindowShape::Hann, true, plan.rate_hz);
        Ok(Spectrogram {
            converted: vec![0.0; input.frames_per_block() as usize * numbers.channels()],
            density: vec![0.0; plan.bins],
            numbers,
            plan,
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
        let plan = self.plan;
        let (history, window) = (plan.history, plan.history.frames);
        let settling = (block.header.settling as usize).min(block.len());
        let (held, mut picture) = divide(&plan, ctx.state.parts_mut().0);
        if settling > 0 {
            history.forget(held);
            picture.forget();
        }
        let mut output = outputs.block(0);
        let mut made = Rows::new(block.header, output.room(), plan.picture());
        let rows = output.slice::<f64>();
        let settled = &frames[settling * history.channels..];
        history.run(held, settled, (window, plan.step), |newest| {
            let column = (*picture.made % plan.columns as u64) as usize;
            *picture.made += 1;
            for channel in 0..history.channels {
                self.density.fill(0.0);
                let segment = newest.of(channel, window, 0..window);
                self.periodogram.add(segment, &mut self.density);
                let at = (channel * plan.columns + column) * plan.bins;
                let levels = picture.levels[at..][..plan.bins].iter_mut();
                for (level, density) in levels.zip(&self.density) {
                    // A comparison that a NaN passes: it stays one.
                    let density = if *density < LEAST { LEAST } else { *density };
                    *level = 10.0 * density.log10();
                }
            }
            if let Some(row) = made.next(rows, settling + newest.taken, window) {
                picture.write(&plan, row);
            }
        });
        made.write(output.header(), plan.step);
        output.commit(made.made());
        Next::Continue
    }

    fn reset(&mut self, state: &mut [u8]) {
        let (held, mut picture) = divide(&self.plan, state);
        self.plan.history.forget(held);
        picture.forget();
    }
}

/// The columns so far, as a ring.
struct Picture<'a> {
    /// Columns made since the start.
    made: &'a mut u64,
    /// `channel x column x frequency`, dB.
    levels: &'a mut [f64],
}

impl Picture<'_> {
    /// Takes all columns away: what has not been made is not shown.
    fn forget(&mut self) {
        *self.made = 0;
    }

    /// Writes `channel x column x frequency`, oldest column first.
    fn write(&self, plan: &Plan, row: &mut [f64]) {
        let Plan { columns, bins, .. } = *plan;
        let next = (*self.made % columns as u64) as usize;
        let missing = columns.saturating_sub(usize::try_from(*self.made).unwrap_or(columns));
        let pictures = row.chunks_exact_mut(columns * bins);
        for (to, from) in pictures.zip(self.levels.chunks_exact(columns * bins)) {
            for (place, to) in to.chunks_exact_mut(bins).enumerate() {
                if place < missing {
                    to.fill(f64::NAN);
                } else {
                    let at = (next + place) % columns;
                    to.copy_from_slice(&from[at * bins..][..bins]);
                }
            }
        }
    }
}

/// The state's two parts: frames held, columns.
fn divide<'a>(plan: &Plan, state: &'a mut [u8]) -> (&'a mut [u8], Picture<'a>) {
    let (held, rest) = state.split_at_mut(plan.history.state_bytes());
    let fits = "as described: 8 bytes, and 8 for each number of a picture";
    let (made, levels) = u64::mut_from_prefix(rest).expect(fits);
    let levels = <[f64]>::mut_from_bytes(levels).expect(fits);
    (held, Picture { made, levels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_engine::abi::{SlotHeader, flag};
    use ephapse_engine::stage::Rig;
    use ephapse_rtconfig::stream_type::{Dtype, Rate};
    use serde_json::json;
    use zerocopy::IntoBytes;

    fn input(block: u32) -> StreamType {
        StreamType::frames(Dtype::F64, block, 2, Rate::hz(250), "uV")
    }

    fn params() -> serde_json::Value {
        json!({"columns": 3, "high_hz": 20.0, "max_rows_per_block": 10})
    }

    /// Pictures of a wave that changes from 5 to 15 Hz at frame 500, in blocks, the one at frame 1000 behind a gap.
    fn play(block: usize) -> Vec<Vec<f64>> {
        let mut rig = Rig::<Spectrogram>::new(params(), &[input(block as u32)]).unwrap();
        let mut pictures = Vec::new();
        for first in (0..1500).step_by(block) {
            let frames: Vec<f64> = (first..first + block)
                .flat_map(|i| {
                    let hz = if i < 500 { 5.0 } else { 15.0 };
                    let x = 10.0 * (i as f64 / 250.0 * hz * std::f64::consts::TAU).sin();
                    [x, -1.0]
                })
                .collect();
            let header = SlotHeader {
                first_frame: first as u64,
                valid: block as u32,
                flags: if first == 1000 { flag::GAP } else { 0 },
                ..SlotHeader::default()
            };
            rig.push(0, header, frames.as_bytes());
            for made in rig.take(0) {
                let rows = made.rows::<f64>();
                pictures.extend(rows.chunks(2 * 3 * 21).map(<[f64]>::to_vec));
            }
        }
        pictures
    }

    /// The loudest frequency of a column of channel 0; `None` for a column that has not come.
    fn loudest(picture: &[f64], column: usize) -> Option<usize> {
        let levels = &picture[column * 21..][..21];
        (!levels[0].is_nan()).then(|| {
            (0..21)
                .max_by(|a, b| levels[*a].total_cmp(&levels[*b]))
                .unwrap()
        })
    }

    #[test]
    fn columns_move_to_the_left_and_a_gap_wipes_them() {
        let pictures = play(100);
        let shown: Vec<[Option<usize>; 3]> = pictures
            .iter()
            .map(|p| [0, 1, 2].map(|c| loudest(p, c)))
            .collect();
        // Windows end at 250, 375, ... 1000; behind the gap at 1250, 1375, 1500.
        assert_eq!(shown[0], [None, None, Some(5)]);
        assert_eq!(shown[1], [None, Some(5), Some(5)]);
        assert_eq!(shown[6], [Some(15); 3]);
        assert_eq!(shown[7], [None, None, Some(15)]);
        assert_eq!(shown.len(), 10);
        // Ten microvolts at a bin in a Hann window: 50 uV^2 / 1.5 Hz.
        let level = pictures[0][2 * 21 + 5];
        assert!(
            (level - 10.0 * (50.0_f64 / 1.5).log10()).abs() < 1e-9,
            "{level}"
        );
        // A constant has no power: it is not minus infinity.
        assert!(
            pictures[0][(3 + 2) * 21..]
                .iter()
                .all(|l| (-301.0..-200.0).contains(l))
        );
    }

    #[test]
    fn any_blocks_give_the_same_bits() {
        let bits = |pictures: Vec<Vec<f64>>| -> Vec<u64> {
            pictures.concat().iter().map(|x| x.to_bits()).collect()
        };
        let whole = bits(play(500));
        for block in [1, 10, 125] {
            assert!(bits(play(block)) == whole, "blocks of {block}");
        }
    }

    #[test]
    fn a_picture_has_four_axes_and_one_that_is_too_large_is_refused() {
        let describe = |params: serde_json::Value| {
            let params: SpectrogramParams = serde_json::from_value(params).unwrap();
            Spectrogram::describe(&params, &[("frames", &input(25))]).map_err(|e| e.to_string())
        };
        let what = describe(params()).unwrap();
        let pictures = &what.outputs[0].1;
        assert_eq!(pictures.summary(), "10 x 2 x 3 x 21 f64, 2 Hz, dB");
        assert_eq!(pictures.axes[2].labels, ["-1", "-0.5", "0"]);
        assert_eq!(pictures.axes[3].labels[20], "20");
        let error = describe(json!({"columns": 10_000})).unwrap_err();
        assert!(
            error.contains("`columns`: 10000 columns of 61") && !error.contains('\n'),
            "{error}"
        );
        let error = describe(json!({"high_hz": 200.0})).unwrap_err();
        assert!(
            error.contains("`high_hz`: 200 Hz is outside 0 to 125 Hz"),
            "{error}"
        );
    }
}
