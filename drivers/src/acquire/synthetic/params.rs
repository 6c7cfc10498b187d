//! Parameters of the synthetic source.

use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of `acquire.synthetic`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticParams {
    /// Channels, 1 to 1024. 60 carry the labels of a 60-electrode MEA.
    #[schemars(range(min = 1, max = 1024))]
    pub channels: u32,
    /// Frames per second, 1 to 1000000.
    #[schemars(range(min = 1.0, max = 1e6))]
    pub rate_hz: f64,
    /// Frames per block, 1 to 65536. The samples do not depend on it.
    #[schemars(range(min = 1, max = 65536))]
    pub block_frames: u32,
    /// The same seed gives the same samples.
    pub seed: u64,
    /// What is on the electrodes.
    pub waveform: Waveform,
    /// Standard deviation of the noise on every channel, uV.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub noise_uv: f64,
    /// Peak of the sine or sawtooth, or mean depth of the spikes, uV.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub amplitude_uv: f64,
    /// Frequency of the sine or sawtooth, Hz; at most half the rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub frequency_hz: f64,
    /// End after so many seconds; default: never.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub duration_s: Option<f64>,
    /// Number format of the samples, all in counts of 59.605 nV.
    pub dtype: SampleFormat,
}

/// What is on the electrodes, the same on all channels but for noise and spikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Waveform {
    /// A sine on every channel.
    Sine,
    /// A ramp from minus to plus `amplitude_uv`, `frequency_hz` times a second.
    Sawtooth,
    /// Spikes of a made-up culture: quiet, with a network burst every 1.6 s.
    Spikes,
}

/// Number format of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SampleFormat {
    /// Whole counts, 32 bits: what a MEA2100 delivers.
    I32,
    /// Whole counts, 16 bits, saturated at 1.95 mV.
    I16,
    /// Counts with their fraction.
    F32,
}

impl Default for SyntheticParams {
    fn default() -> Self {
        SyntheticParams {
            channels: 60,
            rate_hz: 20_000.0,
            block_frames: 20,
            seed: 7,
            waveform: Waveform::Spikes,
            noise_uv: 5.0,
            amplitude_uv: 60.0,
            frequency_hz: 10.0,
            duration_s: None,
            dtype: SampleFormat::I32,
        }
    }
}
