//! A manifest: read, judged, and what it says of its stage.

use super::external;
use super::keys::ManifestKeys;
use crate::describe::{DescribeError, Described, KindInfo, Program, Role};
use crate::graph::{Node, parse, read};
use crate::problem::{Place, Problem, Source, suggest};
use crate::resolve::type_rules;
use crate::stream_type::{Kind, Rate, StreamType};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest name of a kind, in bytes.
const LONGEST_NAME: usize = 64;
/// Longest port name, in bytes: what a ring's seat table holds.
const LONGEST_PORT: usize = 15;
/// Most ports on one side: what a stage's accounts hold.
const MOST_PORTS: usize = 8;
/// Most state of a stage, in bytes.
pub(super) const MOST_STATE_BYTES: usize = 1 << 30;

/// One `stage.toml`.
#[derive(Clone, Debug)]
pub struct Manifest {
    keys: ManifestKeys,
    tree: Node,
    file: PathBuf,
    folder: PathBuf,
    command: Vec<String>,
}

impl Manifest {
    /// Reads a manifest and judges all that can be judged without a graph.
    ///
    /// # Errors
    /// All problems found, each with its line. Never empty.
    pub fn from_path(file: &Path) -> Result<Self, Vec<Problem>> {
        let source = Arc::new(Source::of(file));
        let text = std::fs::read_to_string(file).map_err(|error| {
            vec![Problem {
                place: Place::Line(Arc::clone(&source), 1),
                key: String::new(),
                what: format!("the manifest cannot be read: {error}"),
                remedy: "make it a readable file".to_owned(),
            }]
        })?;
        let tree = parse(&text, &source).map_err(|problem| vec![problem])?;
        let keys: ManifestKeys = read(&tree).map_err(|problem| vec![problem])?;
        let absolute = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let mut command = keys.command.clone();
        if let Some(program) = command.first_mut()
            && program.contains('/')
        {
            let inside = program.strip_prefix("./").unwrap_or(program);
            *program = folder.join(inside).to_string_lossy().into_owned();
        }
        let manifest = Manifest {
            keys,
            tree,
            file: file.to_owned(),
            folder,
            command,
        };
        let mut problems = Vec::new();
        manifest.judge_stage(&mut problems);
        manifest.judge_ports(&mut problems);
        manifest.judge_outputs(&mut problems);
        manifest.judge_params(&mut problems);
        if problems.is_empty() {
            Ok(manifest)
        } else {
            Err(problems)
        }
    }

    /// The graph's `use`.
    pub fn name(&self) -> &str {
        &self.keys.name
    }

    /// The file it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Longest run time of one activation, ns.
    pub fn budget_ns(&self) -> Option<u64> {
        self.keys.budget_ns
    }

    /// A problem at a path of keys; it stands at the deepest key that was written.
    pub fn problem(
        &self,
        path: &[&str],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            place: self.tree.place_of(path).clone(),
            key: path.join("."),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The stage as `list`, the schema and the checks see it.
    pub fn kind_info(&self) -> KindInfo {
        KindInfo {
            kind: self.keys.name.clone(),
            about: self.keys.about.clone(),
            role: self.keys.role,
            inputs: self.keys.inputs.keys().cloned().collect(),
            outputs: self.keys.outputs.keys().cloned().collect(),
            program: Program::External {
                command: self.command.clone(),
                folder: self.folder.clone(),
            },
            helper: false,
            params_schema: self.params_schema(),
        }
    }

    fn params_schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .keys
            .params
            .iter()
            .map(|(name, parameter)| (name.clone(), parameter.schema()))
            .collect();
        let required: Vec<&String> = self
            .keys
            .params
            .iter()
            .filter(|(_, parameter)| parameter.default.is_none())
            .map(|(name, _)| name)
            .collect();
        json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false
        })
    }

    /// What the stage is with these parameters and inputs: said here, or asked of its command, which must answer `within` this
    /// time.
    ///
    /// # Errors
    /// The parameter or input that does not fit, or why the command gave no answer.
    pub fn describe(
        &self,
        params: &Value,
        inputs: &[(&str, &StreamType)],
        within: Duration,
    ) -> Result<Described, DescribeError> {
        for (name, parameter) in &self.keys.params {
            if let Some(fault) = params
                .get(name)
                .and_then(|value| parameter.value_fault(value))
            {
                return Err(DescribeError::parameter(name, fault));
            }
        }
        for (port, stream) in inputs {
            let refusal = self
                .keys
                .inputs
                .get(*port)
                .and_then(|port| port.refusal(stream));
            if let Some(refusal) = refusal {
                return Err(DescribeError::input(port, refusal));
            }
        }
        if self.keys.describe {
            return self.asked(params, inputs, within);
        }
        let mut outputs = Vec::new();
        for (name, port) in &self.keys.outputs {
            let like = port.like.as_deref();
            let input = like.and_then(|like| inputs.iter().find(|(port, _)| *port == like));
            let made = port.stream_type(input.map(|(_, stream)| *stream)).map_err(
                |(key, why)| {
                    let why = format!(
                        "the output `{name}` cannot be made like this: {why}; say `{key}` in {}",
                        self.file.display()
                    );
                    DescribeError::input(like.unwrap_or_default(), why)
                },
            )?;
            outputs.push((name.clone(), made));
        }
        let state = self.keys.state.unwrap_or_default();
        Ok(Described {
            outputs,
            state_bytes: state.bytes,
            append_bytes: state.append_bytes,
            memoryless: state.memoryless,
            group_delay_frames: self.keys.group_delay_frames.unwrap_or(0.0),
            settle_frames: self.keys.settle_frames.unwrap_or(0),
            parts_per_call: self.keys.parts_per_call.unwrap_or(1),
            helpers: Vec::new(),
            guard: None,
        })
    }

    fn asked(
        &self,
        params: &Value,
        inputs: &[(&str, &StreamType)],
        within: Duration,
    ) -> Result<Described, DescribeError> {
        let described = external::describe(&self.command, &self.folder, params, inputs, within)?;
        let ports: Vec<&str> = self.keys.outputs.keys().map(String::as_str).collect();
        for (at, (port, _)) in described.outputs.iter().enumerate() {
            let twice = described.outputs[..at]
                .iter()
                .any(|(other, _)| other == port);
            if twice || !ports.contains(&port.as_str()) {
                let fault = if twice {
                    "twice"
                } else {
                    "which its manifest does not have"
                };
                return Err(DescribeError::resource(
                    format!("`{}`", self.command.join(" ")),
                    format!(
                        "it describes the output `{port}`, {fault}; {}",
                        suggest(port, &ports)
                    ),
                ));
            }
        }
        Ok(described)
    }

    fn judge_stage(&self, problems: &mut Vec<Problem>) {
        let keys = &self.keys;
        let mut fault = |path: &[&str], what: &str, remedy: &str| {
            problems.push(self.problem(path, what, remedy));
        };
        let word = |word: &str| !word.is_empty() && word.chars().all(in_kind_name);
        let name = &keys.name;
        if name.len() > LONGEST_NAME || !name.contains('.') || !name.split('.').all(word) {
            let what = format!("`{name}` is not a name of a kind");
            let remedy = "write words of a-z, 0-9, `_`, `-` joined by dots, as `mylab.decoder`, at most 64 bytes";
            fault(&["name"], &what, remedy);
        }
        if keys.about.trim().is_empty() {
            fault(
                &["about"],
                "the text is empty",
                "say in one sentence what the stage does",
            );
        }
        if keys.command.first().is_none_or(String::is_empty) {
            fault(
                &["command"],
                "there is no program to run",
                "write it as [\"python3\", \"stage.py\"]",
            );
        }
        if keys.command.iter().any(|word| word.contains('\0')) {
            fault(&["command"], "a word holds a zero byte", "remove it");
        }
        if keys.budget_ns == Some(0) {
            fault(
                &["budget_ns"],
                "no activation takes 0 ns",
                "choose 1 or more, or remove the key",
            );
        }
        if keys.parts_per_call == Some(0) {
            fault(
                &["parts_per_call"],
                "a call publishes at least one block",
                "choose 1 or more",
            );
        }
        if keys
            .group_delay_frames
            .is_some_and(|frames| !(frames.is_finite() && frames >= 0.0))
        {
            fault(
                &["group_delay_frames"],
                "this is no delay",
                "choose 0 or more",
            );
        }
        let state = keys.state.unwrap_or_default();
        if state.memoryless && state.bytes.max(state.append_bytes) > 0 {
            let what = "a stage with bytes of state is not memoryless";
            fault(&["state"], what, "leave one of the two out");
        }
        if state.bytes.max(state.append_bytes) > MOST_STATE_BYTES {
            let what = format!("more than {MOST_STATE_BYTES} bytes of state cannot be held");
            fault(&["state"], &what, "keep it in a file");
        }
        if keys.describe {
            for (key, given) in [
                ("state", keys.state.is_some()),
                ("group_delay_frames", keys.group_delay_frames.is_some()),
                ("settle_frames", keys.settle_frames.is_some()),
                ("parts_per_call", keys.parts_per_call.is_some()),
            ] {
                if given {
                    let what = "with `describe = true` the command says this";
                    fault(&[key], what, "remove one of the two");
                }
            }
        }
    }

    fn judge_ports(&self, problems: &mut Vec<Problem>) {
        let keys = &self.keys;
        let inputs: Vec<&str> = keys.inputs.keys().map(String::as_str).collect();
        let outputs: Vec<&str> = keys.outputs.keys().map(String::as_str).collect();
        let source = keys.role == Role::Acquire;
        if source && let Some(port) = inputs.first() {
            problems.push(self.problem(
                &["in", port],
                "a source has no inputs",
                "remove the port, or choose another `role`",
            ));
        }
        if !source && inputs.is_empty() {
            problems.push(self.problem(
                &["in"],
                "nothing begins the activations of a stage without inputs",
                "add [in.frames], or say role = \"acquire\"",
            ));
        }
        if matches!(keys.role, Role::Acquire | Role::Process) && outputs.is_empty() {
            problems.push(self.problem(
                &["out"],
                "the stage makes nothing",
                "add [out.frames], or say role = \"sink\"",
            ));
        }
        for (side, ports) in [("in", &inputs), ("out", &outputs)] {
            if ports.len() > MOST_PORTS {
                let what = format!(
                    "{} ports are more than the {MOST_PORTS} there can be",
                    ports.len()
                );
                problems.push(self.problem(&[side], what, "split the stage"));
            }
            for port in ports {
                let named = !port.is_empty() && port.chars().all(in_port_name);
                if !named || port.len() > LONGEST_PORT {
                    let what = format!("`{port}` is not a name of a port");
                    let remedy = format!("use a-z, 0-9 and `_`, at most {LONGEST_PORT} of them");
                    problems.push(self.problem(&[side, port], what, remedy));
                }
            }
        }
        for (name, port) in &keys.inputs {
            if let Some((key, what, remedy)) = port.fault() {
                problems.push(self.problem(&["in", name, key], what, remedy));
            }
        }
    }

    fn judge_outputs(&self, problems: &mut Vec<Problem>) {
        let keys = &self.keys;
        let inputs: Vec<&str> = keys.inputs.keys().map(String::as_str).collect();
        for (name, port) in &keys.outputs {
            let at = |key: &'static str| ["out", name.as_str(), key];
            let written = self
                .tree
                .get("out")
                .and_then(|out| out.get(name))
                .map(Node::keys);
            if keys.describe {
                if let Some(key) = written.unwrap_or_default().first() {
                    problems.push(self.problem(
                        &["out", name, key],
                        "with `describe = true` the command says what its outputs are",
                        "remove one of the two",
                    ));
                }
                continue;
            }
            if let Some((key, what, remedy)) = port.fault() {
                problems.push(self.problem(&at(key), what, remedy));
                continue;
            }
            if let Some(like) = &port.like {
                if !inputs.contains(&like.as_str()) {
                    problems.push(self.problem(
                        &at("like"),
                        format!("there is no input port `{like}`"),
                        suggest(like, &inputs),
                    ));
                }
                // What it will be like is only known in a graph.
                continue;
            }
            match port.stream_type(None) {
                Err((key, why)) => {
                    let remedy = format!("add `{key} = ...`, or `like = \"INPUT\"`");
                    problems.push(self.problem(&at(key), why, remedy));
                }
                Ok(made) => self.judge_type(name, &made, problems),
            }
        }
    }

    fn judge_type(&self, port: &str, made: &StreamType, problems: &mut Vec<Problem>) {
        if let Some(fault) = type_rules::fault(made) {
            problems.push(self.problem(&["out", port], fault, "correct the port"));
        } else if self.keys.role == Role::Acquire
            && made.kind == Kind::Frames
            && made.rate == Rate::NONE
        {
            problems.push(self.problem(
                &["out", port, "rate_hz"],
                "frames of a source come at a rate",
                "add `rate_hz = ...`",
            ));
        }
    }

    fn judge_params(&self, problems: &mut Vec<Problem>) {
        for (name, parameter) in &self.keys.params {
            if name.is_empty() || !name.chars().all(in_port_name) {
                problems.push(self.problem(
                    &["params", name],
                    format!("`{name}` is not a name of a parameter"),
                    "use a-z, 0-9 and `_`",
                ));
            }
            if let Some((key, what, remedy)) = parameter.fault(name) {
                problems.push(self.problem(&["params", name, key], what, remedy));
            }
        }
    }
}

fn in_port_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

fn in_kind_name(c: char) -> bool {
    in_port_name(c) || c == '-'
}
