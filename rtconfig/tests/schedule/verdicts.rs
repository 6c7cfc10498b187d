//! What is said of graphs.

use crate::kinds::{LOOP, planned, read};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::schedule::fits::{Answer, Verdict, verdict};
use ephapse_rtconfig::schedule::measured::Measured;
use ephapse_rtconfig::schedule::response::analyse;
use ephapse_rtconfig::schedule::simulate::simulate;
use ephapse_rtconfig::schedule::what_if::set_argument;
use ephapse_rtconfig::schedule::{IrqThread, Schedule, Sources, schedule};

const BUDGETS: [&str; 2] = ["defaults.budget_ns=20_000", "stage.band.budget_ns=50_000"];

fn graph(changes: &[&str]) -> Graph {
    let mut graph = read(LOOP);
    for change in changes {
        let set = graph.apply_set(change);
        set.unwrap_or_else(|problem| panic!("{problem}"));
    }
    graph
}

fn of(changes: &[&str], sources: &Sources<'_>) -> Schedule {
    let planned = schedule(&planned(&graph(changes)), sources);
    planned.unwrap_or_else(|| panic!("the graph is paced"))
}

fn judged(changes: &[&str]) -> Verdict {
    let set = of(changes, &Sources::default()).set;
    verdict(&set, &analyse(&set))
}

fn with_budgets(changes: &[&str]) -> Vec<String> {
    let all = BUDGETS.iter().chain(changes);
    all.map(|change| (*change).to_owned()).collect()
}

fn judged_with(changes: &[&str]) -> Verdict {
    let all = with_budgets(changes);
    judged(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_loop_with_budgets_fits_and_its_worst_latency_is_known() {
    let verdict = judged_with(&[]);
    assert_eq!(verdict.answer, Answer::Fits, "{verdict:?}");
    // A block that has just missed its tick waits for the next one, and all stages run within that.
    let loop_ns = verdict.loop_ns.unwrap_or(0);
    assert!((1_000_000..2_000_000).contains(&loop_ns), "{loop_ns}");
}

#[test]
fn who_has_no_budget_is_named_and_nothing_is_promised() {
    let verdict = judged(&["stage.band.budget_ns=50_000"]);
    assert_eq!((verdict.answer, verdict.loop_ns), (Answer::NoBound, None));
    let names = ["`source`", "`detect`", "`stimulate`"];
    assert!(
        names.iter().all(|name| verdict.words.contains(name)),
        "{}",
        verdict.words
    );
    assert!(!verdict.words.contains("`band`"), "{}", verdict.words);
}

#[test]
fn the_first_stage_that_its_next_turn_overtakes_is_named() {
    let verdict = judged_with(&["stage.detect.budget_ns=600_000"]);
    assert_eq!(verdict.answer, Answer::DoesNotFit);
    assert!(
        verdict
            .words
            .starts_with("does not fit: `detect` can take "),
        "{}",
        verdict.words
    );
    assert!(
        verdict.words.contains("blocks that can have come"),
        "{}",
        verdict.words
    );
    let verdict = judged_with(&["stage.detect.budget_ns=950_000"]);
    assert!(
        verdict.words.starts_with("does not fit: `detect` and what"),
        "{}",
        verdict.words
    );
}

#[test]
fn a_reader_that_can_be_further_behind_than_its_ring_is_back_pressure() {
    let verdict = judged_with(&[
        "stream.filtered.slots=4",
        "stage.detect.divider=4",
        "defaults.budget_ns=5_000",
    ]);
    assert_eq!(verdict.answer, Answer::NoBound, "{verdict:?}");
    assert!(
        verdict
            .words
            .starts_with("no bound: back-pressure at `filtered`: `detect` "),
        "{}",
        verdict.words
    );
    assert_eq!(verdict.loop_ns, None);
}

#[test]
fn a_source_that_can_find_its_ring_full_does_not_fit() {
    let verdict = judged_with(&[
        "stream.raw.slots=4",
        "stage.band.divider=4",
        "defaults.budget_ns=5_000",
    ]);
    assert_eq!(verdict.answer, Answer::DoesNotFit);
    assert!(
        verdict.words.contains("`raw` can drop blocks: `band` "),
        "{}",
        verdict.words
    );
}

#[test]
fn a_stage_at_normal_priority_has_no_bound_and_those_behind_it_are_not_blamed() {
    for stage in ["stimulate", "detect"] {
        let normal = format!("stage.{stage}.policy=other");
        let verdict = judged_with(&[&normal, "defaults.budget_ns=30_000"]);
        assert_eq!(verdict.answer, Answer::NoBound, "{verdict:?}");
        let words = format!("no bound: `{stage}` under policy `other`");
        assert!(verdict.words.starts_with(&words), "{}", verdict.words);
    }
}

#[test]
fn irq_threads_come_before_what_is_less_urgent() {
    let irqs = [IrqThread {
        cpu: 1,
        priority: 90,
        every_ns: 100_000,
        run_ns: 50_000,
    }];
    let changes = with_budgets(&[]);
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let with = |irqs| {
        let sources = Sources {
            irqs,
            ..Sources::default()
        };
        let set = of(&changes, &sources).set;
        analyse(&set).tasks[set.tasks.len() - 1]
            .response_ns
            .clone()
            .ok()
    };
    let (without, beside) = (with(&[]), with(&irqs));
    assert!(
        without.is_some() && beside > without,
        "{beside:?} {without:?}"
    );
}

#[test]
fn run_times_of_a_report_stand_in_for_budgets() {
    let figures = |ns: u64| serde_json::json!({ "count": 9, "min_ns": ns, "p50_ns": ns, "p99_ns": ns, "p999_ns": ns, "p9999_ns": ns, "max_ns": 2 * ns });
    let names: Vec<String> = graph(&[]).keys().stage.keys().cloned().collect();
    let hop = |stage: &String| serde_json::json!({ "stage": stage, "kind": "run", "uncorrected": figures(10_000) });
    let report = serde_json::json!({
        "format": "ephapse-report 1", "session": "loop", "loop": null, "ticks": [], "rings": [],
        "hops": names.iter().map(hop).collect::<Vec<_>>()
    });
    let measured = Measured::from_json(&report.to_string());
    let measured = measured.unwrap_or_else(|why| panic!("{why}"));
    let sources = Sources {
        measured: Some(&measured),
        ..Sources::default()
    };
    let set = of(&[], &sources).set;
    assert_eq!(verdict(&set, &analyse(&set)).answer, Answer::Fits);
    let runs = set.tasks.iter().filter_map(|task| task.run.as_ref());
    assert!(
        runs.clone()
            .any(|run| (run.best_ns(), run.worst_ns()) == (10_000, 20_000))
    );

    let refused = |text: &str| Measured::from_json(text).err().unwrap_or_default();
    assert!(refused("{}").contains("report.json"));
    let other = report
        .to_string()
        .replace("ephapse-report 1", "ephapse-report 7");
    assert!(refused(&other).contains("ephapse-report 7"));
}

#[test]
fn an_unpaced_graph_has_no_schedule() {
    let plan = planned(&graph(&["stage.source.pace=none"]));
    assert!(schedule(&plan, &Sources::default()).is_none());
}

#[test]
fn the_model_of_a_loop_takes_every_block_through_and_stays_below_the_bound() {
    let changes = with_budgets(&[]);
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let set = of(&changes, &Sources::default()).set;
    let bound = verdict(&set, &analyse(&set)).loop_ns;
    let seen = simulate(&set, 10_000_000_000, 1);
    assert!(
        (9_990..=10_000).contains(&seen.loop_ns.len()),
        "{}",
        seen.loop_ns.len()
    );
    let latest = seen.tasks.iter().map(|ran| ran.latency_ns).max();
    assert!(latest <= bound, "{latest:?} {bound:?}");
    let skipped: u64 = seen
        .tasks
        .iter()
        .map(|r| r.late_wake + r.long_run + r.no_room)
        .sum();
    assert_eq!(
        (skipped, seen.rings.iter().map(|r| r.dropped).sum()),
        (0, 0_u64)
    );
    let again = simulate(&set, 10_000_000_000, 1);
    assert!(again.loop_ns == seen.loop_ns && again.tasks == seen.tasks);
}

#[test]
fn the_model_skips_ticks_and_drops_blocks_where_the_bound_says_that_it_can() {
    let skips = of(
        &[
            "defaults.budget_ns=20_000",
            "stage.band.budget_ns=2_500_000",
        ],
        &Sources::default(),
    );
    let seen = simulate(&skips.set, 1_000_000_000, 1);
    let long: u64 = seen.tasks.iter().map(|ran| ran.long_run).sum();
    assert!(long > 300, "{long}");
    let drops = with_budgets(&["stream.raw.slots=2", "stage.band.divider=4"]);
    let drops: Vec<&str> = drops.iter().map(String::as_str).collect();
    let seen = simulate(&of(&drops, &Sources::default()).set, 1_000_000_000, 1);
    assert!(seen.rings[0].dropped > 300, "{:?}", seen.rings[0]);
}

#[test]
fn a_change_in_short_is_what_it_stands_for_and_a_typing_error_is_answered_by_name() {
    let graph = graph(&[]);
    let argument = |change| set_argument(&graph, change);
    assert_eq!(argument("band.cpu=2"), Ok("stage.band.cpu=2".to_owned()));
    assert_eq!(
        argument("raw.slots=16"),
        Ok("stream.raw.slots=16".to_owned())
    );
    assert_eq!(
        argument("timer.period_ns=500_000"),
        Ok("timer.period_ns=500_000".to_owned())
    );
    for (change, words) in [
        (
            "bnd.cpu=2",
            "there is no stage or stream `bnd`; did you mean `band`?",
        ),
        (
            "band.cpus=2",
            "`cpus` of `band` does not change the schedule; did you mean `cpu`?",
        ),
        ("raw.slot=2", "did you mean `slots`?"),
        ("band", "write it NAME.KEY=VALUE"),
        ("band.cpu=", "write it NAME.KEY=VALUE"),
    ] {
        let refused = argument(change).err().unwrap_or_default();
        assert!(refused.contains(words), "{change}: {refused}");
    }
}
