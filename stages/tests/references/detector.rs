//! The detector against crossings and noise that NumPy and SciPy found in real recordings.

use crate::files::{array, counts, mcs_microvolts, shared};
use ephapse_engine::records::Spike;
use ephapse_stages::detect::crossings::{Crossings, Polarity, SpikeBlock};
use ephapse_stages::detect::detector::{Detector, Noise};
use ephapse_stages::detect::noise::Schedule;
use ephapse_stages::filter::cascade::Cascade;
use ephapse_stages::filter::design::{Band, butterworth};
use std::ops::Range;
use zerocopy::IntoBytes;

/// A band-passed recording and what the reference says of it.
struct Recording {
    channels: usize,
    dead: u64,
    /// Window of the reference's sigma.
    window: Range<u64>,
    filtered: Vec<f64>,
    sigma: Vec<f64>,
    /// (sample, channel), in order.
    crossings: Vec<(u64, u32)>,
}

impl Recording {
    fn new(name: &str, channels: usize, rate_hz: f64, window: Range<u64>, mut x: Vec<f64>) -> Self {
        let sections = butterworth(Band::Pass, 2, 300.0, 3000.0, rate_hz).unwrap();
        let cascade = Cascade::new(sections, channels);
        let mut state = vec![0u64; cascade.state_bytes() / 8];
        cascade.run(state.as_mut_bytes(), &mut x);
        let of = |what: &str| shared(&format!("reference/{name}_{what}.npy")).unwrap();
        let (_, sigma) = array::<f64>(&of("sigma"));
        let (shape, table) = array::<i64>(&of("crossings_ch_sample_trough"));
        let mut crossings: Vec<(u64, u32)> = table
            .chunks(shape[1])
            .map(|row| (row[1] as u64, row[0] as u32))
            .collect();
        crossings.sort_unstable();
        Recording {
            channels,
            dead: (0.001 * rate_hz).round() as u64,
            window,
            filtered: x,
            sigma,
            crossings,
        }
    }

    /// What a detector finds in blocks of `block` frames, and its sigma in the end.
    fn detect(&self, noise: Noise, block: usize) -> (Vec<(u64, u32)>, Vec<f64>) {
        let rule = Crossings {
            polarity: Polarity::Negative,
            dead: self.dead,
        };
        let mut append = vec![0u64; Detector::append_bytes(&noise, self.channels) / 8];
        let mut state = vec![0u64; Detector::state_bytes(self.channels) / 8];
        let mut detector = Detector::new(5.0, rule, noise, self.channels);
        detector.reset(state.as_mut_bytes());
        let mut records = vec![Spike::default(); 4096];
        let mut found = Vec::new();
        for (number, frames) in self.filtered.chunks(block * self.channels).enumerate() {
            let mut spikes = SpikeBlock::new(&mut records);
            detector.run(
                (state.as_mut_bytes(), append.as_mut_bytes()),
                (number * block) as u64,
                0,
                frames,
                &mut spikes,
            );
            let n = spikes.found();
            assert_eq!(spikes.lost(), 0);
            found.extend(records[..n].iter().map(|s| (s.frame, s.channel)));
            for spike in &records[..n] {
                let at = spike.frame as usize * self.channels + spike.channel as usize;
                assert_eq!(spike.amplitude, self.filtered[at]);
            }
        }
        let sigma = detector.sigma(state.as_mut_bytes());
        (found, sigma.map(<[f64]>::to_vec).unwrap_or_default())
    }

    fn given_sigma_finds_exactly_the_reference(&self) {
        let (found, _) = self.detect(Noise::Given(self.sigma.clone()), 20);
        assert_eq!(found, self.crossings);
    }

    /// Calibrates over the reference's window; what is found begins when that is over.
    fn live_finds_the_reference_from_the_end_of_calibration_on(&self) {
        let schedule = Schedule {
            skip: self.window.start,
            window: self.window.end - self.window.start,
            running: false,
        };
        let (found, sigma) = self.detect(Noise::Measured(schedule), 20);
        self.sigma_equals(&sigma);
        let mut expected = self.crossings.clone();
        expected.retain(|(sample, _)| *sample >= schedule.first_estimate());
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
    }

    fn sigma_equals(&self, sigma: &[f64]) {
        assert_eq!(sigma.len(), self.channels);
        for (channel, (ours, theirs)) in sigma.iter().zip(&self.sigma).enumerate() {
            let off = (ours - theirs).abs() / theirs;
            assert!(off < 1e-12, "channel {channel}: {ours} against {theirs}");
        }
    }
}

fn organoid() -> Option<Recording> {
    let path = shared("mea_raw/finalspark_exp_240213_151732_dev.i16")?;
    let x = counts(&path)
        .iter()
        .map(|c| f64::from(*c) * 0.195)
        .collect();
    Some(Recording::new(
        "finalspark_dev",
        32,
        30_000.0,
        3000..63_000,
        x,
    ))
}

fn locust() -> Option<Recording> {
    let path = shared("mea_raw/locust_trial_01.raw")?;
    let x = counts(&path).iter().map(|c| f64::from(*c)).collect();
    Some(Recording::new("locust_01", 4, 15_000.0, 15_000..165_000, x))
}

/// In microvolts, as the filter stage gives them; the reference is in volts.
fn signal_generator() -> Option<Recording> {
    let (channels, x) = mcs_microvolts()?;
    let mut recording = Recording::new("mcs_w8", channels, 20_000.0, 60_000..158_024, x);
    for sigma in &mut recording.sigma {
        *sigma *= 1e6;
    }
    Some(recording)
}

#[test]
fn with_the_reference_s_sigma_every_crossing_of_the_organoid_is_found_and_none_added() {
    if let Some(recording) = organoid() {
        assert_eq!(recording.crossings.len(), 1957);
        recording.given_sigma_finds_exactly_the_reference();
    }
}

#[test]
fn with_the_reference_s_sigma_every_crossing_of_the_locust_is_found_and_none_added() {
    if let Some(recording) = locust() {
        assert_eq!(recording.crossings.len(), 1154);
        recording.given_sigma_finds_exactly_the_reference();
    }
}

#[test]
fn with_the_reference_s_sigma_every_crossing_of_the_mcs_file_is_found_and_none_added() {
    if let Some(recording) = signal_generator() {
        assert_eq!(recording.crossings.len(), 301);
        recording.given_sigma_finds_exactly_the_reference();
    }
}

#[test]
fn live_the_organoid_s_sigma_is_numpy_s_and_so_are_the_crossings_after_it() {
    if let Some(recording) = organoid() {
        recording.live_finds_the_reference_from_the_end_of_calibration_on();
    }
}

#[test]
fn live_the_locust_s_sigma_is_numpy_s_and_so_are_the_crossings_after_it() {
    if let Some(recording) = locust() {
        recording.live_finds_the_reference_from_the_end_of_calibration_on();
    }
}

#[test]
fn over_a_window_that_ends_with_the_mcs_file_sigma_is_numpy_s() {
    let Some(mut recording) = signal_generator() else {
        return;
    };
    let window = recording.window.end - recording.window.start;
    let schedule = Schedule {
        skip: recording.window.start,
        window,
        running: false,
    };
    // Rest after the end of the file, long enough for the median.
    let more = (schedule.spread() as usize + 1) * recording.channels;
    let length = recording.filtered.len() + more;
    recording.filtered.resize(length, 0.0);
    let (_, sigma) = recording.detect(Noise::Measured(schedule), 20);
    recording.sigma_equals(&sigma);
}
