//! Who reads what from whom: kinds, ports and streams matched, stages put in order of the flow.

use super::{adapters, names, order};
use crate::describe::{Catalogue, KindInfo, Role};
use crate::graph::{Graph, InputTable, StageKeys};
use crate::plan::{Read, SeatKind};
use crate::problem::{Problem, nearest, suggest};

/// Streams that one stage can read (ring ABI v1: accounts in its segment).
const MOST_INPUTS: usize = 8;

/// A stage with its kind and its edges.
pub struct Wired<'a> {
    pub name: &'a str,
    pub keys: &'a StageKeys,
    pub kind: &'a KindInfo,
    /// Edges in order of the kind's ports.
    pub inputs: Vec<Edge<'a>>,
    /// Index into `inputs`.
    pub pacing: Option<usize>,
}

impl Wired<'_> {
    pub fn is_source(&self) -> bool {
        self.kind.role == Role::Acquire
    }
}

/// An input connected to a stream.
pub struct Edge<'a> {
    pub port: &'a str,
    pub keys: &'a InputTable,
    /// Index into [`Wiring::streams`]; of several the first.
    pub stream: usize,
    /// The further streams that are merged with it.
    pub merged: Vec<usize>,
    pub seat: SeatKind,
    pub read: Read,
    pub feedback: bool,
}

/// A named output.
pub struct Stream<'a> {
    pub name: &'a str,
    /// Index into [`Wiring::stages`].
    pub maker: usize,
    pub port: &'a str,
}

/// Stages in order of the flow and the streams between them, in order of their makers.
pub struct Wiring<'a> {
    pub stages: Vec<Wired<'a>>,
    pub streams: Vec<Stream<'a>>,
}

/// Matches names. All problems of this kind are reported together; with any of them the rest cannot be judged.
pub fn wire<'a>(
    graph: &'a Graph,
    catalogue: &'a dyn Catalogue,
) -> Result<Wiring<'a>, Vec<Problem>> {
    let mut problems = Vec::new();
    check_names(graph, &mut problems);
    let kinds = find_kinds(graph, catalogue, &mut problems);
    let made = collect_streams(graph, &mut problems);
    check_ports(graph, &kinds, &mut problems);
    check_inputs(graph, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    check_streams(graph, &made, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }

    let all: Vec<(&str, &StageKeys)> = graph
        .keys()
        .stage
        .iter()
        .map(|(name, keys)| (name.as_str(), keys))
        .collect();
    let makers = |keys: &StageKeys| -> Vec<usize> {
        keys.inputs
            .values()
            .filter(|input| !input.0.feedback.unwrap_or(false))
            .flat_map(|input| input.0.streams())
            .filter_map(|name| made.iter().find(|s| s.name == name))
            .map(|stream| stream.maker)
            .collect()
    };
    let upstream: Vec<Vec<usize>> = all.iter().map(|(_, keys)| makers(keys)).collect();
    let flow = match order::of(&upstream) {
        Ok(flow) => flow,
        Err(ring) => return Err(vec![cycle(graph, &all, &ring, &made)]),
    };

    let mut streams: Vec<Stream<'_>> = made;
    for stream in &mut streams {
        stream.maker = flow
            .iter()
            .position(|stage| *stage == stream.maker)
            .unwrap_or_default();
    }
    streams.sort_by_key(|stream| stream.maker);
    let stages = flow
        .iter()
        .filter_map(|stage| {
            let (name, keys) = all[*stage];
            let kind = kinds[*stage]?;
            connect(graph, name, keys, kind, &streams, &mut problems)
        })
        .collect();
    let wiring = Wiring { stages, streams };
    if problems.is_empty() {
        check_same(graph, &wiring, &mut problems);
    }
    if problems.is_empty() {
        Ok(wiring)
    } else {
        Err(problems)
    }
}

impl Wiring<'_> {
    /// The stream whose frames are the origin of a stream: the pacing source's own.
    pub fn origin(&self, stream: usize) -> usize {
        let mut stream = stream;
        loop {
            let stage = &self.stages[self.streams[stream].maker];
            match stage.pacing {
                // Pacing inputs are never feedback, so this walks up the flow and ends.
                Some(pacing) => stream = stage.inputs[pacing].stream,
                None => return stream,
            }
        }
    }
}

fn check_names(graph: &Graph, problems: &mut Vec<Problem>) {
    let keys = graph.keys();
    let mut check = |path: &[&str], name: &str| {
        if let Some((what, remedy)) = names::fault(name) {
            problems.push(graph.problem(path, what, remedy));
        }
    };
    check(&["name"], &keys.name);
    for (stage, stage_keys) in &keys.stage {
        check(&["stage", stage], stage);
        for (port, stream) in &stage_keys.outputs {
            check(&["stage", stage, "out", port], stream);
        }
    }
    if keys.stage.is_empty() {
        problems.push(graph.problem(&[], "the graph has no stage", "add a [stage.NAME]"));
    }
    for (key, what, remedy) in keys.experiment.faults() {
        problems.push(graph.problem(&["experiment", &key], what, remedy));
    }
}

fn find_kinds<'a>(
    graph: &Graph,
    catalogue: &'a dyn Catalogue,
    problems: &mut Vec<Problem>,
) -> Vec<Option<&'a KindInfo>> {
    let find = |(stage, keys): (&String, &StageKeys)| {
        let path = ["stage", stage.as_str(), "use"];
        match catalogue.kind(&keys.kind) {
            Some(kind) if kind.helper => {
                problems.push(graph.problem(
                    &path,
                    format!("`{}` is a helper, started by the stage it helps", keys.kind),
                    "use the stage's kind",
                ));
                None
            }
            Some(kind) => Some(kind),
            None => {
                let usable = catalogue.kinds().iter().filter(|kind| !kind.helper);
                let remedy = match nearest(&keys.kind, usable.map(|kind| kind.kind.as_str())) {
                    Some(kind) => format!("did you mean `{kind}`?"),
                    None => "`ephapse list` shows all kinds; those of your own are found through `[modules] path` or \
                             EPHAPSE_PATH"
                        .to_owned(),
                };
                problems.push(graph.problem(
                    &path,
                    format!("there is no kind of stage `{}`", keys.kind),
                    remedy,
                ));
                None
            }
        }
    };
    graph.keys().stage.iter().map(find).collect()
}

/// All outputs; `maker` is still the place in the file.
fn collect_streams<'a>(graph: &'a Graph, problems: &mut Vec<Problem>) -> Vec<Stream<'a>> {
    let mut made: Vec<Stream<'_>> = Vec::new();
    for (maker, (stage, keys)) in graph.keys().stage.iter().enumerate() {
        for (port, name) in &keys.outputs {
            if let Some(first) = made.iter().find(|stream| stream.name == name) {
                let (other, _) = graph
                    .keys()
                    .stage
                    .get_index(first.maker)
                    .unwrap_or((stage, keys));
                problems.push(graph.problem(
                    &["stage", stage, "out", port],
                    format!("the stream `{name}` has two producers, `{other}` and `{stage}`"),
                    "give one of the two another name",
                ));
                continue;
            }
            made.push(Stream { name, maker, port });
        }
    }
    made
}

fn check_ports(graph: &Graph, kinds: &[Option<&KindInfo>], problems: &mut Vec<Problem>) {
    for ((stage, keys), kind) in graph.keys().stage.iter().zip(kinds) {
        let Some(kind) = kind else { continue };
        let mut check = |side: &str, port: &str, ports: &[String]| {
            if ports.iter().any(|known| known == port) {
                return;
            }
            let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
            let what = format!("`{}` has no {side}put port `{port}`", kind.kind);
            problems.push(graph.problem(
                &["stage", stage, side, port],
                what,
                suggest(port, &ports),
            ));
        };
        for port in keys.inputs.keys() {
            check("in", port, &kind.inputs);
        }
        for port in keys.outputs.keys() {
            check("out", port, &kind.outputs);
        }
        if let Some(port) = &keys.pacing
            && !keys.inputs.contains_key(port)
        {
            let connected: Vec<&str> = keys.inputs.keys().map(String::as_str).collect();
            problems.push(graph.problem(
                &["stage", stage, "pacing"],
                format!("`{port}` is not a connected input port"),
                suggest(port, &connected),
            ));
        }
    }
}

fn check_streams(graph: &Graph, made: &[Stream<'_>], problems: &mut Vec<Problem>) {
    let known: Vec<&str> = made.iter().map(|stream| stream.name).collect();
    let mut check = |path: &[&str], name: &str| {
        if !known.contains(&name) {
            let what = format!("no stage makes the stream `{name}`");
            problems.push(graph.problem(path, what, suggest(name, &known)));
        }
    };
    for (stage, keys) in &graph.keys().stage {
        for (port, input) in &keys.inputs {
            let path = ["stage", stage, "in", port];
            for name in input.0.streams() {
                check(&path, name);
            }
        }
    }
    for name in graph.keys().stream.keys() {
        check(&["stream", name], name);
    }
}

fn cycle(
    graph: &Graph,
    all: &[(&str, &StageKeys)],
    ring: &[usize],
    made: &[Stream<'_>],
) -> Problem {
    // `ring` runs downstream; the input to point at is the one through which its first stage hears from its last.
    let (first, last) = (ring[0], ring[ring.len() - 1]);
    let (name, keys) = all[first];
    let port = keys
        .inputs
        .iter()
        .find(|(_, input)| {
            made.iter()
                .any(|stream| stream.maker == last && reads(&input.0, stream.name))
        })
        .map_or("", |(port, _)| port.as_str());
    let mut names: Vec<&str> = ring.iter().map(|stage| all[*stage].0).collect();
    names.push(name);
    graph.problem(
        &["stage", name, "in", port],
        format!(
            "these stages wait for each other: {} (a cycle without a feedback edge)",
            names.join(" -> ")
        ),
        "mark one input of the cycle `feedback = true`",
    )
}

fn reads(input: &InputTable, stream: &str) -> bool {
    input.streams().iter().any(|name| name == stream)
}

/// An input reads one stream, by `from`, or several, by `merge`.
fn check_inputs(graph: &Graph, problems: &mut Vec<Problem>) {
    for (stage, keys) in &graph.keys().stage {
        for (port, input) in &keys.inputs {
            let path = ["stage", stage, "in", port];
            let mut refuse = |key: &[&str], what: String, remedy: &str| {
                problems.push(graph.problem(&[&path[..], key].concat(), what, remedy));
            };
            match (&input.0.merge, input.0.from.as_str()) {
                (None, "") => refuse(
                    &[],
                    "this input names no stream".to_owned(),
                    "add `from = \"STREAM\"`, or `merge` with several",
                ),
                (None, _) => {}
                (Some(_), from) if !from.is_empty() => refuse(
                    &["merge"],
                    format!("the input reads `{from}` already"),
                    "name all streams in `merge` and remove `from`",
                ),
                (Some(streams), _) if streams.len() < 2 => refuse(
                    &["merge"],
                    "to be merged there must be two streams or more".to_owned(),
                    "write `from` for a single one",
                ),
                (Some(streams), _) => {
                    let again = |(at, name): &(usize, &String)| streams[..*at].contains(*name);
                    if let Some((_, twice)) = streams.iter().enumerate().find(again) {
                        refuse(
                            &["merge"],
                            format!("`{twice}` is merged with itself"),
                            "name each stream once",
                        );
                    }
                }
            }
        }
    }
}

fn connect<'a>(
    graph: &Graph,
    name: &'a str,
    keys: &'a StageKeys,
    kind: &'a KindInfo,
    streams: &[Stream<'_>],
    problems: &mut Vec<Problem>,
) -> Option<Wired<'a>> {
    let before = problems.len();
    let feeds_forward = |port: &String| {
        keys.inputs
            .get(port)
            .is_some_and(|input| !input.0.feedback.unwrap_or(false))
    };
    let pacing_port = keys
        .pacing
        .as_ref()
        .or_else(|| kind.inputs.iter().find(|port| feeds_forward(port)));
    if let Some(port) = pacing_port.filter(|port| !feeds_forward(port)) {
        problems.push(graph.problem(
            &["stage", name, "pacing"],
            format!("`{port}` is a feedback, which never paces"),
            "name another input port",
        ));
    }
    if pacing_port.is_none() && !keys.inputs.is_empty() {
        problems.push(graph.problem(
            &["stage", name, "in"],
            "all inputs are feedback, nothing begins an activation",
            "connect one input that is none",
        ));
    }
    let seats: usize = keys.inputs.values().map(|i| i.0.streams().len()).sum();
    if seats > MOST_INPUTS {
        problems.push(graph.problem(
            &["stage", name, "in"],
            format!("{seats} streams are read and a stage has seats for {MOST_INPUTS}"),
            "merge fewer streams, or some of them in a stage before",
        ));
    }
    let mut inputs = Vec::new();
    for port in &kind.inputs {
        let Some(table) = keys.inputs.get(port).map(|input| &input.0) else {
            continue;
        };
        let of = |name: &String| streams.iter().position(|s| s.name == name);
        let mut read_streams = table.streams().iter().filter_map(of);
        let Some(stream) = read_streams.next() else {
            continue;
        };
        let path = ["stage", name, "in", port.as_str()];
        let feedback = table.feedback.unwrap_or(false);
        let seat = table.seat.unwrap_or(if feedback {
            SeatKind::Lap
        } else {
            SeatKind::Hold
        });
        let read = table.read.unwrap_or(match (feedback, seat) {
            (true, _) => Read::Newest,
            (false, SeatKind::Lap) => Read::All,
            (false, SeatKind::Hold) => Read::Same,
        });
        let mut refuse = |key: &str, what: &str, remedy: &str| {
            problems.push(graph.problem(&[&path[..], &[key]].concat(), what, remedy));
        };
        if feedback && seat == SeatKind::Hold {
            refuse(
                "seat",
                "a feedback cannot hold its producer back",
                "write seat = \"lap\" or leave it out",
            );
        }
        if seat == SeatKind::Lap && read == Read::Same {
            refuse(
                "read",
                "a `lap` seat may have missed the block of the same frames",
                "write read = \"newest\" or \"all\"",
            );
        }
        if table.feedback_type.is_some() && !feedback {
            refuse(
                "type",
                "the type of this stream comes from its maker",
                "remove the key; only a feedback needs it",
            );
        }
        let paces = pacing_port == Some(port);
        for key in adapters::keeping(table).filter(|_| !paces) {
            refuse(
                key,
                "only the input that begins activations keeps frames from block to block",
                "remove the key, name this port in `pacing`, or put a stage of its own with it before",
            );
        }
        if table.merge.is_some() {
            if seat == SeatKind::Lap {
                refuse(
                    "seat",
                    "merged streams are read block for block, and a `lap` seat may miss one",
                    "remove the key",
                );
            }
            if table.read.is_some_and(|read| read != Read::Same) {
                refuse(
                    "read",
                    "merged streams are read block for block",
                    "write read = \"same\" or remove the key",
                );
            }
        }
        inputs.push(Edge {
            port,
            keys: table,
            stream,
            merged: read_streams.collect(),
            seat,
            read,
            feedback,
        });
    }
    let pacing =
        pacing_port.and_then(|port| inputs.iter().position(|edge: &Edge<'_>| edge.port == port));
    (problems.len() == before).then_some(Wired {
        name,
        keys,
        kind,
        inputs,
        pacing,
    })
}

/// `read = "same"` compares frames of one source; across sources there is nothing to compare.
fn check_same(graph: &Graph, wiring: &Wiring<'_>, problems: &mut Vec<Problem>) {
    for stage in &wiring.stages {
        let Some(pacing) = stage.pacing else { continue };
        let source = |edge: &Edge<'_>| wiring.streams[wiring.origin(edge.stream)].maker;
        for edge in &stage.inputs {
            if edge.read == Read::Same && source(edge) != source(&stage.inputs[pacing]) {
                problems.push(graph.problem(
                    &["stage", stage.name, "in", edge.port],
                    format!(
                        "`{}` comes from another source than the pacing input, so there is no block of the same frames",
                        edge.keys.from
                    ),
                    "write read = \"newest\" or \"all\"",
                ));
            }
            let other = edge
                .merged
                .iter()
                .find(|other| wiring.origin(**other) != wiring.origin(edge.stream));
            if let Some(other) = other {
                problems.push(graph.problem(
                    &["stage", stage.name, "in", edge.port, "merge"],
                    format!(
                        "`{}` and `{}` come from different sources and have no time in common",
                        wiring.streams[edge.stream].name, wiring.streams[*other].name
                    ),
                    "merge streams of one source",
                ));
            }
        }
    }
}
