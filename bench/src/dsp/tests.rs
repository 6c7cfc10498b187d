//! The kernels do the work they claim to do.

use super::detecting::Detecting;
use super::kernel::{Work, filtering};
use super::*;
use std::time::Duration;

const SEED: u64 = 7;

#[test]
fn every_kernel_runs_at_60_and_1024_channels_and_counts_its_blocks() {
    let rows: Vec<(&str, u32)> = kernels().iter().map(|k| (k.name, k.channels)).collect();
    for name in ["filter", "detector", "filter+detector", "fft", "readout"] {
        assert!(rows.contains(&(name, 60)) && rows.contains(&(name, 1024)));
    }
    assert_eq!(rows.len(), 10);
    for kernel in kernels() {
        let mut prepared = kernel.prepare(SEED).unwrap();
        let rounds = [(); 2].map(|()| run_round(&mut prepared, Duration::from_millis(5)));
        assert_eq!(rounds.len(), 2);
        for round in rounds {
            assert!(!round.block_ns.is_empty() && round.frames_per_s > 0.0);
            // The blocks' times are the round's time, but for the histogram's three digits.
            let blocks = round.block_ns.len() as f64;
            let seconds = blocks * prepared.block_frames() as f64 / round.frames_per_s;
            let counted = round.block_ns.mean() * blocks * 1e-9;
            assert!((counted / seconds - 1.0).abs() < 2e-3, "{kernel:?}");
        }
    }
}

#[test]
fn a_recording_holds_five_spikes_a_second_in_each_channel_and_is_its_seed_s() {
    let recording = recording::Recording::new(SEED, 60, 30_000);
    assert_eq!(recording.spikes.len(), 5 * 60);
    assert_eq!(
        recording.frames,
        recording::Recording::new(SEED, 60, 30_000).frames
    );
    assert_ne!(
        recording.frames,
        recording::Recording::new(8, 60, 30_000).frames
    );
}

#[test]
fn the_detector_finds_the_planted_spikes_and_no_others() {
    let mut filtering = filtering(SEED, 60).unwrap();
    let mut detecting = Detecting::new(&filtering.turn(), 60);
    filtering.rewind();
    let mut found = Vec::new();
    for _ in 0..filtering.blocks() {
        let spikes = detecting.block(filtering.next());
        found.extend(
            spikes
                .iter()
                .map(|s| (s.frame as usize, s.channel as usize)),
        );
    }
    let planted = &filtering.recording().spikes;
    assert!(planted.len() > 10);
    assert_eq!(found.len(), planted.len());
    for (start, channel) in planted {
        let of_it =
            |(frame, on): &(usize, usize)| on == channel && (*start..start + 12).contains(frame);
        assert!(found.iter().any(of_it), "{start}, {channel}");
    }
}

#[test]
fn both_kernels_with_a_detector_meet_as_many_spikes_as_are_planted_turn_after_turn() {
    let filtering = filtering(SEED, 60).unwrap();
    let (blocks, planted) = (filtering.blocks(), filtering.recording().spikes.len());
    for kernel in kernels() {
        let detects = matches!(kernel.work, Work::Detector | Work::FilterAndDetector);
        let mut prepared = kernel.prepare(SEED).unwrap();
        assert_eq!(prepared.spikes(), detects.then_some((0, 0)));
        if detects && kernel.channels == 60 {
            for turns in 1..=3 {
                (0..blocks).for_each(|_| prepared.run_block());
                assert_eq!(prepared.spikes(), Some(((turns * planted) as u64, 0)));
            }
        }
    }
}
