//! `acquire.capture`: a recorded stream plays as it was recorded.

use crate::made_capture::{FRAMES, LOST_BEFORE, MISSING, first_frame, made, meta, sample};
use crate::playing::{open, play, refusal};
use ephapse_drivers::acquire::capture::Captures;
use ephapse_drivers::acquire::mcs_h5::McsH5;
use ephapse_drivers::acquire::playback::Cursor;
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{AppendOptions, Appender, Entry, seal_why};
use ephapse_rtconfig::stream_type::Rate;
use serde_json::json;
use std::path::Path;
use zerocopy::IntoBytes;

/// Samples of `raw`, frame after frame.
fn recorded() -> Vec<i16> {
    let blocks = (0..100).filter(|block| !MISSING.contains(block));
    let frames = blocks.flat_map(|block| first_frame(block)..first_frame(block) + FRAMES);
    frames
        .flat_map(|f| (0..3).map(move |c| sample(f, c)))
        .collect()
}

#[test]
fn a_recorded_stream_plays_sample_for_sample_with_its_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cap");
    made(&path);
    for block_frames in [1, 7, 20, 5000] {
        let mut playback = open::<Captures>(json!({"path": path, "block_frames": block_frames}));
        assert_eq!(playback.stream_type().rate, Rate::hz(20_000));
        assert_eq!(playback.stream_type().axes[1].labels, ["A1", "A2", "B1"]);
        assert_eq!(playback.stream_type().scale_of(2), 0.195e-6);
        let played = play::<i16>(&mut playback, usize::MAX);
        assert_eq!(played.samples, recorded());
        let gaps: Vec<_> = played.blocks.iter().filter(|b| b.gap).collect();
        let gaps: Vec<_> = gaps.iter().map(|b| (b.first_frame, b.lost)).collect();
        let (before, lost) = LOST_BEFORE;
        assert_eq!(
            gaps,
            [(first_frame(before), lost), (first_frame(MISSING.end), 60)]
        );
    }
    let backwards = json!({"path": path, "stream": "raw", "reverse": true});
    let backwards = play::<i16>(&mut open::<Captures>(backwards), usize::MAX).samples;
    let expected: Vec<i16> = recorded().chunks(3).rev().flatten().copied().collect();
    assert_eq!(backwards, expected);
    let fast = json!({"path": path, "stream": "fast", "start_s": 0.05});
    let fast = play::<f32>(&mut open::<Captures>(fast), usize::MAX).samples;
    assert_eq!(fast.len(), 1500 * 2);
}

#[test]
fn what_cannot_be_played_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cap");
    made(&path);
    for (stream, why) in [
        ("ra", "did you mean `raw`?"),
        ("spikes", "carries spike records"),
    ] {
        let refused = refusal::<Captures>(json!({"path": path, "stream": stream}));
        assert!(refused.contains(why), "{refused}");
    }
    let refused = refusal::<Captures>(json!({"path": folder.path()}));
    assert!(refused.contains("is a directory"), "{refused}");

    let mut bytes = std::fs::read(&path).unwrap();
    let first: Vec<u8> = (0..3)
        .flat_map(|c| sample(first_frame(60), c).to_le_bytes())
        .collect();
    let at = bytes.windows(6).position(|w| w == first).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut playback = open::<Captures>(json!({"path": path}));
    let mut payload = vec![0; playback.stream_type().block_bytes()];
    let mut cursor = Cursor::default();
    let refused = loop {
        match playback.fill(&mut cursor, &mut payload, 20) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a damaged block was played"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(
        refused.contains("1 from 60") && refused.contains("ephapse recover"),
        "{refused}"
    );
}

/// Records every block of an MCS recording, as a recorder would, a few blocks to a record.
fn record(from: &Path, to: &Path) {
    let mut playback = open::<McsH5>(json!({"path": from, "block_frames": 37}));
    let mut meta = meta();
    meta.plan.streams[0].stream_type = playback.stream_type().clone();
    let row_bytes = playback.stream_type().row_bytes();
    let options = AppendOptions {
        roll_bytes: Some(1 << 20),
        ..AppendOptions::default()
    };
    let mut appender = Appender::create(to, &meta, options).unwrap();
    let mut payload = vec![0; playback.stream_type().block_bytes()];
    let (mut cursor, mut position) = (Cursor::default(), 0);
    let (mut body, mut count) = (Vec::new(), 0);
    loop {
        let filled = playback.fill(&mut cursor, &mut payload, 37).unwrap();
        if let Some(filled) = filled {
            let mut header = SlotHeader {
                position,
                first_frame: filled.first_frame,
                valid: filled.valid,
                ..SlotHeader::default()
            };
            filled.describe_in(&mut header);
            body.extend(header.as_bytes());
            body.extend(&payload[..filled.valid as usize * row_bytes]);
            body.resize(body.len().next_multiple_of(8), 0);
            position += 1;
            count += 1;
        }
        if count == 3 || (filled.is_none() && count > 0) {
            let entry = Entry {
                count,
                position: position - u64::from(count),
                ..Entry::note(kind::BLOCKS)
            };
            appender.append(entry, &[&body]).unwrap();
            body.clear();
            count = 0;
        }
        if filled.is_none() {
            break;
        }
    }
    appender.seal(seal_why::CLOSED).unwrap();
}

#[test]
fn an_mcs_recording_through_a_capture_and_back_is_the_same_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.h5");
    let stream = crate::mcs_file::Stream {
        pieces: vec![[0, 0, 299], [40_000, 300, 799], [65_000, 800, 999]],
        ad_zero: 7,
        ..Default::default()
    };
    drop(crate::mcs_file::McsFile::new(&path).stream(0, stream));
    let mut files = vec![path];
    files.extend(crate::playing::shared(crate::mcs_h5::W8));
    for file in files {
        let folder = tempfile::tempdir().unwrap();
        let (capture, out) = (folder.path().join("run.cap"), folder.path().join("out.h5"));
        record(&file, &capture);
        let asked = |path: &Path| json!({"path": path, "block_frames": 50});
        let mut original = open::<McsH5>(asked(&file));
        let mut captured = open::<Captures>(asked(&capture));
        assert_eq!(original.stream_type(), captured.stream_type());
        crate::exports::to_mcs(&mut captured, &out);
        let mut exported = open::<McsH5>(asked(&out));
        assert_eq!(original.stream_type(), exported.stream_type());
        let played = play::<i32>(&mut original, usize::MAX);
        assert!(played.samples.len() > 1000);
        // A file counts columns from its first; the capture, whose first block is the first, as well.
        assert_eq!(played, play(&mut captured, usize::MAX));
        assert_eq!(played, play(&mut exported, usize::MAX));
    }
}
