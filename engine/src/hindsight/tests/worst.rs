use super::scene::*;
use crate::abi::ActivationRecord;
use crate::hindsight::Worst;
use crate::outcome::Stall;

/// Feeds everything, tick by tick, with a look behind each.
fn worst_of(scene: &Scene) -> Vec<(u64, u64)> {
    let mut worst = Worst::of(scene.route.clone());
    for tick in 0..TICKS as usize {
        for (station, records) in scene.records.iter().enumerate() {
            if let Some(record) = records.get(tick) {
                worst.record(station, tick as u64, record);
            }
        }
        worst.look();
    }
    let walks = worst.finish().into_iter();
    walks.map(|walk| (walk.number, walk.total_ns())).collect()
}

#[test]
fn the_worst_come_first_and_all_of_them_are_walked_to_their_frames() {
    let mut scene = Scene::new();
    scene.delay(BAND, 300 * US);
    scene.records[ACT][2].committed_ns += 100 * US;
    let usual_ns = MS + 90 * US;
    let found = worst_of(&scene);
    assert_eq!(found.len(), TICKS as usize);
    assert_eq!(
        found[..3],
        [
            (K as u64, usual_ns + 300 * US),
            (2, usual_ns + 100 * US),
            (0, usual_ns)
        ]
    );
}

#[test]
fn a_long_run_keeps_ten_and_lets_old_records_go() {
    let scene = Scene::new();
    let mut worst = Worst::of(scene.route.clone());
    let shifted = |record: &ActivationRecord, k: u64| {
        let by_ns = k * MS;
        let mut record = *record;
        record.woke_ns += by_ns;
        record.committed_ns += by_ns;
        record.sampled_ns += by_ns;
        record.since_ns += by_ns;
        record.origin_frame += k * 20;
        record.consumed[0] = record.consumed[0].wrapping_add(k as u16);
        record.produced[0] = record.produced[0].wrapping_add(k as u16);
        record
    };
    for k in 0..10_000 {
        for station in [TIMER, SOURCE, BAND, READOUT, ACT] {
            let mut record = shifted(&scene.records[station][0], k);
            if station == ACT && k % 1_000 == 500 {
                record.committed_ns += k * US;
            }
            worst.record(station, k, &record);
        }
        worst.look();
    }
    let walks = worst.finish();
    let numbers: Vec<u64> = walks.iter().map(|walk| walk.number).collect();
    let expected: Vec<u64> = (0..10).rev().map(|i| i * 1_000 + 500).collect();
    assert_eq!(numbers, expected);
    assert!(walks.iter().all(|walk| walk.broken.is_none()));
}

#[test]
fn a_stall_that_is_told_a_look_later_is_still_in_time() {
    let mut scene = Scene::new();
    scene.delay(BAND, 4 * MS);
    let mut worst = Worst::of(scene.route.clone());
    for (station, records) in scene.records.iter().enumerate() {
        for (number, record) in (0..).zip(records) {
            worst.record(station, number, record);
        }
    }
    worst.look();
    worst.stall(Stall {
        cpu: 2,
        at_ns: at(K as u64) + MS,
        length_ns: 3 * MS,
    });
    worst.look();
    let walks = worst.finish();
    assert_eq!(walks[0].number, K as u64);
    assert!(!walks[0].hops[1].causes.is_empty());
}

#[test]
fn decisions_that_never_came_make_the_one_behind_them_worse() {
    let mut scene = Scene::new();
    // Blocks 3 and 4 were dropped at the source.
    for record in &mut scene.records[ACT][3..] {
        record.origin_frame += 40;
    }
    let found = worst_of(&scene);
    assert_eq!(found[0], (3, MS + 90 * US));
}
