//! Faults on purpose are named where the records show them, and nowhere else.

use super::scene::*;
use crate::abi::circumstance;
use crate::hindsight::on_purpose::Ordered;
use crate::hindsight::{Cause, Happened, Walk, walk};
use ephapse_rtconfig::chaos::Fault;

const STALL: Fault = Fault::Stall {
    stage: 0,
    for_ns: 3 * MS,
};
const KILL: Fault = Fault::Kill { stage: 0 };
const DROP: Fault = Fault::Drop {
    stage: 0,
    blocks: 2,
};
const HOG: Fault = Fault::Hog {
    cpu: 2,
    for_ns: 4 * MS,
};

fn order(scene: &mut Scene, tick: u64, station: Option<usize>, who: &str, fault: Fault) {
    scene.route.ordered.push(Ordered {
        tick,
        fault,
        who: who.into(),
        station,
    });
}

/// Faults on purpose among the causes, as stage, tick, and what it did: time, ticks, frames.
fn named(walk: &Walk) -> Vec<(String, u64, (u64, u64, u64))> {
    let hops = walk.hops.iter().flat_map(|hop| {
        hop.causes.iter().filter_map(|cause| match cause {
            Cause::OnPurpose {
                tick,
                ns,
                ticks,
                frames,
                ..
            } => Some((hop.stage.clone(), *tick, (*ns, *ticks, *frames))),
            _ => None,
        })
    });
    hops.collect()
}

#[test]
fn a_stall_is_named_in_the_turn_that_says_it_was_struck() {
    let k = K as u64;
    let mut scene = Scene::new();
    order(&mut scene, k, Some(BAND), "band", STALL);
    scene.turn(BAND).circumstances = circumstance::INJECTED;
    scene.turn(BAND).committed_ns += 3 * MS;
    assert_eq!(named(&scene.walk()), [("band".into(), k, (0, 0, 0))]);
    assert!(scene.walk().was_met_by(k, "band"));
    assert!(!scene.walk().was_met_by(k, "source") && !scene.walk().was_met_by(k + 1, "band"));
    // It comes first, before the long run that it is.
    let first = &scene.walk().hops[1].causes[0];
    assert!(matches!(first, Cause::OnPurpose { .. }), "{first:?}");
    // Neither the decision before nor the one behind.
    for number in [k - 1, k + 1] {
        let other = walk(&scene.route, &scene.read(), ACT, number).unwrap();
        assert!(named(&other).is_empty(), "{number}");
    }
}

#[test]
fn a_turn_that_slept_through_the_tick_is_the_one_that_was_struck() {
    let k = K as u64;
    let mut scene = Scene::new();
    // The turn before was at tick k - 1, so that both ticks are this one's.
    order(&mut scene, k - 1, Some(BAND), "band", STALL);
    order(&mut scene, k, Some(BAND), "band", STALL);
    order(&mut scene, k + 1, Some(BAND), "band", STALL);
    scene.turn(BAND).tick = k + 1;
    scene.turn(BAND).circumstances = circumstance::INJECTED;
    let found: Vec<u64> = named(&scene.walk()).iter().map(|n| n.1).collect();
    assert_eq!(found, [k, k + 1]);
}

#[test]
fn what_is_ordered_and_not_on_record_is_not_named() {
    let k = K as u64;
    let mut scene = Scene::new();
    // No turn is marked, another stage suffers it, or nothing was dropped.
    order(&mut scene, k, Some(BAND), "band", STALL);
    order(&mut scene, k, Some(RIVAL), "rival", KILL);
    order(&mut scene, k, Some(SOURCE), "source", DROP);
    let full = Fault::DiskFull { for_ns: MS };
    order(&mut scene, k, None, "recorder", full);
    assert!(named(&scene.walk()).is_empty());
}

#[test]
fn a_kill_is_named_in_the_successor_s_first_turn_with_what_it_cost() {
    let k = K as u64;
    let mut scene = Scene::new();
    order(&mut scene, k + 1, Some(READOUT), "readout", KILL);
    let turn = scene.turn(READOUT);
    turn.tick += 4;
    turn.since_ns += 4 * MS;
    turn.woke_ns += 4 * MS;
    turn.committed_ns += 4 * MS;
    turn.skipped[3] = 4;
    scene.delay(ACT, 4 * MS);
    let killed_ns = at(k + 1) + 30 * US;
    let event = |at_ns, what: &str| Happened {
        at_ns,
        who: "readout".into(),
        what: what.into(),
    };
    scene.history.event(event(killed_ns, "injected: killed"));
    let restarted = event(killed_ns + MS, "died (signal: 9 (SIGKILL)); started again");
    scene.history.event(restarted);
    // What it came to is told later, and befalls nobody then.
    let told = "killed; lost: ticks (4 dead); the loop has made 900 turns since";
    scene.history.event(event(at(k + 5), told));
    let walk = scene.walk();
    let woke_ns = at(k + 5) + 20 * US;
    assert_eq!(
        named(&walk),
        [("readout".into(), k + 1, (woke_ns - killed_ns, 4, 0))]
    );
    let events = walk.hops[2].causes.iter().filter_map(|cause| match cause {
        Cause::Event { what, .. } => Some(what.as_str()),
        _ => None,
    });
    let events: Vec<&str> = events.collect();
    assert_eq!(events, ["died (signal: 9 (SIGKILL)); started again"]);
}

#[test]
fn a_kill_is_not_named_if_the_turns_before_are_not_known() {
    let mut scene = Scene::new();
    order(&mut scene, K as u64, Some(BAND), "band", KILL);
    assert_eq!(named(&scene.walk()).len(), 1);
    scene.records[BAND][K - 1].circumstances = circumstance::UNRECORDED;
    assert!(named(&scene.walk()).is_empty());
}

#[test]
fn dropped_blocks_are_named_where_the_next_one_begins_with_its_frames() {
    let k = K as u64;
    let mut scene = Scene::new();
    order(&mut scene, k - 2, Some(SOURCE), "source", DROP);
    // Two turns publish nothing, and the third says what is missing.
    for index in [K - 2, K - 1] {
        let published = scene.records[SOURCE][K - 3].produced;
        let turn = &mut scene.records[SOURCE][index];
        turn.produced = published;
        turn.circumstances = circumstance::DROPPED;
        turn.sampled_ns = 0;
        for station in [BAND, READOUT, ACT] {
            scene.records[station][index].committed_ns = 0;
            scene.records[station][index].consumed = scene.records[station][K - 3].consumed;
            scene.records[station][index].produced = scene.records[station][K - 3].produced;
        }
    }
    scene.records[SOURCE][K - 2].circumstances |= circumstance::INJECTED;
    for records in &mut scene.records[SOURCE..=ACT] {
        for record in &mut records[K..] {
            record.consumed[0] = record.consumed[0].wrapping_sub(2);
            record.produced[0] = record.produced[0].wrapping_sub(2);
        }
    }
    scene.turn(SOURCE).lost = 40;
    let walk = scene.walk();
    assert_eq!(walk.broken, None);
    assert_eq!(named(&walk), [("source".into(), k - 2, (0, 0, 40))]);
    assert_eq!(walk.lost, 2);
    let next = crate::hindsight::walk(&scene.route, &scene.read(), ACT, k + 1).unwrap();
    assert!(named(&next).is_empty());
}

#[test]
fn a_hog_is_named_by_whom_it_held_and_for_as_long_as_it_did() {
    let k = K as u64;
    let mut scene = Scene::new();
    order(&mut scene, k, None, "CPU 2", HOG);
    scene.delay(BAND, 4 * MS);
    // From the block's commit, 20 us behind the tick.
    let ns = 4 * MS - 20 * US;
    assert_eq!(named(&scene.walk()), [("band".into(), k, (ns, 0, 0))]);
    // Who began and ended while the CPU was burnt was not held by it, whatever else kept it waiting.
    let mut scene = Scene::new();
    order(&mut scene, k, None, "CPU 2", HOG);
    scene.delay(BAND, 2 * MS);
    assert!(named(&scene.walk()).is_empty());
    // If the burning began late, its event tells.
    scene.history.event(Happened {
        at_ns: at(k) - 2 * MS,
        who: "CPU 2".into(),
        what: "injected: hogged for 4 ms".into(),
    });
    assert!(named(&scene.walk()).is_empty());
    scene.delay(BAND, 4 * MS);
    scene.history.event(Happened {
        at_ns: at(k) + MS,
        who: "CPU 2".into(),
        what: "injected: hogged for 4 ms".into(),
    });
    assert_eq!(named(&scene.walk()), [("band".into(), k, (4 * MS, 0, 0))]);
    // Another CPU is nobody's excuse.
    let mut scene = Scene::new();
    let elsewhere = Fault::Hog {
        cpu: 1,
        for_ns: 4 * MS,
    };
    order(&mut scene, k, None, "CPU 1", elsewhere);
    scene.delay(BAND, 4 * MS);
    let named = named(&scene.walk());
    assert!(named.iter().all(|(stage, ..)| stage != "band"), "{named:?}");
}
