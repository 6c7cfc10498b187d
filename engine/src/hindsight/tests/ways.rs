use super::scene::*;
use crate::abi::circumstance;
use crate::hindsight::{Walk, walk};

fn stages(walk: &Walk) -> Vec<&str> {
    walk.hops.iter().map(|hop| hop.stage.as_str()).collect()
}

#[test]
fn a_decision_is_walked_back_to_its_frames_and_every_nanosecond_belongs_to_one_hop() {
    let walk = Scene::new().walk();
    assert_eq!(stages(&walk), ["source", "band", "readout", "act"]);
    assert_eq!((walk.tick, walk.broken.clone()), (K as u64 + 1, None));
    assert_eq!(walk.sampled_ns, at(K as u64));
    assert_eq!(walk.total_ns(), MS + 90 * US);
    let spent = walk.hops.iter().map(|hop| hop.waited_ns() + hop.ran_ns());
    assert_eq!(spent.sum::<u64>(), walk.total_ns());
    let readout = &walk.hops[2];
    assert_eq!(
        (readout.waited_ns(), readout.planned_ns(), readout.late_ns()),
        (940 * US, 920 * US, 20 * US)
    );
    assert_eq!(walk.hops[0].position, None);
    // The positions of these blocks have passed 65,536.
    assert_eq!(readout.position, Some(0));
    assert!(walk.hops.iter().all(|hop| hop.causes.is_empty()));
}

#[test]
fn no_time_counts_twice_if_the_block_came_while_its_reader_was_waking() {
    let mut scene = Scene::new();
    // The source commits at 20 us.
    scene.turn(BAND).woke_ns = at(K as u64) + 15 * US;
    let walk = scene.walk();
    let spent = walk.hops.iter().map(|hop| hop.waited_ns() + hop.ran_ns());
    assert_eq!(spent.sum::<u64>(), walk.total_ns());
    let band = &walk.hops[1];
    assert_eq!((band.waited_ns(), band.ran_ns()), (0, 60 * US));
}

#[test]
fn blocks_that_queue_are_each_walked_to_the_turn_that_made_them() {
    let mut scene = Scene::new();
    // The stimulator takes the block when its maker is three blocks further.
    let act = scene.turn(ACT);
    act.woke_ns += 3 * MS;
    act.committed_ns += 3 * MS;
    let walk = scene.walk();
    assert_eq!(walk.sampled_ns, at(K as u64));
    assert_eq!(walk.hops[2].tick, K as u64 + 1);
    assert_eq!(walk.hops[3].late_ns(), 3 * MS + 10 * US);
    assert_eq!(walk.costliest().unwrap().stage, "act");
}

#[test]
fn a_turn_without_an_output_is_not_taken_for_the_one_that_made_the_block() {
    let mut scene = Scene::new();
    let mut idle = *scene.turn(BAND);
    (idle.woke_ns, idle.committed_ns) = (idle.committed_ns + 100 * US, 0);
    scene.records[BAND].insert(K + 1, idle);
    let walk = scene.walk();
    assert_eq!(walk.broken, None);
    assert_eq!(walk.hops[1].ran_ns(), 50 * US);
}

#[test]
fn a_record_that_was_overwritten_ends_the_walk_and_is_said() {
    let mut scene = Scene::new();
    scene.lapped.push((BAND, K as u64));
    let walk = scene.walk();
    assert_eq!(stages(&walk), ["readout", "act"]);
    let why = walk.broken.unwrap();
    assert!(why.contains("records of band before"), "{why}");
}

#[test]
fn a_record_whose_neighbour_was_overwritten_is_not_trusted_to_have_made_the_block() {
    let mut scene = Scene::new();
    scene.lapped.push((BAND, K as u64 - 1));
    assert_eq!(stages(&scene.walk()), ["readout", "act"]);
    // The first of all has no neighbour, and needs none.
    let history = Scene::new().read();
    let first = walk(&scene.route, &history, ACT, 0).unwrap();
    assert_eq!(first.broken, None);
}

#[test]
fn a_stage_of_which_nothing_is_there_ends_the_walk_and_is_said() {
    let mut scene = Scene::new();
    scene.records[SOURCE].clear();
    let walk = scene.walk();
    assert_eq!(stages(&walk), ["band", "readout", "act"]);
    assert_eq!(
        walk.broken.as_deref(),
        Some("no record of source tells of the block")
    );
}

#[test]
fn a_turn_whose_maker_was_killed_before_it_could_record_it_is_said() {
    let mut scene = Scene::new();
    let turn = scene.turn(BAND);
    (turn.woke_ns, turn.committed_ns, turn.since_ns) = (0, 0, 0);
    turn.circumstances = circumstance::UNRECORDED;
    let why = scene.walk().broken.unwrap();
    assert!(
        why.contains("band was killed before it could record"),
        "{why}"
    );
}

#[test]
fn what_is_no_decision_is_not_walked() {
    let mut scene = Scene::new();
    scene.turn(ACT).circumstances = circumstance::FINISH;
    assert_eq!(walk(&scene.route, &scene.read(), ACT, K as u64), None);
    assert_eq!(walk(&scene.route, &scene.read(), ACT, 1_000), None);
}
