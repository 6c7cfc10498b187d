use super::scene::*;
use crate::abi::{ActivationRecord, circumstance};
use crate::hindsight::{Cause, Happened, Skip, walk};
use crate::outcome::{Stall, Steal};

/// Causes of the block's hop at a station.
fn causes(scene: &Scene, station: usize) -> Vec<Cause> {
    scene.walk().hops[station - SOURCE].causes.clone()
}

fn rival(scene: &mut Scene, woke_ns: u64, ran_ns: u64) {
    scene.records[RIVAL].push(ActivationRecord {
        woke_ns,
        committed_ns: woke_ns + ran_ns,
        ..ActivationRecord::default()
    });
}

fn preempted(ns: u64) -> Vec<Cause> {
    vec![Cause::Preempted {
        by: "rival".into(),
        priority: 90,
        ns,
    }]
}

#[test]
fn somebody_of_higher_priority_on_the_same_cpu_is_named_with_the_time_it_took() {
    let mut scene = Scene::new();
    scene.delay(BAND, 300 * US);
    // Of its 400 us, 305 fall into the wait: the rest was before.
    let from_ns = at(K as u64) + 20 * US;
    rival(&mut scene, from_ns - 95 * US, 400 * US);
    assert_eq!(causes(&scene, BAND), preempted(305 * US));
    assert_eq!(scene.walk().costliest().unwrap().stage, "band");
    // While it runs, too.
    let mut scene = Scene::new();
    scene.turn(BAND).committed_ns += 500 * US;
    let woke_ns = scene.turn(BAND).woke_ns;
    rival(&mut scene, woke_ns + 10 * US, 490 * US);
    assert_eq!(causes(&scene, BAND), preempted(490 * US));
}

#[test]
fn somebody_of_lower_priority_or_on_another_cpu_is_nobody_s_excuse() {
    for (priority, cpu) in [(40, 2), (90, 0)] {
        let mut scene = Scene::new();
        scene.delay(BAND, 300 * US);
        scene.route.stations[RIVAL].priority = Some(priority);
        scene.route.stations[RIVAL].cpu = Some(cpu);
        rival(&mut scene, at(K as u64) + 20 * US, 300 * US);
        let ns = 310 * US;
        assert_eq!(causes(&scene, BAND), [Cause::Unexplained { ns }]);
    }
}

#[test]
fn a_witnessed_stall_counts_on_its_own_cpu_and_in_its_own_time() {
    let mut scene = Scene::new();
    scene.delay(BAND, 38 * MS);
    let stall = Stall {
        cpu: 2,
        at_ns: at(K as u64) + 100 * US,
        length_ns: 37 * MS,
    };
    scene.history.stall(stall);
    scene.history.stall(Stall { cpu: 7, ..stall });
    scene.history.stall(Stall {
        at_ns: stall.at_ns - 50 * MS,
        ..stall
    });
    assert_eq!(
        causes(&scene, BAND),
        [Cause::Stall {
            cpu: 2,
            at_ns: stall.at_ns,
            length_ns: 37 * MS
        }]
    );
}

#[test]
fn a_stall_of_the_timer_s_cpu_excuses_who_is_rung_by_it() {
    let mut scene = Scene::new();
    scene.delay(READOUT, 3 * MS);
    scene.history.stall(Stall {
        cpu: 0,
        at_ns: at(K as u64 + 1),
        length_ns: 3 * MS,
    });
    let found = causes(&scene, READOUT);
    assert!(
        matches!(found[..], [Cause::Stall { cpu: 0, .. }]),
        "{found:?}"
    );
}

#[test]
fn what_a_hypervisor_took_is_a_cause_only_if_it_is_as_much_as_was_waited_and_witnessed() {
    let steal = |ns| Steal {
        cpu: 2,
        until_ns: at(K as u64) + 500 * MS,
        over_ns: 1_000 * MS,
        ns,
    };
    let stall = Stall {
        cpu: 2,
        at_ns: at(K as u64) + 100 * US,
        length_ns: 37 * MS,
    };
    let taken = |steals: &[Steal], stalls: &[Stall]| {
        let mut scene = Scene::new();
        scene.delay(BAND, 38 * MS);
        steals.iter().for_each(|s| scene.history.steal(*s));
        stalls.iter().for_each(|s| scene.history.stall(*s));
        let found = causes(&scene, BAND).into_iter();
        let mut found = found.filter(|c| matches!(c, Cause::Stolen { .. }));
        (found.next(), found.count())
    };
    let named = |ns| (Some(Cause::Stolen { cpu: 2, ns }), 0);
    assert_eq!(taken(&[steal(40 * MS)], &[stall]), named(40 * MS));
    // Over the border of two seconds both count.
    let mut before = steal(20 * MS);
    before.until_ns = at(K as u64) + 20 * MS;
    let mut behind = steal(20 * MS);
    behind.until_ns = before.until_ns + behind.over_ns;
    assert_eq!(taken(&[before, behind], &[stall]), named(40 * MS));
    assert_eq!(taken(&[before], &[stall]), (None, 0), "too little");
    assert_eq!(taken(&[steal(40 * MS)], &[]), (None, 0), "not witnessed");
    let mut other = steal(40 * MS);
    other.cpu = 1;
    assert_eq!(taken(&[other], &[stall]), (None, 0), "another CPU");
}

#[test]
fn a_timer_that_woke_late_is_why_nobody_was_rung() {
    let mut scene = Scene::new();
    scene.delay(READOUT, 3 * MS);
    // It slept through three more ticks.
    scene.records[TIMER].drain(K + 2..K + 5);
    scene.records[TIMER][K + 1].woke_ns += 3 * MS;
    scene.records[TIMER][K + 1].tick += 3;
    let found = causes(&scene, READOUT);
    assert_eq!(
        found[0],
        Cause::TimerLate {
            ns: 3 * MS + US / 2
        }
    );
}

#[test]
fn faults_and_switches_stand_in_the_record_of_the_next_turn() {
    let mut scene = Scene::new();
    scene.records[BAND][K + 1].usage = [1, 2, 3, 4];
    // Those of the turn before belong to another decision.
    scene.turn(BAND).usage = [9, 9, 9, 9];
    let faults = Cause::Faults { minor: 3, major: 4 };
    assert_eq!(causes(&scene, BAND), [faults, Cause::Switches(2)]);
    scene.lapped.push((BAND, K as u64 + 1));
    assert!(causes(&scene, BAND).is_empty());
}

#[test]
fn ticks_slept_through_are_counted_as_far_as_they_are_this_block_s() {
    let mut scene = Scene::new();
    let turn = scene.turn(READOUT);
    turn.tick += 3;
    turn.since_ns += 3 * MS;
    // One of the four fell due before the block was there.
    turn.skipped = [4, 0, 0, 0];
    turn.woke_ns += 3 * MS;
    turn.committed_ns += 3 * MS;
    scene.delay(ACT, 3 * MS);
    let late = |ticks| Cause::Skipped {
        skip: Skip::LateWake,
        ticks,
        behind: None,
    };
    assert_eq!(causes(&scene, READOUT), [late(3)]);
    assert_eq!(scene.walk().hops[2].late_ns(), 3 * MS + 20 * US);
}

#[test]
fn ticks_run_past_or_missed_while_dead_are_told_apart() {
    for (place, skip) in [(1, Skip::LongRun), (3, Skip::Dead)] {
        let mut scene = Scene::new();
        let turn = scene.turn(READOUT);
        turn.since_ns += 2 * MS;
        turn.skipped[place] = 2;
        turn.woke_ns += 2 * MS;
        turn.committed_ns += 2 * MS;
        scene.delay(ACT, 2 * MS);
        let skipped = Cause::Skipped {
            skip,
            ticks: 2,
            behind: None,
        };
        assert_eq!(causes(&scene, READOUT), [skipped]);
    }
}

#[test]
fn a_tick_without_room_names_the_reader_that_had_not_given_back_its_blocks() {
    let mut scene = Scene::new();
    let mut full = *scene.turn(READOUT);
    full.committed_ns = 0;
    full.skipped = [0, 0, 1, 0];
    // What it had made and taken until then.
    let before = scene.records[READOUT][K - 1];
    (full.consumed, full.produced) = (before.consumed, before.produced);
    let turn = scene.turn(READOUT);
    turn.since_ns += MS;
    turn.woke_ns += MS;
    turn.committed_ns += MS;
    scene.records[READOUT].insert(K, full);
    // The stimulator was three blocks behind.
    for late in &mut scene.records[ACT][K - 3..] {
        late.woke_ns += 3 * MS;
        late.committed_ns += 3 * MS;
    }
    let walk = scene.walk();
    let no_room = Cause::Skipped {
        skip: Skip::NoRoom,
        ticks: 1,
        behind: Some("act".into()),
    };
    assert_eq!(walk.hops[2].causes, [no_room]);
}

#[test]
fn a_stage_that_waits_for_blocks_and_has_no_room_waits_for_that_reader() {
    let mut scene = Scene::new();
    // The readout gave back nothing since four blocks ago.
    for late in &mut scene.records[READOUT][K - 4..] {
        late.woke_ns += 20 * MS;
        late.committed_ns += 20 * MS;
    }
    scene.turn(BAND).woke_ns += 5 * MS;
    scene.turn(BAND).committed_ns += 5 * MS;
    let behind = "readout".to_owned();
    scene.delay(ACT, 30 * MS);
    assert_eq!(scene.walk().hops[1].causes[0], Cause::NoRoom { behind });
}

#[test]
fn a_long_run_is_one_beyond_the_budget_or_without_one_beyond_a_tick() {
    let mut scene = Scene::new();
    scene.turn(BAND).committed_ns += 3 * MS;
    let long = |limit_ns, budget| Cause::LongRun {
        ran_ns: 3 * MS + 50 * US,
        limit_ns,
        budget,
    };
    assert_eq!(causes(&scene, BAND), [long(MS, false)]);
    scene.route.stations[BAND].budget_ns = Some(300 * US);
    assert_eq!(causes(&scene, BAND), [long(300 * US, true)]);
    scene.route.stations[BAND].budget_ns = Some(4 * MS);
    assert!(causes(&scene, BAND).is_empty());
}

#[test]
fn a_block_that_waits_for_the_turns_before_it_says_so() {
    let mut scene = Scene::new();
    scene.records[BAND][K - 1].committed_ns += 2 * MS;
    scene.delay(BAND, 2 * MS);
    // From the block's commit to the end of the turn before.
    let ns = MS + 60 * US;
    assert_eq!(causes(&scene, BAND), [Cause::Busy { turns: 1, ns }]);
}

#[test]
fn a_stage_that_died_and_was_started_again_says_so() {
    let mut scene = Scene::new();
    scene.delay(BAND, 6 * MS);
    scene.turn(BAND).circumstances = circumstance::STARTED_OVER | circumstance::PASSED_OVER;
    let event = |who: &str, at_ns| Happened {
        at_ns,
        who: who.into(),
        what: "died (signal: 9 (SIGKILL)); started again".into(),
    };
    scene.history.event(event("band", at(K as u64) + 3 * MS));
    scene.history.event(event("rival", at(K as u64) + 3 * MS));
    scene.history.event(event("band", at(K as u64) + 60 * MS));
    let found = causes(&scene, BAND);
    assert!(
        matches!(
            &found[..],
            [Cause::StartedOver, Cause::PassedOver, Cause::Event { at_ns, .. }]
                if *at_ns == at(K as u64) + 3 * MS
        ),
        "{found:?}"
    );
}

#[test]
fn what_was_lost_on_the_way_is_told() {
    let mut scene = Scene::new();
    scene.turn(BAND).lost = 40;
    // Two decisions before it never came.
    scene.records[ACT].drain(K - 2..K);
    let walk = walk(&scene.route, &scene.read(), ACT, K as u64 - 2).unwrap();
    assert_eq!(walk.hops[1].causes, [Cause::FramesLost(40)]);
    assert_eq!(walk.hops[3].causes, [Cause::DecisionsLost(2)]);
    assert_eq!((walk.lost, walk.lost_ns), (2, 2 * MS));
}

#[test]
fn records_that_are_not_there_are_not_taken_for_decisions_that_never_came() {
    let mut scene = Scene::new();
    scene.lapped = vec![(ACT, K as u64 - 1), (ACT, K as u64 - 2)];
    assert_eq!(scene.walk().lost, 0);
}

#[test]
fn a_wait_that_nothing_on_record_explains_is_called_that_and_only_where_it_cost_most() {
    let mut scene = Scene::new();
    scene.delay(ACT, 5 * MS);
    let ns = 5 * MS + 10 * US;
    assert_eq!(causes(&scene, ACT), [Cause::Unexplained { ns }]);
    assert!(causes(&scene, BAND).is_empty());
}
