//! Types flow: in order of the graph every stage says what it makes of its inputs.

use super::wiring::{Edge, Wired, Wiring};
use super::{adapters, params, type_rules};
use crate::describe::{Catalogue, DescribeError, Described, HelperDirection};
use crate::graph::{FeedbackType, Graph};
use crate::plan::Adapter;
use crate::problem::Problem;
use crate::stream_type::{
    Rate, RecordLayout, StreamType, command_layout, event_layout, mark_layout, spike_layout,
};
use serde_json::Value;

/// A stage with its types. `described` is `None` if it could not be asked: an input has no type, or (offline) it needs a
/// file or device.
pub struct Typed {
    pub params: Value,
    /// Adapters and the type behind them, per edge.
    pub inputs: Vec<(Vec<Adapter>, Option<StreamType>)>,
    pub described: Option<Described>,
}

/// Types of all stages and streams, in the order of the wiring.
pub struct Types {
    pub stages: Vec<Typed>,
    pub streams: Vec<Option<StreamType>>,
}

/// Asks every stage. A stage that refuses leaves everything behind it without a type, and only its own problem is told.
pub fn flow(
    graph: &Graph,
    wiring: &Wiring<'_>,
    catalogue: &dyn Catalogue,
    offline: bool,
    problems: &mut Vec<Problem>,
) -> Types {
    let mut streams: Vec<Option<StreamType>> = vec![None; wiring.streams.len()];
    let mut stages = Vec::new();
    for (index, stage) in wiring.stages.iter().enumerate() {
        let before = problems.len();
        let params = params::settle(graph, stage, problems);
        let inputs: Vec<_> = stage
            .inputs
            .iter()
            .map(|edge| input_type(graph, stage, edge, &streams, problems))
            .collect();
        let described = if problems.len() == before {
            describe(graph, stage, catalogue, &params, &inputs, offline, problems)
        } else {
            None
        };
        if let Some(described) = &described {
            check_ports(graph, stage, described, problems);
            check_types(graph, stage, described, problems);
            for (stream, made) in wiring.streams.iter().zip(&mut streams) {
                if stream.maker == index {
                    *made = described
                        .outputs
                        .iter()
                        .find(|(port, _)| port == stream.port)
                        .map(|(_, stream_type)| stream_type.clone());
                }
            }
        }
        stages.push(Typed {
            params,
            inputs,
            described,
        });
    }
    if problems.is_empty() {
        close_feedback(graph, wiring, catalogue, &mut stages, &streams, problems);
    }
    Types { stages, streams }
}

fn input_type(
    graph: &Graph,
    stage: &Wired<'_>,
    edge: &Edge<'_>,
    streams: &[Option<StreamType>],
    problems: &mut Vec<Problem>,
) -> (Vec<Adapter>, Option<StreamType>) {
    let made = streams[edge.stream].clone();
    let first = match (&edge.keys.feedback_type, made) {
        (_, Some(made)) => Some(made),
        (Some(declared), None) => Some(declared_type(declared)),
        (None, None) => {
            if edge.feedback {
                problems.push(graph.problem(
                    &["stage", stage.name, "in", edge.port],
                    "the maker of a feedback comes later, so its type must stand here",
                    "add type = \"command\" (or spike, event, mark, or a table of dtype, frames, channels, rate_hz)",
                ));
            }
            None
        }
    };
    let further = edge.merged.iter().map(|stream| streams[*stream].clone());
    let types: Vec<Option<StreamType>> = [first].into_iter().chain(further).collect();
    let fault = match adapters::of(edge.keys, &types) {
        Ok((adapters, behind)) => {
            let changed = behind.as_ref().filter(|_| !adapters.is_empty());
            // Adapters can make what no stream could be: a window of millions of frames.
            match changed.and_then(type_rules::fault) {
                Some(fault) => fault,
                None => return (adapters, behind),
            }
        }
        Err((key, what, remedy)) => {
            let path = ["stage", stage.name, "in", edge.port, key];
            problems.push(graph.problem(&path, what, remedy));
            return (Vec::new(), None);
        }
    };
    problems.push(graph.problem(
        &["stage", stage.name, "in", edge.port],
        format!("its adapters make a stream that cannot be: {fault}"),
        "change them",
    ));
    (Vec::new(), None)
}

fn declared_type(declared: &FeedbackType) -> StreamType {
    let layout = |name: &str| -> RecordLayout {
        match name {
            "spike" => spike_layout(""),
            "event" => event_layout(),
            "mark" => mark_layout(),
            _ => command_layout(),
        }
    };
    match declared {
        FeedbackType::Records(name) => StreamType::records(layout(name), 1),
        FeedbackType::Frames(frames) => StreamType::frames(
            frames.dtype,
            frames.frames,
            frames.channels,
            Rate::from_f64(frames.rate_hz).unwrap_or(Rate::NONE),
            &frames.unit,
        ),
    }
}

fn describe(
    graph: &Graph,
    stage: &Wired<'_>,
    catalogue: &dyn Catalogue,
    params: &Value,
    inputs: &[(Vec<Adapter>, Option<StreamType>)],
    offline: bool,
    problems: &mut Vec<Problem>,
) -> Option<Described> {
    let types: Option<Vec<(&str, &StreamType)>> = stage
        .inputs
        .iter()
        .zip(inputs)
        .map(|(edge, (_, stream_type))| Some((edge.port, stream_type.as_ref()?)))
        .collect();
    let types = types?;
    // The first port is never left open: what a kind makes of its others is for its own `describe` to say.
    if let Some(port) = stage.kind.inputs.first()
        && !stage.is_source()
        && !stage.inputs.iter().any(|edge| edge.port == port.as_str())
    {
        problems.push(missing(graph, stage, "in", port));
        return None;
    }
    match catalogue.describe(&stage.kind.kind, params, &types) {
        Ok(described) => Some(described),
        Err(DescribeError::Resource { .. }) if offline => None,
        Err(error) => {
            // Sources get their inputs from helpers alone. Anyone else who refuses while a port is open refuses because of it.
            let open = stage.kind.inputs.iter().find(|port| {
                !stage.is_source() && !stage.inputs.iter().any(|edge| edge.port == port.as_str())
            });
            problems.push(match open {
                Some(port) => missing(graph, stage, "in", port),
                None => refused(graph, stage, &error),
            });
            None
        }
    }
}

fn missing(graph: &Graph, stage: &Wired<'_>, side: &str, port: &str) -> Problem {
    let connect = match side {
        "in" => format!("add `in = {{ {port} = \"STREAM\" }}`"),
        _ => format!("add `out = {{ {port} = \"STREAM\" }}` with a name of your own"),
    };
    graph.problem(
        &["stage", stage.name, side],
        format!(
            "the {side}put port `{port}` of `{}` is not connected",
            stage.kind.kind
        ),
        connect,
    )
}

/// The stage's own words, at the key they are about.
fn refused(graph: &Graph, stage: &Wired<'_>, error: &DescribeError) -> Problem {
    let name = stage.name;
    match error {
        DescribeError::Parameter { key, why } => {
            let mut path = vec!["stage", name, "params"];
            path.extend(key.split('.').filter(|part| !part.is_empty()));
            graph.problem(&path, why.as_str(), "")
        }
        DescribeError::Input { port, why } => {
            let from = stage
                .inputs
                .iter()
                .find(|edge| edge.port == port)
                .map_or(String::new(), |edge| {
                    format!("stream `{}`: ", edge.keys.streams().join("` and `"))
                });
            graph.problem(&["stage", name, "in", port], format!("{from}{why}"), "")
        }
        DescribeError::Resource { what, why } => {
            let key = stage
                .keys
                .params
                .iter()
                .find(|(_, value)| {
                    value
                        .as_str()
                        .is_some_and(|text| !text.is_empty() && what.ends_with(text))
                })
                .map(|(key, _)| key.as_str());
            let mut path = vec!["stage", name];
            path.extend(key.map(|key| ["params", key]).into_iter().flatten());
            graph.problem(&path, format!("{what}: {why}"), "")
        }
    }
}

/// Every port is connected to a stream or to the stage's own helper, and to one of them only.
fn check_ports(
    graph: &Graph,
    stage: &Wired<'_>,
    described: &Described,
    problems: &mut Vec<Problem>,
) {
    let helped = |port: &str, direction: HelperDirection| {
        described
            .helpers
            .iter()
            .any(|helper| helper.port == port && helper.direction == direction)
    };
    let sides = [
        ("in", &stage.kind.inputs, HelperDirection::Feeds),
        ("out", &stage.kind.outputs, HelperDirection::Drains),
    ];
    for (side, ports, direction) in sides {
        for port in ports {
            let connected = match side {
                "in" => stage.keys.inputs.contains_key(port),
                _ => stage.keys.outputs.contains_key(port),
            };
            let helped = helped(port, direction);
            if connected && helped {
                problems.push(graph.problem(
                    &["stage", stage.name, side, port],
                    format!("the port `{port}` belongs to the stage's own helper"),
                    "remove it from the graph",
                ));
            } else if !connected && !helped {
                problems.push(missing(graph, stage, side, port));
            } else if side == "out"
                && connected
                && !described.outputs.iter().any(|(named, _)| named == port)
            {
                problems.push(graph.problem(
                    &["stage", stage.name, "out", port],
                    format!(
                        "`{}` makes nothing on this port with these parameters",
                        stage.kind.kind
                    ),
                    "remove it, or change the parameters",
                ));
            }
        }
    }
    if !stage.is_source() && stage.pacing.is_none() {
        problems.push(graph.problem(
            &["stage", stage.name, "in"],
            "no input begins the activations of this stage",
            "connect one",
        ));
    }
}

/// Every type that the stage brings into the graph keeps the rules.
fn check_types(
    graph: &Graph,
    stage: &Wired<'_>,
    described: &Described,
    problems: &mut Vec<Problem>,
) {
    let helper_rings = described
        .helpers
        .iter()
        .map(|helper| (&helper.port, &helper.stream_type));
    let outputs = described.outputs.iter().map(|(port, made)| (port, made));
    for (port, made) in outputs.chain(helper_rings) {
        if let Some(fault) = type_rules::fault(made) {
            problems.push(graph.problem(
                &["stage", stage.name, "out", port],
                format!(
                    "`{}` makes a stream that cannot be: {fault}",
                    stage.kind.kind
                ),
                "change its parameters or inputs",
            ));
        }
    }
}

/// Now that the makers of feedback streams are known: what they make must be what the graph said, and the stage that
/// reads it must still make the same of it.
fn close_feedback(
    graph: &Graph,
    wiring: &Wiring<'_>,
    catalogue: &dyn Catalogue,
    stages: &mut [Typed],
    streams: &[Option<StreamType>],
    problems: &mut Vec<Problem>,
) {
    for (stage, typed) in wiring.stages.iter().zip(stages) {
        if !stage.inputs.iter().any(|edge| edge.feedback) || typed.described.is_none() {
            continue;
        }
        let before = problems.len();
        for (edge, input) in stage.inputs.iter().zip(&mut typed.inputs) {
            let (Some(declared), Some(made)) = (&edge.keys.feedback_type, &streams[edge.stream])
            else {
                continue;
            };
            if !agree(&declared_type(declared), made) {
                problems.push(graph.problem(
                    &["stage", stage.name, "in", edge.port, "type"],
                    format!(
                        "`{}` is {}, not what stands here",
                        edge.keys.from,
                        made.summary()
                    ),
                    "write down what its maker makes",
                ));
            }
            *input = input_type(graph, stage, edge, streams, problems);
        }
        if problems.len() > before {
            continue;
        }
        let again = describe(
            graph,
            stage,
            catalogue,
            &typed.params,
            &typed.inputs,
            false,
            problems,
        );
        if let (Some(again), Some(first)) = (again, &typed.described) {
            if again.outputs != first.outputs {
                problems.push(graph.problem(
                    &["stage", stage.name, "in"],
                    "the outputs of this stage depend on its feedback, so no types can be found",
                    "connect a feedback of fixed size",
                ));
            }
            typed.described = Some(again);
        }
    }
}

fn agree(declared: &StreamType, made: &StreamType) -> bool {
    let record = |stream_type: &StreamType| stream_type.record.as_ref().map(|r| r.name.clone());
    let frames = |stream_type: &StreamType| {
        (
            stream_type.dtype,
            stream_type.frames_per_block(),
            stream_type.channels(),
            stream_type.rate,
        )
    };
    declared.kind == made.kind
        && record(declared) == record(made)
        && (declared.record.is_some() || frames(declared) == frames(made))
}
