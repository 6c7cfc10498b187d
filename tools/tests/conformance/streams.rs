//! What a stage does to blocks: all of them, in order, and what is missing is said.

use crate::subjects::{CHANNELS, FRAMES, Program, Subject, block};
use ephapse_driven::{Driven, Wanted};
use ephapse_engine::abi::{SlotHeader, flag, stage_state};
use ephapse_engine::stage::Taken;
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::plan::Full;
use std::time::Duration;

fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Number of a block that [`block`] has made, by all its values.
#[track_caller]
pub fn number(taken: &Taken) -> u64 {
    let values = taken.rows::<f64>();
    assert_eq!(values.len(), (taken.header.valid * CHANNELS) as usize);
    assert!(values.iter().all(|v| *v == values[0]), "{values:?}");
    values[0] as u64
}

/// Fails the test unless an output gives the blocks of these numbers, each in its place, and then ends.
#[track_caller]
fn expect_blocks(stage: &mut Driven, numbers: impl Iterator<Item = u64>) {
    for (position, expected) in numbers.enumerate() {
        let taken = stage.take(0).expect("the stream ended early");
        assert_eq!(number(&taken), expected, "{:?}", taken.header);
        assert_eq!(taken.header.position, position as u64);
        assert_eq!(taken.header.first_frame, expected * u64::from(FRAMES));
        assert_eq!(taken.header.lost, 0, "{:?}", taken.header);
    }
    assert!(stage.take(0).is_none(), "there is more");
}

/// A stage whose output is as `full` says and is read by nobody.
fn unread(program: &Program, full: Full) -> Driven {
    let wanted = Wanted {
        full,
        ..program.wanted()
    };
    Driven::start(program.command(), &wanted)
}

pub fn blocks_come_out_in_order_and_as_often_as_they_went_in(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = program.start();
    let mut taken = 0;
    for fed in 0..500 {
        let (header, payload) = block(fed);
        stage.feed(0, header, &payload);
        while let Some(block) = stage.take_now(0) {
            assert_eq!(number(&block), taken);
            assert_eq!(block.header.position, taken);
            assert_eq!(block.header.cause, taken + 1);
            taken += 1;
        }
    }
    stage.end_inputs();
    while let Some(block) = stage.take(0) {
        assert_eq!((number(&block), block.header.position), (taken, taken));
        taken += 1;
    }
    assert_eq!(taken, 500);
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    let bank = stage.memory.bank();
    assert_eq!(get(&bank.inputs[0].consumed), 500);
    assert_eq!(get(&bank.inputs[0].faults), 0);
    assert_eq!(get(&bank.outputs[0].offered), 500);
    assert_eq!(get(&bank.outputs[0].dropped), 0);
    assert_eq!(get(&bank.activations), 500);
}

pub fn a_gap_is_seen_in_its_place_and_in_the_account(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = program.start();
    // Blocks 2 and 5, 6 never come.
    for fed in [0, 1, 3, 4, 7] {
        let (mut header, payload) = block(fed);
        let lost = match fed {
            3 => 1,
            7 => 2,
            _ => 0,
        };
        if lost > 0 {
            header.flags = flag::GAP;
            header.lost = lost * u64::from(FRAMES);
        }
        stage.feed(0, header, &payload);
    }
    stage.end_inputs();
    let seen: Vec<_> = std::iter::from_fn(|| stage.take(0))
        .map(|taken| {
            let SlotHeader {
                first_frame,
                flags,
                lost,
                ..
            } = taken.header;
            (number(&taken), first_frame, flags & flag::GAP != 0, lost)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (0, 0, false, 0),
            (1, 4, false, 0),
            (3, 12, true, 4),
            (4, 16, false, 0),
            (7, 28, true, 8)
        ]
    );
    assert_eq!(stage.wait().code, Some(0));
    let account = &stage.memory.bank().inputs[0];
    assert_eq!((get(&account.gaps), get(&account.lost_frames)), (2, 12));
}

pub fn a_ring_that_waits_holds_the_stage_and_loses_nothing(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = unread(&program, Full::Wait);
    let slots = u64::from(program.wanted().slots);
    for fed in 0..2 * slots {
        let (header, payload) = block(fed);
        stage.feed(0, header, &payload);
    }
    stage.until("the output is full", |s| s.published(0) == slots);
    // Time in which a stage that did not wait would go on.
    std::thread::sleep(Duration::from_millis(50));
    let (header, payload) = block(2 * slots);
    assert!(!stage.offer(0, header, &payload), "both rings are full");
    assert_eq!((stage.published(0), stage.released(0)), (slots, slots));
    assert_eq!(stage.state(), stage_state::RUNNING);
    stage.end_inputs();
    expect_blocks(&mut stage, 0..2 * slots);
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    assert_eq!(get(&stage.memory.bank().outputs[0].dropped), 0);
}

pub fn a_ring_that_drops_the_newest_holds_nobody_and_says_what_is_lost(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = unread(&program, Full::DropNewest);
    let slots = u64::from(program.wanted().slots);
    let fed = 3 * slots;
    for number in 0..fed {
        let (header, payload) = block(number);
        stage.feed(0, header, &payload);
    }
    stage.until("all is consumed", |s| s.released(0) == fed);
    assert_eq!(stage.published(0), slots);
    for expected in 0..slots {
        assert_eq!(number(&stage.take(0).unwrap()), expected);
    }
    let (header, payload) = block(fed);
    stage.feed(0, header, &payload);
    let behind = stage.take(0).unwrap();
    assert_eq!(number(&behind), fed);
    assert_eq!(behind.header.lost, (fed - slots) * u64::from(FRAMES));
    assert!(behind.header.flags & flag::GAP != 0);
    let ended = stage.finish();
    assert_eq!((ended.code, ended.asks_stop), (Some(0), false), "{ended:?}");
    let account = &stage.memory.bank().outputs[0];
    let (offered, published) = (get(&account.offered), get(&account.published));
    assert_eq!((offered, published), (fed + 1, slots + 1));
    assert_eq!(get(&account.dropped), offered - published);
}

pub fn a_full_ring_that_is_a_fault_asks_the_session_to_stop(subject: &dyn Subject) {
    let Some(program) = subject.passes() else {
        return;
    };
    let mut stage = unread(&program, Full::Fault);
    let slots = u64::from(program.wanted().slots);
    for number in 0..=slots {
        let (header, payload) = block(number);
        stage.feed(0, header, &payload);
    }
    stage.until("it asks", |s| {
        s.memory.words.asks_stop.load(Ordering::Acquire) == 1
    });
    // It goes on until the launcher orders the stop, and accounts for what it drops meanwhile.
    let ended = stage.finish();
    assert!(ended.reason.contains("an output is full"), "{ended:?}");
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    let account = &stage.memory.bank().outputs[0];
    assert_eq!(get(&account.published), slots);
    assert_eq!(get(&account.dropped), 1);
}
