//! How a stage ends, by itself and otherwise, and how its successor goes on.

use crate::streams::number;
use crate::subjects::{Subject, block};
use ephapse_driven::Driven;
use ephapse_engine::abi::{end_reason, stage_state};
use std::time::Duration;

/// A stage that is told to leave has left by then.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// Kills of one run.
const KILLS: u64 = 4;

pub fn a_stream_ends_once_and_nothing_is_committed_behind_its_end(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = program.start();
    for fed in 0..5 {
        let (header, payload) = block(fed);
        stage.feed(0, header, &payload);
    }
    stage.end_inputs();
    while stage.end(0).is_none() && stage.state() < stage_state::DONE {
        std::thread::yield_now();
    }
    let expected = Some((5, end_reason::FINISHED));
    assert_eq!(stage.end(0), expected);
    assert_eq!(stage.published(0), 5);
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    assert_eq!((stage.end(0), stage.published(0)), (expected, 5));
    // A successor has nothing to add.
    stage.spawn_successor();
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    assert_eq!((stage.end(0), stage.published(0)), (expected, 5));
    for expected in 0..5 {
        assert_eq!(number(&stage.take(0).unwrap()), expected);
    }
    assert!(stage.take(0).is_none());
}

/// Feeds what there is room for and takes what has come, until so many blocks were taken.
#[track_caller]
fn pass(stage: &mut Driven, fed: &mut u64, taken: &mut u64, until: u64) {
    stage.until("blocks pass", |stage| {
        let (header, payload) = block(*fed);
        *fed += u64::from(stage.offer(0, header, &payload));
        while let Some(block) = stage.take_now(0) {
            // Each once, whoever made it.
            assert_eq!((number(&block), block.header.position), (*taken, *taken));
            *taken += 1;
        }
        *taken >= until
    });
}

pub fn a_successor_goes_on_at_the_released_position(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = program.start();
    let (mut fed, mut taken) = (0, 0);
    for kill in 1..=KILLS {
        // In the middle of it: blocks are waiting on both sides.
        pass(&mut stage, &mut fed, &mut taken, 100 * kill);
        stage.child().kill().unwrap();
        assert_eq!(stage.wait().code, None);
        let published = stage.published(0);
        assert!(stage.released(0) <= published && published <= stage.released(0) + 1);
        stage.spawn_successor();
    }
    pass(&mut stage, &mut fed, &mut taken, 100 * (KILLS + 1));
    stage.end_inputs();
    while let Some(block) = stage.take(0) {
        assert_eq!((number(&block), block.header.position), (taken, taken));
        taken += 1;
    }
    assert_eq!(taken, fed);
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    let consumed = &stage.memory.bank().inputs[0].consumed;
    let consumed = consumed.load(ephapse_engine::sync::Ordering::Relaxed);
    assert_eq!(consumed, fed);
}

/// A stage that waits for a block, and one that waits for room with blocks behind it.
fn waiting(subject: &dyn Subject) -> Option<[Driven; 2]> {
    let program = subject.passes()?;
    let idle = program.start();
    let mut held = program.start();
    let slots = u64::from(program.wanted().slots);
    for fed in 0..slots + 2 {
        let (header, payload) = block(fed);
        held.feed(0, header, &payload);
    }
    held.until("the output is full", |s| s.published(0) == slots);
    Some([idle, held])
}

/// It leaves, cleanly, with what it has published and an end that says why.
#[track_caller]
fn expect_left(stage: &mut Driven) {
    let ended = stage.wait_within(LEAVES_WITHIN);
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    let published = stage.published(0);
    for expected in 0..published {
        assert_eq!(number(&stage.take_now(0).unwrap()), expected);
    }
    assert!(stage.take_now(0).is_none());
    assert_eq!(stage.end(0), Some((published, end_reason::STOPPED)));
}

pub fn a_stage_that_is_told_to_stop_leaves_cleanly_within_its_deadline(subject: &dyn Subject) {
    for mut stage in waiting(subject).into_iter().flatten() {
        stage.stop(2);
        expect_left(&mut stage);
    }
}

pub fn a_stage_whose_launcher_is_gone_leaves_within_its_deadline(subject: &dyn Subject) {
    for mut stage in waiting(subject).into_iter().flatten() {
        stage.cut_lifeline();
        expect_left(&mut stage);
    }
}
