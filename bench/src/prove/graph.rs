//! A small graph with one process of each sort that the collector tells apart, resolved as any other.

use super::script::{BLOCK_FRAMES, BLOCKS_PER_DECISION, FRAMES_HZ, PERIOD_NS, TICKED_EVERY};
use ephapse_rtconfig::describe::{
    Catalogue, DescribeError, Described, Helper, HelperDirection, KindInfo, Program, Role,
};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, command_layout};
use serde_json::json;

/// A source, a ticked stage whose window lets one block pass for every two, a stimulator paced by data, its log.
const GRAPH: &str = r#"
name = "prove"
timer = { period_ns = PERIOD_NS, cpu = 0 }

[stage.source]
use = "prove.source"
cpu = 0
pace = "clock"
out = { frames = "raw" }

[stage.decide]
use = "prove.decide"
cpu = 1
divider = TICKED_EVERY
in = { frames = { from = "raw", window = { n = WINDOW } } }
out = { commands = "commands" }

[stage.act]
use = "prove.act"
cpu = 1
pace = "data"
in = { commands = "commands" }
"#;

/// The stages of the script by name, as the graph has them.
pub(super) const SOURCE: &str = "source";
/// See above.
pub(super) const DECIDE: &str = "decide";
/// See above.
pub(super) const ACT: &str = "act";
/// The helper of [`ACT`].
pub(super) const LOG: &str = "act.log";

struct Kinds(Vec<KindInfo>);

fn kind(name: &str, role: Role, inputs: &[&str], outputs: &[&str]) -> KindInfo {
    let names = |ports: &[&str]| ports.iter().map(|p| (*p).to_owned()).collect();
    KindInfo {
        kind: name.to_owned(),
        about: "A process of the script.".to_owned(),
        role,
        inputs: names(inputs),
        outputs: names(outputs),
        program: Program::Lean,
        helper: name == "prove.log",
        params_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    }
}

impl Catalogue for Kinds {
    fn kinds(&self) -> &[KindInfo] {
        &self.0
    }

    fn describe(
        &self,
        kind: &str,
        _: &serde_json::Value,
        _: &[(&str, &StreamType)],
    ) -> Result<Described, DescribeError> {
        let commands = StreamType::records(command_layout(), 1);
        let one = |port: &str, stream_type: StreamType| Described {
            outputs: vec![(port.to_owned(), stream_type)],
            parts_per_call: 1,
            ..Described::default()
        };
        Ok(match kind {
            "prove.source" => one(
                "frames",
                StreamType::frames(Dtype::I32, BLOCK_FRAMES, 1, Rate::hz(FRAMES_HZ), "count"),
            ),
            "prove.decide" => one("commands", commands),
            "prove.act" => Described {
                helpers: vec![Helper {
                    kind: "prove.log".to_owned(),
                    direction: HelperDirection::Drains,
                    port: "log".to_owned(),
                    stream_type: commands.clone(),
                    slots: 64,
                }],
                ..one("log", commands)
            },
            _ => Described::default(),
        })
    }
}

/// The plan.
///
/// # Errors
/// The first problem that the resolver has with the graph.
pub(super) fn plan() -> Result<Plan, String> {
    let kinds = Kinds(vec![
        kind("prove.act", Role::Stimulate, &["commands"], &["log"]),
        kind("prove.decide", Role::Process, &["frames"], &["commands"]),
        kind("prove.log", Role::Sink, &["helped"], &[]),
        kind("prove.source", Role::Acquire, &[], &["frames"]),
    ]);
    let window = u64::from(BLOCK_FRAMES) * BLOCKS_PER_DECISION;
    let text = GRAPH
        .replace("PERIOD_NS", &PERIOD_NS.to_string())
        .replace("TICKED_EVERY", &TICKED_EVERY.to_string())
        .replace("WINDOW", &window.to_string());
    let graph = Graph::from_str(&text, "prove.toml").map_err(|e| e.to_string())?;
    resolve(&graph, &kinds, &ResolveOptions::default()).map_err(|problems| {
        problems
            .first()
            .map_or_else(String::new, ToString::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_has_every_process_of_the_script() {
        let plan = plan().unwrap();
        let names: Vec<&str> = plan.stages.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, [SOURCE, DECIDE, ACT, LOG]);
    }
}
