//! What a stage in Python sees of its streams, and what becomes of them.

use crate::launched::Wanted;
use ephapse_driven::interpreter;
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{
    Answer, DESCRIBE_ARGUMENT, Question, QuestionInput, StageError, Taken,
};
use ephapse_rtconfig::plan::{Pace, Read};
use ephapse_rtconfig::stream_type::{
    Axis, Dtype, Field, Kind, Rate, RecordLayout, StreamType, command_layout, event_layout,
    mark_layout, spike_layout,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

fn frames(dtype: Dtype, frames: u32, channels: u32) -> StreamType {
    StreamType::frames(dtype, frames, channels, Rate::hz(1000), "uV")
}

/// A stream of every kind, each with the numpy dtype and shape of a block of two frames.
fn every_kind() -> Vec<(StreamType, &'static str, Vec<u64>)> {
    let mut rank3 = frames(Dtype::F32, 4, 3);
    rank3.axes.push(Axis::new("frequency", 5));
    let mut bytes = StreamType::records(mark_layout(), 64);
    bytes.kind = Kind::Bytes;
    bytes.record = None;
    let own = RecordLayout {
        name: "beat".into(),
        bytes: 24,
        fields: vec![
            Field {
                name: "at".into(),
                dtype: Dtype::I64,
                count: 1,
                offset: 0,
                unit: "ns".into(),
            },
            Field {
                name: "shape".into(),
                dtype: Dtype::I16,
                count: 3,
                offset: 10,
                unit: String::new(),
            },
        ],
    };
    let records = |layout| StreamType::records(layout, 8);
    vec![
        (frames(Dtype::I16, 4, 3), "int16", vec![2, 3]),
        (frames(Dtype::U64, 4, 1), "uint64", vec![2, 1]),
        (frames(Dtype::F32, 4, 3), "float32", vec![2, 3]),
        (frames(Dtype::F64, 4, 60), "float64", vec![2, 60]),
        (rank3, "float32", vec![2, 3, 5]),
        (frames(Dtype::Bits, 4, 11), "uint8", vec![2, 2]),
        (
            records(spike_layout("uV")),
            "frame channel width amplitude",
            vec![2],
        ),
        (records(event_layout()), "time line code value", vec![2]),
        (
            records(command_layout()),
            "tick target code first_frame last_frame values age",
            vec![2],
        ),
        (records(mark_layout()), "time code length text", vec![2]),
        (records(own), "at shape", vec![2]),
        (bytes, "uint8", vec![2]),
    ]
}

/// Bytes that no other row has.
fn rows(stream_type: &StreamType, count: usize, seed: u8) -> Vec<u8> {
    (0..count * stream_type.row_bytes())
        .map(|i| (i as u8).wrapping_mul(7).wrapping_add(seed))
        .collect()
}

fn header(first_frame: u64, valid: u32) -> SlotHeader {
    SlotHeader {
        first_frame,
        origin_frame: first_frame + u64::from(valid) - 1,
        valid,
        sampled_ns: 1_000 + first_frame,
        ..SlotHeader::default()
    }
}

#[test]
fn every_kind_of_stream_is_a_view_onto_its_slot_read_only_on_the_input_side() {
    for (stream_type, dtype, shape) in every_kind() {
        let wanted = Wanted {
            inputs: vec![("in", stream_type.clone())],
            outputs: vec![("out", stream_type.clone())],
            ..Wanted::stage("looks.py")
        };
        let Some(mut stage) = wanted.start_piped() else {
            return;
        };
        for turn in 0..3 {
            stage.feed(0, header(10 * turn, 2), &rows(&stream_type, 2, turn as u8));
        }
        let taken: Vec<Taken> = (0..3).map(|_| stage.take(0).unwrap()).collect();
        let said = BufReader::new(stage.child().stdout.take().unwrap());
        let ended = stage.finish();
        assert_eq!(
            (ended.code, ended.state),
            (Some(0), "done"),
            "{}",
            ended.stderr
        );
        let said: Vec<Value> = said
            .lines()
            .map(|l| serde_json::from_str(&l.unwrap()).unwrap())
            .collect();
        assert_eq!(said.len(), 3);
        for (turn, (said, taken)) in said.iter().zip(&taken).enumerate() {
            let context = format!("{}: {said}", stream_type.summary());
            // The payload begins 128 bytes into the slot; slots lie on multiples of 128 behind the page-aligned regions.
            let stride =
                (128 + stream_type.block_bytes().next_multiple_of(64)).next_multiple_of(128);
            for side in ["in", "out"] {
                let at = stage.slots_at(side) + turn * stride + 128;
                assert_eq!(said[side][1], at, "{side} {context}");
            }
            assert_eq!(said["in"][0], "r--s", "{context}");
            assert_eq!(said["out"][0], "rw-s", "{context}");
            assert_eq!(said["refused"], true, "{context}");
            assert_eq!(said["writeable"], json!([false, true]), "{context}");
            assert_eq!(said["same"], true, "{context}");
            assert_eq!(said["shape"], json!(shape), "{context}");
            if stream_type.kind == Kind::Records {
                assert_eq!(
                    said["fields"],
                    json!(dtype.split(' ').collect::<Vec<_>>()),
                    "{context}"
                );
            } else {
                assert_eq!(said["dtype"], dtype, "{context}");
            }
            // Frames follow the pacing block; of records and bytes the whole block may be written.
            let room = if stream_type.kind == Kind::Frames {
                2
            } else {
                stream_type.frames_per_block()
            };
            assert_eq!(said["out_shape"][0], room, "{context}");
            assert_eq!(said["first_frame"], 10 * turn as u64, "{context}");
            assert_eq!(said["sampled_ns"], 1_000 + 10 * turn as u64, "{context}");
            assert_eq!(said["starts_over"], turn == 0, "{context}");
            assert_eq!(
                said["blocked"], true,
                "a thread may receive the pacing signal: {context}"
            );
            assert!(said["threads"].as_u64() >= Some(1), "{context}");
            assert_eq!(
                taken.payload,
                rows(&stream_type, 2, turn as u8),
                "{context}"
            );
        }
        if stream_type.kind == Kind::Frames {
            assert_eq!(said[0]["unit"], "uV");
            assert_eq!(
                said[0]["labels"].as_array().unwrap().len(),
                stream_type.channels()
            );
        }
    }
}

#[test]
fn pass_through_hands_on_rows_and_headers_bit_for_bit() {
    for (stream_type, ..) in every_kind() {
        let wanted = Wanted {
            inputs: vec![("in", stream_type.clone())],
            outputs: vec![("out", stream_type.clone())],
            ..Wanted::stage("pass_through.py")
        };
        let Some(mut stage) = wanted.start() else {
            return;
        };
        let mut at = 0;
        for turn in 0..20_u32 {
            let valid = 1 + turn % 4;
            let lost = u64::from(turn == 7) * 5;
            at += lost;
            let sent = SlotHeader {
                lost,
                flags: flag::SYNTHETIC | if lost > 0 { flag::GAP } else { 0 },
                user: u64::from(turn) << 40,
                ..header(at, valid)
            };
            let payload = rows(&stream_type, valid as usize, turn as u8);
            stage.feed(0, sent, &payload);
            let taken = stage.take(0).unwrap();
            let context = format!("{} turn {turn}", stream_type.summary());
            assert_eq!(taken.payload, payload, "{context}");
            assert_eq!(taken.header.valid, valid, "{context}");
            assert_eq!(taken.header.lost, lost, "{context}");
            assert_eq!(taken.header.flags, sent.flags, "{context}");
            assert_eq!(taken.header.user, sent.user, "{context}");
            assert_eq!(taken.header.sampled_ns, sent.sampled_ns, "{context}");
            if stream_type.kind == Kind::Frames {
                assert_eq!(taken.header.first_frame, at, "{context}");
            }
            at += u64::from(valid);
        }
        assert_eq!(stage.finish().code, Some(0));
    }
}

/// The arithmetic of the example, as its Rust and C forms have it.
fn channel_average(frames: &[f64], channels: usize, width: usize) -> Vec<f64> {
    let reach = width / 2;
    let mut mean = Vec::with_capacity(frames.len());
    for frame in frames.chunks(channels) {
        for channel in 0..channels {
            let first = channel.saturating_sub(reach);
            let last = (channel + reach).min(channels - 1);
            let mut sum = 0.0;
            for value in &frame[first..=last] {
                sum += value;
            }
            mean.push(sum / (last - first + 1) as f64);
        }
    }
    mean
}

#[test]
fn the_example_is_bit_for_bit_the_rust_arithmetic_as_a_class_and_as_a_loop() {
    let scripts = [
        "examples/channel_average/channel_average.py",
        "tests/stages/average_loop.py",
    ];
    for (script, channels) in scripts.iter().flat_map(|s| [60, 3, 1].map(|c| (s, c))) {
        for width in [1, 3, 4, 15] {
            if *script == scripts[1] && width != 3 {
                continue;
            }
            let stream_type = frames(Dtype::F64, 10, channels);
            let wanted = Wanted {
                params: json!({ "width": width }),
                ..Wanted::channel_average(script, &stream_type, stream_type.clone())
            };
            let Some(mut stage) = wanted.start() else {
                return;
            };
            let mut state = 1_u64;
            for turn in 0..30 {
                let valid = if turn == 11 { 4 } else { 10 };
                let values: Vec<f64> = (0..valid * channels)
                    .map(|_| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        (state >> 11) as f64 / 1e13 - 400.0
                    })
                    .collect();
                let payload: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                stage.feed(0, header(turn * 10, valid), &payload);
                let mean: Vec<u64> = stage.take(0).unwrap().rows::<u64>();
                let expected = channel_average(&values, channels as usize, width);
                let expected: Vec<u64> = expected.iter().map(|v| v.to_bits()).collect();
                assert_eq!(
                    mean, expected,
                    "{script}, {channels} channels, width {width}, turn {turn}"
                );
            }
            let ended = stage.finish();
            assert_eq!(
                (ended.code, ended.state),
                (Some(0), "done"),
                "{}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_source_counts_what_it_delivers_waits_when_it_has_nothing_and_ends_its_stream() {
    let raw = frames(Dtype::I32, 10, 2);
    let wanted = Wanted {
        params: json!({"blocks": 5}),
        outputs: vec![("raw", raw)],
        pace: Pace::None,
        ..Wanted::stage("source.py")
    };
    let Some(mut stage) = wanted.start() else {
        return;
    };
    let mut seen = Vec::new();
    while let Some(taken) = stage.take(0) {
        assert_eq!(taken.header.first_frame, 10 * seen.len() as u64);
        seen.push(taken.rows::<i32>());
    }
    assert_eq!(seen.len(), 5);
    let all: Vec<i32> = seen.concat();
    let expected: Vec<i32> = (0..49).flat_map(|frame| [frame, frame]).collect();
    assert_eq!(all, expected);
    let ended = stage.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let account = &stage.memory.bank().outputs[0];
    let load =
        |word: &ephapse_engine::sync::AtomicU64| word.load(ephapse_engine::sync::Ordering::Relaxed);
    assert_eq!(
        (
            load(&account.counted),
            load(&account.valid),
            load(&account.lost)
        ),
        (49, 49, 0)
    );
}

#[test]
fn state_several_blocks_a_port_several_blocks_a_call_and_what_is_held_at_the_end() {
    let stream_type = frames(Dtype::I16, 4, 1);
    let wanted = Wanted {
        inputs: vec![
            ("frames", stream_type.clone()),
            ("late", stream_type.clone()),
        ],
        outputs: vec![("spikes", StreamType::records(spike_layout("uV"), 8))],
        read: Read::All,
        state_bytes: 16,
        parts_per_call: 2,
        ..Wanted::stage("remembers.py")
    };
    let Some(mut stage) = wanted.start() else {
        return;
    };
    let payload = rows(&stream_type, 4, 0);
    for first_frame in [3, 6, 9] {
        stage.feed(1, header(first_frame, 4), &payload);
    }
    stage.feed(0, header(0, 4), &payload);
    let spikes = |taken: &Taken| -> Vec<(u64, u64, f64)> {
        let of = |row: &[u64; 3]| (row[0], row[1] & 0xffff_ffff, f64::from_bits(row[2]));
        taken.rows::<[u64; 3]>().iter().map(of).collect()
    };
    let (first, nothing) = (stage.take(0).unwrap(), stage.take(0).unwrap());
    assert_eq!(
        spikes(&first)
            .iter()
            .map(|s| (s.0, s.2))
            .collect::<Vec<_>>(),
        [(3, 104.0), (6, 104.0), (9, 104.0)]
    );
    assert_eq!(
        (first.header.user, first.header.part, first.header.parts),
        (1, 0, 2)
    );
    assert_eq!((nothing.header.valid, nothing.header.part), (0, 1));
    stage.feed(0, header(4, 3), &payload[..6]);
    assert_eq!(stage.take(0).unwrap().header.user, 2);
    stage.take(0).unwrap();
    // A gap is a new beginning: the state is reset before the block.
    stage.feed(
        0,
        SlotHeader {
            flags: flag::GAP,
            lost: 1,
            ..header(8, 4)
        },
        &payload,
    );
    stage.take(0).unwrap();
    stage.take(0).unwrap();
    let ended = stage.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(spikes(&stage.take(0).unwrap())[0].1, 77);
}

#[test]
fn other_threads_of_the_stage_run_while_it_waits() {
    let stream_type = frames(Dtype::U64, 1, 1);
    let wanted = Wanted {
        inputs: vec![("frames", stream_type.clone())],
        outputs: vec![("count", stream_type)],
        ..Wanted::stage("threaded.py")
    };
    let Some(mut stage) = wanted.start() else {
        return;
    };
    let (mut last, mut rises) = (0, 0);
    for turn in 0..3_000 {
        stage.feed(0, header(turn, 1), &[0; 8]);
        let count = stage.take(0).unwrap().rows::<u64>()[0];
        rises += u32::from(count > last);
        last = count;
        if rises == 10 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(rises, 10, "the thread got {last} turns");
    assert_eq!(stage.finish().code, Some(0));
}

#[test]
fn what_a_stage_describes_is_what_the_launcher_reads() {
    if interpreter::command().is_none() {
        return;
    }
    let asked = |params: Value, script: &str| {
        let question = Question {
            params,
            inputs: vec![QuestionInput {
                port: "in".into(),
                stream_type: every_kind()[10].0.clone(),
            }],
        };
        let mut command = interpreter::command().unwrap();
        let mut child = command
            .arg(Wanted::stage(script).script)
            .arg(DESCRIBE_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(serde_json::to_string(&question).unwrap().as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let said = asked(json!({}), "pass_through.py");
    let Ok(Answer::Described(described)) = serde_json::from_slice(&said.stdout) else {
        panic!("{said:?}");
    };
    assert_eq!(
        described.outputs,
        [("out".to_owned(), every_kind()[10].0.clone())]
    );
    assert_eq!((described.settle_frames, described.parts_per_call), (3, 1));
    let said = asked(json!({"refuse": true}), "pass_through.py");
    let Ok(Answer::Refused { error }) = serde_json::from_slice(&said.stdout) else {
        panic!("{said:?}");
    };
    assert_eq!(
        error,
        StageError::parameter("refuse", "is set; leave it out")
    );
    let said = asked(json!({}), "looks.py");
    assert_eq!(said.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("Looks has no `describe`"),
        "{said:?}"
    );
}

#[test]
fn started_by_hand_it_says_who_starts_it_and_exits_with_1() {
    let Some(mut command) = interpreter::command() else {
        return;
    };
    let said = command
        .arg(Wanted::stage("looks.py").script)
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert!(
        stderr.starts_with("Looks: EPHAPSE_STAGE is not set"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
