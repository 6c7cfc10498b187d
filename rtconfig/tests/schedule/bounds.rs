//! The bound is never below what the model finds, and equal to it where the worst case is known to happen.

use crate::random_sets::{TICK_NS, graph, independent};
use ephapse_rtconfig::schedule::response::{Analysis, analyse};
use ephapse_rtconfig::schedule::simulate::{Prediction, simulate};
use ephapse_rtconfig::schedule::tasks::TaskSet;

/// Ticks that each set runs.
const TICKS: u64 = 400;

/// Sets to try; the environment may ask for more.
fn sets() -> u64 {
    let asked = std::env::var("EPHAPSE_SCHEDULES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// What is above its bound.
fn broken(set: &TaskSet, analysis: &Analysis, seen: &Prediction) -> Vec<String> {
    let mut broken = Vec::new();
    for ((task, bound), ran) in set.tasks.iter().zip(&analysis.tasks).zip(&seen.tasks) {
        let mut hold = |what: &str, bound_ns: Option<u64>, seen_ns: u64| {
            if let Some(bound_ns) = bound_ns.filter(|bound_ns| *bound_ns < seen_ns) {
                broken.push(format!("{}: {what} {seen_ns} above {bound_ns}", task.name));
            }
        };
        hold("response", bound.response_ns.clone().ok(), ran.response_ns);
        hold("latency", bound.latency_ns, ran.latency_ns);
    }
    let mut readers = analysis.occupancies.iter();
    for (ring, passed) in set.rings.iter().zip(&seen.rings) {
        let mut can_fill = false;
        for (most, reader) in passed.most.iter().zip(&mut readers) {
            can_fill |= reader.can_fill;
            if reader.most.is_some_and(|bound| bound < *most) {
                broken.push(format!(
                    "{}: {most} blocks above {:?}",
                    ring.name, reader.most
                ));
            }
        }
        if !can_fill && passed.dropped > 0 {
            broken.push(format!("{}: {} dropped", ring.name, passed.dropped));
        }
    }
    let held_up = seen
        .tasks
        .iter()
        .map(|ran| ran.waits + ran.no_room)
        .sum::<u64>();
    if held_up > 0 {
        broken.push(format!("held up {held_up} times"));
    }
    broken
}

#[test]
fn no_response_latency_or_ring_of_a_random_graph_is_above_its_bound() {
    let (mut bounded, mut all, mut ends, mut with_latency) = (0, 0, 0, 0);
    for seed in 0..sets() {
        let set = graph(seed);
        let analysis = analyse(&set);
        if analysis.withheld.is_some() {
            continue;
        }
        all += set.tasks.len();
        bounded += analysis
            .tasks
            .iter()
            .filter(|t| t.response_ns.is_ok())
            .count();
        let end = set
            .tasks
            .iter()
            .zip(&analysis.tasks)
            .filter(|(t, _)| t.ends_loop);
        let end: Vec<bool> = end.map(|(_, bound)| bound.latency_ns.is_some()).collect();
        ends += end.len();
        with_latency += end.iter().filter(|bound| **bound).count();
        for run in 0..3 {
            let seen = simulate(&set, TICKS * TICK_NS, run);
            let broken = broken(&set, &analysis, &seen);
            assert!(
                broken.is_empty(),
                "seed {seed}, run {run}: {broken:?}\n{set:?}"
            );
        }
    }
    assert!(bounded * 2 > all, "{bounded} of {all} tasks had a bound");
    assert!(
        with_latency * 4 > ends,
        "{with_latency} of {ends} loops had a bound"
    );
}

#[test]
fn the_bound_of_independent_stages_released_together_is_what_the_model_finds() {
    let mut compared = 0;
    for seed in 0..sets() {
        let set = independent(seed, false);
        let analysis = analyse(&set);
        // Least common multiple of dividers 1 to 8: all that can happen has happened.
        let seen = simulate(&set, 840 * TICK_NS, 0);
        for (index, bound) in analysis.tasks.iter().enumerate() {
            let turn_ns = set.turn_ns(index).unwrap_or(0);
            // Who still runs at its next tick skips it, and those behind have less before them than the bound says.
            let Some(bound_ns) = bound.response_ns.clone().ok().filter(|ns| *ns <= turn_ns) else {
                break;
            };
            compared += 1;
            assert_eq!(
                bound_ns, seen.tasks[index].response_ns,
                "seed {seed}, task {index}"
            );
        }
    }
    assert!(compared > sets(), "{compared} stages compared");
}

#[test]
fn among_equal_priorities_the_last_one_released_reaches_its_bound() {
    let mut compared = 0;
    for seed in 0..sets() {
        let set = independent(seed, true);
        for last in 1..set.tasks.len() {
            // The timer rings in the order of the list.
            let mut set = set.clone();
            let stage = set.tasks.remove(last);
            set.tasks.push(stage);
            let index = set.tasks.len() - 1;
            let turn_ns = set.turn_ns(index).unwrap_or(0);
            let analysis = analyse(&set);
            let bounds = analysis.tasks.iter().map(|bound| bound.response_ns.clone());
            let bounds: Result<Vec<u64>, _> = bounds.collect();
            let Some(bounds) = bounds
                .ok()
                .filter(|all| all.iter().all(|ns| *ns <= turn_ns))
            else {
                continue;
            };
            compared += 1;
            let seen = simulate(&set, 48 * TICK_NS, 0);
            assert_eq!(
                bounds[index], seen.tasks[index].response_ns,
                "seed {seed}, stage {last}"
            );
        }
    }
    assert!(compared > sets(), "{compared} stages compared");
}
