//! Exit codes and messages of the command line.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::turns::{alone, shared};

#[test]
fn usage_errors_exit_1_and_help_exits_0() {
    let _turn = shared();
    let place = Place::new();
    for arguments in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &[],
        &["run"],
        &["run", "graph.toml", "--duration", "soon"],
        &["run", "graph.toml", "--duration", "0s"],
        &["demo", "--format", "f32le,1ch,15000Hz"],
    ] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?} says nothing");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let ended = place.run(arguments).expect(0);
        assert!(ended.stdout.contains("ephapse"), "{}", ended.stdout);
        assert_eq!(ended.stderr, "");
    }
    place.expect_nothing_left();
}

#[test]
fn a_broken_budget_exits_2_with_the_verdict_threshold() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let ended = place
        .run_session(
            &[
                "run",
                "loop.toml",
                "--duration",
                "1s",
                "--set",
                "stage.band.budget_ns=1",
            ],
            30,
        )
        .expect(2);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.0["verdict"], "threshold");
    assert_eq!(report.0["exit_code"], 2);
    let budgets = report.list("budgets");
    assert_eq!(budgets.len(), 1);
    assert_eq!(budgets[0]["stage"], "band");
    assert!(budgets[0]["broken"].as_u64() > Some(0));
    assert!(ended.stdout.contains("band"), "{}", ended.stdout);
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
}

#[test]
fn a_session_may_be_started_from_any_directory() {
    let _turn = shared();
    let place = Place::new();
    let graph = place.write("loop.toml", LOOP);
    let graph = graph.to_str().unwrap();
    let mut command =
        place.session_command(&["run", graph, "--unpaced", "--duration", "1s", "--json"]);
    command.current_dir("/");
    let ended = place.finish(command, 30).expect(0);
    place.expect_nothing_left();
    let last = ended.stdout.lines().last().unwrap();
    let report: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(report["verdict"], "passed");
    for line in ended.stdout.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "with --json every line is JSON: {line}"
        );
    }
}

#[test]
fn a_report_folder_that_cannot_be_made_is_one_line_before_anything_runs() {
    let _turn = shared();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    place.write("a-file", "");
    for command in [
        &["run", "loop.toml", "--report", "a-file/report"][..],
        &["demo", "--report", "a-file/report"],
        &["run", "loop.toml", "--report", "a-file", "--duration", "1s"],
    ] {
        let ended = place.run(command).expect(1);
        let line = ended.only_line();
        assert!(line.contains("a-file"), "{line}");
        assert!(line.contains("--report"), "it says no way out: {line}");
        place.expect_nothing_left();
    }
}

#[test]
fn set_arguments_that_make_no_sense_are_refused_with_the_key_they_name() {
    let _turn = shared();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    for (set, expected) in [
        ("stage.bnad.cpu=0", "band"),
        ("stage.band.params.low_hz", "KEY=VALUE"),
        ("stage.band.params.low_hz=fast", "stage.band.params"),
        ("timer.period_ns=0", "timer.period_ns"),
    ] {
        let ended = place.run(&["check", "loop.toml", "--set", set]).expect(1);
        let first = ended.stderr.lines().next().unwrap();
        assert!(first.starts_with("ephapse: "), "{set}: {first}");
        assert!(first.contains(expected), "{set}: {first}");
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn the_checked_in_schemas_are_what_the_program_prints() {
    let place = Place::new();
    for (arguments, kept) in [
        (&["schema"][..], "graph.json"),
        (&["schema", "--stage"][..], "stage.json"),
    ] {
        let printed = place.run(arguments).expect(0).stdout;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rtconfig/schema/");
        let kept = std::fs::read_to_string(format!("{folder}{kept}")).unwrap();
        assert!(
            printed == kept,
            "{arguments:?}: write its output into rtconfig/schema"
        );
    }
}
