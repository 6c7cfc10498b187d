//! Stages that die and are started again: what they made before, and what comes behind them, must not show it.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, signal, wait_until};
use crate::random::Random;
use crate::turns::{alone, shared};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// Kills of one run; `make accept` asks for more.
pub fn kills(usual: usize) -> usize {
    std::env::var("EPHAPSE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(usual)
}

/// Pid of a process, by the session file; `None` before there is one.
pub fn pid_of(place: &Place, name: &str) -> Option<u32> {
    let mut processes = place.session_processes().into_iter();
    processes.find(|(who, _)| who == name).map(|(_, pid)| pid)
}

/// Starts the demo and kills `victims` in turn, at random instants, `count` times; returns the log and the report.
fn killed_demo(
    place: &Place,
    arguments: &[&str],
    victims: &[&str],
    count: usize,
) -> (String, Report) {
    let mut all = vec!["demo", "--record", "off"];
    all.extend(arguments);
    let run = place.start(place.session_command(&all));
    if count > 0 {
        wait_until("the session runs", 60, || {
            let ended = place.run(&["status", "--json"]).expect(0);
            let found: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
            found.iter().any(|s| s["state"] == "running")
        });
        kill_at_random(place, &run, victims, count);
    }
    run.wait(180).expect(0);
    place.expect_nothing_left();
    let log = fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    (log, Report::read(&place.report()))
}

/// Kills `victims` in turn, at random instants, `count` times.
pub fn kill_at_random(place: &Place, run: &Running, victims: &[&str], count: usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut killed = 0;
    let mut last = vec![0; victims.len()];
    while killed < count {
        std::thread::sleep(Duration::from_micros(1_000 + random.below(20_000)));
        let index = random.below(victims.len() as u64) as usize;
        match pid_of(place, victims[index]) {
            // Not yet its successor.
            Some(pid) if pid == last[index] => {}
            Some(pid) => {
                signal(pid, "KILL");
                last[index] = pid;
                killed += 1;
            }
            None => assert!(run.is_running(), "the run was over after {killed} kills"),
        }
    }
}

fn restarts(report: &Report) -> usize {
    report.list("restarts").len()
}

#[test]
fn kills_at_random_instants_leave_the_unpaced_log_byte_for_byte_what_it_is_without() {
    let _turn = shared();
    let count = kills(30);
    let duration = format!("{}s", 20 + count);
    let arguments = ["--unpaced", "--duration", &duration];
    let undisturbed = killed_demo(&Place::new(), &arguments, &[], 0).0;
    let (log, report) = killed_demo(&Place::new(), &arguments, &["band", "detect"], count);
    assert!(!undisturbed.is_empty(), "there is nothing to compare");
    assert!(log == undisturbed, "{count} kills changed the log");
    assert_eq!(restarts(&report), count);
    let again = report
        .list("stages")
        .iter()
        .map(|s| s["restarts"].as_u64().unwrap());
    assert_eq!(again.sum::<u64>(), count as u64);
}

/// The lines of a log without ticks and ages, which a paced run's dead time changes.
fn commands(log: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for line in &mut lines {
        let keys = line.as_object_mut().unwrap();
        assert!(keys.remove("tick").is_some() && keys.remove("age_ns").is_some());
    }
    lines
}

#[test]
fn kills_in_a_paced_run_cost_ticks_that_are_accounted_as_dead_and_no_command() {
    let _turn = alone();
    let count = kills(20);
    let duration = format!("{}s", 5 + count / 15);
    // Room for what arrives while a stage is dead on a machine that does other things, too.
    let arguments = ["--duration", &duration, "--set", "stream.raw.slots=4096"];
    let undisturbed = killed_demo(&Place::new(), &arguments, &[], 0).0;
    let (log, report) = killed_demo(&Place::new(), &arguments, &["band", "detect"], count);
    assert!(!undisturbed.is_empty(), "there is nothing to compare");
    assert_eq!(commands(&log), commands(&undisturbed));
    assert_eq!(restarts(&report), count);
    let dead = report
        .list("ticks")
        .iter()
        .map(|t| t["dead"].as_u64().unwrap());
    assert!(dead.sum::<u64>() > 0, "{count} kills cost no tick");
}

#[test]
fn a_stage_that_is_to_be_isolated_dies_alone_and_is_named() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let arguments = [
        "run",
        "loop.toml",
        "--duration",
        "3s",
        "--set",
        "stage.detect.on_death=\"isolate\"",
    ];
    let run = place.start(place.session_command(&arguments));
    wait_until("the detector runs", 20, || {
        pid_of(&place, "detect").is_some()
    });
    wait_until("the session runs", 20, || {
        place.run(&["status"]).expect(0).stdout.contains("running")
    });
    signal(pid_of(&place, "detect").unwrap(), "KILL");
    run.wait(15).expect(1);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.0["ended_by"], "duration");
    assert_eq!(report.list("faults")[0]["who"], "detect");
    assert!(report.list("ticks").iter().all(|t| t["holds"] == true));
}

#[test]
fn a_parked_stand_in_takes_over_and_another_is_parked() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let arguments = [
        "run",
        "loop.toml",
        "--duration",
        "60s",
        "--set",
        "stage.detect.on_death=\"restart\"",
        "--set",
        "stage.detect.spare=true",
    ];
    let run = place.start(place.session_command(&arguments));
    let mut stand_in = None;
    wait_until("a stand-in is parked", 20, || {
        stand_in = pid_of(&place, "detect.spare");
        stand_in.is_some()
    });
    wait_until("the session runs", 20, || {
        place.run(&["status"]).expect(0).stdout.contains("running")
    });
    for _ in 0..3 {
        let parked = pid_of(&place, "detect.spare").unwrap();
        signal(pid_of(&place, "detect").unwrap(), "KILL");
        wait_until("the stand-in has taken over", 10, || {
            pid_of(&place, "detect") == Some(parked)
        });
        wait_until("another one is parked", 10, || {
            pid_of(&place, "detect.spare").is_some_and(|pid| pid != parked)
        });
    }
    // Dead itself, it is not missed.
    signal(pid_of(&place, "detect.spare").unwrap(), "KILL");
    let before = pid_of(&place, "detect").unwrap();
    signal(before, "KILL");
    wait_until("a fresh process has taken over", 10, || {
        pid_of(&place, "detect").is_some_and(|pid| pid != before)
    });
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    place.expect_nothing_left();
    assert_eq!(restarts(&Report::read(&place.report())), 4);
}
