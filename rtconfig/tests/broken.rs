//! Every broken graph is refused in one line that names the cause, with its line in the file.

mod kinds;

use ephapse_rtconfig::explain;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::resolve::resolve;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}"));
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files
}

#[test]
fn there_are_at_least_twenty_five_of_them() {
    assert!(fixtures().len() >= 25);
}

#[test]
fn every_broken_graph_is_refused_with_the_expected_first_line() {
    let catalogue = kinds::kinds();
    let mut wrong = Vec::new();
    for file in fixtures() {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
        let expected = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# expect: "))
            .unwrap_or_else(|| panic!("{}: no `# expect:` line", file.display()));
        let first = match Graph::from_path(&file) {
            Err(problem) => problem.to_string(),
            Ok(graph) => match resolve(&graph, &catalogue, &kinds::two_cpus()) {
                Err(problems) => problems[0].to_string(),
                Ok(_) => "(accepted)".to_owned(),
            },
        };
        let located = first
            .strip_prefix(&format!("{}:", file.display()))
            .and_then(|rest| rest.split(':').next()?.parse::<u32>().ok())
            .is_some_and(|line| line >= 1);
        if !first.contains(expected) || !located || first.contains('\n') {
            wrong.push(format!(
                "{}\n  wanted: {expected}\n  got:    {first}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_of_a_graph_are_told_together() {
    let text = kinds::LOOP
        .replace("[stage.detect]\n", "[stage.detect]\nburst = 0\n")
        .replace("[stage.rate]\n", "[stage.rate]\npriority = 97\n")
        .replace("low_hz = 300.0", "low = 300.0");
    let lines = kinds::refused(&text);
    for expected in ["a burst of 0", "priority 97", "no parameter `low`"] {
        assert!(lines.contains(expected), "{lines}");
    }
}

#[test]
fn what_keeps_frames_from_block_to_block_stands_on_the_pacing_input_alone() {
    for adapter in ["window = { n = 2 }", "decimate = 2"] {
        let beside = format!(
            "[stage.blank]
use = \"filter.blanking\"
in = {{ frames = \"filtered\", commands = {{ from = \"raw\", {adapter} }} }}
out = {{ frames = \"blanked\" }}
"
        );
        let lines = kinds::refused(&format!("{}\n{beside}", kinds::LOOP));
        assert!(
            lines.contains("only the input that begins activations"),
            "{lines}"
        );
    }
}

#[test]
fn one_refusing_stage_does_not_make_those_behind_it_complain() {
    let text = kinds::LOOP.replace("high_hz = 3000.0", "high_hz = 30.0");
    assert_eq!(kinds::refused(&text).lines().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_of_any_key_makes_planning_panic(
        key in prop::sample::select(vec![
            "timer.period_ns", "timer.cpu", "timer.priority", "timer.spin_ns", "defaults.cpu", "defaults.priority",
            "defaults.pace", "defaults.wait", "defaults.policy", "defaults.nice", "stage.band.divider",
            "stage.band.phase", "stage.band.burst", "stage.band.budget_ns", "stage.band.pacing",
            "stage.source.pace", "stage.source.params.block_frames", "stage.source.params.channels",
            "stage.source.params.rate_hz", "stage.detect.in.frames.window", "stage.detect.in.frames.cast",
            "stage.detect.in.frames.select", "stage.detect.in.frames.scale", "stage.detect.in.frames.decimate",
            "stage.detect.in.frames.merge", "stage.detect.in.frames.read", "stage.detect.in.frames.seat", "stage.detect.in.frames.feedback",
            "stream.raw.slots", "stream.raw.full", "stream.raw.spare_seats", "stage.band.out.frames", "name",
        ]),
        value in prop_oneof![
            Just("0"), Just("1"), Just("2"), Just("63"), Just("64"), Just("99"), Just("4294967295"), Just("1e300"),
            Just("9223372036854775807"), Just("-1"), Just("tick"), Just("data"), Just("none"), Just("spin"),
            Just("other"), Just("f64"), Just("bits"), Just("lap"), Just("newest"), Just("true"), Just("wait"),
            Just("{ n = 0 }"), Just("{ n = 4294967295, step = 1 }"), Just("raw"), Just("nan"), Just("frames"),
            Just("[0, 5, \"1?\"]"), Just("*"), Just("{ unit = \"mV\" }"), Just("[\"raw\", \"filtered\"]"),
        ],
    ) {
        let mut graph = kinds::read(kinds::LOOP);
        if graph.apply_set(&format!("{key}={value}")).is_ok() {
            match resolve(&graph, &kinds::kinds(), &kinds::two_cpus()) {
                Ok(plan) => prop_assert!(!explain::draw(&plan).is_empty()),
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }
}
