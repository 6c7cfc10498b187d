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
    let walks = worst.finish().0.into_iter();
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
    let (walks, _) = worst.finish();
    let numbers: Vec<u64> = walks.iter().map(|walk| walk.number).collect();
    let expected: Vec<u64> = (0..10).rev().map(|i| i * 1_000 + 500).collect();
    assert_eq!(numbers, expected);
    assert!(walks.iter().all(|walk| walk.broken.is_none()));
}

/// Incidents of a scene that is looked at when all of it is there: number of the worst, decisions, ticks.
fn incidents_of(scene: &Scene) -> Vec<(u64, u64, (u64, u64))> {
    let mut worst = Worst::of(scene.route.clone());
    for (station, records) in scene.records.iter().enumerate() {
        for (number, record) in (0..).zip(records) {
            worst.record(station, number, record);
        }
    }
    let (_, incidents) = worst.finish();
    let all = incidents.iter();
    all.map(|i| (i.worst.number, i.decisions, (i.first_tick, i.last_tick)))
        .collect()
}

#[test]
fn decisions_that_each_took_their_usual_time_are_an_incident_each() {
    let incidents = incidents_of(&Scene::new());
    assert_eq!(incidents.len(), TICKS as usize);
    assert!(incidents.iter().all(|(_, decisions, _)| *decisions == 1));
}

#[test]
fn what_one_stall_kept_waiting_is_one_incident_and_the_rest_are_others() {
    let mut scene = Scene::new();
    // The filter stands still at block 3 until block 6 is there, and works all of them off.
    for k in 3..=6 {
        let behind_ns = (k as u64 - 3) * 50 * US;
        let until_ns = at(6) + 100 * US + behind_ns;
        let by_ns = until_ns - scene.records[BAND][k].woke_ns;
        for station in BAND..=ACT {
            let record = &mut scene.records[station][k];
            record.woke_ns += by_ns;
            record.committed_ns += by_ns;
            if station == ACT {
                record.since_ns += by_ns;
            }
        }
    }
    let incidents = incidents_of(&scene);
    assert_eq!(incidents[0], (3, 4, (4, 7)));
    assert_eq!(incidents.len(), 1 + TICKS as usize - 4);
    // Two stalls are two incidents.
    let mut scene = Scene::new();
    scene.records[ACT][2].committed_ns += 300 * US;
    scene.records[ACT][7].committed_ns += 200 * US;
    let incidents = incidents_of(&scene);
    assert_eq!(incidents[..2], [(2, 1, (3, 3)), (7, 1, (8, 8))]);
}

#[test]
fn what_stood_still_on_one_cpu_is_one_incident_at_whatever_stage_it_met_a_decision() {
    let mut scene = Scene::new();
    // One block waits for the stimulator, those behind it for the readout, which shares its CPU.
    let until_ns = at(TICKS + 1);
    for k in K - 1..TICKS as usize {
        let late = (k + 1 - K) as u64 * 100 * US;
        if k >= K {
            let turn = &mut scene.records[READOUT][k];
            turn.woke_ns = until_ns + late;
            turn.committed_ns = turn.woke_ns + 40 * US;
        }
        let made_ns = scene.records[READOUT][k].committed_ns;
        let turn = &mut scene.records[ACT][k];
        turn.since_ns = made_ns;
        turn.woke_ns = until_ns + late + 50 * US;
        turn.committed_ns = turn.woke_ns + 20 * US;
    }
    let behind = TICKS - K as u64;
    let incidents = incidents_of(&scene);
    assert_eq!((incidents[0].0, incidents[0].1), (K as u64 - 1, 1 + behind));
    assert_eq!(incidents.len(), 1 + K - 1);
    // Each on a CPU of its own, they have nothing to do with each other.
    scene.route.stations[ACT].cpu = Some(3);
    let incidents = incidents_of(&scene);
    assert_eq!((incidents[0].1, incidents[1].1), (1, behind));
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
    let (walks, _) = worst.finish();
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
