//! `acquire.binary` against real recordings and the reference values beside them.

use crate::playing::{Played, numbers, open, play, reference, shared, sums};
use ephapse_drivers::acquire::binary::{Binary, sidecar_path};
use ephapse_rtconfig::stream_type::{Dtype, Rate};
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;
use zerocopy::FromBytes;

/// Compares first and last frames, sums and length with the reference.
fn agrees<T: FromBytes + Copy + Into<f64>>(file: &Path, played: &Played<T>) {
    let reference = reference(file);
    let channels = reference["channels"].as_u64().unwrap() as usize;
    let samples: Vec<f64> = played.samples.iter().map(|&s| s.into()).collect();
    assert_eq!(
        (samples.len() / channels) as u64,
        reference["samples"].as_u64().unwrap()
    );
    let frames: Vec<&[f64]> = samples.chunks_exact(channels).collect();
    for (i, expected) in reference["first4"].as_array().unwrap().iter().enumerate() {
        assert_eq!(frames[i], numbers(expected), "frame {i}");
    }
    for (i, expected) in reference["last2"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            frames[frames.len() - 2 + i],
            numbers(expected),
            "frame {i} from the end"
        );
    }
    for (sum, expected) in sums(&played.samples, channels)
        .iter()
        .zip(numbers(&reference["sum"]))
    {
        assert!(
            (sum - expected).abs() <= 1e-9 * expected.abs(),
            "{sum} is not {expected}"
        );
    }
}

#[test]
fn the_organoid_plays_sample_for_sample_from_a_format_string() {
    let Some(file) = shared("mea_raw/finalspark_exp_240213_151732_dev.i16") else {
        return;
    };
    let mut playback = open::<Binary>(
        json!({"path": file, "format": "i16le,32ch,30000Hz,0.195uV", "block_frames": 30}),
    );
    let stream_type = playback.stream_type().clone();
    assert_eq!(
        (stream_type.dtype, stream_type.channels()),
        (Dtype::I16, 32)
    );
    assert_eq!(stream_type.rate, Rate::hz(30_000));
    assert_eq!(
        (stream_type.scale_of(31), stream_type.si_unit.as_str()),
        (0.195e-6, "V")
    );
    let played = play::<i16>(&mut playback, usize::MAX);
    agrees(&file, &played);
    assert!(played.blocks.iter().all(|b| !b.gap && b.lost == 0));
}

#[test]
fn a_sidecar_says_the_same_as_a_format_string() {
    let Some(file) = shared("mea_raw/finalspark_exp_240213_151732_dev.i16") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("organoid.i16");
    std::os::unix::fs::symlink(std::fs::canonicalize(&file).unwrap(), &link).unwrap();
    let sidecar = json!({
        "dtype": "i16", "channels": 32, "rate_hz": "30000/1", "layout": "frame_major",
        "scale_to_si": 0.195e-6, "unit": "count", "byte_order": "little"
    });
    std::fs::write(sidecar_path(&link), sidecar.to_string()).unwrap();
    let mut beside = open::<Binary>(json!({"path": link}));
    let mut by_format = open::<Binary>(json!({"path": file, "format": "i16,32ch,30000Hz,0.195uV"}));
    assert_eq!(beside.stream_type(), by_format.stream_type());
    assert_eq!(
        play::<i16>(&mut beside, usize::MAX).samples,
        play::<i16>(&mut by_format, usize::MAX).samples
    );
}

#[test]
fn the_locust_tetrode_and_the_purkinje_cell_play_sample_for_sample() {
    if let Some(file) = shared("mea_raw/locust_trial_01.raw") {
        let mut playback = open::<Binary>(
            json!({"path": file, "format": "i16le,4ch,15000Hz", "block_frames": 15}),
        );
        assert_eq!(
            playback.stream_type().si_unit,
            "",
            "counts of unknown value have no SI unit"
        );
        agrees(&file, &play::<i16>(&mut playback, usize::MAX));
    }
    if let Some(file) = shared("mea_raw/purkinje_cell_attached.f32.raw") {
        let mut playback = open::<Binary>(
            json!({"path": file, "format": "f32le,1ch,15000Hz", "block_frames": 4096}),
        );
        agrees(&file, &play::<f32>(&mut playback, usize::MAX));
    }
}

/// Numbers 0, 1, 2... in a file of two channels.
fn counting_file(folder: &Path, frames: u16, big: bool) -> std::path::PathBuf {
    let path = folder.join("counting.raw");
    let bytes: Vec<u8> = (0..frames * 2)
        .flat_map(|n| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        })
        .collect();
    std::fs::write(&path, bytes).unwrap();
    path
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_and_places_do_not_depend_on_the_block_size(
        block_frames in 1u32..3000,
        frames in 1u16..5000,
        reverse: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = counting_file(folder.path(), frames, false);
        let mut playback = open::<Binary>(json!({
            "path": path, "format": "u16le,2ch,1000Hz", "block_frames": block_frames, "reverse": reverse
        }));
        let played = play::<u16>(&mut playback, usize::MAX);
        let expected: Vec<u16> = if reverse {
            (0..frames).rev().flat_map(|n| [2 * n, 2 * n + 1]).collect()
        } else {
            (0..frames * 2).collect()
        };
        prop_assert_eq!(&played.samples, &expected);
        let mut count = 0;
        for block in &played.blocks {
            prop_assert_eq!(block.first_frame, count);
            count += u64::from(block.valid);
        }
    }
}

#[test]
fn big_endian_numbers_are_turned_round() {
    let folder = tempfile::tempdir().unwrap();
    let path = counting_file(folder.path(), 3000, true);
    let mut playback = open::<Binary>(json!({"path": path, "format": "u16be,2ch,1000Hz"}));
    assert_eq!(
        play::<u16>(&mut playback, usize::MAX).samples,
        (0..6000).collect::<Vec<u16>>()
    );
}

#[test]
fn a_loop_starts_over_after_a_partial_block_and_the_seam_is_a_gap_of_no_lost_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = counting_file(folder.path(), 50, false);
    let mut playback = open::<Binary>(json!({
        "path": path, "format": "u16le,2ch,1000Hz", "block_frames": 20, "loop": true
    }));
    let played = play::<u16>(&mut playback, 7);
    let shape: Vec<_> = played
        .blocks
        .iter()
        .map(|b| (b.first_frame, b.valid, b.gap, b.lost, b.column))
        .collect();
    assert_eq!(
        shape,
        [
            (0, 20, false, 0, 0),
            (20, 20, false, 0, 20),
            (40, 10, false, 0, 40),
            (50, 20, true, 0, 0),
            (70, 20, false, 0, 20),
            (90, 10, false, 0, 40),
            (100, 20, true, 0, 0),
        ]
    );
    assert_eq!(played.samples[..100], played.samples[100..200]);
}

#[test]
fn a_cut_plays_only_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = counting_file(folder.path(), 5000, false);
    let mut playback = open::<Binary>(json!({
        "path": path, "format": "u16le,2ch,1000Hz", "start_s": 1.5, "duration_s": 0.05
    }));
    assert_eq!(
        play::<u16>(&mut playback, usize::MAX).samples,
        (3000..3100).collect::<Vec<u16>>()
    );
}

#[test]
fn zero_keeps_every_block_and_silences_every_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = counting_file(folder.path(), 55, false);
    let params = |zero: bool| json!({"path": path, "format": "u16le,2ch,1000Hz", "zero": zero});
    let loud = play::<u16>(&mut open::<Binary>(params(false)), usize::MAX);
    let silent = play::<u16>(&mut open::<Binary>(params(true)), usize::MAX);
    assert_eq!(loud.blocks, silent.blocks);
    assert!(silent.samples.iter().all(|&s| s == 0));
}

#[test]
fn a_full_ring_is_filled_no_further_than_its_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = counting_file(folder.path(), 50, false);
    let mut playback = open::<Binary>(json!({"path": path, "format": "u16le,2ch,1000Hz"}));
    let mut payload = vec![0; playback.stream_type().block_bytes()];
    let mut cursor = Default::default();
    let mut take = |room| {
        playback
            .fill(&mut cursor, &mut payload, room)
            .unwrap()
            .unwrap()
    };
    assert_eq!((take(7).valid, take(0).valid), (7, 0));
    assert_eq!(take(20).first_frame, 7);
}
