//! A running session asked through its control socket: by the commands, and by whoever speaks the protocol.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, wait_until};
use crate::turns::alone;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

fn socket(place: &Place) -> PathBuf {
    place
        .path()
        .join(format!("run/ephapse/{}.control", place.session()))
}

fn running(place: &Place) -> Running {
    let graph = LOOP.replace("stimulate.null", "stimulate.log");
    place.write("loop.toml", &graph);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || {
        socket(place).exists()
            && ask(place, json!({"id": "look", "command": "status"}))["answer"]["tick"].as_u64()
                > Some(100)
    });
    run
}

/// One line there, one line back.
fn tell(place: &Place, line: &str) -> Value {
    let mut stream = UnixStream::connect(socket(place)).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn ask(place: &Place, request: Value) -> Value {
    tell(place, &format!("{request}\n"))
}

fn stage(place: &Place, name: &str) -> Value {
    let status = ask(place, json!({"id": "status", "command": "status"}));
    let stages = status["answer"]["stages"].as_array().unwrap();
    stages.iter().find(|s| s["name"] == name).unwrap().clone()
}

#[test]
fn stop_drains_and_leaves_a_report_and_nothing_else() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let mode = socket(&place).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let told = place.run(&["stop"]).expect(0).stdout;
    assert!(told.starts_with(place.session()), "{told}");
    run.wait(15).expect(0);
    assert_eq!(
        Report::read(&place.report()).0["ended_by"],
        "stopped by command"
    );
    place.expect_nothing_left();
    let again = place.run(&["stop"]).expect(1).stderr;
    assert!(again.contains("no session runs"), "{again}");
}

#[test]
fn restart_gives_a_stage_a_new_process_and_the_same_request_no_second_one() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let before = stage(&place, "detect");
    let request = json!({"id": "once", "command": "restart", "stage": "detect"});
    let answer = ask(&place, request.clone());
    assert_eq!(answer["ok"], true, "{answer}");
    assert_eq!(answer["answer"]["generation"], 2);
    assert_ne!(answer["answer"]["pid"], before["pid"]);
    assert_eq!(
        ask(&place, request),
        answer,
        "asked again, it is answered again"
    );
    assert_eq!(stage(&place, "detect")["generation"], 2);
    let told = place.run(&["restart", "detect"]).expect(0).stdout;
    assert!(told.contains("start 3"), "{told}");
    for (wrong, why) in [("detct", "it has timer"), ("timer", "not started again")] {
        let refused = place.run(&["restart", wrong]).expect(1).stderr;
        assert!(
            refused.contains(why) && refused.trim_end().lines().count() == 1,
            "{refused}"
        );
    }
    place.run(&["stop", place.session()]).expect(0);
    run.wait(15).expect(0);
    let report = Report::read(&place.report());
    let restarts = report.list("restarts");
    assert_eq!(restarts.len(), 2);
    assert_eq!(restarts[0]["what"], "started again by command");
    place.expect_nothing_left();
}

#[test]
fn off_refuses_every_further_command_and_the_log_says_so() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let log = place.report().join("stimulation.jsonl");
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_until("a command was carried out", 20, || {
        lines().lines().count() > 0
    });
    place.run(&["off"]).expect(0);
    let status = place.run(&["status", place.session()]).expect(0).stdout;
    assert!(status.contains("stimulation OFF"), "{status}");
    wait_until("a command was refused", 20, || lines().contains("refused"));
    place.run(&["stop", "--json"]).expect(0);
    run.wait(15).expect(0);
    let refused: Vec<bool> = lines()
        .lines()
        .map(|l| l.contains("\"refused\":\"off\""))
        .collect();
    let first = refused.iter().position(|r| *r).unwrap();
    assert!(
        first > 0 && refused[first..].iter().all(|r| *r),
        "{refused:?}"
    );
    place.expect_nothing_left();
}

#[test]
fn a_running_session_gives_its_graph_and_takes_remarks_once() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let graph = place.run(&["graph"]).expect(0).stdout;
    let again = place.write("again.toml", &graph);
    place.run(&["check", again.to_str().unwrap()]).expect(0);
    place.run(&["mark", "the culture was fed"]).expect(0);
    let request = json!({"id": "m1", "command": "mark", "text": "a second remark"});
    let first = ask(&place, request.clone());
    assert!(first["answer"]["tick"].as_u64().unwrap() > 0, "{first}");
    assert_eq!(ask(&place, request), first);
    for text in ["", "two\nlines", &"x".repeat(193)] {
        let refused = ask(
            &place,
            json!({"id": text.len().to_string(), "command": "mark", "text": text}),
        );
        assert_eq!(refused["ok"], false, "{text:?}");
    }
    let events = ephapse_engine::launch::read_events(place.session()).unwrap();
    let marks = events.iter().filter(|event| event.who == "mark");
    let marks: Vec<&str> = marks.map(|event| event.what.as_str()).collect();
    assert_eq!(marks, ["the culture was fed", "a second remark"]);
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    place.expect_nothing_left();
}

#[test]
fn recording_that_is_switched_off_leaves_a_gap_that_is_told_and_counted() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    place.run(&["mark", "fed"]).expect(0);
    place.run(&["record", "off"]).expect(0);
    let bytes = || {
        let status = ask(&place, json!({"id": "look", "command": "status"}));
        let recording = &status["answer"]["recording"];
        (
            recording["on"].clone(),
            recording["bytes"].as_u64().unwrap(),
        )
    };
    let (on, before) = bytes();
    assert_eq!(on, false);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let (_, passed_over) = bytes();
    place.run(&["record", "on"]).expect(0);
    wait_until("it is recorded again", 20, || bytes().1 > passed_over);
    // What was on its way when it was switched off may still have been kept.
    assert!(passed_over - before < 100_000, "{before} {passed_over}");
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    let report = Report::read(&place.report());
    let capture = report.0["capture"].clone();
    assert_eq!(capture["sealed"], true, "{capture}");
    let lost = capture["lost"].as_array().unwrap();
    assert!(
        !lost.is_empty() && lost.iter().all(|l| l["count"] == l["off"]),
        "{capture}"
    );
    for edge in report
        .list("edges")
        .iter()
        .filter(|e| e["seat"] == "recorder")
    {
        assert_eq!(edge["holds"], true, "{edge}");
    }
    let path = capture["path"].as_str().unwrap();
    place.run(&["verify", path]).expect(0);
    let info: Value =
        serde_json::from_str(&place.run(&["info", path, "--json"]).expect(0).stdout).unwrap();
    let gaps = info["gaps"].as_array().unwrap();
    assert_eq!(
        gaps.len(),
        lost.len(),
        "one gap of each that was not kept: {gaps:?}"
    );
    for gap in gaps {
        assert_eq!(gap["why"], "off");
    }
    let missing: u64 = gaps.iter().map(|gap| gap["count"].as_u64().unwrap()).sum();
    assert_eq!(
        missing,
        lost.iter()
            .map(|l| l["count"].as_u64().unwrap())
            .sum::<u64>()
    );
    assert_eq!(info["marks"][0]["text"], "fed");
    let stage = info["used_files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["path"] == crate::place::LEAN)
        .unwrap();
    let (bytes, sha256) = ephapse_engine::capture::sha256_of(crate::place::LEAN.as_ref()).unwrap();
    assert_eq!(
        (&stage["bytes"], &stage["sha256"]),
        (&json!(bytes), &json!(sha256))
    );
    place.expect_nothing_left();
}

#[test]
fn what_is_no_request_is_refused_and_hurts_nobody() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let long = format!("{{\"id\": \"{}\", \"command\": \"off\"}}\n", "x".repeat(65));
    for line in [
        "\n",
        "{}\n",
        "nonsense\n",
        "{\"id\": 1, \"command\": \"off\"}\n",
        &long,
    ] {
        let answer = tell(&place, line);
        assert_eq!(answer["ok"], false, "{line}");
    }
    // Somebody who connects and says nothing keeps nobody waiting.
    let _silent: Vec<UnixStream> = (0..4)
        .map(|_| UnixStream::connect(socket(&place)).unwrap())
        .collect();
    assert_eq!(stage(&place, "detect")["state"], "running");
    assert_eq!(
        ask(&place, json!({"id": "look", "command": "status"}))["answer"]["off"],
        false
    );
    let now = json!({"id": "now", "command": "stop", "now": true});
    assert_eq!(ask(&place, now)["answer"]["stop"], 2);
    run.wait(15);
    place.expect_nothing_left();
}

#[test]
fn a_live_parameter_changes_between_ticks_and_survives_a_restart() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let log = place.report().join("stimulation.jsonl");
    let values = || -> Vec<f64> {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str::<Value>);
        lines.map_while(|l| l.ok()?["value"].as_f64()).collect()
    };
    let set = ["set", "policy", "table_hz=[[0.0001,77.0]]"];
    let told = place.run(&set).expect(0).stdout;
    assert!(told.contains("(epoch 1)"), "{told}");
    wait_until("a command comes from the new table", 20, || {
        values().contains(&77.0)
    });
    place.run(&["restart", "policy"]).expect(0);
    let told = place
        .run(&["set", "policy", "table_hz=[[0.0001,78.0]]"])
        .expect(0)
        .stdout;
    assert!(told.contains("(epoch 2)"), "{told}");
    wait_until("a command comes from the next table", 20, || {
        values().contains(&78.0)
    });
    for (wrong, why) in [
        (["policy", "target=3"], "cannot change while it runs"),
        (["policy", "table=[]"], "did you mean `table_hz`?"),
        (["policy", "table_hz=[]"], "has no rungs"),
        (["policy", "table_hz=fast"], "table_hz"),
        (["nobody", "table_hz=[]"], "no stage `nobody`"),
    ] {
        let refused = place.run(&["set", wrong[0], wrong[1]]).expect(1).stderr;
        assert!(
            refused.contains(why) && refused.trim_end().lines().count() == 1,
            "{refused}"
        );
    }
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    // What was decided while the session was told to stop comes from the last table alone.
    let values = values();
    let first = values.iter().position(|v| *v == 77.0).unwrap();
    assert!(
        values[first..]
            .iter()
            .all(|v| [77.0, 78.0, 0.0].contains(v))
    );
    place.expect_nothing_left();
}
