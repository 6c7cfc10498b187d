//! `why`: a stage that stood still for a moment is found, in the running session, in its capture, and in the report.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::made_capture;
use crate::place::{Place, entries, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::{alone, shared};
use serde_json::Value;
use std::time::Duration;

/// Longer than a host takes a CPU away, and shorter than the rings are.
const STOPPED: Duration = Duration::from_millis(80);

fn answer(place: &Place, arguments: &[&str]) -> Option<Value> {
    let mut all = vec!["why"];
    all.extend(arguments);
    all.push("--json");
    let ended = place.run(&all);
    (ended.code == Some(0)).then(|| serde_json::from_str(&ended.stdout).unwrap())
}

fn hop<'a>(walk: &'a Value, stage: &str) -> &'a Value {
    let mut hops = walk["hops"].as_array().unwrap().iter();
    hops.find(|hop| hop["stage"] == stage)
        .unwrap_or_else(|| panic!("no {stage} in {walk}"))
}

/// The way is whole, and all that was waited and run is the total.
fn expect_whole(walk: &Value) {
    assert!(walk["broken"].is_null(), "{walk}");
    let hops = walk["hops"].as_array().unwrap();
    let names: Vec<&str> = hops.iter().map(|h| h["stage"].as_str().unwrap()).collect();
    let way = [
        "source",
        "band",
        "detect",
        "rate",
        "readout",
        "policy",
        "stimulate",
    ];
    assert_eq!(names, way);
    let spent = hops
        .iter()
        .map(|h| h["waited_ns"].as_u64().unwrap() + h["ran_ns"].as_u64().unwrap());
    assert_eq!(Some(spent.sum()), walk["total_ns"].as_u64(), "{walk}");
}

/// The worst decision is the one that the stage kept waiting.
fn expect_stopped(walk: &Value) {
    expect_whole(walk);
    assert_eq!(walk["costliest"], "band", "{walk}");
    let band = hop(walk, "band");
    let cost_ns = band["waited_ns"].as_u64().unwrap() + band["ran_ns"].as_u64().unwrap();
    // Some of it may have passed before its next tick.
    assert!(cost_ns > STOPPED.as_nanos() as u64 * 3 / 4, "{walk}");
    assert!(!band["causes"].as_array().unwrap().is_empty(), "{walk}");
}

#[test]
fn a_stage_that_stood_still_is_named_in_the_session_in_the_capture_and_in_the_report() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    let session = place.session().to_owned();
    wait_until("decisions are handed over", 40, || {
        answer(&place, &["last"]).is_some_and(|walk| walk["tick"].as_u64() > Some(300))
    });
    let band = pid_of(&place, "band").unwrap();
    signal(band, "STOP");
    std::thread::sleep(STOPPED);
    signal(band, "CONT");

    // While it runs, the only session is meant, and the name may be said.
    wait_until("the capture holds the worst decision", 20, || {
        answer(&place, &["worst", &session]).is_some_and(|walk| walk["costliest"] == "band")
    });
    let worst = answer(&place, &["worst"]).unwrap();
    expect_stopped(&worst);
    let last = answer(&place, &["last"]).unwrap();
    expect_whole(&last);
    assert!(last["tick"].as_u64() > worst["tick"].as_u64());

    // The tick in which the stage worked on it leads to the same decision.
    let tick = hop(&worst, "band")["tick"].as_u64().unwrap().to_string();
    let of_tick = answer(&place, &[&tick]).unwrap();
    assert_eq!(of_tick["next_instead"], false);
    assert_eq!(of_tick["tick"], worst["tick"]);

    place.run(&["stop", &session]).expect(0);
    run.wait(60).expect(0);
    place.expect_nothing_left();

    // Nothing runs any more: the newest capture here is meant; or a folder, or the file.
    let folder = place.report();
    let folder = folder.to_str().unwrap();
    let capture = entries(&place.report());
    let capture = capture.iter().find(|name| name.ends_with(".cap")).unwrap();
    let capture = format!("{folder}/{capture}");
    for arguments in [&["worst"][..], &["worst", folder], &["worst", &capture]] {
        let walk = answer(&place, arguments).unwrap();
        assert_eq!(walk["hops"], worst["hops"], "{arguments:?}");
    }
    let text = place.run(&["why", "worst", &capture]).expect(0).stdout;
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("band"));
    assert!(line.is_some_and(|line| line.contains("<- ")), "{text}");

    let report = Report::read(&place.report());
    // One incident, and its decisions do not fill the list.
    let incidents = report.list("incidents");
    assert_eq!(incidents.len(), 10);
    assert_eq!(incidents[0]["worst"], report.list("worst")[0]);
    let (first, last) = (&incidents[0]["first_tick"], &incidents[0]["last_tick"]);
    assert!(
        incidents[0]["decisions"].as_u64() > Some(20),
        "{}",
        incidents[0]
    );
    let within = |walk: &Value| {
        let tick = walk["tick"].as_u64();
        (first.as_u64()..=last.as_u64()).contains(&tick)
    };
    assert!(within(&worst));
    // What else lies in its time is its tail: the last of what had gathered, which waited for something else, and not long.
    let total_ns = |walk: &Value| walk["total_ns"].as_u64().unwrap();
    let again = incidents[1..].iter().map(|i| &i["worst"]);
    let mut again = again.filter(|walk| within(walk));
    assert!(
        again.all(|walk| total_ns(walk) < total_ns(&worst) / 10),
        "{incidents:#?}"
    );
    let page = std::fs::read_to_string(place.report().join("report.html")).unwrap();
    let decisions = format!("{} decisions in ", incidents[0]["decisions"]);
    assert!(page.contains(&decisions), "{decisions}");

    let listed = report.list("worst");
    assert_eq!(listed.len(), 10);
    expect_stopped(&listed[0]);
    assert_eq!(listed[0]["tick"], worst["tick"]);
    let totals: Vec<u64> = listed
        .iter()
        .map(|walk| walk["total_ns"].as_u64().unwrap() + walk["lost_ns"].as_u64().unwrap())
        .collect();
    assert!(totals.is_sorted_by(|a, b| a >= b), "{totals:?}");

    // What the witnesses saw stands in the capture, too.
    let info = place.run(&["info", &capture, "--json"]).expect(0).stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    let events = info["events"].as_array().unwrap().iter();
    let told = events.filter(|event| event["who"] == "witness").count();
    assert_eq!(
        told > 0,
        !report.list("stalls").is_empty(),
        "{}",
        info["events"]
    );
}

#[test]
fn a_stage_that_joins_two_streams_names_the_one_that_was_late_and_why() {
    const LATE_MS: f64 = 25.0;
    let _turn = alone();
    let place = Place::new();
    let low = "[stage.low]
use = \"filter.bandpass\"
params = { low_hz = 100.0, high_hz = 1000.0 }
in = { frames = \"raw\" }
out = { frames = \"low\" }

[stage.detect]";
    let graph = LOOP.replace("[stage.detect]", low).replace(
        "in = { frames = \"filtered\" }",
        "in = { frames = { merge = [\"filtered\", \"low\"] } }",
    );
    let inject =
        format!("{{ fault = \"delay\", stage = \"low\", tick = 700, for_ms = {LATE_MS} }}");
    let graph = format!("{graph}\n[chaos]\ninject = [{inject}]\n");
    place.write("joined.toml", &graph);
    place
        .run_session(&["run", "joined.toml", "--duration", "2s"], 40)
        .expect(0);
    place.expect_nothing_left();
    let folder = place.report().display().to_string();
    let walk = answer(&place, &["700", &folder]).unwrap();
    // The way is that of the pacing input, on which the late stage does not lie.
    expect_whole(&walk);
    assert_eq!(walk["on_purpose"][0]["met"], true, "{walk}");
    let causes = hop(&walk, "detect")["causes"].as_array().unwrap().iter();
    let late: Vec<&Value> = causes.filter(|c| c["kind"] == "other_input").collect();
    let [late] = late[..] else {
        panic!("{walk}");
    };
    assert_eq!(late["who"], "low", "{late}");
    let says = late["says"].as_str().unwrap();
    assert!(
        says.contains(
            "for the block of `low`: low was late (injected: delayed by 25 ms, at tick 700"
        ),
        "{says}"
    );
}

#[test]
fn a_run_without_a_recording_lists_its_worst_loops_all_the_same() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    let arguments = ["run", "loop.toml", "--duration", "2s", "--record", "off"];
    let ended = place.run_session(&arguments, 40).expect(0);
    assert!(ended.stdout.contains("Worst loops"), "{}", ended.stdout);
    let report = Report::read(&place.report());
    assert_eq!(report.list("worst").len(), 10);
    report.list("worst").iter().for_each(expect_whole);
    let longest_ns = report.0["loop"]["uncorrected"]["max_ns"].as_u64().unwrap();
    let total_ns = report.list("worst").iter();
    let total_ns = total_ns.filter_map(|walk| walk["total_ns"].as_u64()).max();
    // The histogram holds three digits.
    let apart_ns = total_ns.unwrap().abs_diff(longest_ns);
    assert!(apart_ns <= longest_ns / 500, "{total_ns:?} {longest_ns}");

    let said = place.run(&["why", "last"]).expect(1);
    assert!(
        said.only_line().contains("there is no capture"),
        "{}",
        said.stderr
    );
    // A tick that is not there, in a run that was recorded.
    place
        .run_session(&["run", "loop.toml", "--duration", "1s"], 40)
        .expect(0);
    let said = place.run(&["why", "4000000"]).expect(1);
    assert!(
        said.only_line().contains(
            "no decision of tick 4000000 is there: those there are were handed over in ticks "
        ),
        "{}",
        said.stderr
    );
    let first = answer(&place, &["0"]).unwrap();
    expect_whole(&first);
    place.expect_nothing_left();
}

#[test]
fn what_cannot_be_walked_is_refused_in_one_line() {
    let _turn = shared();
    let place = Place::new();
    for arguments in [&["why"][..], &["why", "yesterday"], &["why", "-1"]] {
        let ended = place.run(arguments).expect(1);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    let made = place.path().join("made.cap");
    drop(made_capture::begin(&made));
    let torn = place.write("torn.cap", "EPHACAP");
    let (made, torn) = (made.to_str().unwrap(), torn.to_str().unwrap());
    let nowhere = place.path().join("run");
    for (of, says) in [
        (
            "nosuch",
            "is no session that runs, no capture and no folder",
        ),
        (made, "the run was unpaced"),
        (torn, "torn.cap"),
        (
            nowhere.to_str().unwrap(),
            "there is no capture in this folder",
        ),
    ] {
        for decision in ["worst", "last", "7"] {
            let ended = place.run(&["why", decision, of]).expect(1);
            assert!(ended.only_line().contains(says), "{of}: {}", ended.stderr);
        }
    }
    place.expect_nothing_left();
}
