//! `acquire.mcs_h5` against a real recording, and against files with the oddities that real ones have.

use crate::mcs_file::{McsFile, Stream};
use crate::playing::{numbers, open, play, reference, refusal, shared, sums};
use ephapse_drivers::acquire::mcs_h5::{McsH5, McsH5Reader, McsH5Source};
use ephapse_engine::stage::{HelperDirection, Stage};
use ephapse_rtconfig::stream_type::{Dtype, Rate};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The real recording.
pub const W8: &str = "mcs_h5/2014-02-27T08-30-03W8SpikeCutoutsAndTimestampsAndRawData.h5";

#[test]
fn the_w8_recording_is_described_as_its_file_says() {
    let Some(file) = shared(W8) else { return };
    let stream = &reference(&file)["streams"]["Stream_0"];
    let playback = open::<McsH5>(json!({"path": file}));
    let stream_type = playback.stream_type();
    assert_eq!(stream_type.dtype, Dtype::I32);
    assert_eq!(stream_type.rate, Rate::hz(20_000));
    assert_eq!(
        (stream_type.unit.as_str(), stream_type.si_unit.as_str()),
        ("count", "V")
    );
    let labels: Vec<&str> = stream["channel_label"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    assert_eq!(stream_type.axes[1].labels, labels);
    for (channel, gain) in numbers(&stream["spikeinterface"]["gains_uV"])
        .iter()
        .enumerate()
    {
        assert!((stream_type.scale_of(channel) * 1e6 / gain - 1.0).abs() < 1e-14);
        assert_eq!(stream_type.offset_of(channel), 0.0);
    }
    assert_eq!(playback.frames(), stream["shape"][1].as_u64().unwrap());
}

#[test]
fn the_w8_recording_plays_sample_for_sample() {
    let Some(file) = shared(W8) else { return };
    let stream = &reference(&file)["streams"]["Stream_0"];
    let mut playback =
        open::<McsH5>(json!({"path": file, "stream": "Electrode", "block_frames": 37}));
    let stream_type = playback.stream_type().clone();
    let played = play::<i32>(&mut playback, usize::MAX);
    let samples = &played.samples;
    assert_eq!(sums(samples, 8), numbers(&stream["raw_sum"]));
    for channel in 0..8 {
        let of = |frame: usize| f64::from(samples[frame * 8 + channel]);
        let first: Vec<f64> = (0..16).map(of).collect();
        assert_eq!(first, numbers(&stream["raw_first16"][channel]));
        let frames = samples.len() / 8;
        let last: Vec<f64> = (frames - 4..frames).map(of).collect();
        assert_eq!(last, numbers(&stream["raw_last4"][channel]));
        let volts = |frame: usize| of(frame) * stream_type.scale_of(channel);
        let sum: f64 = (0..frames).map(volts).sum();
        let expected = stream["scaled_sum"][channel].as_f64().unwrap();
        assert!(
            (sum / expected - 1.0).abs() < 1e-9,
            "channel {channel}: {sum} V is not {expected}"
        );
    }
}

#[test]
fn the_w8_recording_backwards_is_the_same_frames_in_the_other_order() {
    let Some(file) = shared(W8) else { return };
    let of = |reverse: bool| {
        let params = json!({"path": file, "reverse": reverse, "start_s": 2.0, "duration_s": 1.0});
        play::<i32>(&mut open::<McsH5>(params), usize::MAX).samples
    };
    let (forward, backward) = (of(false), of(true));
    let turned: Vec<i32> = backward.chunks_exact(8).rev().flatten().copied().collect();
    assert_eq!(forward.len(), 8 * 20_000);
    assert_eq!(forward, turned);
}

fn one(folder: &Path, stream: Stream) -> PathBuf {
    let path = folder.join("one.h5");
    McsFile::new(&path).stream(0, stream);
    path
}

#[test]
fn channels_come_in_the_order_of_the_table_from_the_rows_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(
        folder.path(),
        Stream {
            rows: Some(vec![2, 0, 1]),
            ..Stream::default()
        },
    );
    let played = play::<i32>(&mut open::<McsH5>(json!({"path": path})), usize::MAX);
    for (column, frame) in played.samples.chunks_exact(3).enumerate() {
        assert_eq!(frame, [2, 0, 1].map(|row| Stream::stored(row, column)));
    }
    assert_eq!(played.samples.len(), 3000);
}

#[test]
fn columns_are_found_by_name_whatever_their_order_type_and_company() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(
        folder.path(),
        Stream {
            odd_columns: true,
            ..Stream::default()
        },
    );
    let stream_type = open::<McsH5>(json!({"path": path})).stream_type().clone();
    assert_eq!(stream_type.axes[1].labels, ["E0", "E1", "E2"]);
    assert_eq!(stream_type.scale, [5.9605e-8; 3]);
    assert_eq!(stream_type.rate, Rate::hz(20_000));
}

#[test]
fn a_stored_zero_that_is_not_zero_volts_becomes_the_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(
        folder.path(),
        Stream {
            ad_zero: 32_768,
            ..Stream::default()
        },
    );
    let stream_type = open::<McsH5>(json!({"path": path})).stream_type().clone();
    assert_eq!(stream_type.offset_of(0), -32_768.0 * 5.9605e-8);
    assert_eq!(
        stream_type.axes[1].labels,
        ["E0", "11", "E2"],
        "a channel without label has its id"
    );
}

#[test]
fn a_prefix_of_the_unit_is_part_of_the_scale() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(
        folder.path(),
        Stream {
            unit: "mV",
            ..Stream::default()
        },
    );
    let stream_type = open::<McsH5>(json!({"path": path})).stream_type().clone();
    assert_eq!(
        (stream_type.scale_of(0), stream_type.si_unit.as_str()),
        (5.9605e-11, "V")
    );
}

#[test]
fn a_digital_stream_is_bare_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream {
        unit: "NoUnit",
        conversion_factor: 0,
        ..Stream::default()
    };
    let path = one(folder.path(), stream);
    let stream_type = open::<McsH5>(json!({"path": path})).stream_type().clone();
    assert_eq!(
        (stream_type.si_unit.as_str(), stream_type.scale.len()),
        ("", 0)
    );
}

#[test]
fn pieces_of_the_file_are_separated_by_gaps_that_count_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    // 50 us a sample: 5 ms in the first piece, then 2 ms missing, then a clock that only stood still.
    let pieces = vec![[10_000, 0, 99], [17_000, 100, 149], [19_500, 150, 999]];
    let path = one(
        folder.path(),
        Stream {
            pieces,
            ..Stream::default()
        },
    );
    let mut playback = open::<McsH5>(json!({"path": path, "block_frames": 60, "loop": true}));
    let played = play::<i32>(&mut playback, 20);
    let at = |i: usize| {
        let b = played.blocks[i];
        (b.first_frame, b.valid, b.gap, b.lost, b.column)
    };
    assert_eq!(at(0), (0, 60, false, 0, 0));
    assert_eq!(at(1), (60, 40, false, 0, 60));
    assert_eq!(at(2), (140, 50, true, 40, 100));
    assert_eq!(at(3), (190, 60, true, 0, 150));
    let seam = played
        .blocks
        .iter()
        .skip(1)
        .find(|b| b.column == 0)
        .unwrap();
    assert_eq!((seam.gap, seam.lost, seam.first_frame), (true, 0, 1040));
}

#[test]
fn two_streams_of_different_start_cut_at_the_same_time_begin_at_the_same_instant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.h5");
    McsFile::new(&path)
        .stream(
            0,
            Stream {
                pieces: vec![[0, 0, 999]],
                label: "early",
                ..Stream::default()
            },
        )
        .stream(
            1,
            Stream {
                pieces: vec![[10_000, 0, 999]],
                label: "late",
                ..Stream::default()
            },
        );
    let first = |stream: &str| {
        let params = json!({"path": path, "stream": stream, "start_s": 0.02});
        play::<i32>(&mut open::<McsH5>(params), 1).blocks[0].column
    };
    assert_eq!((first("early"), first("late")), (400, 200));
}

fn several(folder: &Path) -> PathBuf {
    let path = folder.join("several.h5");
    let stream = |label, sub_type, samples| Stream {
        label,
        sub_type,
        samples,
        ..Stream::default()
    };
    McsFile::new(&path)
        .stream(0, stream("Filter (1) Filter Data1", "Electrode", 990))
        .stream(1, stream("Electrode Raw Data1", "Electrode", 1000))
        .stream(2, stream("Digital Data1", "Digital", 1010))
        .stream(10, stream("Auxiliary Data1", "Auxiliary", 1020));
    path
}

#[test]
fn the_raw_electrode_stream_is_played_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = several(folder.path());
    assert_eq!(open::<McsH5>(json!({"path": path})).frames(), 1000);
}

#[test]
fn a_stream_is_chosen_by_label_data_type_group_or_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = several(folder.path());
    for (stream, frames) in [
        ("Filter (1) Filter Data1", 990),
        ("electrode raw data", 1000),
        ("Digital", 1010),
        ("Stream_10", 1020),
        ("Recording_0/Stream_0", 990),
        ("3", 1020),
    ] {
        let playback = open::<McsH5>(json!({"path": path, "stream": stream}));
        assert_eq!(playback.frames(), frames, "{stream}");
    }
}

#[test]
fn a_stream_that_is_not_there_or_not_clear_gets_the_list_of_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = several(folder.path());
    for (stream, why) in [
        ("Spikes", "none has"),
        ("Electrode", "several fit"),
        ("7", "no stream has"),
    ] {
        let error = refusal::<McsH5>(json!({"path": path, "stream": stream}));
        assert!(error.contains(why), "{error}");
        assert!(
            error.contains("1: Recording_0/Stream_1 \"Electrode Raw Data1\" (Electrode)"),
            "{error}"
        );
    }
}

#[test]
fn the_pacer_asks_for_a_reader_that_makes_the_blocks_it_passes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = one(folder.path(), Stream::default());
    let params = || serde_json::from_value(json!({"path": path, "block_frames": 25})).unwrap();
    let pacer = McsH5Source::describe(&params(), &[]).unwrap();
    let helper = &pacer.helpers[0];
    assert_eq!(
        (helper.kind.as_str(), helper.port.as_str()),
        (McsH5Reader::KIND, "feed")
    );
    assert_eq!(helper.direction, HelperDirection::Feeds);
    assert_eq!(helper.stream_type, pacer.outputs[0].1);
    let reader = McsH5Reader::describe(&params(), &[]).unwrap();
    assert_eq!(reader.outputs[0].1, helper.stream_type);
    McsH5Reader::prepare(params(), &[], &reader).unwrap();
}
