//! `filter.cpu=2,raw.slots=16`: changes of a graph in short, as the `--set` arguments that they stand for.

use crate::graph::Graph;
use crate::problem::suggest;

/// Keys of a stage that its schedule depends on.
const STAGE_KEYS: [&str; 10] = [
    "budget_ns",
    "burst",
    "cpu",
    "divider",
    "overrun",
    "pace",
    "phase",
    "policy",
    "priority",
    "wait",
];
/// Keys of a stream.
const STREAM_KEYS: [&str; 2] = ["full", "slots"];
/// Keys of the timer.
const TIMER_KEYS: [&str; 4] = ["cpu", "period_ns", "priority", "spin_ns"];

/// One `NAME.KEY=VALUE` as a `--set` argument.
///
/// # Errors
/// A sentence that says what is wrong, and the name or key that was probably meant.
pub fn set_argument(graph: &Graph, change: &str) -> Result<String, String> {
    let malformed = || format!("--what-if {change}: write it NAME.KEY=VALUE, e.g. `band.cpu=2`");
    let (path, value) = change.split_once('=').ok_or_else(malformed)?;
    let (name, key) = path.trim().rsplit_once('.').ok_or_else(malformed)?;
    if value.trim().is_empty() {
        return Err(malformed());
    }
    let stages = &graph.keys().stage;
    let outputs = stages.values().flat_map(|stage| stage.outputs.values());
    let streams: Vec<&str> = outputs.map(String::as_str).collect();
    let (table, keys): (String, &[&str]) = if name == "timer" {
        ("timer".to_owned(), &TIMER_KEYS)
    } else if stages.contains_key(name) {
        (format!("stage.{name}"), &STAGE_KEYS)
    } else if streams.contains(&name) {
        (format!("stream.{name}"), &STREAM_KEYS)
    } else {
        let mut names = vec!["timer"];
        names.extend(stages.keys().map(String::as_str));
        names.extend(&streams);
        return Err(format!(
            "--what-if {change}: there is no stage or stream `{name}`; {}",
            suggest(name, &names)
        ));
    };
    if !keys.contains(&key) {
        return Err(format!(
            "--what-if {change}: `{key}` of `{name}` does not change the schedule; {}",
            suggest(key, keys)
        ));
    }
    Ok(format!("{table}.{key}={}", value.trim()))
}
