//! What a graph has run when something has happened: once per cause, with the report so far, and never in anybody's way.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, entries, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::{alone, shared};
use ephapse_engine::launch::read_events;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

/// Keeps what it is given, and says something.
const KEEPS: &str = "#!/bin/sh\ncat > \"told/$EPHAPSE_ON.$$\"\necho \"$EPHAPSE_SESSION: $EPHAPSE_CAUSE\" > \"told/env.$$\"\necho heard\n";

/// A place with a loop in it that tells what happens to `[on]`, and a program that keeps it.
fn place(on: &str, set: &[(&str, &str)]) -> Place {
    let place = Place::new();
    fs::create_dir(place.path().join("told")).unwrap();
    let program = place.write("keeps.sh", KEEPS);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut graph = format!("record = []\n{LOOP}\n[on]\n{on}\n");
    for (from, to) in set {
        assert!(graph.contains(from));
        graph = graph.replace(from, to);
    }
    place.write("loop.toml", &graph);
    place
}

/// What was told of a kind.
fn told(place: &Place, on: &str) -> Vec<Value> {
    let folder = place.path().join("told");
    let names = entries(&folder).into_iter();
    let names = names.filter(|name| name.starts_with(&format!("{on}.")));
    names
        .map(|name| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
        })
        .collect()
}

#[track_caller]
fn running(place: &Place) -> Running {
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || {
        let ended = place.run(&["status", "--json"]).expect(0);
        let all: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
        all.iter()
            .any(|s| s["state"] == "running" && s["tick"].as_u64() > Some(200))
    });
    run
}

#[test]
fn a_fault_is_told_once_while_the_session_runs_and_the_end_with_the_verdict() {
    let _turn = alone();
    let on = "fault = [\"./keeps.sh\"]\nend = [\"./keeps.sh\"]";
    let isolated = "[stage.rate]\non_death = \"isolate\"";
    let detect = "[stage.detect]\non_death = \"isolate\"";
    let place = place(
        on,
        &[("[stage.rate]", isolated), ("[stage.detect]", detect)],
    );
    let run = running(&place);
    signal(pid_of(&place, "rate").unwrap(), "KILL");
    let said = |what: &str| read_events_of(&place).iter().any(|e| e.contains(what));
    wait_until("its end is an event", 20, || {
        said("on fault: ended with exit code 0")
    });
    let fault = &told(&place, "fault")[0];
    assert_eq!(fault["format"], "ephapse-so-far 1");
    assert_eq!(fault["on"], "fault");
    assert_eq!(fault["session"], place.session());
    assert_eq!(fault["state"], "running");
    assert!(
        fault["cause"].as_str().unwrap().starts_with("rate: died"),
        "{fault}"
    );
    assert_eq!(fault["faults"][0]["who"], "rate");
    assert!(fault["tick"].as_u64() > Some(200), "{fault}");
    assert!(fault["elapsed_ns"].as_u64() > Some(200_000_000), "{fault}");
    for accounts in ["ticks", "rings", "edges", "sources"] {
        let first = &fault[accounts][0];
        assert!(
            first.is_object() && first.get("holds").is_none(),
            "{accounts}: {first}"
        );
    }
    // Another one within the minute waits for it to be over; the session is over sooner.
    signal(pid_of(&place, "detect").unwrap(), "KILL");
    wait_until("it is a fault", 20, || said("died (signal: 9"));
    run.signal("INT");
    run.wait(30).expect(1);
    place.expect_nothing_left();
    assert_eq!(told(&place, "fault").len(), 1);
    let end = told(&place, "end");
    assert_eq!(end.len(), 1);
    assert_eq!(end[0]["verdict"], "failed");
    assert_eq!(end[0]["exit_code"], 1);
    assert_eq!(end[0]["faults"].as_array().unwrap().len(), 2, "{}", end[0]);
    assert!(end[0]["ticks"][0]["holds"].is_boolean(), "{}", end[0]);
    let report = Report::read(&place.report());
    let listed = report.list("told");
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().all(|t| t["exit_code"] == 0), "{listed:?}");
    // What they said is in the log.
    let log = fs::read_to_string(place.report().join("logs.jsonl")).unwrap();
    assert!(
        log.contains("\"on.fault\"") && log.contains("\"heard\""),
        "{log}"
    );
}

fn read_events_of(place: &Place) -> Vec<String> {
    let events = read_events(place.session()).unwrap_or_default();
    events.into_iter().map(|e| e.what).collect()
}

#[test]
fn a_broken_budget_is_told_once() {
    let _turn = alone();
    let budget = "[stage.band]\nbudget_ns = 1";
    let place = place("threshold = [\"./keeps.sh\"]", &[("[stage.band]", budget)]);
    let run = place.run_session(&["run", "loop.toml", "--duration", "2s"], 40);
    run.expect(2);
    place.expect_nothing_left();
    let told = told(&place, "threshold");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["budgets"][0]["stage"], "band", "{}", told[0]);
    assert_eq!(told[0]["cause"], "band: its budget of 1 ns is broken");
}

#[test]
fn a_command_that_hangs_is_killed_with_all_it_has_started_and_one_that_is_gone_is_said() {
    let _turn = alone();
    let on = "threshold = [\"./gone.sh\"]\nend = [\"sh\", \"-c\", \"sleep 61 & sleep 62\"]";
    let budget = "[stage.band]\nbudget_ns = 1";
    let hangs = place("", &[]);
    let gone = hangs.write("gone.sh", "#!/bin/sh\n");
    fs::set_permissions(&gone, fs::Permissions::from_mode(0o755)).unwrap();
    let graph = fs::read_to_string(hangs.path().join("loop.toml")).unwrap();
    let graph = graph.replace("[stage.band]", budget) + on + "\n";
    hangs.write("loop.toml", &graph);
    let command = hangs.session_command(&["run", "loop.toml", "--duration", "1s"]);
    let began = Instant::now();
    let run = hangs.start(command);
    wait_until("it is started", 20, || pid_of(&hangs, "band").is_some());
    fs::remove_file(gone).unwrap();
    run.wait(60).expect(2);
    // A second of session and ten of waiting, on a host that has other things to do.
    assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
    hangs.expect_nothing_left();
    let report = Report::read(&hangs.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    let told = report.list("told");
    let how = |on: &str| {
        let found = told.iter().find(|t| t["on"] == on);
        found.unwrap_or_else(|| panic!("no {on} in {told:?}"))["how"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(how("end").starts_with("was killed"), "{}", how("end"));
    assert!(
        how("threshold").starts_with("cannot be started"),
        "{}",
        how("threshold")
    );
}

#[test]
fn a_program_that_is_not_there_is_found_out_before_the_run() {
    let _turn = shared();
    let missing = place("fault = [\"./is-not-there.sh\"]", &[]);
    let refused = missing.run(&["check", "loop.toml"]).expect(1);
    assert!(
        refused.stderr.contains("is-not-there.sh") && refused.stderr.contains("on.fault"),
        "{}",
        refused.stderr
    );
    let explained = place("fault = [\"./keeps.sh\"]", &[]);
    let drawn = explained.run(&["explain", "loop.toml"]).expect(0).stdout;
    assert!(drawn.contains("on fault: "), "{drawn}");
}

#[test]
fn the_example_that_sends_mail_is_sound_and_fits_over_a_graph() {
    let _turn = shared();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../rtconfig/graphs/on");
    let script = format!("{folder}/mail-report.sh");
    assert!(
        Command::new("sh")
            .args(["-n", &script])
            .status()
            .unwrap()
            .success()
    );
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let overlay = format!("{folder}/mail.toml");
    let drawn = place
        .run(&["explain", "loop.toml", "--with", &overlay])
        .expect(0)
        .stdout;
    assert!(drawn.contains("on end: "), "{drawn}");
    // With a program that plays the mailer.
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(
        bin.join("mail"),
        "#!/bin/sh\necho \"$@\" > mailed\ncat >> mailed\n",
    )
    .unwrap();
    fs::set_permissions(bin.join("mail"), fs::Permissions::from_mode(0o755)).unwrap();
    place.write("so-far.json", "{}\n");
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{script} lab@example.org < so-far.json")])
        .current_dir(place.path())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("EPHAPSE_SESSION", "demo")
        .env("EPHAPSE_ON", "fault")
        .env("EPHAPSE_CAUSE", "detect: died\nBcc: everybody");
    assert!(command.status().unwrap().success());
    let mailed = fs::read_to_string(place.path().join("mailed")).unwrap();
    assert_eq!(
        mailed,
        "-s ephapse demo: fault: detect: died Bcc: everybody lab@example.org\n{}\n"
    );
}
