//! Spectra and band powers, made by the stages on rings, against SciPy's `welch` on real recordings.

use crate::files::{array, counts, openbci_microvolts, shared};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::stage::{Next, Rig, Stage};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::spectrum::{Bandpower, Spectrum};
use serde_json::{Value, json};
use zerocopy::IntoBytes;

/// What a stage makes of a recording (`time x channel`) that comes in blocks of `block` frames.
fn rows<S: Stage>(params: Value, rate: u64, channels: usize, block: usize, x: &[f64]) -> Vec<f64> {
    let input = StreamType::frames(
        Dtype::F64,
        block as u32,
        channels as u32,
        Rate::hz(rate),
        "uV",
    );
    let mut rig = Rig::<S>::new(params, &[input]).unwrap();
    let mut rows = Vec::new();
    let mut first_frame = 0;
    for frames in x.chunks(block * channels) {
        let valid = (frames.len() / channels) as u64;
        let header = SlotHeader {
            first_frame,
            origin_first: first_frame,
            origin_frame: first_frame + valid - 1,
            valid: valid as u32,
            ..SlotHeader::default()
        };
        first_frame += valid;
        assert_eq!(rig.push(0, header, frames.as_bytes()), Next::Continue);
        for made in rig.take(0) {
            rows.extend(made.rows::<f64>());
        }
    }
    rows
}

/// Compares `ours` with an array of a reference file, each number relative to the sum of its group of `group`.
fn compare(name: &str, ours: &[f64], group: usize, within: f64) {
    let Some(path) = shared(&format!("reference/{name}.npy")) else {
        return;
    };
    let (_, theirs) = array::<f64>(&path);
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (number, (ours, theirs)) in ours.chunks(group).zip(theirs.chunks(group)).enumerate() {
        let total: f64 = theirs.iter().sum();
        for (o, t) in ours.iter().zip(theirs) {
            assert!(
                (o - t).abs() <= within * total,
                "{name}, group {number}: {o} against {t}, total {total}"
            );
        }
    }
}

/// The mean over the rows of `spectrum.fft`, compared with a whole recording's `welch` (half of each window shared).
fn mean_spectrum(name: &str, rate: u64, channels: usize, window: usize, block: usize, x: &[f64]) {
    let params = json!({
        "max_window_s": window as f64 / rate as f64,
        "max_rows_per_block": block.div_ceil(window / 2),
    });
    let made = rows::<Spectrum>(params, rate, channels, block, x);
    let width = channels * (window / 2 + 1);
    let count = made.len() / width;
    assert_eq!(count, (x.len() / channels - window) / (window / 2) + 1);
    let mut mean = vec![0.0; width];
    for row in made.chunks(width) {
        for (mean, density) in mean.iter_mut().zip(row) {
            *mean += density / count as f64;
        }
    }
    compare(name, &mean, window / 2 + 1, 1e-9);
}

/// The bands of the references.
fn eeg_bands() -> Value {
    json!([
        {"name": "delta", "low_hz": 1, "high_hz": 4},
        {"name": "theta", "low_hz": 4, "high_hz": 8},
        {"name": "alpha", "low_hz": 8, "high_hz": 13},
        {"name": "beta", "low_hz": 13, "high_hz": 30},
        {"name": "gamma", "low_hz": 30, "high_hz": 45},
    ])
}

fn closed_eyes() -> Option<Vec<f64>> {
    let text = std::fs::read_to_string(shared("eeg/biosppy_eeg_ec.txt")?).unwrap();
    let numbers = text.lines().filter(|line| !line.starts_with('#'));
    Some(numbers.map(|line| line.trim().parse().unwrap()).collect())
}

#[test]
fn eeg_of_eight_channels_has_scipy_s_spectrum_to_a_billionth() {
    if let Some(x) = openbci_microvolts(usize::MAX) {
        mean_spectrum("openbci_v6_psd", 250, 8, 500, 25, &x);
    }
}

#[test]
fn eeg_with_closed_eyes_has_scipy_s_spectrum_to_a_billionth() {
    if let Some(x) = closed_eyes() {
        mean_spectrum("biosppy_ec_psd", 125, 1, 250, 1000, &x);
    }
}

#[test]
fn the_organoid_has_scipy_s_spectrum_to_a_billionth() {
    let Some(path) = shared("mea_raw/finalspark_exp_240213_151732_dev.i16") else {
        return;
    };
    // The reference is of the first two seconds.
    let x: Vec<f64> = counts(&path)[..60_000 * 32]
        .iter()
        .map(|c| f64::from(*c) * 0.195)
        .collect();
    mean_spectrum("finalspark_dev_psd", 30_000, 32, 4096, 300, &x);
}

#[test]
fn the_locust_has_scipy_s_spectrum_to_a_billionth() {
    let Some(path) = shared("mea_raw/locust_trial_01.raw") else {
        return;
    };
    let x: Vec<f64> = counts(&path).iter().map(|c| f64::from(*c)).collect();
    mean_spectrum("locust_01_psd", 15_000, 4, 4096, 64, &x);
}

#[test]
fn sliding_band_powers_are_scipy_s_to_a_billionth_whatever_the_blocks() {
    let Some(x) = openbci_microvolts(usize::MAX) else {
        return;
    };
    // Two seconds every half second, of segments of one second.
    let params = json!({"bands": eeg_bands(), "max_window_s": 2.0, "step_s": 0.5, "segments": 3});
    let whole = rows::<Bandpower>(params.clone(), 250, 8, 250, &x);
    compare("openbci_v6_sliding2s_step0p5_bandpower", &whole, 5, 1e-9);
    for block in [1, 7, 33, 1000] {
        let made = rows::<Bandpower>(params.clone(), 250, 8, block, &x);
        assert!(
            made.iter()
                .map(|p| p.to_bits())
                .eq(whole.iter().map(|p| p.to_bits())),
            "blocks of {block}"
        );
    }
}

#[test]
fn with_closed_eyes_alpha_is_a_tenth_of_the_power_however_it_is_found() {
    let Some(x) = closed_eyes() else {
        return;
    };
    let bands = json!([
        {"name": "alpha", "low_hz": 8, "high_hz": 13},
        {"name": "all", "low_hz": 1, "high_hz": 45},
    ]);
    // The manifest of the recording says 10.4 % of 1 to 45 Hz.
    let params = json!({"bands": bands, "segments": 1, "step_s": 1.0});
    let made = rows::<Bandpower>(params, 125, 1, 25, &x);
    let sum = |of: usize| made.iter().skip(of).step_by(2).sum::<f64>();
    let part = sum(0) / sum(1);
    assert!((part - 0.104).abs() < 0.002, "{part}");
}
