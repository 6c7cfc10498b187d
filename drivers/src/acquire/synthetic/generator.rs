//! Makes the frames: each sample follows from the parameters and its frame number alone.

use super::hash::Key;
use super::params::{SampleFormat, SyntheticParams, Waveform};
use super::spike_trains::SpikeTrains;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::si_unit::decimal;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};

/// Value of one count of a MEA2100, 59.605 nV: the step of real recordings of that amplifier, in picovolts.
pub const COUNT_PV: f64 = 59_605.0;

/// Data labels of a 60-electrode MEA (column, row) in order of the MEA2100's data index; 15 is the reference.
#[rustfmt::skip]
const MEA60_LABELS: [&str; 60] = [
    "47", "48", "46", "45", "38", "37", "28", "36", "27", "17", "26", "16", "35", "25", "Ref",
    "14", "24", "34", "13", "23", "12", "22", "33", "21", "32", "31", "44", "43", "41", "42",
    "52", "51", "53", "54", "61", "62", "71", "63", "72", "82", "73", "83", "64", "74", "84",
    "85", "75", "65", "86", "76", "87", "77", "66", "78", "67", "68", "55", "56", "58", "57",
];

/// Generator of a synthetic recording.
pub struct Generator {
    stream_type: StreamType,
    format: SampleFormat,
    waveform: Waveform,
    amplitude: f32,
    noise: f32,
    cycles_per_frame: f64,
    noise_keys: Vec<Key>,
    spikes: SpikeTrains,
    frames: u64,
    /// One block in counts, before rounding.
    scratch: Vec<f32>,
}

impl Generator {
    /// Plans the recording; allocates all that [`Generator::fill`] needs.
    ///
    /// # Errors
    /// `Parameter` if a value is out of its range.
    pub fn new(params: &SyntheticParams) -> Result<Self, StageError> {
        let stream_type = stream_type(params)?;
        let rate_hz = stream_type.rate.as_f64();
        let channels = stream_type.channels();
        let count_uv = COUNT_PV * 1e-6;
        Ok(Generator {
            format: params.dtype,
            waveform: params.waveform,
            amplitude: (params.amplitude_uv / count_uv) as f32,
            noise: (params.noise_uv / count_uv) as f32,
            cycles_per_frame: params.frequency_hz / rate_hz,
            noise_keys: (0..channels as u64)
                .map(|c| Key::new(params.seed, 0, c))
                .collect(),
            spikes: SpikeTrains::new(params.seed, channels, rate_hz),
            frames: params
                .duration_s
                .map_or(u64::MAX, |s| (s * rate_hz).round() as u64),
            scratch: vec![0.0; channels * params.block_frames as usize],
            stream_type,
        })
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        &self.stream_type
    }

    /// Frames of the whole recording; `u64::MAX` if it does not end.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Writes frames `first..` of the recording to `payload`: at most `room`, at most a block, none behind its end.
    /// Returns how many. Allocates nothing.
    pub fn fill(&mut self, first: u64, room: usize, payload: &mut [u8]) -> usize {
        let channels = self.noise_keys.len();
        let left = usize::try_from(self.frames.saturating_sub(first)).unwrap_or(usize::MAX);
        let frames = room.min(left).min(self.scratch.len() / channels);
        let counts = &mut self.scratch[..frames * channels];
        for (frame, row) in (first..).zip(counts.chunks_exact_mut(channels)) {
            let common = match self.waveform {
                Waveform::Spikes => 0.0,
                Waveform::Sine => {
                    let phase = (frame as f64 * self.cycles_per_frame).fract();
                    self.amplitude * (std::f64::consts::TAU * phase).sin() as f32
                }
                Waveform::Sawtooth => {
                    let phase = (frame as f64 * self.cycles_per_frame).fract();
                    self.amplitude * (2.0 * phase - 1.0) as f32
                }
            };
            for (count, key) in row.iter_mut().zip(&self.noise_keys) {
                *count = common + self.noise * key.gaussian(frame);
            }
        }
        if self.waveform == Waveform::Spikes {
            self.spikes.add(first, self.amplitude, counts);
        }
        match self.format {
            SampleFormat::I32 => write(counts, payload, |v| {
                (v.round_ties_even() as i32).to_le_bytes()
            }),
            SampleFormat::I16 => write(counts, payload, |v| {
                (v.round_ties_even() as i16).to_le_bytes()
            }),
            SampleFormat::F32 => write(counts, payload, f32::to_le_bytes),
        }
        frames
    }

    /// Calls `each` with channel and frame of every spike's trough among the frames `first..first + frames`: what a
    /// detector should find.
    pub fn each_trough(&self, first: u64, frames: u64, each: impl FnMut(usize, u64)) {
        if self.waveform == Waveform::Spikes {
            self.spikes.each_trough(first, frames, each);
        }
    }

    /// Spikes per second and channel that the culture aims at, at a time in seconds; 0 without spikes.
    pub fn population_hz(&self, time_s: f64) -> f64 {
        match self.waveform {
            Waveform::Spikes => self.spikes.population_hz(time_s),
            Waveform::Sine | Waveform::Sawtooth => 0.0,
        }
    }
}

fn write<const N: usize>(counts: &[f32], payload: &mut [u8], bytes: impl Fn(f32) -> [u8; N]) {
    for (target, &count) in payload.chunks_exact_mut(N).zip(counts) {
        target.copy_from_slice(&bytes(count));
    }
}

fn stream_type(params: &SyntheticParams) -> Result<StreamType, StageError> {
    let refuse = |key: &str, why: String| Err(StageError::parameter(key, why));
    if !(1..=1024).contains(&params.channels) {
        return refuse(
            "channels",
            format!("is {}; it must be 1 to 1024", params.channels),
        );
    }
    if !(1..=65_536).contains(&params.block_frames) {
        return refuse(
            "block_frames",
            format!("is {}; it must be 1 to 65536", params.block_frames),
        );
    }
    let rate = match Rate::from_f64(params.rate_hz) {
        Some(rate) if (1.0..=1e6).contains(&params.rate_hz) => rate,
        _ => {
            return refuse(
                "rate_hz",
                format!("is {}; it must be 1 to 1000000", params.rate_hz),
            );
        }
    };
    for (key, value) in [
        ("noise_uv", params.noise_uv),
        ("amplitude_uv", params.amplitude_uv),
    ] {
        if !(0.0..=1e6).contains(&value) {
            return refuse(key, format!("is {value}; it must be 0 to 1000000"));
        }
    }
    if !(params.frequency_hz > 0.0 && params.frequency_hz <= params.rate_hz / 2.0) {
        return refuse(
            "frequency_hz",
            format!(
                "is {}; it must be greater than 0 and at most half of rate_hz, {}",
                params.frequency_hz,
                params.rate_hz / 2.0
            ),
        );
    }
    if params
        .duration_s
        .is_some_and(|s| !(s > 0.0 && s.is_finite()))
    {
        return refuse(
            "duration_s",
            "must be a number of seconds greater than 0".to_owned(),
        );
    }
    let dtype = match params.dtype {
        SampleFormat::I32 => Dtype::I32,
        SampleFormat::I16 => Dtype::I16,
        SampleFormat::F32 => Dtype::F32,
    };
    let mut stream_type =
        StreamType::frames(dtype, params.block_frames, params.channels, rate, "count");
    stream_type.si_unit = "V".to_owned();
    stream_type.scale = vec![decimal(COUNT_PV, -12); params.channels as usize];
    if params.channels == 60 {
        stream_type.axes[1].labels = MEA60_LABELS.map(str::to_owned).to_vec();
    }
    Ok(stream_type)
}
