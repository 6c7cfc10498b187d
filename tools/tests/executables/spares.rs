//! A stage in Python with a stand-in beside it, and one without, killed in turn.

use crate::finished::Report;
use crate::place::{Place, signal, wait_until};
use crate::python_stage::{GRAPH, module, run_command};
use crate::restarts::pid_of;
use crate::turns::alone;
use ephapse_driven::interpreter;
use ephapse_engine::abi::{segment, stage_state};
use ephapse_engine::launch::segment_name;
use ephapse_engine::runner::memory::StageMemory;
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::sync::Ordering;
use std::time::Instant;

/// Kills of each of the two.
const KILLS: usize = 5;

/// Both may die; the one that stands by is the other's twin.
fn graph() -> String {
    let plain = r#"
[stage.plain]
use = "example.channel_average"
policy = "other"
cpu = 1
on_death = "restart"
in = { frames = { from = "raw", cast = "f64" } }
out = { mean = "second" }

[stream]
raw = { slots = 4096 }
"#;
    let spare = "use = \"example.channel_average\"\non_death = \"restart\"\nspare = true";
    GRAPH.replace("use = \"example.channel_average\"", spare) + plain
}

/// The stage's words, for who only watches.
fn memory(place: &Place, stage: &str) -> StageMemory {
    let name = segment_name(place.session(), &format!("stage.{stage}"));
    let segment = Segment::open(&name, segment::STAGE, Access::ReadOnly).unwrap();
    StageMemory::attach(&segment, Access::ReadOnly).unwrap()
}

/// Kills a running stage and waits until its successor runs. Returns the successor's pid and how long that took, us.
fn kill(stage: &StageMemory) -> (u32, u64) {
    let words = &stage.words;
    let before = words.owner.load(Ordering::Acquire);
    let killed = Instant::now();
    signal(before as u32, "KILL");
    wait_until("its successor runs", 20, || {
        let generation = words.owner.load(Ordering::Acquire) >> 32;
        generation == (before >> 32) + 1
            && words.state.load(Ordering::Acquire) == stage_state::RUNNING
    });
    let took_us = killed.elapsed().as_micros() as u64;
    (words.owner.load(Ordering::Acquire) as u32, took_us)
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all[all.len() / 2]
}

#[test]
fn a_spare_takes_over_from_a_killed_stage_without_starting_first() {
    let Some(python) = interpreter::command() else {
        return;
    };
    let _turn = alone();
    let place = Place::new();
    module(&place, &python);
    place.write("python.toml", &graph());
    let run = place.start(run_command(&place, &python, "60s"));
    let standing = || pid_of(&place, "average.spare");
    wait_until("there is a spare", 20, || standing().is_some());
    let (spared, plain) = (memory(&place, "average"), memory(&place, "plain"));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..KILLS {
        wait_until("there is a spare again", 20, || {
            standing() != last && standing().is_some()
        });
        last = standing();
        // It has had the time that a program needs to start.
        without.push(kill(&plain).1);
        let (pid, took_us) = kill(&spared);
        assert_eq!(Some(pid), last, "it was not the spare that took over");
        with.push(took_us);
    }
    run.signal("INT");
    run.wait(20).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    assert_eq!(report.list("restarts").len(), 2 * KILLS);
    println!("SIGKILL to running, us: {with:?} with a spare, {without:?} without");
    assert!(median(with) < median(without));
}
