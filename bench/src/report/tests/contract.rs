use super::sample_runs::{report, sound, with_loop, without_loop};
use crate::golden_files::same_as;
use crate::report::Report;
use serde_json::Value;

fn schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

#[test]
fn the_checked_in_schema_is_the_generated_one() {
    let text = serde_json::to_string_pretty(&schema()).unwrap();
    same_as("schema/report.json", &(text + "\n"));
}

#[test]
fn every_report_is_valid_by_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for outcome in [
        sound(),
        without_loop(),
        with_loop(0, 1),
        with_loop(1, 1_234_567),
    ] {
        let json = serde_json::to_value(report(&outcome)).unwrap();
        let errors = validator.iter_errors(&json).map(|e| e.to_string());
        assert_eq!(errors.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn the_schema_refuses_a_report_without_its_accounts_or_with_another_verdict() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let whole = serde_json::to_value(report(&sound())).unwrap();
    for key in [
        "verdict", "ticks", "rings", "edges", "sources", "hops", "stages", "host", "graph",
    ] {
        let mut broken = whole.clone();
        broken.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&broken), "valid without {key}");
    }
    let mut broken = whole;
    broken["verdict"] = "fine".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn the_keys_of_the_contract_stand_where_scripts_look_for_them() {
    let json = serde_json::to_value(report(&sound())).unwrap();
    assert_eq!(json["format"], "ephapse-report 1");
    assert_eq!(
        (json["verdict"].as_str(), json["exit_code"].as_u64()),
        (Some("passed"), Some(0))
    );
    assert_eq!(json["started"], "2026-11-18T11:06:40.123456789Z");
    assert_eq!(json["rt"]["active"], true);
    assert_eq!(json["ticks"][0]["who"], "timer");
    for key in ["count", "p50_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"] {
        assert!(json["loop"][key].is_u64(), "loop.{key}");
        assert!(
            json["loop"]["uncorrected"][key].is_u64(),
            "loop.uncorrected.{key}"
        );
        assert!(json["hops"][0][key].is_u64(), "hops.{key}");
    }
    assert_eq!(json["loop"]["complete"], true);
    assert_eq!(json["loop"]["count"], 10_000);
    assert_eq!(json["loop"]["uncorrected"]["count"], 9_998);
    assert_eq!(json["hops"][0]["kind"], "timer_lateness");
    assert_eq!(json["edges"][0]["kind"], "hold");
    assert_eq!(json["stages"][0]["name"], "timer");
    assert!(json["graph"].as_str().unwrap().contains("slots = 64"));
}

#[test]
fn a_graph_without_a_loop_reports_null_not_zero() {
    let json = serde_json::to_value(report(&without_loop())).unwrap();
    assert!(json["loop"].is_null());
    assert!(json["hops"][0]["p50_ns"].is_null());
    assert_eq!(json["hops"][0]["count"], 0);
}

#[test]
fn a_report_read_back_is_the_report_written() {
    let written = serde_json::to_value(report(&sound())).unwrap();
    let read: Report = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), written);
}
