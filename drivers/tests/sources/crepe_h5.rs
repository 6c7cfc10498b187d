//! `acquire.crepe_h5`.

use crate::playing::{open, play, refusal};
use ephapse_drivers::acquire::crepe_h5::CrepeH5;
use ephapse_rtconfig::stream_type::{Dtype, Rate};
use serde_json::json;
use std::path::Path;

/// 60 x 250 counts, row after row; the last 50 columns fill half a chunk.
fn recording(path: &Path, bitrate_at_root: Option<bool>) {
    let file = hdf5::File::create(path).unwrap();
    let data = file
        .new_dataset::<i32>()
        .chunk((60, 100))
        .shape((60, 250))
        .create("data")
        .unwrap();
    for row in 0..60 {
        let samples: Vec<i32> = (0..250).map(|c| row * 1000 + c).collect();
        data.write_slice(&samples, (row as usize, ..)).unwrap();
    }
    match bitrate_at_root {
        Some(true) => file
            .new_attr::<i64>()
            .create("Bitrate")
            .unwrap()
            .write_scalar(&10_000)
            .unwrap(),
        Some(false) => data
            .new_attr::<i32>()
            .create("Bitrate")
            .unwrap()
            .write_scalar(&10_000)
            .unwrap(),
        None => {}
    }
}

#[test]
fn plays_all_rows_and_all_columns_as_counts_without_a_scale() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording0.hdf5");
    for at_root in [false, true] {
        recording(&path, Some(at_root));
        let mut playback = open::<CrepeH5>(json!({"path": path}));
        let stream_type = playback.stream_type().clone();
        assert_eq!(
            (stream_type.dtype, stream_type.channels()),
            (Dtype::I32, 60)
        );
        assert_eq!(
            (stream_type.rate, stream_type.unit.as_str()),
            (Rate::hz(10_000), "count")
        );
        assert_eq!(
            (stream_type.si_unit.as_str(), stream_type.scale.len()),
            ("", 0)
        );
        let played = play::<i32>(&mut playback, usize::MAX);
        assert_eq!(played.samples.len(), 60 * 250);
        for (column, frame) in played.samples.chunks_exact(60).enumerate() {
            assert!(
                frame
                    .iter()
                    .enumerate()
                    .all(|(row, &s)| s == (row * 1000 + column) as i32)
            );
        }
    }
}

#[test]
fn a_recording_without_its_rate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording0.hdf5");
    recording(&path, None);
    assert!(refusal::<CrepeH5>(json!({"path": path})).contains("`Bitrate`"));
}
