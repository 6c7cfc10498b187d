//! The filters against SciPy's results on real recordings.

use crate::files::{array, column, counts, mcs_microvolts, openbci_microvolts, shared};
use ephapse_stages::filter::cascade::Cascade;
use ephapse_stages::filter::design::{Band, butterworth, from_rows};
use std::path::Path;
use zerocopy::IntoBytes;

/// Filters `time x channel` in blocks of 37 frames, state carried.
fn filter(
    band: Band,
    edges: (f64, f64),
    rate_hz: f64,
    channels: usize,
    mut x: Vec<f64>,
) -> Vec<f64> {
    let sections = butterworth(band, 2, edges.0, edges.1, rate_hz).unwrap();
    let cascade = Cascade::new(sections, channels);
    let mut state = vec![0u64; cascade.state_bytes() / 8];
    for block in x.chunks_mut(37 * channels) {
        cascade.run(state.as_mut_bytes(), block);
    }
    x
}

/// Largest difference between `ours` and row `row` of a reference file, and the reference's RMS.
fn difference(path: &Path, row: usize, ours: &[f64]) -> (f64, f64) {
    let (shape, all) = array::<f64>(path);
    let reference = &all[row * shape[1]..][..shape[1]];
    let worst = reference
        .iter()
        .zip(ours)
        .map(|(r, o)| (r - o).abs())
        .fold(0.0, f64::max);
    assert!(ours.len() >= shape[1]);
    let rms = (reference.iter().map(|r| r * r).sum::<f64>() / shape[1] as f64).sqrt();
    (worst, rms)
}

#[test]
fn designs_equal_scipy_s_coefficients() {
    let designs = [
        (
            "bandpass_300_3000_fs15000",
            Band::Pass,
            300.0,
            3000.0,
            15_000.0,
        ),
        (
            "bandpass_300_3000_fs20000",
            Band::Pass,
            300.0,
            3000.0,
            20_000.0,
        ),
        (
            "bandpass_300_3000_fs30000",
            Band::Pass,
            300.0,
            3000.0,
            30_000.0,
        ),
        ("bandstop_50_fs250", Band::Stop, 48.0, 52.0, 250.0),
        ("bandstop_50_fs30000", Band::Stop, 48.0, 52.0, 30_000.0),
        ("bandstop_60_fs250", Band::Stop, 58.0, 62.0, 250.0),
        ("bandstop_60_fs30000", Band::Stop, 58.0, 62.0, 30_000.0),
    ];
    for (name, band, low, high, rate) in designs {
        let Some(path) = shared(&format!("reference/sos_{name}.npy")) else {
            return;
        };
        let (shape, numbers) = array::<f64>(&path);
        assert_eq!(shape, [2, 6]);
        let rows: Vec<Vec<f64>> = numbers.chunks(6).map(<[f64]>::to_vec).collect();
        let theirs = from_rows(&rows).unwrap();
        for (ours, theirs) in butterworth(band, 2, low, high, rate)
            .unwrap()
            .iter()
            .zip(&theirs)
        {
            let pairs = ours
                .b
                .iter()
                .chain(&ours.a)
                .zip(theirs.b.iter().chain(&theirs.a));
            for (o, t) in pairs {
                assert!((o - t).abs() < 1e-12, "{name}: {o} against {t}");
            }
        }
    }
}

#[test]
fn organoid_band_passed_and_freed_of_hum_agrees_to_a_billionth_of_a_microvolt() {
    let Some(path) = shared("mea_raw/finalspark_exp_240213_151732_dev.i16") else {
        return;
    };
    let microvolts: Vec<f64> = counts(&path)
        .iter()
        .map(|c| f64::from(*c) * 0.195)
        .collect();
    let y = filter(
        Band::Pass,
        (300.0, 3000.0),
        30_000.0,
        32,
        microvolts.clone(),
    );
    let reference = shared("reference/finalspark_dev_bandpass_uV.npy").unwrap();
    for (row, channel) in [0, 8, 17, 21, 24, 31].into_iter().enumerate() {
        let (worst, _) = difference(&reference, row, &column(&y, 32, channel));
        assert!(worst < 1e-9, "channel {channel}: {worst} uV");
    }
    let first = microvolts[..60_000 * 32].to_vec();
    for hz in [50.0, 60.0] {
        let y = filter(
            Band::Stop,
            (hz - 2.0, hz + 2.0),
            30_000.0,
            32,
            first.clone(),
        );
        let name = format!("reference/finalspark_dev_bandstop{hz}_uV_first60000.npy");
        let reference = shared(&name).unwrap();
        for (row, channel) in [0, 8].into_iter().enumerate() {
            let (worst, _) = difference(&reference, row, &column(&y, 32, channel));
            assert!(worst < 1e-9, "{hz} Hz, channel {channel}: {worst} uV");
        }
    }
}

#[test]
fn locust_in_counts_agrees_to_a_billionth_of_its_rms() {
    let Some(path) = shared("mea_raw/locust_trial_01.raw") else {
        return;
    };
    let x = counts(&path)[..60_000 * 4]
        .iter()
        .map(|c| f64::from(*c))
        .collect();
    let y = filter(Band::Pass, (300.0, 3000.0), 15_000.0, 4, x);
    let reference = shared("reference/locust_01_bandpass_first60000.npy").unwrap();
    for channel in 0..4 {
        let (worst, rms) = difference(&reference, channel, &column(&y, 4, channel));
        assert!(worst < 1e-9 * rms, "channel {channel}: {worst} of {rms}");
    }
}

#[test]
fn volts_in_microvolts_agree_to_a_billionth_of_their_rms() {
    let Some((channels, microvolts)) = mcs_microvolts() else {
        return;
    };
    let y = filter(Band::Pass, (300.0, 3000.0), 20_000.0, channels, microvolts);
    let reference = shared("reference/mcs_w8_bandpass_V_100000_120000.npy").unwrap();
    for channel in 0..channels {
        let ours = column(&y[100_000 * channels..], channels, channel);
        let volts: Vec<f64> = ours.iter().map(|uv| uv * 1e-6).collect();
        let (worst, rms) = difference(&reference, channel, &volts);
        assert!(worst < 1e-9 * rms, "channel {channel}: {worst} of {rms}");
    }
}

#[test]
fn eeg_freed_of_hum_agrees_to_a_billionth_of_a_microvolt() {
    let Some(x) = openbci_microvolts(10_000) else {
        return;
    };
    for hz in [50.0, 60.0] {
        let y = filter(Band::Stop, (hz - 2.0, hz + 2.0), 250.0, 8, x.clone());
        let reference = shared(&format!("reference/openbci_v6_bandstop{hz}_uV.npy")).unwrap();
        for channel in 0..8 {
            let (worst, rms) = difference(&reference, channel, &column(&y, 8, channel));
            assert!(worst < 1e-9, "{hz} Hz, channel {channel}: {worst} of {rms}");
        }
    }
}
