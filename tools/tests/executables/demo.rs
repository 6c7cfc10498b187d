//! `ephapse demo`, paced, as a first-time user runs it.

use crate::finished::Report;
use crate::place::Place;
use crate::turns::alone;
use serde_json::Value;

/// Columns of each account: the first is the sum of the others.
const SUMS: [(&str, &[&str]); 4] = [
    (
        "ticks",
        &["due", "run", "late_wake", "long_run", "no_room", "dead"],
    ),
    ("rings", &["offered", "published", "dropped"]),
    (
        "edges",
        &["published", "consumed", "jumped", "lapped", "left"],
    ),
    ("sources", &["counted", "valid", "lost"]),
];

fn number(of: &Value, key: &str) -> u64 {
    of[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number `{key}` in {of}"))
}

#[test]
fn the_demo_passes_with_exact_accounts_and_leaves_nothing_but_its_report() {
    let _turn = alone();
    let place = Place::new();
    let ended = place
        .run_session(
            &[
                "demo",
                "--duration",
                "4s",
                "--set",
                "stage.detect.params.calibrate_s=0.5",
            ],
            60,
        )
        .expect(0);
    place.expect_nothing_left();
    assert!(
        ended.stdout.contains("playing ") && ended.stdout.contains("demo-recording.h5"),
        "it does not name the recording:\n{}",
        ended.stdout
    );

    let report = Report::read(&place.report());
    assert_eq!(report.0["verdict"], "passed");
    assert_eq!(report.0["ended_by"], "duration");
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    // A busy machine may have cost the recording blocks, which are named then; what is there replays.
    let (capture, replay) = (&report.0["capture"], &report.0["replay"]);
    if capture["lost"] == serde_json::json!([]) {
        assert_eq!(replay["identical"], true, "{replay}");
        assert!(replay["decisions"].as_u64() > Some(1_000), "{replay}");
    }
    assert_ne!(replay["identical"], false, "{replay}");
    let path = capture["path"].as_str().unwrap();
    let verified = place.run(&["verify", path]).expect(0).stdout;
    assert!(verified.contains("certificate: holds"), "{verified}");
    for (kind, columns) in SUMS {
        for account in report.list(kind) {
            let parts: u64 = columns[1..].iter().map(|key| number(account, key)).sum();
            assert_eq!(number(account, columns[0]), parts, "{kind}: {account}");
        }
    }
    // The timer's ticks are those of the clock: none is missing over the whole run.
    let timer = &report.list("ticks")[0];
    assert_eq!(timer["who"], "timer");
    assert!(number(timer, "due") >= 4_000, "{timer}");
    assert!(report.list("stages").len() > 6);
    let log = std::fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    assert!(log.lines().count() > 0, "no command was logged");
    expect_no_allocations_and_faults(&report);
}

/// What runs in real time neither allocates nor faults once it is ready.
/// Fails the test if a stage that runs in real time has allocated or faulted after its start.
#[track_caller]
pub fn expect_no_allocations_and_faults(report: &Report) {
    if report.0["rt"]["active"] != true {
        println!(
            "SKIPPED: allocations and page faults of real-time stages: {}",
            report.0["rt"]["why"]
        );
        return;
    }
    for stage in report
        .list("stages")
        .iter()
        .filter(|s| s["helper"] == false)
    {
        assert_eq!(stage["policy"], "fifo", "{stage}");
        for key in ["allocations_after_start", "minor_faults", "major_faults"] {
            assert_eq!(number(stage, key), 0, "{key}: {stage}");
        }
    }
}
