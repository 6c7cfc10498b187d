//! A stage that reads two inputs of the same frames, and the one that was late.

use super::scene::*;
use crate::abi::circumstance;
use crate::hindsight::Cause;
use crate::hindsight::on_purpose::Ordered;
use crate::hindsight::route::{Companion, Paced};
use ephapse_rtconfig::chaos::Fault;

/// The readout reads the rival's blocks, too, which the rival makes of the source's.
fn joined() -> Scene {
    let mut scene = Scene::new();
    let from = |maker, input| Paced {
        input,
        maker,
        output: 0,
    };
    scene.route.stations[RIVAL].paced = Some(from(SOURCE, 0));
    scene.route.stations[RIVAL].cpu = Some(3);
    scene.route.stations[READOUT].ticked = false;
    scene.route.stations[READOUT].companions = vec![Companion {
        stream: "gate".into(),
        made: from(RIVAL, 1),
    }];
    scene.records[RIVAL] = scene.records[BAND].clone();
    let bands = scene.records[BAND].clone();
    for (readout, band) in scene.records[READOUT].iter_mut().zip(&bands) {
        readout.blocks = 0x11;
        readout.frames = 20;
        readout.consumed[1] = readout.consumed[0];
        readout.since_ns = band.committed_ns;
        readout.woke_ns = band.committed_ns + 10 * US;
        readout.committed_ns = readout.woke_ns + 40 * US;
    }
    let readouts = scene.records[READOUT].clone();
    for (act, readout) in scene.records[ACT].iter_mut().zip(&readouts) {
        act.since_ns = readout.committed_ns;
        act.woke_ns = act.since_ns + 10 * US;
        act.committed_ns = act.woke_ns + 20 * US;
    }
    scene
}

/// The rival's block of the decision comes so much later, and so does all behind it.
fn delay_gate(scene: &mut Scene, by_ns: u64) {
    scene.records[RIVAL][K].committed_ns += by_ns;
    for station in [READOUT, ACT] {
        let turn = scene.turn(station);
        turn.woke_ns += by_ns;
        turn.committed_ns += by_ns;
    }
}

#[test]
fn inputs_that_came_in_time_are_not_named() {
    assert!(joined().walk().hops[2].causes.is_empty());
}

#[test]
fn the_input_that_came_late_is_named_with_who_was_late_and_why() {
    let mut scene = joined();
    delay_gate(&mut scene, 5 * MS);
    scene.records[RIVAL][K].circumstances = circumstance::INJECTED;
    scene.route.ordered.push(Ordered {
        tick: K as u64,
        fault: Fault::Delay {
            stage: 4,
            for_ns: 5 * MS,
        },
        who: "rival".into(),
        station: Some(RIVAL),
    });
    let walk = scene.walk();
    assert_eq!(walk.costliest().unwrap().stage, "readout");
    let [
        Cause::OtherInput {
            stream,
            by,
            ns,
            causes,
        },
    ] = &walk.hops[2].causes[..]
    else {
        panic!("{:?}", walk.hops[2]);
    };
    assert_eq!(
        (stream.as_str(), by.as_str(), *ns),
        ("gate", "rival", 5 * MS)
    );
    assert!(matches!(causes[0], Cause::OnPurpose { .. }), "{causes:?}");
    assert!(walk.was_met_by(K as u64, "rival"));
}

#[test]
fn an_input_that_had_no_block_of_the_frames_is_named() {
    let mut scene = joined();
    scene.turn(READOUT).blocks = 0x01;
    let stream = "gate".to_owned();
    assert_eq!(
        scene.walk().hops[2].causes,
        [Cause::WithoutInput { stream }]
    );
    // Records of before there was such a count tell nothing.
    scene.turn(READOUT).blocks = 0;
    assert!(scene.walk().hops[2].causes.is_empty());
}
