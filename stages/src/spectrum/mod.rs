//! Spectra and what is read from them: frames in, a row per window out.

mod bandpower;
mod bands;
mod fft;
pub mod history;
pub mod periodogram;
mod spectrogram;
pub mod transform;
mod window;

pub use bandpower::{Bandpower, BandpowerParams, Power};
pub use bands::Band;
pub use fft::{Spectrum, SpectrumParams};
pub use spectrogram::{Spectrogram, SpectrogramParams};
pub use window::WindowShape;

use crate::numbers::Numbers;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Axis, StreamType};

/// What an input without a rate is told.
const NEEDS_RATE: &str = "a spectrum needs one";

/// Seconds as whole frames, at least `least`.
fn frames_of(key: &str, seconds: f64, rate_hz: f64, least: usize) -> Result<usize, StageError> {
    if !(seconds > 0.0 && seconds <= 3600.0) {
        let why = format!("{seconds} s is not above 0 and at most 3600");
        return Err(StageError::parameter(key, why));
    }
    let frames = (seconds * rate_hz).round() as usize;
    if frames < least {
        let why =
            format!("{seconds} s are {frames} frames at {rate_hz} Hz; at least {least} are needed");
        return Err(StageError::parameter(key, why));
    }
    Ok(frames)
}

/// Frames of a window of `window_s`, or without it of the longest there may be: `max_window_s`, `longest` frames.
fn window_of(
    window_s: Option<f64>,
    (max_window_s, longest): (f64, usize),
    rate_hz: f64,
    least: usize,
) -> Result<usize, StageError> {
    let window_s = window_s.unwrap_or(max_window_s);
    let frames = frames_of("window_s", window_s, rate_hz, least)?;
    if frames > longest {
        let why = format!("{window_s} s is longer than max_window_s = {max_window_s}");
        return Err(StageError::parameter("window_s", why));
    }
    Ok(frames)
}

/// The history of `frames` frames.
fn history_of(key: &str, numbers: &Numbers, frames: usize) -> Result<history::History, StageError> {
    let channels = numbers.channels();
    if channels.saturating_mul(frames) > history::MOST_NUMBERS {
        let why = format!(
            "{frames} frames of {channels} channels are more than {} numbers, which are copied in every activation: \
             shorten it, or `select` or `decimate` on the edge",
            history::MOST_NUMBERS
        );
        return Err(StageError::parameter(key, why));
    }
    Ok(history::History { channels, frames })
}

/// `time x channel x third` in the square of the input's unit, or the same per hertz; `rows` in a block.
fn squared_type(
    input: &StreamType,
    rows: u32,
    third: Axis,
    per_hz: bool,
) -> Result<StreamType, StageError> {
    let mut output = Numbers::physical_type(input);
    output.axes[0] = Axis::new("time", rows);
    if output.axes.len() < 2 {
        output.axes.push(Axis::new("channel", 1));
    }
    output.axes.push(third);
    let square = |unit: &str| {
        let hz = if per_hz { "/Hz" } else { "" };
        if unit.is_empty() {
            return if per_hz {
                "1/Hz".to_owned()
            } else {
                String::new()
            };
        }
        format!("{unit}^2{hz}")
    };
    output.unit = square(&output.unit);
    if output.unit.len() > 15 {
        let why = format!(
            "has the unit `{}`, whose square `{}` is longer than 15 bytes",
            input.unit, output.unit
        );
        return Err(StageError::input("frames", why));
    }
    if output.si_unit == "V" {
        output.si_unit = square("V");
        output.scale = vec![1e-12; output.channels()];
    } else {
        output.si_unit = String::new();
        output.scale = Vec::new();
    }
    output.offset = Vec::new();
    Ok(output)
}

/// Frequencies up to `high_hz` (all of them without it) of a transform of `frames` frames.
fn bins_below(high_hz: Option<f64>, frames: usize, rate_hz: f64) -> Result<usize, StageError> {
    let all = frames / 2 + 1;
    match high_hz {
        None => Ok(all),
        // The small number: a frequency that was meant exactly must not be lost by rounding.
        Some(hz) if hz >= 0.0 && hz <= rate_hz / 2.0 => {
            Ok(all.min((hz * frames as f64 / rate_hz + 1e-9) as usize + 1))
        }
        Some(hz) => {
            let why = format!(
                "{hz} Hz is outside 0 to {} Hz, half the input's rate",
                rate_hz / 2.0
            );
            Err(StageError::parameter("high_hz", why))
        }
    }
}

/// The axis of the first `bins` frequencies, `step_hz` apart.
fn frequency_axis(bins: usize, step_hz: f64) -> Axis {
    let mut frequency = Axis::new("frequency", bins as u32);
    frequency.unit = "Hz".to_owned();
    frequency.labels = (0..bins).map(|k| label(k as f64 * step_hz)).collect();
    frequency
}

/// A number as it is written on an axis.
fn label(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
