//! Processes that are killed, and users who interrupt.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, signal, wait_until};
use crate::turns::alone;
use serde_json::Value;

/// A running loop, seen to run. Its commands are logged, by a helper.
fn running(place: &Place) -> Running {
    place.write(
        "loop.toml",
        &LOOP.replace("stimulate.null", "stimulate.log"),
    );
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || {
        session(place).is_some_and(|s| s["state"] == "running" && s["tick"].as_u64() > Some(200))
    });
    run
}

/// What `status` says of the session.
fn session(place: &Place) -> Option<Value> {
    let ended = place.run(&["status", "--json"]).expect(0);
    let all: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    all.into_iter().find(|s| s["session"] == place.session())
}

fn pid_of(place: &Place, name: &str) -> u32 {
    let session = session(place).unwrap();
    let processes = session["processes"].as_array().unwrap();
    let found = processes.iter().find(|p| p["name"] == name);
    found.unwrap()["pid"].as_u64().unwrap() as u32
}

#[test]
fn a_killed_stage_fails_the_session_which_names_it_and_leaves_nothing() {
    let _turn = alone();
    for victim in ["detect", "source", "stimulate", "stimulate.log", "timer"] {
        let place = Place::new();
        let run = running(&place);
        signal(pid_of(&place, victim), "KILL");
        let ended = run.wait(15).expect(1);
        place.expect_nothing_left();
        let report = Report::read(&place.report());
        assert_eq!(report.0["verdict"], "failed");
        // What fell due and was not run has a cause, also when nobody was left to announce it.
        report.expect_accounts(&["ticks"]);
        let first = &report.list("faults")[0];
        assert_eq!(first["who"], victim, "{first}");
        let ended_by = report.0["ended_by"].as_str().unwrap();
        assert!(ended_by.contains(victim), "{ended_by}");
        assert!(ended.stdout.contains(victim), "{}", ended.stdout);
    }
}

#[test]
fn what_a_killed_launcher_leaves_is_told_and_removed() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    run.signal("KILL");
    assert_eq!(run.wait(5).code, None);
    wait_until("the session's processes are gone", 2, || {
        place.processes().is_empty()
    });
    assert!(!place.segments().is_empty(), "there is nothing to remove");
    let gone = session(&place).unwrap();
    assert_eq!(gone["running"], false);
    assert_eq!(gone["alive"], 0);
    let told = place.run(&["status"]).expect(0).stdout;
    assert!(
        told.contains(&format!("{}: its launcher is gone", place.session())),
        "{told}"
    );
    let collected = place.run(&["gc"]).expect(0);
    assert!(
        collected
            .stdout
            .starts_with(&format!("{}: ", place.session())),
        "{}",
        collected.stdout
    );
    place.expect_nothing_left();
}

#[test]
fn the_next_session_of_the_same_name_removes_what_a_killed_one_has_left() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    run.signal("KILL");
    assert_eq!(run.wait(5).code, None);
    wait_until("the session's processes are gone", 2, || {
        place.processes().is_empty()
    });
    let next = ["run", "loop.toml", "--unpaced", "--duration", "1s"];
    let ended = place.run_session(&next, 30).expect(0);
    assert!(
        ended.stderr.contains("ephapse: removed ") && ended.stderr.contains(place.session()),
        "{}",
        ended.stderr
    );
    place.expect_nothing_left();
}

#[test]
fn an_interrupted_session_drains_and_passes() {
    let _turn = alone();
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let run = running(&place);
        run.signal(name);
        run.wait(15).expect(0);
        place.expect_nothing_left();
        let report = Report::read(&place.report());
        assert_eq!(report.0["verdict"], "passed");
        assert_eq!(report.0["ended_by"], "interrupted");
        report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
        for edge in report.list("edges") {
            assert_eq!(edge["left"], 0, "{edge}");
        }
    }
}

#[test]
fn a_session_interrupted_twice_leaves_at_once_and_says_so() {
    let _turn = alone();
    let place = Place::new();
    // Nobody takes what the source gives: a drain would last until its deadline.
    let run = running(&place);
    let stopped = pid_of(&place, "band");
    signal(stopped, "STOP");
    run.signal("INT");
    wait_until("the session drains", 5, || {
        session(&place).is_none_or(|s| s["state"] == "draining")
    });
    run.signal("INT");
    run.wait(15).expect(1);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let faults = report.list("faults");
    assert!(
        faults.iter().any(|f| f["what"]
            .as_str()
            .is_some_and(|what| what.contains("interrupted twice"))),
        "{faults:?}"
    );
}
