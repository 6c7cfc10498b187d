//! `filter.bandpass` without a ring: the recording goes in, and the filtered block stands in a buffer of its own, as it
//! would in a slot of the next ring.

use super::recording::Recording;
use super::{BLOCK_FRAMES, RATE_HZ};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::filter::design::{Band, Section};
use ephapse_stages::filter::{BandFilter, BandParams};
use zerocopy::IntoBytes;

/// Edges of the band, Hz.
const BAND_HZ: (f64, f64) = (300.0, 3000.0);
/// Butterworth order: as many second-order sections.
const ORDER: u32 = 2;

/// The filter, its memory, and where it stands in the recording.
pub struct Filtering {
    recording: Recording,
    filter: BandFilter,
    state: Vec<u64>,
    output: Vec<f64>,
    block: u64,
}

impl Filtering {
    /// At rest, at the start of the recording.
    ///
    /// # Errors
    /// If the filter refuses the recording.
    pub fn new(recording: Recording) -> Result<Self, StageError> {
        let channels = recording.channels;
        let rate = Rate::hz(u64::from(RATE_HZ));
        let mut input =
            StreamType::frames(Dtype::F64, BLOCK_FRAMES as u32, channels as u32, rate, "uV");
        input.si_unit = "V".to_owned();
        input.scale = vec![1e-6; channels];
        let params = BandParams {
            low_hz: Some(BAND_HZ.0),
            high_hz: Some(BAND_HZ.1),
            order: Some(ORDER),
            sos: None,
        };
        let filter = BandFilter::new(Band::Pass, &params, &input)?;
        Ok(Filtering {
            state: vec![0; filter.cascade().state_bytes() / 8],
            output: vec![0.0; BLOCK_FRAMES * channels],
            filter,
            recording,
            block: 0,
        })
    }

    /// Filters the next block.
    pub fn next(&mut self) -> &[f64] {
        let payload = self.recording.block(self.block, BLOCK_FRAMES).as_bytes();
        self.block += 1;
        let state = self.state.as_mut_bytes();
        self.filter.run(state, payload, &mut self.output);
        &self.output
    }

    /// Back to the start of the recording, at rest.
    pub fn rewind(&mut self) {
        self.state.fill(0);
        self.block = 0;
    }

    /// Blocks of one turn of the recording.
    pub fn blocks(&self) -> usize {
        self.recording.frames.len() / (BLOCK_FRAMES * self.recording.channels)
    }

    /// A whole turn from where it stands.
    pub fn turn(&mut self) -> Vec<f64> {
        let mut filtered = Vec::with_capacity(self.recording.frames.len());
        for _ in 0..self.blocks() {
            filtered.extend_from_slice(self.next());
        }
        filtered
    }

    /// What is played.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Second-order sections of the filter.
    pub fn sections(&self) -> &[Section] {
        self.filter.cascade().sections()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_in_the_band_passes_and_those_outside_are_gone() {
        // One channel each; the second half of the recording is compared.
        let tones_hz = [1000.0, 30.0, 14_000.0];
        let frames = (0..64 * BLOCK_FRAMES * 3)
            .map(|i| {
                let seconds = (i / 3) as f64 / f64::from(RATE_HZ);
                (std::f64::consts::TAU * tones_hz[i % 3] * seconds).sin()
            })
            .collect();
        let recording = Recording {
            frames,
            channels: 3,
            spikes: Vec::new(),
        };
        let mut filtering = Filtering::new(recording).unwrap();
        let filtered = filtering.turn();
        let loudest = |channel: usize| {
            let tail = filtered[filtered.len() / 2..].iter().skip(channel);
            tail.step_by(3).fold(0.0f64, |most, y| most.max(y.abs()))
        };
        let [inside, below, above] = [0, 1, 2].map(loudest);
        assert!((inside - 1.0).abs() < 0.01, "{inside}");
        assert!(below < 0.02 && above < 0.02, "{below}, {above}");
    }
}
