//! A stage in Python in a whole session at 1 kHz: late as it may be, every tick is accounted for, and its cost is on record.

use crate::finished::Report;
use crate::place::Place;
use crate::turns::alone;
use ephapse_driven::interpreter;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// How long it runs, s; `make accept` asks for a minute.
fn seconds() -> u64 {
    let asked = std::env::var("EPHAPSE_PYTHON_S").ok();
    asked.map_or(3, |s| s.parse().unwrap())
}

/// A block of 60 x 10 f32 every millisecond, each averaged over channels in Python.
pub const GRAPH: &str = r#"
name = "python"
timer = { period_ns = 1_000_000, cpu = 0 }

[modules]
path = ["mylab"]

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 60, rate_hz = 10000.0, block_frames = 10 }
out = { frames = "raw" }

[stage.average]
use = "example.channel_average"
policy = "other"
cpu = 1
in = { frames = { from = "raw", cast = "f64" } }
out = { mean = "mean" }
"#;

/// The module with the example in it: as a user would have it, but for the path to this build's package.
pub fn module(place: &Place, python: &Command) {
    let folder = place.path().join("mylab/stages/average");
    std::fs::create_dir_all(&folder).unwrap();
    let example = Path::new(interpreter::PACKAGE).join("examples/channel_average");
    for file in ["channel_average.py", "stage.toml"] {
        std::fs::copy(example.join(file), folder.join(file)).unwrap();
    }
    let manifest = folder.join("stage.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let program = python.get_program().to_str().unwrap();
    std::fs::write(
        manifest,
        text.replace("\"python3\"", &format!("{program:?}")),
    )
    .unwrap();
}

/// Runs the graph, with what the Python needs in its environment.
pub fn run_command(place: &Place, python: &Command, duration: &str) -> Command {
    let mut command = place.session_command(&["run", "python.toml", "--duration", duration]);
    for (key, value) in python.get_envs() {
        command.env(key, value.unwrap());
    }
    command
}

fn number(value: &Value, key: &str) -> u64 {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no `{key}` in {value}"))
}

#[track_caller]
fn of<'a>(list: &'a [Value], key: &str, name: &str) -> &'a Value {
    let found = list.iter().find(|v| v[key] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list:?}"))
}

#[test]
fn every_tick_that_a_stage_in_python_skips_has_its_cause_and_its_cost_is_on_the_report() {
    let Some(python) = interpreter::command() else {
        return;
    };
    let _turn = alone();
    let place = Place::new();
    module(&place, &python);
    place.write("python.toml", GRAPH);
    let command = run_command(&place, &python, &format!("{}s", seconds()));
    let ended = place.finish(command, seconds() + 60).expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    let ticks = of(report.list("ticks"), "who", "average");
    let (due, run) = (number(ticks, "due"), number(ticks, "run"));
    let causes = ["late_wake", "long_run", "no_room", "dead"].map(|c| number(ticks, c));
    assert_eq!(due, run + causes.iter().sum::<u64>(), "{ticks}");
    assert!(due >= seconds() * 1000 && run > 0, "{ticks}");
    // What it cost: every activation by the clock, and what the kernel counted.
    let hops = report
        .list("hops")
        .iter()
        .filter(|h| h["stage"] == "average");
    let runs = hops.clone().find(|h| h["kind"] == "run").unwrap();
    assert_eq!(runs["complete"], true, "{runs}");
    let consumed = number(of(report.list("edges"), "seat", "average"), "consumed");
    assert_eq!(number(runs, "count"), consumed, "{runs}");
    assert!(number(runs, "p50_ns") > 0, "{runs}");
    let stage = of(report.list("stages"), "name", "average");
    assert_eq!(stage["policy"], "other", "{stage}");
    assert!(number(stage, "voluntary_switches") > 0, "{stage}");
    println!("{ticks}\n{runs}\n{stage}");
    let row = |line: &&str| line.trim_start().starts_with("average ");
    assert!(
        ended.stdout.lines().filter(row).count() >= 4,
        "{}",
        ended.stdout
    );
}
