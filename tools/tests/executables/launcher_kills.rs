//! The launcher is killed between any two of its own steps (`engine/src/trap.rs`): whoever it has started leaves, the next
//! command says what happened, and the next start under the same name begins from nothing.
//!
//! Every point once, or `EPHAPSE_KILLS` times; `EPHAPSE_KILL_SEED` chooses the passes.
#![cfg(debug_assertions)]

use crate::place::{LEAN, Place, Running, signal, wait_until};
use crate::restarts::{kills, pid_of};
use crate::turns::alone;
use ephapse_engine::abi::{segment, stage_state};
use ephapse_engine::launch::segment_name;
use ephapse_engine::ring::RingView;
use ephapse_engine::runner::file::STAGE_VARIABLE;
use ephapse_engine::runner::memory::StageMemory;
use ephapse_engine::shm::{Access, Segment, path_of};
use ephapse_engine::sync::Ordering;
use ephapse_engine::trap::{LAUNCHER, Point, VARIABLE};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A culture, its decisions, and commands that a helper writes down and a guard looks after. One stage may die, one has a stand-in.
/// Nothing is recorded: a recorder has kills of its own.
const GRAPH: &str = r#"
record = []
name = "loop"
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 8 }
out = { frames = "raw" }

[stage.detect]
use = "detect.threshold"
params = { calibrate_s = 0.1 }
on_death = "restart"
in = { frames = "raw" }
out = { spikes = "spikes" }

[stage.rate]
use = "feature.rate"
on_death = "restart"
spare = true
params = { bin_ms = 10.0, bins = 10 }
in = { spikes = "spikes" }
out = { rates = "rates" }

[stage.readout]
use = "readout.linear"
params = { weights = "population" }
in = { features = "rates" }
out = { decision = "decision" }

[stage.policy]
use = "policy.frequency"
params = { table_hz = [[0.5, 10.0], [2.0, 20.0]] }
in = { decision = "decision" }
out = { commands = "commands" }

[stage.stimulate]
use = "stimulate.log"
in = { commands = "commands" }
"#;

const STAGES: [&str; 8] = [
    "source",
    "detect",
    "rate",
    "readout",
    "policy",
    "stimulate",
    "stimulate.log",
    "stimulate.guard",
];
/// Those and the timer.
const PROCESSES: u64 = STAGES.len() as u64 + 1;
/// Session, events, a ring per output; words and telemetry per process.
const SEGMENTS: u64 = 2 + 6 + 2 * PROCESSES;

/// The launcher, those, and the stand-in.
const ALL_NAMED: u64 = 1 + PROCESSES + 1;

/// What is known of a launcher that died at a point.
#[derive(Clone, Copy)]
struct Case {
    /// First and last of the passes at which it may die.
    passes: (u64, u64),
    /// How long the session would have run.
    duration: &'static str,
    /// States that may have been its last.
    states: &'static [&'static str],
    /// Segments it leaves, at that pass; `None`: some.
    segments: fn(u64) -> Option<u64>,
    /// Processes that the session file names, at that pass.
    named: fn(u64) -> u64,
    /// Who is killed before, so that the launcher comes to the point.
    victim: Option<&'static str>,
    /// The run had begun: the survivors have ended what they had begun.
    begun: bool,
}

fn case(point: Point) -> Case {
    let before = Case {
        passes: (1, 1),
        duration: "60s",
        states: &["unknown"],
        segments: |_| None,
        named: |_| 1,
        victim: None,
        begun: false,
    };
    let running = Case {
        states: &["running"],
        begun: true,
        segments: |_| Some(SEGMENTS),
        named: |_| ALL_NAMED,
        ..before
    };
    let ending = |states| Case {
        duration: "300ms",
        states,
        segments: |_| Some(SEGMENTS),
        named: |_| ALL_NAMED,
        ..before
    };
    match point {
        Point::SessionFile | Point::Locked => Case {
            segments: |_| Some(0),
            named: |_| 0,
            ..before
        },
        Point::Segment | Point::Published => Case {
            passes: (1, SEGMENTS),
            states: &["unknown", "loading"],
            segments: Some,
            // Session, rings and events come first, then two for each process.
            named: |pass| 1 + pass.saturating_sub(SEGMENTS - 2 * PROCESSES + 1) / 2,
            ..before
        },
        Point::StageFile | Point::Spawned => Case {
            passes: (1, PROCESSES),
            states: &["loading"],
            named: |pass| pass,
            ..before
        },
        // Of the launcher alone, then with one process more each time.
        Point::Record => Case {
            passes: (1, 1 + PROCESSES),
            states: &["unknown", "loading"],
            named: |pass| pass - 1,
            ..before
        },
        Point::Recorded => Case {
            named: |pass| pass,
            ..case(Point::Record)
        },
        Point::Preparing | Point::Ready | Point::Unheard | Point::Listening => Case {
            states: &["preparing"],
            segments: |_| Some(SEGMENTS),
            named: |_| 1 + PROCESSES,
            ..before
        },
        Point::Parked => Case {
            named: |_| 1 + PROCESSES,
            ..case(Point::Start)
        },
        Point::Start | Point::Started => Case {
            states: &["ready"],
            segments: |_| Some(SEGMENTS),
            named: |_| ALL_NAMED,
            ..before
        },
        Point::Turn => Case {
            passes: (4, 12),
            ..running
        },
        Point::Death | Point::Freed | Point::Generation | Point::Restarted => Case {
            victim: Some("detect"),
            ..running
        },
        Point::Stop => ending(&["running"]),
        Point::Draining | Point::StopTick | Point::Exited => ending(&["draining"]),
        Point::Closed => ending(&["closed"]),
        Point::Unlink => Case {
            passes: (1, SEGMENTS),
            segments: |pass| Some(SEGMENTS + 1 - pass),
            ..ending(&["closed", "unknown"])
        },
        Point::Folder => Case {
            segments: |_| Some(0),
            ..ending(&["unknown"])
        },
        of_a_ring => panic!("{of_a_ring:?} is no step of the launcher"),
    }
}

/// A segment of another session, whose name begins like ours.
struct Neighbour(PathBuf);

impl Neighbour {
    fn of(place: &Place) -> Self {
        let path = path_of(&segment_name(&format!("{}-b", place.session()), "raw"));
        fs::write(&path, "somebody else's").unwrap();
        Neighbour(path)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn memory(place: &Place, stage: &str) -> StageMemory {
    let name = segment_name(place.session(), &format!("stage.{stage}"));
    let segment = Segment::open(&name, segment::STAGE, Access::ReadOnly).unwrap();
    StageMemory::attach(&segment, Access::ReadOnly).unwrap()
}

/// Runs until the launcher has died at that pass of the point.
fn killed_at(place: &Place, point: Point, pass: u64, case: &Case) {
    let arguments = ["run", "loop.toml", "--duration", case.duration];
    let mut command = place.session_command(&arguments);
    command.env(VARIABLE, format!("{point:?}:{pass}"));
    let run: Running = place.start(command);
    if let Some(victim) = case.victim {
        wait_until("the victim runs", 20, || {
            pid_of(place, victim).is_some()
                && memory(place, victim).words.state.load(Ordering::Acquire) == stage_state::RUNNING
        });
        signal(pid_of(place, victim).unwrap(), "KILL");
    }
    let ended = run.wait(20);
    assert_eq!(ended.code, None, "it was not killed: {}", ended.stderr);
}

/// Everybody but the victim has left of itself, stimulation is over, and every command that was given is in the log.
fn assert_ended_in_order(place: &Place, victim: Option<&str>) {
    for stage in STAGES.iter().filter(|stage| Some(**stage) != victim) {
        let state = memory(place, stage).words.state.load(Ordering::Acquire);
        assert_eq!(state, stage_state::DONE, "{stage}");
    }
    let name = segment_name(place.session(), "stimulate.log");
    let given = Segment::open(&name, segment::RING, Access::ReadOnly).unwrap();
    let given = RingView::attach(&given).unwrap();
    let end = given.end().expect("stimulation has not ended");
    assert_eq!(given.observer().published(), end.position);
    assert_eq!(given.seats()[0].position, end.position, "not written down");
    let log = fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    assert!(log.is_empty() || log.ends_with('\n'), "{log}");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

/// One death of the launcher, and everything after it.
fn kill(point: Point, pass: u64, with_gc: bool) {
    let case = case(point);
    let place = Place::new();
    let neighbour = Neighbour::of(&place);
    place.write("loop.toml", GRAPH);
    killed_at(&place, point, pass, &case);
    // Two seconds and what a busy machine takes.
    wait_until("the session's processes are gone", 5, || {
        place.processes().is_empty()
    });
    if case.begun {
        assert_ended_in_order(&place, case.victim);
    }
    let left = place.segments().len() as u64;
    if let Some(segments) = (case.segments)(pass) {
        assert_eq!(left, segments);
    }
    let told = place.run(&["status"]).expect(0).stdout;
    let gone = format!("{}: its launcher is gone (was ", place.session());
    let state = told.strip_prefix(&gone).and_then(|t| t.split(',').next());
    assert!(
        state.is_some_and(|state| case.states.contains(&state)),
        "{told}"
    );
    let sessions = place.run(&["status", "--json"]).expect(0).stdout;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(sessions[0]["alive"], 0);
    let named = sessions[0]["processes"].as_array().unwrap().len() as u64;
    assert_eq!(named, (case.named)(pass), "{sessions}");
    if with_gc {
        let removed = place.run(&["gc"]).expect(0).stdout;
        let all = format!("{}: {left} segments removed\n", place.session());
        assert_eq!(removed, all);
        place.expect_nothing_left();
    }
    let next = ["run", "loop.toml", "--unpaced", "--duration", "200ms"];
    let said = place.run_session(&next, 30).expect(0).stderr;
    let removed = format!(
        "ephapse: removed {left} segments that session `{}` left when it was killed",
        place.session()
    );
    assert_eq!(said.contains(&removed), !with_gc, "{said}");
    place.expect_nothing_left();
    assert!(neighbour.0.exists(), "a neighbour's segment is gone");
}

#[test]
fn a_launcher_killed_at_any_step_leaves_nothing_that_the_next_start_does_not_remove() {
    let rounds = kills(1);
    let seed = std::env::var("EPHAPSE_KILL_SEED").map_or(1, |text| text.parse().unwrap());
    for round in 0..rounds {
        for (index, point) in LAUNCHER.into_iter().enumerate() {
            let (first, last) = case(point).passes;
            // Spreads over all passes as rounds go by.
            let pass = first + (seed + round + 7 * index) as u64 % (last - first + 1);
            println!("killed at {point:?}, pass {pass}");
            let _turn = alone();
            kill(point, pass, (round + index) % 2 == 0);
        }
    }
    println!("{rounds} rounds, each of {} points", LAUNCHER.len());
}

#[test]
fn a_process_whose_launcher_is_gone_takes_no_role_in_the_next_session_of_its_name() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", GRAPH);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || {
        pid_of(&place, "stimulate").is_some()
            && memory(&place, "stimulate")
                .words
                .state
                .load(Ordering::Acquire)
                == stage_state::RUNNING
    });
    for who in ["detect", "timer"] {
        let words = memory(&place, who).words;
        let owner = words.owner.load(Ordering::Acquire);
        let told = format!("run/ephapse/{}/{who}.json", place.session());
        let told = fs::read(place.path().join(told)).unwrap();
        let mut told: Value = serde_json::from_slice(&told).unwrap();
        let (lifeline, launcher) = std::io::pipe().unwrap();
        drop(launcher);
        told["lifeline_fd"] = 0.into();
        let file = place.write("late.json", &told.to_string());
        let mut late = Command::new(LEAN)
            .env(STAGE_VARIABLE, file)
            .stdin(lifeline)
            .spawn()
            .unwrap();
        wait_until("it leaves", 10, || late.try_wait().unwrap().is_some());
        assert_eq!(words.owner.load(Ordering::Acquire), owner, "{who}");
        assert_eq!(
            words.state.load(Ordering::Acquire),
            stage_state::RUNNING,
            "{who}"
        );
    }
    run.signal("INT");
    run.wait(15).expect(0);
    place.expect_nothing_left();
}
