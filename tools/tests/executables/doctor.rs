//! `ephapse doctor` as a user meets it, on hosts that are folders and on this one.

use crate::place::{Place, Running, wait_until};
use crate::turns::{alone, shared};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const GOVERNOR: &str = "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor";
const MIGRATION: &str = "proc/sys/kernel/timer_migration";
const WORK: &str = "sys/devices/virtual/workqueue/cpumask";

/// A host of four CPUs with three settings to be put right.
fn host(place: &Place) -> PathBuf {
    let root = place.path().join("host");
    for (file, text) in [
        ("sys/devices/system/cpu/online", "0-3\n"),
        (
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "performance\n",
        ),
        (GOVERNOR, "powersave\n"),
        (MIGRATION, "1\n"),
        // As a kernel for many CPUs writes it.
        (WORK, "00000000,0000000f\n"),
        ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC\n"),
    ] {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn settings(root: &Path) -> [String; 3] {
    [GOVERNOR, MIGRATION, WORK].map(|file| {
        fs::read_to_string(root.join(file))
            .unwrap()
            .trim()
            .to_owned()
    })
}

fn before() -> [String; 3] {
    ["powersave", "1", "00000000,0000000f"].map(str::to_owned)
}

fn applied() -> [String; 3] {
    ["performance", "0", "c"].map(str::to_owned)
}

fn applying(place: &Place, root: &Path, command: &[&str]) -> Running {
    let root = root.to_str().unwrap();
    let arguments = [&["doctor", "--root", root, "--apply", "--"], command].concat();
    place.start(place.command(&arguments))
}

#[test]
fn every_finding_says_what_was_read_where_why_and_what_to_do() {
    let _turn = shared();
    let place = Place::new();
    let ended = place.run(&["doctor", "--json"]).expect(0);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    let findings = said["findings"].as_array().unwrap();
    assert!(findings.len() >= 30, "{}", findings.len());
    for finding in findings {
        for key in ["check", "state", "severity", "what", "why"] {
            assert!(
                !finding[key].as_str().unwrap().is_empty(),
                "{key}: {finding}"
            );
        }
        if finding["state"] == "failed" {
            assert!(!finding["fix"].as_array().unwrap().is_empty(), "{finding}");
            assert!(!finding["read"][0]["from"].as_str().unwrap().is_empty());
        }
    }
    let text = place.run(&["doctor"]).expect(0).stdout;
    for finding in findings {
        assert!(text.contains(finding["check"].as_str().unwrap()), "{text}");
    }
}

#[test]
fn the_last_line_is_the_verdict_and_require_rt_exits_2_without_preempt_rt() {
    let _turn = shared();
    let place = Place::new();
    let root = host(&place);
    let root = root.to_str().unwrap();
    let ended = place.run(&["doctor", "--root", root]).expect(0);
    let last = ended.stdout.lines().last().unwrap();
    assert!(
        last.contains("for 1 ms: one command, printed here"),
        "{last}"
    );
    assert!(
        last.contains("no PREEMPT_RT, so no promise above p99.9"),
        "{last}"
    );
    let ended = place.run(&["doctor", "--root", root, "--require-rt", "--json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(said["verdict"]["real_time"], false);
    assert!(
        said["verdict"]["critical"]
            .as_array()
            .unwrap()
            .contains(&"preempt_rt".into())
    );
}

#[test]
fn a_root_that_is_no_host_is_an_error_of_one_line() {
    let _turn = shared();
    let place = Place::new();
    for root in ["/no/such/folder", place.path().to_str().unwrap()] {
        let ended = place.run(&["doctor", "--root", root, "--require-rt"]);
        assert_eq!(ended.code, Some(1));
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(root), "{}", ended.stderr);
    }
}

#[test]
fn a_graph_says_which_cpus_and_ticks_are_asked_for() {
    let _turn = shared();
    let place = Place::new();
    let root = host(&place);
    let graph = place.write(
        "slow.toml",
        &crate::loop_graph::LOOP.replace("cpu = 1", "cpu = 3"),
    );
    let ended = place
        .run(&[
            "doctor",
            graph.to_str().unwrap(),
            "--set",
            "timer.period_ns=5000000",
            "--root",
            root.to_str().unwrap(),
            "--json",
        ])
        .expect(0);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(said["asked"]["ticks_ns"], serde_json::json!([5_000_000]));
    assert!(
        said["asked"]["cpus"]
            .as_array()
            .unwrap()
            .contains(&3.into()),
        "{}",
        said["asked"]
    );
}

#[test]
fn apply_sets_what_it_lists_for_as_long_as_the_command_runs() {
    let _turn = shared();
    let place = Place::new();
    let root = host(&place);
    let copy = place.path().join("seen");
    let script = format!(
        "cat {0}/{GOVERNOR} {0}/{MIGRATION} {0}/{WORK} > {1}; exit 7",
        root.display(),
        copy.display()
    );
    let ended = applying(&place, &root, &["sh", "-c", &script]).wait(20);
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&copy).unwrap(), "performance\n0\nc\n");
    assert_eq!(settings(&root), before());
    for line in [
        format!("{GOVERNOR}: powersave -> performance"),
        format!("{MIGRATION}: 1 -> 0"),
        "set back: 3 of 3".to_owned(),
    ] {
        assert!(ended.stderr.contains(&line), "{line}: {}", ended.stderr);
    }
    place.expect_nothing_left();
}

#[test]
fn what_was_applied_is_undone_on_ctrl_c_and_the_command_ends_first() {
    let _turn = shared();
    for signal in ["INT", "TERM", "HUP"] {
        let place = Place::new();
        let root = host(&place);
        let ends = place.path().join("ended");
        let script = format!(
            "trap 'cat {0}/{MIGRATION} > {1}; exit 3' TERM; while :; do sleep 0.05; done",
            root.display(),
            ends.display()
        );
        let running = applying(&place, &root, &["sh", "-c", &script]);
        wait_until("the settings are there", 20, || {
            settings(&root) == applied()
        });
        // The shell needs a moment to set its trap.
        std::thread::sleep(std::time::Duration::from_millis(300));
        running.signal(signal);
        let ended = running.wait(20);
        assert_eq!(ended.code, Some(3), "{signal}: {}", ended.stderr);
        assert_eq!(
            fs::read_to_string(&ends).unwrap(),
            "0\n",
            "still set at the command's end"
        );
        assert_eq!(settings(&root), before());
        place.expect_nothing_left();
    }
}

#[test]
fn what_a_killed_apply_has_left_is_set_back_by_gc_but_not_under_a_living_one() {
    let _turn = shared();
    let place = Place::new();
    let root = host(&place);
    let running = applying(&place, &root, &["sleep", "30"]);
    wait_until("the settings are there", 20, || {
        settings(&root) == applied()
    });
    place.run(&["gc"]).expect(0);
    assert_eq!(settings(&root), applied());
    let second = applying(&place, &root, &["true"]).wait(20);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains("another"), "{}", second.stderr);
    running.signal("KILL");
    running.wait(20);
    let ended = place.run(&["gc"]).expect(0);
    assert_eq!(settings(&root), before());
    assert!(ended.stdout.contains(MIGRATION), "{}", ended.stdout);
    for pid in place.processes() {
        crate::place::signal(pid, "KILL");
    }
    wait_until("the command has ended", 20, || place.left().is_empty());
}

#[test]
fn a_command_that_asks_for_real_time_is_not_started_without_it() {
    let _turn = shared();
    let place = Place::new();
    let root = host(&place);
    let root_text = root.to_str().unwrap();
    let ended = place.run(&[
        "doctor",
        "--root",
        root_text,
        "--require-rt",
        "--apply",
        "--",
        "touch",
        "started",
    ]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(!place.path().join("started").exists());
    assert_eq!(settings(&root), before());
}

#[test]
fn apply_belongs_to_a_command() {
    let _turn = shared();
    let place = Place::new();
    for arguments in [&["doctor", "--apply"][..], &["doctor", "--", "true"]] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    }
}

#[test]
fn a_measurement_shows_wake_ups_and_gaps_of_every_cpu() {
    let _turn = alone();
    let place = Place::new();
    let ended = place
        .run(&["doctor", "--measure", "3s", "--json"])
        .expect(0);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    let cpus = said["asked"]["cpus"].as_array().unwrap();
    let measured = said["measured"].as_array().unwrap();
    assert_eq!(measured.len(), cpus.len());
    let mut fewest = u64::MAX;
    for cpu in measured {
        let wakes = cpu["wakes"].as_u64().unwrap();
        assert!(wakes >= 50, "{cpu}");
        fewest = fewest.min(wakes);
        assert!(
            cpu["wake_p50_ns"].as_u64() <= cpu["wake_max_ns"].as_u64(),
            "{cpu}"
        );
        assert!(cpu["spun_ns"].as_u64() >= cpu["gaps_ns"].as_u64(), "{cpu}");
    }
    let findings = said["findings"].as_array().unwrap();
    let wake_ups = findings.iter().find(|f| f["check"] == "wake_ups").unwrap();
    // On a CPU that somebody else had, there were too few for a 99.9th percentile.
    assert_eq!(wake_ups["state"] == "unknown", fewest < 1000, "{wake_ups}");
}
