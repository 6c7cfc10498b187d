//! Faults on purpose: each strikes at its tick, is told by the record, and is dealt with as its policy says.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::turns::alone;
use ephapse_engine::abi::{ActivationRecord, circumstance};
use ephapse_engine::capture::{Capture, RecordedActivation};

const PAGES: u64 = 300;

/// The loop's graph with these faults.
fn graph(place: &Place, faults: &str) -> String {
    let text = format!("{LOOP}\n[chaos]\nseed = 3\ninject = [{faults}]\n");
    place.write("loop.toml", &text).display().to_string()
}

/// Runs the loop under these faults; the accounts hold, and nothing is left.
#[track_caller]
fn suffered(place: &Place, faults: &str, arguments: &[&str]) -> Report {
    let graph = graph(place, faults);
    let mut all = vec!["run", graph.as_str()];
    all.extend(arguments);
    if !arguments.contains(&"--duration") {
        all.extend(["--duration", "2s"]);
    }
    place.run_session(&all, 60).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    report
}

#[track_caller]
fn expect_all_struck(report: &Report, number: usize) {
    let chaos = report.list("chaos");
    assert_eq!(chaos.len(), number);
    assert!(
        chaos.iter().all(|fault| fault["struck"] == true),
        "{chaos:?}"
    );
}

/// Activation records of a stage in the run's capture.
pub fn records(report: &Report, stage: &str) -> Vec<ActivationRecord> {
    let path = report.0["capture"]["path"].as_str().unwrap();
    let capture = Capture::open(path.as_ref()).unwrap();
    let mut processes = capture.meta().processes.iter();
    let process = processes.position(|name| name == stage).unwrap();
    let list = capture.activations(process as u32).unwrap();
    list.filter_map(|found| match found.unwrap() {
        RecordedActivation::Record(_, record) => Some(record),
        RecordedActivation::Missing { .. } => None,
    })
    .collect()
}

fn account<'a>(report: &'a Report, list: &str, key: &str, name: &str) -> &'a serde_json::Value {
    let mut all = report.list(list).iter();
    all.find(|account| account[key] == name)
        .unwrap_or_else(|| panic!("no {name} among {list}"))
}

#[test]
fn a_stall_and_a_delay_are_long_runs_of_the_stage_and_the_tick_that_the_graph_names() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "stall", stage = "readout", tick = 600, for_ms = 3.0 },
           { fault = "delay", stage = "band", tick = 1100, for_ms = 4.0 }"#,
        &[],
    );
    expect_all_struck(&report, 2);
    for (stage, tick, least_ns) in [("readout", 600, 3_000_000), ("band", 1100, 4_000_000)] {
        let records = records(&report, stage);
        let struck = |r: &&ActivationRecord| r.circumstances & circumstance::INJECTED != 0;
        assert_eq!(records.iter().filter(struck).count(), 1, "{stage}");
        let at = records.iter().position(|r| struck(&r)).unwrap();
        let record = records[at];
        // A machine that stalls by itself may have skipped the tick.
        assert!(
            record.tick >= tick,
            "{stage}: struck at tick {}",
            record.tick
        );
        assert!(record.committed_ns - record.woke_ns >= least_ns);
        // Of the ticks that fell due meanwhile the next activation says that they were skipped, and why.
        let next = records[at..].iter().find(|r| r.tick > record.tick).unwrap();
        let skipped = u64::from(next.skipped[1]);
        assert!(skipped >= 1, "{stage}: {next:?}");
        assert!(account(&report, "ticks", "who", stage)["long_run"].as_u64() >= Some(skipped));
    }
    assert!(report.0["loop"]["max_ns"].as_u64() >= Some(3_000_000));
    for (tick, words) in [
        ("600", "injected: stalled for 3 ms"),
        ("1100", "injected: delayed by 4 ms"),
    ] {
        let folder = place.report().display().to_string();
        let said = place.run(&["why", tick, &folder]).expect(0).stdout;
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_killed_stage_is_started_again_and_not_killed_by_the_same_fault_twice() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "kill", stage = "detect", between = [300, 1500], times = 3 }"#,
        &["--set", "defaults.on_death=restart"],
    );
    expect_all_struck(&report, 3);
    assert_eq!(account(&report, "stages", "name", "detect")["restarts"], 3);
    assert_eq!(report.list("restarts").len(), 3);
    for fault in report.list("chaos") {
        let came_to = fault["came_to"].as_str().unwrap();
        let told = [
            "lost: ticks (",
            " dead",
            "stimulation held within ",
            "turns since",
        ];
        assert!(
            told.iter().all(|words| came_to.contains(words)),
            "{came_to}"
        );
    }
}

#[test]
fn blocks_dropped_at_a_source_are_in_its_account_and_a_gap_to_whoever_reads_it() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "drop", stage = "source", tick = 500, blocks = 3 }"#,
        &[],
    );
    expect_all_struck(&report, 1);
    let dropped = account(&report, "rings", "stream", "raw")["dropped"].as_u64();
    assert!(dropped >= Some(3), "{dropped:?}");
    let lost = account(&report, "sources", "stream", "raw")["lost"].as_u64();
    assert!(lost > Some(0));
    let mut edges = report.list("edges").iter();
    let band = edges.find(|edge| edge["seat"] == "band").unwrap();
    assert!(band["gaps"].as_u64() >= Some(1), "{band}");
    assert_eq!(band["lost_frames"].as_u64(), lost);
}

#[test]
fn page_faults_are_counted_where_they_happen() {
    let _alone = alone();
    let place = Place::new();
    let fault =
        format!(r#"{{ fault = "page_faults", stage = "rate", tick = 400, pages = {PAGES} }}"#);
    let report = suffered(&place, &fault, &[]);
    expect_all_struck(&report, 1);
    let faults = |stage| account(&report, "stages", "name", stage)["minor_faults"].as_u64();
    assert!(faults("rate") >= Some(PAGES), "{:?}", faults("rate"));
    assert!(faults("readout") < Some(PAGES), "{:?}", faults("readout"));
}

#[test]
fn a_hogged_cpu_costs_its_stages_ticks_and_nobody_a_block() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "hog", cpu = 1, tick = 700, for_ms = 30.0 }"#,
        &[],
    );
    expect_all_struck(&report, 1);
    if report.0["rt"]["active"] == true {
        let skipped = |who| {
            let ticks = account(&report, "ticks", "who", who);
            ticks["late_wake"].as_u64().unwrap() + ticks["long_run"].as_u64().unwrap()
        };
        assert!(skipped("band") >= 20, "{}", skipped("band"));
    }
    assert_eq!(
        account(&report, "rings", "stream", "filtered")["dropped"],
        0
    );
}

#[test]
fn a_full_disk_costs_the_recording_and_nothing_else() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "disk_full", tick = 300, for_ms = 1000.0 }"#,
        &["--set", "record.spool_s=0.1", "--duration", "4s"],
    );
    expect_all_struck(&report, 1);
    let came_to = report.list("chaos")[0]["came_to"].as_str().unwrap();
    assert!(came_to.contains("blocks of the recording"), "{came_to}");
    let (kept, others): (Vec<_>, Vec<_>) = report
        .list("edges")
        .iter()
        .partition(|edge| edge["seat"] == "recorder");
    assert!(
        kept.iter().any(|edge| edge["lapped"].as_u64() > Some(0)),
        "{kept:?}"
    );
    assert!(
        others
            .iter()
            .all(|edge| edge["lapped"] == 0 && edge["jumped"] == 0)
    );
    assert!(report.list("rings").iter().all(|ring| ring["dropped"] == 0));
    // It goes on when there is room again, and is sealed.
    let path = report.0["capture"]["path"].as_str().unwrap();
    place.run(&["verify", path]).expect(0);
}

#[test]
fn the_same_seed_draws_the_same_ticks_and_the_resolved_graph_names_them() {
    let place = Place::new();
    let graph = graph(
        &place,
        r#"{ fault = "stall", stage = "readout", between = [100, 90000], times = 5, for_ms = 1.5 },
           { fault = "kill", stage = "band", tick = 7 }"#,
    );
    let drawn = |seed: &str| {
        let said = place.run(&["explain", &graph, "--set", seed]).expect(0);
        let lines = said.stdout.lines().map(str::to_owned);
        lines
            .filter(|line| line.starts_with("chaos: "))
            .collect::<Vec<_>>()
    };
    let first = drawn("chaos.seed=3");
    assert_eq!(first.len(), 6, "{first:?}");
    assert_eq!(first[0], "chaos: tick 7: band killed");
    assert!(
        first[1].ends_with(": readout stalled for 1.5 ms"),
        "{}",
        first[1]
    );
    assert_eq!(drawn("chaos.seed=3"), first);
    assert_ne!(drawn("chaos.seed=4"), first);
}

#[test]
fn faults_that_mean_nothing_are_refused_where_they_stand() {
    let place = Place::new();
    let cases = [
        (
            r#"{ fault = "stall", stage = "readuot", tick = 5, for_ms = 1.0 }"#,
            "there is no stage `readuot`, in `chaos.inject`; did you mean `readout`?",
        ),
        (
            r#"{ fault = "stal", stage = "readout", tick = 5 }"#,
            "`stal` is not a choice here",
        ),
        (
            r#"{ fault = "stall", stage = "readout", for_ms = 1.0 }"#,
            "the fault has no tick at which it strikes",
        ),
        (
            r#"{ fault = "stall", stage = "readout", tick = 5 }"#,
            "does not say how long it lasts",
        ),
        (
            r#"{ fault = "stall", stage = "readout", tick = 5, for_ms = -1.0 }"#,
            "-1 ms is not 0.001 to 60000 ms",
        ),
        (
            r#"{ fault = "kill", stage = "band", tick = 5, for_ms = 1.0 }"#,
            "`for_ms` says nothing about this fault",
        ),
        (
            r#"{ fault = "kill", stage = "band", between = [10, 12], times = 3 }"#,
            "3 times do not fit between the ticks 10 and 12",
        ),
        (
            r#"{ fault = "kill", stage = "band", tick = 0 }"#,
            "tick 0 is the start itself",
        ),
        (
            r#"{ fault = "drop", stage = "band", tick = 5 }"#,
            "`band` is no source",
        ),
        (
            r#"{ fault = "hog", cpu = 4000, tick = 5, for_ms = 1.0 }"#,
            "CPU 4000 does not exist",
        ),
        (
            r#"{ fault = "kill", tick = 5 }"#,
            "the fault names no stage",
        ),
    ];
    for (fault, words) in cases {
        let graph = graph(&place, fault);
        let said = place.run(&["check", &graph]).expect(1);
        let line = said.stderr.lines().next().unwrap_or_default();
        assert!(
            line.contains("loop.toml:") && line.contains(words),
            "{fault}\n{}",
            said.stderr
        );
    }
    let unpaced = graph(&place, r#"{ fault = "kill", stage = "band", tick = 5 }"#);
    let said = place.run(&["run", &unpaced, "--unpaced"]).expect(1);
    assert!(
        said.stderr.contains("an unpaced run keeps no deadline"),
        "{}",
        said.stderr
    );
    let full = graph(&place, r#"{ fault = "disk_full", tick = 5, for_ms = 1.0 }"#);
    let said = place.run(&["run", &full, "--record", "off"]).expect(1);
    assert!(
        said.stderr.contains("nothing is recorded"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_file_of_faults_replaces_those_of_the_graph_and_may_hold_nothing_else() {
    let _alone = alone();
    let place = Place::new();
    let loop_ = place.write("loop.toml", LOOP).display().to_string();
    let faults = place.write(
        "faults.toml",
        "[[chaos.inject]]\nfault = \"stall\"\nstage = \"policy\"\ntick = 100\nfor_ms = 0.5\n",
    );
    let faults = faults.display().to_string();
    place
        .run_session(
            &["run", &loop_, "--chaos", &faults, "--duration", "500ms"],
            60,
        )
        .expect(0);
    expect_all_struck(&Report::read(&place.report()), 1);
    let more = place
        .write("more.toml", "name = \"x\"\n[chaos]\n")
        .display()
        .to_string();
    let said = place.run(&["run", &loop_, "--chaos", &more]).expect(1);
    assert!(
        said.only_line()
            .contains("more.toml:1: a file of faults holds the table `chaos` and nothing else"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_stage_that_gives_no_sign_of_life_is_ended_and_replaced() {
    let _alone = alone();
    let place = Place::new();
    let report = suffered(
        &place,
        r#"{ fault = "delay", stage = "rate", tick = 300, for_ms = 30000.0 }"#,
        &["--set", "stage.rate.on_death=restart", "--duration", "4s"],
    );
    expect_all_struck(&report, 1);
    let [restart] = report.list("restarts") else {
        panic!("{:?}", report.list("restarts"));
    };
    assert_eq!(restart["who"], "rate");
    let what = restart["what"].as_str().unwrap();
    assert!(what.contains("no sign of life for 2."), "{what}");
    assert_eq!(report.list("holds")[0]["who"], "rate");
}

#[test]
fn a_stage_that_computes_without_end_is_killed_by_name() {
    let _alone = alone();
    let place = Place::new();
    let graph = graph(
        &place,
        r#"{ fault = "stall", stage = "rate", tick = 300, for_ms = 30000.0 }"#,
    );
    let ended = place
        .run_session(&["run", &graph, "--duration", "20s"], 60)
        .expect(1);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    let why = report.0["why"].as_str().unwrap();
    let (limit, silence) = ("had its CPU for a second", "no sign of life");
    // Without the privilege to run in real time no such limit counts.
    let expected = if report.0["rt"]["active"] == true {
        limit
    } else {
        silence
    };
    assert!(
        why.contains("rate") && why.contains(expected),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_stage_that_dies_more_often_in_a_minute_than_it_may_stops_the_session() {
    let _alone = alone();
    let place = Place::new();
    let graph = graph(
        &place,
        r#"{ fault = "kill", stage = "band", between = [200, 900], times = 4 }"#,
    );
    let ended = place
        .run_session(
            &[
                "run",
                &graph,
                "--duration",
                "20s",
                "--set",
                "stage.band.on_death=restart",
                "--set",
                "stage.band.restarts_per_minute=3",
            ],
            60,
        )
        .expect(1);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.list("restarts").len(), 3);
    let fault = &report.list("faults")[0];
    assert_eq!(fault["who"], "band");
    let what = fault["what"].as_str().unwrap();
    assert!(
        what.contains("started again 3 times within a minute"),
        "{what}\n{}",
        ended.stdout
    );
}
