//! A device is off whoever dies: the guard switches it off, and so do those who are left. The device is the stimulation log:
//! what its last lines leave standing is on.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::alone;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A loop that stimulates from its first decision on.
fn graph(params: &str, keys: &str) -> String {
    let stimulate = format!(
        "use = \"stimulate.log\"\nparams = {{ off_within_ms = 50.0, silent_ms = 300.0{params} }}\n{keys}"
    );
    LOOP.replace("use = \"stimulate.null\"", &stimulate)
        .replace("[[0.5, 10.0], [2.0, 20.0]]", "[[-1.0, 20.0]]")
}

/// Lines of the device's log.
fn lines(place: &Place) -> Vec<Value> {
    let log = std::fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap_or_default();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// Targets that something stands at after these lines.
fn on(lines: &[Value]) -> BTreeSet<u64> {
    let mut on = BTreeSet::new();
    for line in lines {
        let Some(target) = line["target"].as_u64() else {
            assert!(line["off"].is_string(), "{line}");
            on.clear();
            continue;
        };
        match (line.get("refused"), line["value"].as_f64()) {
            (Some(_), _) => {}
            (None, Some(0.0)) => drop(on.remove(&target)),
            (None, _) => drop(on.insert(target)),
        }
    }
    on
}

/// The session, stimulating.
fn stimulating(place: &Place, graph: &str) -> Running {
    place.write("loop.toml", graph);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("something stands at the device", 20, || {
        !on(&lines(place)).is_empty()
    });
    run
}

/// What guards did, by reason.
fn guards(report: &Report, why: &str) -> Vec<Value> {
    let all = report.list("guards").iter();
    all.filter(|one| one["why"].as_str().is_some_and(|said| said.contains(why)))
        .cloned()
        .collect()
}

/// The device was off in time, or something stalled a CPU meanwhile.
fn expect_in_time(report: &Report, guard: &Value, within_ms: u64) {
    let took_ns = guard["off_within_ns"]
        .as_u64()
        .unwrap_or_else(|| panic!("never off: {guard}"));
    let stalls = report.list("stalls").iter();
    let stalled_ns: u64 = stalls.filter_map(|stall| stall["length_ns"].as_u64()).sum();
    // Without real time anybody may be kept waiting, and no witness is there to say so.
    let excused = report.0["rt"]["active"] != true;
    assert!(
        excused || took_ns <= within_ms * 1_000_000 + stalled_ns,
        "{guard}: stalls of {stalled_ns} ns"
    );
}

#[test]
fn the_guard_switches_off_when_the_stage_that_stimulates_dies_and_it_goes_on_when_it_is_back() {
    let _alone = alone();
    let place = Place::new();
    let run = stimulating(&place, &graph("", "on_death = \"restart\"\n"));
    signal(pid_of(&place, "stimulate").unwrap(), "KILL");
    let forced_again = |lines: &[Value]| lines.iter().any(|line| line["forced"] == "again");
    wait_until("what is wanted stands again", 20, || {
        let lines = lines(&place);
        forced_again(&lines) && !on(&lines).is_empty()
    });
    run.signal("INT");
    run.wait(20).expect(0);
    place.expect_nothing_left();
    let (report, lines) = (Report::read(&place.report()), lines(&place));
    assert!(on(&lines).is_empty(), "{lines:?}");
    let [off] = guards(&report, "is dead").try_into().unwrap();
    assert_eq!(off["by"], "stimulate.guard");
    expect_in_time(&report, &off, 50);
    let at = lines
        .iter()
        .position(|line| line["off"].is_string())
        .unwrap();
    assert!(
        !on(&lines[..at]).is_empty(),
        "it was off before the guard was there: {lines:?}"
    );
    assert!(!forced_again(&lines[..at]));
}

#[test]
fn whichever_one_or_two_processes_are_killed_nothing_stands_at_the_device_in_the_end() {
    let _alone = alone();
    let one = [
        "launcher",
        "timer",
        "stimulate",
        "stimulate.log",
        "stimulate.guard",
        "detect",
    ];
    let pairs = (0..one.len()).flat_map(|a| (a..one.len()).map(move |b| [one[a], one[b]]));
    for victims in pairs {
        let place = Place::new();
        let run = stimulating(&place, &graph("", ""));
        let pids = victims.map(|name| match name {
            "launcher" => run.pid(),
            stage => pid_of(&place, stage).unwrap(),
        });
        let [first, second] = pids;
        signal(first, "KILL");
        if second != first {
            // It may have left already, for what has befallen the first.
            let _ = Command::new("kill")
                .args(["-s", "KILL", &second.to_string()])
                .stderr(Stdio::null())
                .status();
        }
        if victims == ["stimulate.guard"; 2] {
            wait_until("the guard is back", 20, || {
                pid_of(&place, "stimulate.guard").is_some_and(|now| now != first)
            });
            run.signal("INT");
        }
        let code = run.wait(15).code;
        assert_eq!(
            code.is_none(),
            victims.contains(&"launcher"),
            "{victims:?}: {code:?}"
        );
        wait_until("everybody has left", 3, || place.processes().is_empty());
        let lines = lines(&place);
        assert!(on(&lines).is_empty(), "{victims:?}: {:?}", lines.last());
        if victims.contains(&"launcher") {
            place.run(&["gc"]).expect(0);
        }
        place.expect_nothing_left();
    }
}

#[test]
fn a_stage_that_is_silent_is_switched_off_behind_its_back_and_goes_on_when_it_wakes() {
    let _alone = alone();
    let place = Place::new();
    let run = stimulating(&place, &graph("", ""));
    let stimulate = pid_of(&place, "stimulate").unwrap();
    signal(stimulate, "STOP");
    wait_until("the device is off", 10, || on(&lines(&place)).is_empty());
    signal(stimulate, "CONT");
    wait_until("what is wanted stands again", 10, || {
        !on(&lines(&place)).is_empty()
    });
    run.signal("INT");
    run.wait(20).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let silent = guards(&report, "is silent");
    assert!(!silent.is_empty(), "{:?}", report.list("guards"));
    expect_in_time(&report, &silent[0], 300 + 50);
    assert!(on(&lines(&place)).is_empty());
}

#[test]
fn nothing_is_stimulated_without_a_guard_and_one_that_hangs_is_replaced() {
    let _alone = alone();
    let place = Place::new();
    let run = stimulating(&place, &graph("", ""));
    let guard = pid_of(&place, "stimulate.guard").unwrap();
    signal(guard, "STOP");
    wait_until("another guard is there", 20, || {
        pid_of(&place, "stimulate.guard").is_some_and(|now| now != guard)
    });
    wait_until("what is wanted stands again", 10, || {
        lines(&place).iter().any(|line| line["forced"] == "again")
    });
    std::thread::sleep(Duration::from_millis(100));
    run.signal("INT");
    run.wait(20).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let [hold] = report.list("holds") else {
        panic!("{:?}", report.list("holds"));
    };
    assert_eq!(hold["who"], "stimulate.guard");
    let why = report.list("restarts")[0]["what"].as_str().unwrap();
    assert!(why.contains("no sign of life"), "{why}");
    let held = lines(&place)
        .iter()
        .position(|line| line["forced"] == "held");
    assert!(
        held.is_some(),
        "what stood was not ended while the guard was dead"
    );
}

#[test]
fn the_graphs_limits_refuse_by_name_and_are_said_by_explain() {
    let _alone = alone();
    let place = Place::new();
    place.write("loop.toml", &graph(", limits = { max_rate_hz = 15.0 }", ""));
    place
        .run_session(&["run", "loop.toml", "--duration", "500ms"], 60)
        .expect(0);
    place.expect_nothing_left();
    let lines = lines(&place);
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|line| line["refused"] == "rate"),
        "{lines:?}"
    );
    place.write(
        "wrong.toml",
        &graph(", limits = { max_rate_hz = -15.0 }", ""),
    );
    let refused = place.run(&["check", "wrong.toml"]).expect(1);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        said.contains("max_rate_hz") && said.contains("stimulate"),
        "{said}"
    );
}
