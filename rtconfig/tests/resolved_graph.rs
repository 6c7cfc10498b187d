//! The graph that is stored with a recording: every default written out, and a graph again.

mod kinds;

use ephapse_rtconfig::plan::Plan;
use kinds::{BLANKING, LOOP, planned, read};

fn as_json(plan: &Plan) -> serde_json::Value {
    let mut plan = plan.clone();
    plan.graph_path = None;
    serde_json::to_value(plan).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_resolved_graph_resolves_to_the_same_plan() {
    let feedback = format!("{LOOP}{BLANKING}").replace(
        "in = { frames = \"raw\" }\n",
        "in = { frames = \"blanked\" }\n",
    );
    let full = LOOP
        .replace("timer =", "experiment = { title = \"a \\\"b\\\"\", div = 21 }\ntimer =")
        .replace("in = { frames = \"filtered\" }", "in = { frames = { from = \"filtered\", window = { n = 40, step = 20 } } }\nbudget_ns = 5\noverrun = \"catch_up(2)\"\ndivider = 2\nphase = 1");
    let unpaced = LOOP.replace(
        "use = \"acquire.synthetic\"",
        "use = \"acquire.synthetic\"\npace = \"none\"",
    );
    let told = LOOP.replace(
        "timer =",
        "on = { fault = [\"sh\", \"-c\", \"cat > fault\"], end = [\"/bin/sh\"] }\ntimer =",
    );
    for text in [LOOP, &feedback, &full, &unpaced, &told] {
        let plan = planned(&read(text));
        let again = planned(&read(&plan.resolved_toml));
        assert_eq!(as_json(&plan), as_json(&again), "{}", plan.resolved_toml);
    }
}

#[test]
fn nothing_is_left_to_default_in_the_resolved_graph() {
    let text = planned(&read(LOOP)).resolved_toml;
    for key in [
        "priority = 95",
        "spin_ns = 0",
        "slots = 128",
        "spare_seats = 2",
        "read = \"same\"",
        "burst = 8",
        "block_frames = 20",
        "on_death = \"stop\"",
    ] {
        assert!(text.contains(key), "{key} is missing in\n{text}");
    }
}
