//! The benchmarking tool as a user runs it. What it measures is not looked at here: only that every figure stands on its
//! histograms, and that exit codes and words are those promised.

use crate::finished::Finished;
use crate::place::Place;
use crate::turns::{alone, shared};
use serde_json::Value;

/// The shortest run that measures everything `ring` has.
const SHORT: [&str; 8] = [
    "bench", "ring", "--rounds", "1", "-d", "5ms", "--report", "r",
];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    first.iter().chain(more).copied().collect()
}

fn result(place: &Place) -> Value {
    let text = std::fs::read_to_string(place.path().join("r/bench.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bench(place: &Place, arguments: &[&str]) -> Finished {
    place.finish(place.command(arguments), 60)
}

#[test]
fn every_figure_of_a_benchmark_can_be_computed_again_from_its_log_and_a_changed_one_is_named() {
    let _turn = alone();
    let place = Place::new();
    let ended = bench(&place, &with(&SHORT, &["--hgrm", "r/hgrm"])).expect(0);
    for words in [
        "PASSED",
        "ring, 64 B, spin",
        "engine",
        "floor",
        "Instrument proved",
    ] {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    place.expect_nothing_left();
    let mut json = result(&place);
    assert_eq!(json["format"], "ephapse-bench 1");
    assert_eq!(json["proof"]["passed"], true);
    let series = json["series"].as_array().unwrap();
    let tags = series.iter().map(|s| s["tag"].as_str().unwrap());
    assert!(series.len() > 50);
    for tag in tags {
        let file = place.path().join(format!("r/hgrm/{tag}.hgrm"));
        assert!(file.exists(), "{}", file.display());
    }
    let checked = place.run(&["bench", "--check", "r/bench.json"]).expect(0);
    assert!(
        checked.stdout.contains("all as they stand"),
        "{}",
        checked.stdout
    );
    json["series"][3]["figures"]["p50_ns"] = 1.into();
    std::fs::write(place.path().join("r/bench.json"), json.to_string()).unwrap();
    let refused = place.run(&["bench", "--check", "r/bench.json"]).expect(1);
    let line = refused.only_line();
    assert!(line.contains("series[3].figures.p50_ns says 1"), "{line}");
}

#[test]
fn a_latency_above_the_threshold_exits_2_names_itself_and_runs_the_action() {
    let _turn = alone();
    let place = Place::new();
    let arguments = [
        "-T",
        "1ns",
        "--on-threshold",
        "shell,command=touch hit",
        "--json",
    ];
    let ended = bench(&place, &with(&SHORT, &arguments)).expect(2);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (json["verdict"].as_str(), json["exit_code"].as_u64()),
        (Some("threshold"), Some(2))
    );
    assert_eq!(json["threshold"]["hits"].as_array().unwrap().len(), 1);
    assert!(place.path().join("hit").exists());
    place.expect_nothing_left();
}

#[test]
fn usage_errors_of_bench_exit_1_in_words_that_help() {
    let _turn = shared();
    let place = Place::new();
    for (arguments, word) in [
        (&["bench"][..], "<WHAT>"),
        (&["bench", "rings"], "ring"),
        (&["bench", "ring", "-c", "0"], "two CPUs"),
        (&["bench", "ring", "-c", "0,0"], "a CPU each"),
        (&["bench", "ring", "-c", "0,4000"], "no CPU 4000"),
        (&["bench", "ring", "-P", "f:99"], "1 to 98"),
        (
            &["bench", "ring", "--on-threshold", "stop,x", "-T", "1"],
            "continue",
        ),
        (
            &["bench", "ring", "--peers", "/bin/true"],
            "make bench-peers",
        ),
        (
            &["bench", "ring", "--report", "/dev/null/x"],
            "--report DIR",
        ),
        (&["bench", "--check", "missing.json"], "missing.json"),
    ] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(word),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    place.expect_nothing_left();
}
