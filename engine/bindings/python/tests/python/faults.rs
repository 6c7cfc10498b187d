//! What a stage in Python does wrong ends it, named, and with exit code 1.

use crate::launched::Wanted;
use ephapse_driven::Ended;
use ephapse_engine::abi::SlotHeader;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use serde_json::json;

/// Feeds three blocks to a stage that does one thing wrong in the second, and tells how it ended and what it published.
fn faulty(fault: &str) -> Option<(Ended, usize)> {
    let stream_type = StreamType::frames(Dtype::F32, 4, 2, Rate::hz(1000), "uV");
    let mut stage = (Wanted {
        params: json!({ "fault": fault }),
        inputs: vec![("frames", stream_type.clone())],
        outputs: vec![("out", stream_type.clone())],
        state_bytes: 16,
        ..Wanted::stage("faulty.py")
    })
    .start()?;
    for turn in 0..3 {
        let header = SlotHeader {
            first_frame: turn * 4,
            valid: 4,
            ..SlotHeader::default()
        };
        stage.feed(0, header, &[turn as u8; 32]);
    }
    let ended = stage.finish();
    let mut published = 0;
    while stage.take_now(0).is_some() {
        published += 1;
    }
    Some((ended, published))
}

#[track_caller]
fn expect_failed(fault: &str, reason: &str) {
    let Some((ended, published)) = faulty(fault) else {
        return;
    };
    assert!(
        ended.reason.contains(reason),
        "{fault}: {}\n{}",
        ended.reason,
        ended.stderr
    );
    assert_eq!(
        (ended.code, ended.state),
        (Some(1), "failed"),
        "{fault}: {}",
        ended.stderr
    );
    assert!(ended.stderr.contains(reason), "{fault}: {}", ended.stderr);
    assert!(!ended.asks_stop, "{fault}: that is the graph's business");
    assert!(published <= 3);
}

#[test]
fn a_view_kept_beyond_its_activation_is_named_with_its_port() {
    let kept = "a view of a block was kept: copy it (";
    expect_failed("keep_input", &format!("{kept}inputs.frames"));
    expect_failed("keep_slice", &format!("{kept}inputs.frames"));
    expect_failed("keep_output", &format!("{kept}outputs.out"));
    expect_failed("keep_state", &format!("{kept}ctx.state"));
    expect_failed("keeping_loop", &format!("{kept}inputs.frames"));
    expect_failed("keep_reset", kept);
}

#[test]
fn an_exception_ends_the_stage_with_the_tracebacks_last_line_as_reason() {
    expect_failed("raises", "not what they were");
    expect_failed("raising_loop", "RuntimeError: the loop is broken");
    expect_failed("reset", "ZeroDivisionError: in reset");
    expect_failed("at_end", "KeyError: 'in finish'");
    expect_failed(
        "too_many",
        "ValueError: outputs.out: 5 frames do not fit in a block of 4",
    );
    expect_failed(
        "assigns",
        "AttributeError: outputs.out is a view onto the slot: write `outputs.out[:] = ...`",
    );
    expect_failed("no_port", "AttributeError: nowhere: the outputs are out");
    expect_failed("returns_array", "TypeError: process returned ndarray");
}

#[test]
fn an_activation_that_fails_publishes_nothing_of_it() {
    let Some((_, published)) = faulty("raises") else {
        return;
    };
    assert_eq!(published, 1);
}

#[test]
fn objects_without_views_may_be_kept_and_stages_may_stop_or_end() {
    for (fault, code, blocks) in [
        ("keep_objects", 0, 3),
        ("cycles", 0, 3),
        ("holds", 0, 4),
        ("stops", 0, 2),
        ("done", 0, 2),
        ("ending_loop", 0, 2),
    ] {
        let Some((ended, published)) = faulty(fault) else {
            return;
        };
        assert_eq!(
            (ended.code, ended.state, published),
            (Some(code), "done", blocks),
            "{fault}: {}",
            ended.stderr
        );
        assert_eq!(ended.asks_stop, fault == "stops");
        if fault == "stops" {
            assert_eq!(ended.reason, "the culture is asleep");
        }
    }
}

#[test]
fn what_prepare_raises_keeps_the_stage_from_starting_and_is_left_in_its_segment() {
    let stream_type = StreamType::frames(Dtype::F32, 4, 2, Rate::hz(1000), "uV");
    let wanted = Wanted {
        params: json!({"fault": "prepare"}),
        inputs: vec![("frames", stream_type.clone())],
        outputs: vec![("out", stream_type)],
        ..Wanted::stage("faulty.py")
    };
    let Some(mut stage) = wanted.spawn() else {
        return;
    };
    let ended = stage.wait();
    assert_eq!(
        (ended.code, ended.state),
        (Some(1), "failed"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.reason, "OSError: no such weights: train.npz");
    assert!(
        ended.stderr.contains("in prepare"),
        "no traceback: {}",
        ended.stderr
    );
}
