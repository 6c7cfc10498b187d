//! Stages in C between rings, as the launcher runs them.

use crate::channel_average::ChannelAverage;
use crate::session::{Outcome, Wanted, run};
use ephapse_driven::compiled::{Compiled, How, compiled};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{Answer, DESCRIBE_ARGUMENT, Question, QuestionInput, Rig, StageError};
use ephapse_rtconfig::stream_type::{
    Axis, Dtype, Field, Kind, Rate, RecordLayout, StreamType, spike_layout,
};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

const EXAMPLE: &str = "examples/channel_average/channel_average.c";

fn frames(dtype: Dtype, frames: u32, channels: u32) -> StreamType {
    StreamType::frames(dtype, frames, channels, Rate::hz(1000), "uV")
}

/// Headers as a source with blocks of these lengths makes them.
fn headers(lengths: impl Iterator<Item = u32>) -> Vec<SlotHeader> {
    let mut first_frame = 0;
    let header = |valid: u32| {
        let header = SlotHeader {
            first_frame,
            origin_first: first_frame,
            origin_frame: first_frame + u64::from(valid),
            valid,
            sampled_ns: 1 + first_frame * 1_000_000,
            user: first_frame ^ 0xabc,
            ..SlotHeader::default()
        };
        first_frame += u64::from(valid);
        header
    };
    lengths.map(header).collect()
}

/// Bytes that look like nothing in particular.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// Numbers of very different sizes: sums of them show the order in which they were made.
fn numbers(count: usize, seed: u64) -> Vec<u8> {
    let bytes = noise(count * 4, seed);
    let number = |b: &[u8; 4]| {
        let mantissa = f64::from(i16::from_le_bytes([b[0], b[1]])) + f64::from(b[2]) / 7.0;
        mantissa * 10_f64.powi(i32::from(b[3] % 24) - 12)
    };
    let all = bytes.as_chunks::<4>().0.iter().map(number);
    all.flat_map(f64::to_le_bytes).collect()
}

fn averaged(program: &Compiled, params: Value, stream_type: &StreamType) -> Wanted<'static> {
    Wanted {
        program: Box::leak(program.program.clone().into_boxed_path()),
        params,
        input: ("frames", stream_type.clone()),
        beside: &[],
        expects: None,
        output: ("mean", stream_type.clone()),
        state_bytes: 0,
    }
}

fn refused(outcome: &Outcome, why: &str) {
    assert_eq!(outcome.ended.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.ended.state, "failed", "{outcome:?}");
    assert!(outcome.ended.reason.contains(why), "{outcome:?}");
    assert!(!outcome.ended.reason.contains('\n'), "{outcome:?}");
    // What the launcher finds in the segment is what a person sees.
    assert!(
        outcome.ended.stderr.contains(&outcome.ended.reason),
        "{outcome:?}"
    );
    assert!(outcome.blocks.is_empty(), "{outcome:?}");
}

#[test]
fn the_stage_in_c_makes_the_same_bits_as_the_one_in_rust() {
    let Some(program) = compiled(EXAMPLE, How::Static) else {
        return;
    };
    // One channel, more and fewer channels than the width, blocks that are not full and one that is empty.
    for (channels, width) in [(1, 3), (7, 3), (60, 5), (4, 15), (9, 1)] {
        let stream_type = frames(Dtype::F64, 10, channels);
        let params = json!({ "width": width });
        let lengths = (0..30).map(|n| [10, 10, 3, 10, 0][n % 5]);
        let blocks: Vec<_> = headers(lengths)
            .into_iter()
            .enumerate()
            .map(|(n, mut header)| {
                if n == 12 {
                    header.flags = flag::GAP;
                    header.lost = 5;
                }
                let count = header.valid as usize * channels as usize;
                (header, numbers(count, n as u64))
            })
            .collect();
        let mut rig =
            Rig::<ChannelAverage>::new(params.clone(), std::slice::from_ref(&stream_type)).unwrap();
        for (header, payload) in &blocks {
            rig.push(0, *header, payload);
        }
        let rust = rig.take(0);
        let c = run(&averaged(&program, params, &stream_type), &blocks);
        assert_eq!((c.ended.code, c.ended.state), (Some(0), "done"), "{c:?}");
        assert_eq!(c.blocks.len(), rust.len());
        for (c, rust) in c.blocks.iter().zip(&rust) {
            assert_eq!(
                c.payload, rust.payload,
                "{channels} channels, width {width}"
            );
            // The rig runs in logical time.
            let at_no_time = |header: SlotHeader| SlotHeader {
                tick: 0,
                committed_ns: 0,
                ..header
            };
            assert_eq!(at_no_time(c.header), at_no_time(rust.header));
        }
    }
}

#[test]
fn a_type_that_the_stage_cannot_use_is_refused_by_the_name_of_its_port() {
    let Some(program) = compiled(EXAMPLE, How::Shared) else {
        return;
    };
    let shorts = frames(Dtype::I16, 10, 4);
    let outcome = run(&averaged(&program, json!({ "width": 3 }), &shorts), &[]);
    refused(&outcome, "input `frames`: wants f64 frames");
}

#[test]
fn a_ring_that_carries_another_type_than_planned_is_refused_before_the_stage_is_asked() {
    let Some(program) = compiled(EXAMPLE, How::Shared) else {
        return;
    };
    let mut wanted = averaged(&program, json!({ "width": 3 }), &frames(Dtype::F64, 10, 4));
    wanted.expects = Some(frames(Dtype::F64, 10, 5));
    let outcome = run(&wanted, &[]);
    refused(
        &outcome,
        "carries 10 x 4 f64, 1000 Hz, uV, expected 10 x 5 f64",
    );
}

#[test]
fn a_parameter_that_cannot_be_is_refused_by_its_name() {
    let Some(program) = compiled(EXAMPLE, How::Shared) else {
        return;
    };
    let doubles = frames(Dtype::F64, 10, 4);
    for (params, why) in [
        (json!({ "width": 4 }), "parameter `width`: must be odd"),
        (
            json!({ "width": "3" }),
            "parameter `width`: is \"3\", not a whole number",
        ),
        (json!({}), "parameter `width`: is missing"),
    ] {
        refused(&run(&averaged(&program, params, &doubles), &[]), why);
    }
}

/// The example as its own Makefile makes it.
fn made() -> Option<(tempfile::TempDir, std::path::PathBuf)> {
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let library = std::env::current_exe().unwrap();
    let library = library.with_file_name("libephapse.a");
    let folder = tempfile::tempdir().unwrap();
    for file in ["Makefile", "channel_average.c"] {
        let own = format!("{tree}/engine/bindings/c/examples/channel_average/{file}");
        std::fs::copy(own, folder.path().join(file)).unwrap();
    }
    let output = Command::new("make")
        .args(["-C", folder.path().to_str().unwrap()])
        .arg(format!("EPHAPSE={tree}"))
        .arg(format!("LIBRARY={}", library.display()))
        .env_remove("MAKEFLAGS")
        .output();
    match output {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => {
            eprintln!("SKIPPED: the example's Makefile: no `make` here ({error})");
            return None;
        }
    }
    let program = folder.path().join("channel_average");
    Some((folder, program))
}

#[test]
fn a_stage_that_nobody_launched_says_so() {
    let Some((_folder, program)) = made() else {
        return;
    };
    let output = Command::new(program)
        .env_remove("EPHAPSE_STAGE")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("channel_average: EPHAPSE_STAGE is not set"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Streams of every kind and layout.
fn all_kinds() -> Vec<(StreamType, Vec<&'static str>)> {
    let mut volume = frames(Dtype::I16, 6, 3);
    volume.axes[1].labels = vec!["A1".into(), "B2".into(), "µ3".into()];
    volume.axes.push(Axis {
        unit: "Hz".into(),
        ..Axis::new("frequency", 5)
    });
    volume.si_unit = "V".into();
    volume.scale = vec![1e-6, 2e-6, 4e-6];
    volume.positions_um = vec![[0.0, 1.0, 2.0], [200.0, 1.0, 2.0], [400.0, 1.0, 2.0]];
    let own = RecordLayout {
        name: "bite".into(),
        bytes: 32,
        fields: vec![
            Field {
                name: "strength".into(),
                dtype: Dtype::F32,
                count: 5,
                offset: 4,
                unit: "N".into(),
            },
            Field {
                name: "tooth".into(),
                dtype: Dtype::U8,
                count: 1,
                offset: 31,
                unit: String::new(),
            },
        ],
    };
    let bytes = StreamType {
        kind: Kind::Bytes,
        record: None,
        ..StreamType::records(spike_layout("uV"), 1000)
    };
    vec![
        (
            volume,
            vec![
                "in: kind 1, dtype 2, rows of 30 bytes, rate 1000/1, unit 'uV', si 'V': 6 x 3 x 5 i16",
                "in: axis channel, 3, unit '', labels A1 B2 µ3",
                "in: axis frequency, 5, unit 'Hz', labels\n",
                "in: channel 2, scale 4e-06",
                "out: channel 1 at 200 1 2 um",
            ],
        ),
        (
            frames(Dtype::Bits, 20, 13),
            vec!["in: kind 1, dtype 11, rows of 2 bytes"],
        ),
        (
            frames(Dtype::F32, 20, 60),
            vec!["out: kind 1, dtype 9, rows of 240 bytes"],
        ),
        (
            StreamType::records(spike_layout("uV"), 50),
            vec![
                "in: kind 2, dtype 5, rows of 24 bytes, rate 0/0",
                "in: spike.amplitude, dtype 10 x 1 at 16, unit 'uV'",
            ],
        ),
        (
            StreamType::records(own, 9),
            vec![
                "out: bite.strength, dtype 9 x 5 at 4, unit 'N'",
                "out: bite.tooth, dtype 5 x 1 at 31",
            ],
        ),
        (bytes, vec!["in: kind 3, dtype 5, rows of 1 bytes"]),
    ]
}

#[test]
fn a_stage_in_c_passes_every_kind_of_stream_through_and_sees_its_names_and_units() {
    for how in [How::Shared, How::Cpp] {
        let Some(program) = compiled("tests/pass_through.c", how) else {
            return;
        };
        for (stream_type, says) in all_kinds() {
            let most = stream_type.frames_per_block();
            let lengths = [most, 1, 0, most / 2, most];
            let blocks: Vec<_> = headers(lengths.into_iter())
                .into_iter()
                .enumerate()
                .map(|(n, header)| {
                    let bytes = header.valid as usize * stream_type.row_bytes();
                    (header, noise(bytes, n as u64))
                })
                .collect();
            let wanted = Wanted {
                program: &program.program,
                params: json!({}),
                input: ("in", stream_type.clone()),
                beside: &[],
                expects: None,
                output: ("out", stream_type.clone()),
                state_bytes: 0,
            };
            let outcome = run(&wanted, &blocks);
            assert_eq!(outcome.ended.code, Some(0), "{outcome:?}");
            for line in says {
                assert!(
                    outcome.ended.stderr.contains(line),
                    "{line}: {}",
                    outcome.ended.stderr
                );
            }
            let given = blocks.iter().map(|(h, p)| (h.valid, h.user, p));
            let got = outcome.blocks.iter();
            let got = got.map(|b| (b.header.valid, b.header.user, &b.payload));
            assert!(got.eq(given), "{}", stream_type.summary());
        }
    }
}

fn asked(program: &Compiled, question: &Question) -> Answer {
    let mut child = Command::new(&program.program)
        .arg(DESCRIBE_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = serde_json::to_vec(question).unwrap();
    child.stdin.take().unwrap().write_all(&question).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_stage_in_c_describes_itself_or_says_why_it_cannot() {
    let Some(program) = compiled("tests/pass_through.c", How::Shared) else {
        return;
    };
    for (stream_type, _) in all_kinds() {
        let question = Question {
            params: json!({}),
            inputs: vec![QuestionInput {
                port: "in".into(),
                stream_type: stream_type.clone(),
            }],
        };
        match asked(&program, &question) {
            Answer::Described(described) => {
                assert_eq!(described.outputs, [("out".to_owned(), stream_type)]);
                assert_eq!((described.settle_frames, described.parts_per_call), (2, 1));
            }
            Answer::Refused { error } => panic!("{error}"),
        }
    }
    let nothing = Question {
        params: json!({}),
        inputs: Vec::new(),
    };
    match asked(&program, &nothing) {
        Answer::Refused { error } => {
            assert_eq!(error, StageError::input("in", "there must be one"));
        }
        Answer::Described(described) => panic!("{described:?}"),
    }
    let Some(silent) = compiled(EXAMPLE, How::Shared) else {
        return;
    };
    match asked(&silent, &nothing) {
        Answer::Refused { error } => assert!(error.to_string().contains("its manifest"), "{error}"),
        Answer::Described(described) => panic!("{described:?}"),
    }
}

/// The probe on `count` blocks.
fn probe(what: &str, after: u64, count: usize) -> Option<Outcome> {
    probe_beside(what, after, count, 0)
}

/// The same with `beside` blocks on a second input.
fn probe_beside(what: &str, after: u64, count: usize, beside: usize) -> Option<Outcome> {
    let program = compiled("tests/probe.c", How::Shared)?;
    let blocks = |count| {
        let headers = headers(std::iter::repeat_n(4, count)).into_iter();
        let blocks = headers.map(|header| (header, numbers(8, 1)));
        blocks.collect::<Vec<_>>()
    };
    let wanted = Wanted {
        program: &program.program,
        params: json!({ "what": what, "after": after, "gain": 0.1, "fast": true, "taps": [1.5, -2, 3e-9] }),
        input: ("in", frames(Dtype::F64, 4, 2)),
        beside: &blocks(beside),
        expects: None,
        output: ("out", StreamType::frames(Dtype::I64, 1, 5, Rate::NONE, "")),
        state_bytes: 8,
    };
    Some(run(&wanted, &blocks(count)))
}

#[test]
fn an_activation_sees_the_pacing_block_first_and_all_that_came_beside_it() {
    let Some(outcome) = probe_beside("go on", 0, 2, 3) else {
        return;
    };
    assert_eq!(outcome.ended.code, Some(0), "{outcome:?}");
    let rows: Vec<Vec<i64>> = outcome.blocks.iter().map(|b| b.rows()).collect();
    // Blocks seen, and the position of the newest beside.
    assert_eq!(rows[0][2..4], [4, 2], "{rows:?}");
    assert_eq!(rows[1][2..4], [1, -1], "{rows:?}");
}

#[test]
fn parameters_arrive_as_they_are_and_state_lives_from_block_to_block() {
    let Some(outcome) = probe("go on", 0, 5) else {
        return;
    };
    let told = "what go on, gain 0.1, fast 1, taps 3: 1.5 -2 3e-09, state 8, json {";
    assert!(
        outcome.ended.stderr.contains(told),
        "{}",
        outcome.ended.stderr
    );
    assert!(
        outcome.ended.stderr.contains("name stage"),
        "{}",
        outcome.ended.stderr
    );
    assert!(
        outcome.ended.stderr.contains("dropped"),
        "{}",
        outcome.ended.stderr
    );
    let rows: Vec<Vec<i64>> = outcome.blocks.iter().map(|b| b.rows()).collect();
    let mut expected: Vec<Vec<i64>> = (1001..=1005).map(|n| vec![n, 1, 1, -1, 1]).collect();
    // What `finish` publishes.
    expected.push(vec![-1005, 0, 0, 0, 0]);
    assert_eq!(rows, expected);
    assert_eq!(outcome.ended.code, Some(0));
    assert!(!outcome.ended.asks_stop);
}

#[test]
fn a_stage_in_c_may_ask_the_session_to_stop_with_a_reason() {
    let Some(outcome) = probe("stop", 1002, 5) else {
        return;
    };
    assert!(outcome.ended.asks_stop);
    assert_eq!(outcome.ended.reason, "the electrode fell off");
    assert_eq!(outcome.blocks.len(), 2);
    let Some(outcome) = probe("done", 1002, 5) else {
        return;
    };
    assert_eq!((outcome.ended.asks_stop, outcome.blocks.len()), (false, 2));
    let Some(outcome) = probe("nonsense", 1002, 5) else {
        return;
    };
    assert!(outcome.ended.asks_stop);
    assert!(
        outcome
            .ended
            .reason
            .starts_with("process returned something else"),
        "{outcome:?}"
    );
}

#[test]
fn what_a_stage_does_wrong_is_told_and_does_no_harm() {
    let Some(outcome) = probe("misuse", 0, 2) else {
        return;
    };
    let told = "said: ephapse_commit: no block was begun at output 0";
    assert!(
        outcome.ended.stderr.contains(told),
        "{}",
        outcome.ended.stderr
    );
    assert_eq!((outcome.ended.code, outcome.blocks.len()), (Some(0), 3));
    let Some(outcome) = probe("mute", 0, 2) else {
        return;
    };
    refused(&outcome, "prepare: the stage refused and did not say why");
}
