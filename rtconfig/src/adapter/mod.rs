//! Edge adapters: what each makes of a stream's type, and how long it delays.
//!
//! They work on the consumer's end of an edge, in its process, inside its measured run time, and always in this order,
//! however the graph names them:
//!
//! ```text
//! merge -> select -> scale -> decimate -> cast -> window
//! several  fewer     physical fewer       number   blocks of
//! streams  channels  numbers  frames      format   n frames
//! ```
//!
//! | adapter | where | what it gives |
//! |---|---|---|
//! | `merge` | the pacing input | the channels of all streams side by side; a block that one has lost is a gap |
//! | `select` | any input | the channels named, in the order named, with their labels, scales and positions |
//! | `scale` | any input | `stored * scale + offset` in the SI unit or one with a prefix, `f64` |
//! | `decimate` | the pacing input | one frame for `q`, behind SciPy's `decimate(ftype="fir")` filter, `f64` |
//! | `cast` | any input | another number format |
//! | `window` | the pacing input | blocks of exactly `n` frames, one every `step` frames, over block borders |
//!
//! Only frames have adapters: records name their channel and their time themselves.
//!
//! **Decimation.** A Hamming-windowed sinc of `20 q + 1` taps with its half-amplitude point at the new Nyquist frequency:
//! `scipy.signal.firwin(20 * q + 1, 1 / q)`. What lies above 1.17 of the new Nyquist frequency, and so everything that
//! would fold into the lower 0.83 of the band, is at least 50 dB down. It delays by `10 q` frames, which are
//! [`DECIMATE_DELAY_FRAMES`] of the new ones. New frame `m` is computed when old frame `m q + q - 1` has come (its number
//! counted from the stream's beginning, frames lost included), so blocks of any length give the same frames. Behind a gap,
//! and at the start, the filter has seen nothing: [`DECIMATE_SETTLE_FRAMES`] new frames are marked `settling`.

use crate::plan::{Adapter, Merged};
use crate::si_unit;
use crate::stream_type::{Dtype, Kind, Rate, StreamType};

/// Taps of the decimating filter on either side of its middle, for every frame that becomes one with others.
pub const DECIMATE_HALF_TAPS: u32 = 10;
/// Delay of decimated frames, in frames of the new rate.
pub const DECIMATE_DELAY_FRAMES: f64 = DECIMATE_HALF_TAPS as f64;
/// Decimated frames that do not yet mean what they should, behind a gap and at the start.
pub const DECIMATE_SETTLE_FRAMES: u32 = 2 * DECIMATE_HALF_TAPS;
/// Largest factor: its filter looks back over 2001 frames.
pub const MOST_DECIMATE: u32 = 100;

/// An adapter that cannot work: its key in the graph, what is wrong, what to do.
pub type Fault = (&'static str, String, String);

/// The type behind one adapter.
///
/// # Errors
/// Says what this adapter cannot do with this type.
pub fn behind(adapter: &Adapter, before: StreamType) -> Result<StreamType, Fault> {
    match adapter {
        Adapter::Merge(streams) => merged(streams),
        Adapter::Select(channels) => {
            only_frames("select", "have no channels to choose from", &before)?;
            selected(channels, before)
        }
        Adapter::Scale(unit) => {
            only_frames("scale", "have no scale of their own", &before)?;
            no_bits("scale", &before)?;
            scaled(unit, before)
        }
        Adapter::Decimate(factor) => {
            only_frames("decimate", "cannot be filtered", &before)?;
            no_bits("decimate", &before)?;
            decimated(*factor, before)
        }
        Adapter::Cast(dtype) => {
            only_frames("cast", "have no number format to change", &before)?;
            if *dtype == Dtype::Bits || before.dtype == Dtype::Bits {
                return Err((
                    "cast",
                    format!("{} cannot become {}", before.dtype.name(), dtype.name()),
                    "digital lines stay `bits`; remove the key".to_owned(),
                ));
            }
            Ok(StreamType {
                dtype: *dtype,
                ..before
            })
        }
        Adapter::Window { n, step } => {
            only_frames("window", "cannot be cut into windows", &before)?;
            if *n == 0 || *step == 0 {
                return Err((
                    "window",
                    format!("a window of {n} frames every {step} frames is none"),
                    "choose n and step of 1 or more".to_owned(),
                ));
            }
            Ok(with_frames_per_block(*n, before))
        }
    }
}

/// Most blocks that come out of these adapters for one that goes in.
pub fn most_parts(adapters: &[Adapter], frames_per_block: u32) -> u32 {
    let mut frames = frames_per_block;
    for adapter in adapters {
        match adapter {
            Adapter::Decimate(factor) => frames = frames.div_ceil((*factor).max(1)),
            Adapter::Window { step, .. } => return frames / (*step).max(1) + 1,
            Adapter::Merge(_) | Adapter::Select(_) | Adapter::Scale(_) | Adapter::Cast(_) => {}
        }
    }
    1
}

/// Delay of the signal by these adapters, in frames of the type behind them.
pub fn delay_frames(adapters: &[Adapter]) -> f64 {
    let decimates = adapters.iter().any(|a| matches!(a, Adapter::Decimate(_)));
    if decimates {
        DECIMATE_DELAY_FRAMES
    } else {
        0.0
    }
}

/// Which axis the channels stand on: the one named `channel`, else the second.
pub fn channel_axis(stream_type: &StreamType) -> Option<usize> {
    let named = stream_type
        .axes
        .iter()
        .skip(1)
        .position(|a| a.name == "channel");
    named
        .map(|at| at + 1)
        .or((stream_type.axes.len() > 1).then_some(1))
}

/// The label of each channel; its 1-based number where there is none.
pub fn labels(stream_type: &StreamType) -> Vec<String> {
    let axis = channel_axis(stream_type).map(|at| &stream_type.axes[at]);
    (0..stream_type.channels())
        .map(|channel| {
            axis.and_then(|axis| axis.labels.get(channel).cloned())
                .unwrap_or_else(|| (channel + 1).to_string())
        })
        .collect()
}

fn only_frames(key: &'static str, why: &str, before: &StreamType) -> Result<(), Fault> {
    if before.kind == Kind::Frames {
        return Ok(());
    }
    Err((
        key,
        format!("{} {why}", before.summary()),
        "remove the key; it works on frames, before they become records".to_owned(),
    ))
}

fn no_bits(key: &'static str, before: &StreamType) -> Result<(), Fault> {
    if before.dtype != Dtype::Bits {
        return Ok(());
    }
    Err((
        key,
        "digital lines (bits) are no numbers".to_owned(),
        "remove the key".to_owned(),
    ))
}

fn with_frames_per_block(frames: u32, mut stream_type: StreamType) -> StreamType {
    if let Some(time) = stream_type.axes.first_mut() {
        time.length = frames;
    }
    stream_type
}

fn selected(channels: &[u32], mut before: StreamType) -> Result<StreamType, Fault> {
    let Some(at) = channel_axis(&before) else {
        return Err((
            "select",
            "these frames have no channels".to_owned(),
            "remove the key".to_owned(),
        ));
    };
    let there = before.channels();
    if let Some(missing) = channels.iter().find(|c| **c as usize >= there) {
        return Err((
            "select",
            format!("there is no channel {missing}"),
            format!("the stream has {there} channels, 0 to {}", there - 1),
        ));
    }
    let names = labels(&before);
    let pick = |from: &[f64]| -> Vec<f64> {
        channels
            .iter()
            .filter_map(|c| from.get(*c as usize).copied())
            .collect()
    };
    before.scale = pick(&before.scale);
    before.offset = pick(&before.offset);
    before.positions_um = channels
        .iter()
        .filter_map(|c| before.positions_um.get(*c as usize).copied())
        .collect();
    let axis = &mut before.axes[at];
    axis.length = channels.len() as u32;
    axis.labels = channels
        .iter()
        .map(|c| names[*c as usize].clone())
        .collect();
    Ok(before)
}

fn scaled(unit: &str, mut before: StreamType) -> Result<StreamType, Fault> {
    if before.si_unit.is_empty() {
        return Err((
            "scale",
            format!("nothing is known of what `{}` is in SI units", before.unit),
            "remove the key, or give the source a scale".to_owned(),
        ));
    }
    let Some(exponent) = si_unit::exponent(unit, &before.si_unit) else {
        return Err((
            "scale",
            format!("`{unit}` is no unit of {}", before.si_unit),
            format!(
                "write scale = true for {0}, or {0} with a prefix (p, n, u, m, k, M)",
                before.si_unit
            ),
        ));
    };
    before.dtype = Dtype::F64;
    before.unit = unit.trim().replace(['\u{b5}', '\u{3bc}'], "u");
    before.offset.clear();
    before.scale = if exponent == 0 {
        Vec::new()
    } else {
        vec![si_unit::decimal(1.0, exponent); before.channels()]
    };
    Ok(before)
}

fn decimated(factor: u32, mut before: StreamType) -> Result<StreamType, Fault> {
    let fault = |what: String, remedy: &str| ("decimate", what, remedy.to_owned());
    if !(2..=MOST_DECIMATE).contains(&factor) {
        return Err(fault(
            format!("one frame for {factor} is outside 2 to {MOST_DECIMATE}"),
            "choose another factor, or remove the key",
        ));
    }
    if before.rate != Rate::NONE {
        let denominator = before.rate.denominator.checked_mul(u64::from(factor));
        before.rate = denominator
            .map(|denominator| Rate::new(before.rate.numerator, denominator))
            .ok_or_else(|| fault("the rate becomes too small".to_owned(), "remove the key"))?;
    }
    before.dtype = Dtype::F64;
    let frames = before.frames_per_block().div_ceil(factor);
    Ok(with_frames_per_block(frames, before))
}

/// All streams as one. Labels that occur twice are told apart by `stream.label`, then for all channels.
fn merged(streams: &[Merged]) -> Result<StreamType, Fault> {
    let fault = |what: String, remedy: &str| ("merge", what, remedy.to_owned());
    let [first, others @ ..] = streams else {
        return Err(fault(
            "nothing is merged".to_owned(),
            "name two streams or more",
        ));
    };
    for stream in streams {
        let merged = &stream.stream_type;
        if merged.kind != Kind::Frames || channel_axis(merged) != Some(1) {
            return Err(fault(
                format!(
                    "`{}` is {}, and only frames `time x channel` can be merged",
                    stream.stream,
                    merged.summary()
                ),
                "take it out",
            ));
        }
        if merged.dtype == Dtype::Bits {
            return Err(fault(
                format!("`{}` holds digital lines (bits)", stream.stream),
                "take it out",
            ));
        }
    }
    for other in others {
        expect_alike(first, other)?;
    }
    let names: Vec<Vec<String>> = streams.iter().map(|s| labels(&s.stream_type)).collect();
    let mut all: Vec<&String> = names.iter().flatten().collect();
    all.sort_unstable();
    let twice = all.windows(2).any(|pair| pair[0] == pair[1]);
    let mut merged = first.stream_type.clone();
    let channels = || {
        streams
            .iter()
            .flat_map(|s| (0..s.stream_type.channels()).map(move |c| (s, c)))
    };
    let axis = &mut merged.axes[1];
    axis.length = channels().count() as u32;
    axis.labels = streams
        .iter()
        .zip(&names)
        .flat_map(|(s, names)| names.iter().map(move |label| (&s.stream, label)))
        .map(|(stream, label)| {
            if twice {
                format!("{stream}.{label}")
            } else {
                label.clone()
            }
        })
        .collect();
    if streams.iter().any(|s| !s.stream_type.scale.is_empty()) {
        merged.scale = channels().map(|(s, c)| s.stream_type.scale_of(c)).collect();
    }
    if streams.iter().any(|s| !s.stream_type.offset.is_empty()) {
        merged.offset = channels()
            .map(|(s, c)| s.stream_type.offset_of(c))
            .collect();
    }
    let placed = streams
        .iter()
        .all(|s| s.stream_type.positions_um.len() == s.stream_type.channels());
    merged.positions_um = if placed {
        channels()
            .map(|(s, c)| s.stream_type.positions_um[c])
            .collect()
    } else {
        Vec::new()
    };
    Ok(merged)
}

fn expect_alike(first: &Merged, other: &Merged) -> Result<(), Fault> {
    let (a, b) = (&first.stream_type, &other.stream_type);
    let fault = |what: String, remedy: &str| {
        Err((
            "merge",
            format!(
                "`{}` and `{}` do not fit together: {what}",
                first.stream, other.stream
            ),
            remedy.to_owned(),
        ))
    };
    if a.rate != b.rate {
        return fault(
            format!("{} Hz and {} Hz", a.rate.as_f64(), b.rate.as_f64()),
            "bring them to one rate, with `decimate` where the faster is made",
        );
    }
    if a.frames_per_block() != b.frames_per_block() {
        return fault(
            format!(
                "blocks of {} and of {} frames",
                a.frames_per_block(),
                b.frames_per_block()
            ),
            "give the stage that makes one of them a `window` on its input first",
        );
    }
    if a.dtype != b.dtype {
        return fault(
            format!("{} and {}", a.dtype.name(), b.dtype.name()),
            "make them of one number format, with `cast` where one is made",
        );
    }
    if (&a.unit, &a.si_unit) != (&b.unit, &b.si_unit) {
        return fault(
            format!("`{}` and `{}`", a.unit, b.unit),
            "bring them to one unit, with `scale` where one is made",
        );
    }
    let shape = |t: &StreamType| -> Vec<u32> { t.axes.iter().skip(2).map(|a| a.length).collect() };
    if shape(a) != shape(b) {
        return fault(
            format!("{} and {}", a.summary(), b.summary()),
            "only the number of channels may differ",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
