//! Stimulation goes off first: held while a process is dead, off before the sources of a stopped session end.

use crate::chaos::records;
use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{Place, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::alone;
use ephapse_engine::abi::circumstance;

/// The loop with a logged stimulator, and beside it a stage on which nothing else depends.
fn graph(faults: &str) -> String {
    let side = r#"
[stage.side]
use = "filter.bandpass"
params = { low_hz = 300.0, high_hz = 3000.0 }
on_death = "restart"
in = { frames = "raw" }
out = { frames = "aside" }
"#;
    LOOP.replace("stimulate.null", "stimulate.log") + side + faults
}

/// For each activation of the stimulator that is on record: its tick, and whether this circumstance held.
fn stimulator(report: &Report, circumstance: u16) -> Vec<(u64, bool)> {
    let records = records(report, "stimulate");
    records
        .iter()
        .map(|r| (r.tick, r.circumstances & circumstance != 0))
        .collect()
}

#[test]
fn stimulation_is_held_from_a_death_until_the_successor_runs() {
    let _alone = alone();
    let place = Place::new();
    let faults = "[chaos]\ninject = [{ fault = \"kill\", stage = \"side\", tick = 600 }]\n";
    place.write("loop.toml", &graph(faults));
    place
        .run_session(&["run", "loop.toml", "--duration", "1500ms"], 60)
        .expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let [hold] = report.list("holds") else {
        panic!("{:?}", report.list("holds"));
    };
    assert_eq!(hold["who"], "side");
    let held_ns = hold["held_ns"].as_u64().unwrap();
    // The stage that died is none of those that stimulate: they went on, and refused.
    let held = stimulator(&report, circumstance::HELD);
    let ticks: Vec<u64> = held
        .iter()
        .filter(|(_, held)| *held)
        .map(|(t, _)| *t)
        .collect();
    let (first, last) = (ticks[0], ticks[ticks.len() - 1]);
    assert!(first >= 600, "held at tick {first}, before the death");
    assert!(
        last - first <= held_ns / 1_000_000 + 1,
        "{first} to {last}, {held_ns} ns"
    );
    assert!(
        held.iter()
            .all(|(tick, held)| *held == (first..=last).contains(tick))
    );
    // And none of it when it is over.
    assert!(!held[held.len() - 1].1);
    // Off is the end alone: nothing was decided any more.
    let off = stimulator(&report, circumstance::OFF);
    let first_off = off.iter().position(|(_, off)| *off).unwrap_or(off.len());
    assert!(off[first_off..].iter().all(|(_, off)| *off));
    let decided = report.0["loop"]["uncorrected"]["count"].as_u64().unwrap();
    assert!(
        first_off as u64 >= decided,
        "off at activation {first_off}, {decided} decisions"
    );
}

#[test]
fn a_session_that_is_stopped_switches_stimulation_off_before_its_sources_end() {
    let _alone = alone();
    let place = Place::new();
    place.write("loop.toml", &graph(""));
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || {
        pid_of(&place, "recorder").is_some()
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    run.signal("INT");
    run.wait(20).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let off = stimulator(&report, circumstance::OFF);
    assert!(off[off.len() - 1].1, "the last activation was not off");
    let first = off.iter().position(|(_, off)| *off).unwrap();
    assert!(first > 0 && off[first..].iter().all(|(_, off)| *off));
}

#[test]
fn the_death_of_the_recorder_holds_nothing() {
    let _alone = alone();
    let place = Place::new();
    place.write("loop.toml", &graph(""));
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "1500ms"]));
    wait_until("the session runs", 20, || {
        pid_of(&place, "recorder").is_some()
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(pid_of(&place, "recorder").unwrap(), "KILL");
    run.wait(30).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.list("holds").len(), 0);
    assert!(
        stimulator(&report, circumstance::HELD)
            .iter()
            .all(|(_, held)| !held)
    );
}
