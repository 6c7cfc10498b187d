//! `acquire.synthetic`: the same samples whoever asks, and a culture worth listening to.

use ephapse_drivers::acquire::synthetic::{
    COUNT_PV, Generator, SampleFormat, Synthetic, SyntheticParams, Waveform,
};
use ephapse_engine::stage::Stage;
use ephapse_rtconfig::stream_type::{Dtype, Rate};
use proptest::prelude::*;

const UV_PER_COUNT: f64 = COUNT_PV * 1e-6;

fn params() -> SyntheticParams {
    SyntheticParams::default()
}

/// Frames `first..first + frames` as bytes, made in blocks of `block_frames`.
fn bytes(params: &SyntheticParams, first: u64, frames: usize, block_frames: u32) -> Vec<u8> {
    let params = SyntheticParams {
        block_frames,
        ..params.clone()
    };
    let mut generator = Generator::new(&params).unwrap();
    let row_bytes = generator.stream_type().row_bytes();
    let mut all = vec![0; frames * row_bytes];
    let mut done = 0;
    while done < frames {
        let made = generator.fill(
            first + done as u64,
            frames - done,
            &mut all[done * row_bytes..],
        );
        assert!(made > 0);
        done += made;
    }
    all
}

fn counts(params: &SyntheticParams, first: u64, frames: usize) -> Vec<i32> {
    let bytes = bytes(params, first, frames, 1000);
    bytes
        .chunks_exact(4)
        .map(|b| i32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_depend_on_seed_and_frame_never_on_the_block_size(
        block_frames in 1u32..400,
        first in 0u64..100_000,
        seed: u64,
        which in 0usize..3,
    ) {
        let waveform = [Waveform::Sine, Waveform::Sawtooth, Waveform::Spikes][which];
        let params = SyntheticParams { channels: 5, seed, waveform, dtype: SampleFormat::F32, ..params() };
        prop_assert_eq!(bytes(&params, first, 900, block_frames), bytes(&params, first, 900, 900));
    }
}

#[test]
fn another_seed_is_another_recording() {
    let other = SyntheticParams {
        seed: 8,
        ..params()
    };
    assert_ne!(counts(&params(), 0, 100), counts(&other, 0, 100));
}

#[test]
fn a_sine_has_its_amplitude_and_frequency_in_volts() {
    let params = SyntheticParams {
        channels: 2,
        waveform: Waveform::Sine,
        noise_uv: 0.0,
        amplitude_uv: 1000.0,
        frequency_hz: 50.0,
        ..params()
    };
    let generator = Generator::new(&params).unwrap();
    assert_eq!(
        (
            generator.stream_type().si_unit.as_str(),
            generator.stream_type().rate
        ),
        ("V", Rate::hz(20_000))
    );
    let scale = generator.stream_type().scale_of(1);
    assert_eq!(scale, 5.9605e-8);
    for (frame, row) in counts(&params, 0, 4000).chunks_exact(2).enumerate() {
        let volts = 1e-3 * (std::f64::consts::TAU * 50.0 * frame as f64 / 20_000.0).sin();
        assert!(
            (f64::from(row[1]) * scale - volts).abs() <= 0.51 * scale,
            "frame {frame}"
        );
    }
}

#[test]
fn a_sawtooth_climbs_from_minus_to_plus_its_amplitude() {
    let params = SyntheticParams {
        channels: 1,
        waveform: Waveform::Sawtooth,
        noise_uv: 0.0,
        amplitude_uv: 100.0,
        frequency_hz: 10.0,
        ..params()
    };
    let samples = counts(&params, 0, 4000);
    assert_eq!(f64::from(samples[0]), (-100.0 / UV_PER_COUNT).round());
    assert_eq!(samples[1000], 0);
    assert!(samples[..2000].windows(2).all(|w| w[1] >= w[0]));
    assert_eq!(samples[..2000], samples[2000..]);
}

#[test]
fn noise_has_the_standard_deviation_asked_for_on_every_channel() {
    let params = SyntheticParams {
        amplitude_uv: 0.0,
        noise_uv: 5.0,
        ..params()
    };
    let samples = counts(&params, 12_345, 4000);
    for channel in 0..60 {
        let of: Vec<f64> = samples
            .iter()
            .skip(channel)
            .step_by(60)
            .map(|&s| f64::from(s) * UV_PER_COUNT)
            .collect();
        let mean = of.iter().sum::<f64>() / 4000.0;
        let deviation = (of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        assert!(
            mean.abs() < 0.4 && (deviation - 5.0).abs() < 0.3,
            "{channel}: {mean} {deviation}"
        );
    }
}

/// Spikes per second and channel in windows of 100 ms.
fn population_hz(generator: &Generator, channels: usize, seconds: u64) -> Vec<f64> {
    (0..seconds * 10)
        .map(|window| {
            let mut spikes = 0;
            generator.each_trough(window * 2000, 2000, |_, _| spikes += 1);
            f64::from(spikes) / (channels as f64 * 0.1)
        })
        .collect()
}

#[test]
fn the_population_falls_silent_and_bursts_within_any_four_seconds() {
    for seed in [7, 1, 99, 123_456] {
        let generator = Generator::new(&SyntheticParams { seed, ..params() }).unwrap();
        let rates = population_hz(&generator, 60, 40);
        for from in (0..rates.len() - 40).step_by(10) {
            let part = &rates[from..from + 40];
            assert!(
                part.iter().any(|&r| r > 20.0),
                "no burst after {from}: {part:?}"
            );
            assert!(
                part.iter().filter(|&&r| r < 0.5).count() > 8,
                "no rest after {from}: {part:?}"
            );
            assert!(
                part.iter().any(|&r| (2.0..20.0).contains(&r)),
                "nothing between: {part:?}"
            );
        }
    }
}

#[test]
fn every_trough_is_as_deep_as_a_spike_and_clear_of_the_noise() {
    let params = SyntheticParams {
        noise_uv: 0.0,
        ..params()
    };
    let generator = Generator::new(&params).unwrap();
    let samples = counts(&params, 0, 20_000);
    let mut found = 0;
    generator.each_trough(0, 20_000, |channel, frame| {
        let uv = f64::from(samples[frame as usize * 60 + channel]) * UV_PER_COUNT;
        assert!(
            (-76.0..=-44.0).contains(&uv),
            "channel {channel}, frame {frame}: {uv} uV"
        );
        found += 1;
    });
    assert!(found > 100, "{found} spikes in a second");
}

#[test]
fn the_number_format_is_the_one_asked_for_and_16_bits_saturate() {
    let of = |dtype| SyntheticParams {
        dtype,
        channels: 3,
        amplitude_uv: 5000.0,
        waveform: Waveform::Sine,
        ..params()
    };
    let narrow = bytes(&of(SampleFormat::I16), 0, 2000, 20);
    let narrow: Vec<i16> = narrow
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let wide = counts(&of(SampleFormat::I32), 0, 2000);
    for (n, w) in narrow.iter().zip(&wide) {
        assert_eq!(i32::from(*n), (*w).clamp(-32_768, 32_767));
    }
    assert!(narrow.contains(&i16::MAX) && narrow.contains(&i16::MIN));
    let generator = Generator::new(&of(SampleFormat::F32)).unwrap();
    assert_eq!(generator.stream_type().dtype, Dtype::F32);
}

#[test]
fn a_recording_of_limited_length_ends_with_a_partial_block() {
    let params = SyntheticParams {
        duration_s: Some(0.0025),
        channels: 1,
        ..params()
    };
    let mut generator = Generator::new(&params).unwrap();
    let mut payload = vec![0; 80];
    assert_eq!(generator.frames(), 50);
    let made: Vec<usize> = [0, 20, 40, 50]
        .iter()
        .map(|&f| generator.fill(f, 20, &mut payload))
        .collect();
    assert_eq!(made, [20, 20, 10, 0]);
}

#[test]
fn sixty_channels_carry_the_labels_of_a_60_electrode_array() {
    let described = Synthetic::describe(&params(), &[]).unwrap();
    let labels = &described.outputs[0].1.axes[1].labels;
    assert_eq!(
        (labels[0].as_str(), labels[14].as_str(), labels[59].as_str()),
        ("47", "Ref", "57")
    );
    let distinct: std::collections::BTreeSet<_> = labels.iter().collect();
    assert_eq!(distinct.len(), 60);
}

#[test]
fn parameters_out_of_range_are_named() {
    let cases = [
        (
            "channels",
            SyntheticParams {
                channels: 0,
                ..params()
            },
        ),
        (
            "channels",
            SyntheticParams {
                channels: 1025,
                ..params()
            },
        ),
        (
            "block_frames",
            SyntheticParams {
                block_frames: 0,
                ..params()
            },
        ),
        (
            "rate_hz",
            SyntheticParams {
                rate_hz: f64::NAN,
                ..params()
            },
        ),
        (
            "noise_uv",
            SyntheticParams {
                noise_uv: -1.0,
                ..params()
            },
        ),
        (
            "frequency_hz",
            SyntheticParams {
                frequency_hz: 10_001.0,
                ..params()
            },
        ),
        (
            "duration_s",
            SyntheticParams {
                duration_s: Some(0.0),
                ..params()
            },
        ),
    ];
    for (key, params) in cases {
        let error = Synthetic::describe(&params, &[]).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}
