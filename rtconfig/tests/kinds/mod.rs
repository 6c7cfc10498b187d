//! Kinds of stage for tests: ports, parameters and refusals as those of the real ones, without their mathematics.
#![allow(dead_code, reason = "each test file uses its own part")]

use ephapse_rtconfig::describe::{
    Catalogue, DescribeError, Described, Helper, HelperDirection, KindInfo, Program, Role,
};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::problem::Problem;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use ephapse_rtconfig::stream_type::{Dtype, Kind, Rate, StreamType, command_layout, spike_layout};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Kinds(Vec<KindInfo>);

fn kind(
    name: &str,
    role: Role,
    inputs: &[&str],
    outputs: &[&str],
    properties: Value,
    required: &[&str],
) -> KindInfo {
    KindInfo {
        kind: name.to_owned(),
        about: format!("Imitates {name}."),
        role,
        inputs: inputs.iter().map(|p| (*p).to_owned()).collect(),
        outputs: outputs.iter().map(|p| (*p).to_owned()).collect(),
        program: Program::Lean,
        helper: false,
        params_schema: json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        }),
    }
}

fn helper(mut kind: KindInfo) -> KindInfo {
    kind.helper = true;
    kind.program = Program::Full;
    kind
}

fn number(about: &str) -> Value {
    json!({ "type": "number", "description": about })
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

pub fn kinds() -> Kinds {
    use Role::{Acquire, Process, Sink, Stimulate};
    let filter = json!({
        "low_hz": number("Lower edge, Hz."), "high_hz": number("Upper edge, Hz."), "order": number("Order.")
    });
    let edges = ["low_hz", "high_hz"];
    let file = json!({
        "path": text("File."), "stream": text("Stream in the file."),
        "block_frames": { "type": "integer", "description": "Frames in a block.", "default": 20 },
        "loop": { "type": "boolean", "description": "Start over at the end.", "default": false }
    });
    let mut all = vec![
        kind(
            "acquire.synthetic",
            Acquire,
            &[],
            &["frames"],
            json!({
                "seed": number("Seed."), "channels": number("Channels."), "rate_hz": number("Frames per second."),
                "block_frames": { "type": "integer", "description": "Frames in a block.", "default": 20 }
            }),
            &[],
        ),
        kind(
            "acquire.mcs_h5",
            Acquire,
            &["file"],
            &["frames"],
            file.clone(),
            &["path"],
        ),
        helper(kind(
            "acquire.mcs_h5.reader",
            Acquire,
            &[],
            &["helped"],
            file,
            &["path"],
        )),
        kind(
            "filter.bandpass",
            Process,
            &["frames"],
            &["frames"],
            filter.clone(),
            &edges,
        ),
        kind(
            "filter.bandstop",
            Process,
            &["frames"],
            &["frames"],
            filter,
            &edges,
        ),
        kind(
            "filter.blanking",
            Process,
            &["frames", "commands"],
            &["frames"],
            json!({}),
            &[],
        ),
        kind(
            "detect.threshold",
            Process,
            &["frames"],
            &["spikes"],
            json!({
                "k": number("Times sigma."), "polarity": text("Which side."), "dead_ms": number("Dead time."),
                "noise": { "$ref": "#/$defs/Noise", "description": "Where sigma comes from." },
                "calibrate_s": number("Length of calibration.")
            }),
            &[],
        ),
        kind(
            "feature.rate",
            Process,
            &["spikes"],
            &["rates"],
            json!({
                "bin_ms": number("Length of a bin, ms."), "bins": number("Bins in the window."),
                "shape": { "$ref": "#/$defs/Shape", "description": "A nested table." }
            }),
            &[],
        ),
        kind(
            "readout.linear",
            Process,
            &["features"],
            &["decision"],
            json!({ "weights": text("Weights.") }),
            &["weights"],
        ),
        kind(
            "policy.frequency",
            Process,
            &["decision"],
            &["commands"],
            json!({
                "table_hz": { "type": "array", "description": "Steps of decision and frequency." }
            }),
            &["table_hz"],
        ),
        kind(
            "stimulate.log",
            Stimulate,
            &["commands"],
            &["log"],
            json!({
                "log_path": text("Where the log goes.")
            }),
            &[],
        ),
        helper(kind(
            "stimulate.log.writer",
            Sink,
            &["helped"],
            &[],
            json!({ "log_path": text("File.") }),
            &[],
        )),
        kind(
            "stimulate.null",
            Stimulate,
            &["commands"],
            &[],
            json!({}),
            &[],
        ),
    ];
    for kind in &mut all {
        kind.params_schema["$defs"] = json!({
            "Noise": { "type": "string", "enum": ["calibrate", "running"] },
            "Shape": { "type": "object", "properties": { "width": number("Width.") } }
        });
    }
    all.sort_by(|a, b| a.kind.cmp(&b.kind));
    Kinds(all)
}

impl Catalogue for Kinds {
    fn kinds(&self) -> &[KindInfo] {
        &self.0
    }

    fn describe(
        &self,
        kind: &str,
        params: &Value,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, DescribeError> {
        let wanted = |key: &str, otherwise: f64| {
            params.get(key).and_then(Value::as_f64).unwrap_or(otherwise)
        };
        let input =
            |port: &str, kind: Kind, dtype: Option<Dtype>| -> Result<StreamType, DescribeError> {
                let (_, found) = inputs
                    .iter()
                    .find(|(name, _)| *name == port)
                    .ok_or_else(|| DescribeError::input(port, "is missing"))?;
                if found.kind != kind || dtype.is_some_and(|dtype| dtype != found.dtype) {
                    return Err(DescribeError::input(
                        port,
                        format!("got {}, but {kind:?} are needed", found.summary()),
                    ));
                }
                Ok((*found).clone())
            };
        let one = |port: &str, stream_type: StreamType| Described {
            outputs: vec![(port.to_owned(), stream_type)],
            parts_per_call: 1,
            ..Described::default()
        };
        let raw = |channels: f64| {
            StreamType::frames(
                Dtype::I32,
                wanted("block_frames", 20.0) as u32,
                channels as u32,
                Rate::from_f64(wanted("rate_hz", 20_000.0)).unwrap_or(Rate::NONE),
                "count",
            )
        };
        let records = |layout, capacity| StreamType::records(layout, capacity);
        Ok(match kind {
            "acquire.synthetic" => {
                let channels = wanted("channels", 60.0);
                // Labels are made per channel: a number that no array has must be refused before they are.
                if !(1.0..=4096.0).contains(&channels) {
                    return Err(DescribeError::parameter(
                        "channels",
                        format!("{channels} is not 1 to 4096"),
                    ));
                }
                one("frames", raw(channels))
            }
            "acquire.mcs_h5" | "acquire.mcs_h5.reader" => {
                let path = params
                    .get("path")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if !std::path::Path::new(path).exists() {
                    return Err(DescribeError::resource(
                        path,
                        "there is no such file; name a recording",
                    ));
                }
                if kind.ends_with("reader") {
                    return Ok(one("helped", raw(60.0)));
                }
                Described {
                    helpers: vec![Helper {
                        kind: "acquire.mcs_h5.reader".to_owned(),
                        direction: HelperDirection::Feeds,
                        port: "file".to_owned(),
                        stream_type: raw(60.0),
                        slots: 128,
                    }],
                    ..one("frames", raw(60.0))
                }
            }
            "filter.bandpass" | "filter.bandstop" => {
                let mut frames = input("frames", Kind::Frames, None)?;
                let (low, high) = (wanted("low_hz", 0.0), wanted("high_hz", 0.0));
                if low >= high {
                    return Err(DescribeError::parameter(
                        "high_hz",
                        format!("{high} Hz is not above low_hz, {low} Hz"),
                    ));
                }
                frames.dtype = Dtype::F64;
                frames.unit = "uV".to_owned();
                frames.si_unit = "V".to_owned();
                frames.scale = vec![1e-6; frames.channels()];
                Described {
                    group_delay_frames: 10.0,
                    settle_frames: 100,
                    ..one("frames", frames)
                }
            }
            "filter.blanking" => {
                input("commands", Kind::Records, None)?;
                one("frames", input("frames", Kind::Frames, None)?)
            }
            "detect.threshold" => {
                input("frames", Kind::Frames, Some(Dtype::F64))?;
                one("spikes", records(spike_layout("uV"), 256))
            }
            "feature.rate" => {
                input("spikes", Kind::Records, None)?;
                one(
                    "rates",
                    StreamType::frames(Dtype::F64, 1, 60, Rate::hz(100), "Hz"),
                )
            }
            "readout.linear" => {
                let features = input("features", Kind::Frames, Some(Dtype::F64))?;
                one(
                    "decision",
                    StreamType::frames(Dtype::F64, 1, 1, features.rate, ""),
                )
            }
            "policy.frequency" => {
                input("decision", Kind::Frames, None)?;
                one("commands", records(command_layout(), 4))
            }
            "stimulate.log" => {
                let commands = input("commands", Kind::Records, None)?;
                Described {
                    helpers: vec![Helper {
                        kind: "stimulate.log.writer".to_owned(),
                        direction: HelperDirection::Drains,
                        port: "log".to_owned(),
                        stream_type: commands,
                        slots: 1024,
                    }],
                    parts_per_call: 1,
                    ..Described::default()
                }
            }
            "stimulate.null" | "stimulate.log.writer" => {
                let port = if kind == "stimulate.null" {
                    "commands"
                } else {
                    "helped"
                };
                input(port, Kind::Records, None)?;
                Described {
                    parts_per_call: 1,
                    ..Described::default()
                }
            }
            other => return Err(DescribeError::parameter("", format!("no kind {other}"))),
        })
    }
}

/// Options of a host with two CPUs and plenty of memory.
pub fn two_cpus() -> ResolveOptions {
    ResolveOptions {
        check_host: true,
        online_cpus: Some(BTreeSet::from([0, 1])),
        shm_free_bytes: Some(1 << 30),
        offline: false,
    }
}

pub fn read(text: &str) -> Graph {
    Graph::from_str(text, "g.toml").unwrap_or_else(|problem| panic!("{problem}"))
}

pub fn planned(graph: &Graph) -> Plan {
    resolve(graph, &kinds(), &two_cpus()).unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

/// The lines of all problems of a graph that must not resolve.
pub fn refused(text: &str) -> String {
    match Graph::from_str(text, "g.toml") {
        Err(problem) => problem.to_string(),
        Ok(graph) => match resolve(&graph, &kinds(), &two_cpus()) {
            Ok(_) => panic!("was accepted:\n{text}"),
            Err(problems) => lines(&problems),
        },
    }
}

pub fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A whole loop on the synthetic source.
pub const LOOP: &str = r#"name = "loop"
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
out = { frames = "raw" }

[stage.band]
use = "filter.bandpass"
params = { low_hz = 300.0, high_hz = 3000.0 }
in = { frames = "raw" }
out = { frames = "filtered" }

[stage.detect]
use = "detect.threshold"
in = { frames = "filtered" }
out = { spikes = "spikes" }

[stage.rate]
use = "feature.rate"
in = { spikes = "spikes" }
out = { rates = "rates" }

[stage.readout]
use = "readout.linear"
params = { weights = "population" }
in = { features = "rates" }
out = { decision = "decision" }

[stage.policy]
use = "policy.frequency"
params = { table_hz = [[0.5, 10.0], [2.0, 20.0]] }
in = { decision = "decision" }
out = { commands = "commands" }

[stage.stimulate]
use = "stimulate.log"
in = { commands = "commands" }
"#;

/// A stage to be added to [`LOOP`]: it hears of the commands made downstream.
pub const BLANKING: &str = "
[stage.blank]
use = \"filter.blanking\"
in = { frames = \"raw\", commands = { from = \"commands\", feedback = true, type = \"command\" } }
out = { frames = \"blanked\" }
";
