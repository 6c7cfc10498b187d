//! Puts the decisions together into a plan; helpers become processes and rings of their own.

use super::placement::{Placed, Placement};
use super::priority;
use super::rings::Ring;
use super::types::{Typed, Types};
use super::wiring::{Wired, Wiring};
use crate::describe::{Catalogue, Described, Helper, HelperDirection};
use crate::graph::Graph;
use crate::plan::{
    Full, InputPlan, OnDeath, OnPlan, OutputPlan, Overrun, Pace, Plan, Policy, Read, Reader,
    SeatKind, SeatPlan, StagePlan, StreamPlan, TimerPlan, WaitKind,
};
use crate::problem::Problem;
use crate::stream_type::{Axis, Dtype, Kind, Rate, StreamType};

/// Port of a helper at its own end of the ring.
const HELPED: &str = "helped";
/// Blocks a helper takes in one turn.
const HELPER_BURST: u32 = 8;

/// What has been decided about a graph.
pub struct Decided<'a> {
    pub wiring: &'a Wiring<'a>,
    pub placement: &'a Placement,
    pub types: &'a Types,
    pub rings: &'a [Ring],
}

/// Builds the plan; its `resolved_toml` is still empty.
pub fn assemble(
    graph: &Graph,
    decided: &Decided<'_>,
    catalogue: &dyn Catalogue,
    problems: &mut Vec<Problem>,
) -> Plan {
    let Decided {
        wiring,
        placement,
        types,
        rings,
    } = decided;
    let mut plan = Plan {
        session: graph.keys().name.clone(),
        experiment: graph.keys().experiment.fields(),
        timer: placement.timer.clone(),
        tick_ns: graph
            .keys()
            .timer
            .as_ref()
            .map_or(1_000_000, |t| t.period_ns),
        stages: Vec::new(),
        streams: wiring
            .streams
            .iter()
            .enumerate()
            .map(|(index, stream)| StreamPlan {
                name: stream.name.to_owned(),
                maker: 0,
                stream_type: types.streams[index].clone().unwrap_or_else(unknown),
                slots: rings[index].slots,
                full: rings[index].full,
                seats: Vec::new(),
                spare_seats: rings[index].spare_seats,
                origin: wiring.origin(index),
            })
            .collect(),
        recorder: None,
        chaos: Vec::new(),
        on: OnPlan::default(),
        resolved_toml: String::new(),
        graph_path: graph.path().map(std::borrow::ToOwned::to_owned),
        replay: None,
    };
    for (index, stage) in wiring.stages.iter().enumerate() {
        let (placed, typed) = (&placement.stages[index], &types.stages[index]);
        let described = typed.described.clone().unwrap_or_default();
        let helpers = described.helpers.clone();
        let guard = described.guard.clone();
        let mut built = build_stage(&plan, wiring, index, stage, placed, typed, described);
        // A feeding helper stands before its stage, a draining one behind it.
        let (before, after): (Vec<&Helper>, Vec<&Helper>) = helpers
            .iter()
            .partition(|helper| helper.direction == HelperDirection::Feeds);
        let own_index = plan.stages.len() + before.len();
        for helper in before {
            let stream = plan.streams.len();
            let entry = build_helper(
                graph, stage, typed, placed, helper, stream, catalogue, problems,
            );
            plan.streams.push(helper_ring(
                &built.name,
                helper,
                Full::Wait,
                plan.stages.len(),
                stream,
            ));
            plan.stages.push(entry);
            let port = InputPlan {
                port: helper.port.clone(),
                stream,
                seat: 0,
                seat_kind: SeatKind::Hold,
                read: Read::All,
                feedback: false,
                adapters: Vec::new(),
                stream_type: helper.stream_type.clone(),
            };
            built.inputs.push(port);
        }
        // Every stage numbers its ports in the order of its kind, whoever is at the other end.
        let rank = |ports: &[String], port: &str| ports.iter().position(|p| p == port);
        built
            .inputs
            .sort_by_key(|input| rank(&stage.kind.inputs, &input.port));
        built.pacing = stage.pacing.and_then(|pacing| {
            let port = stage.inputs[pacing].port;
            built.inputs.iter().position(|input| input.port == port)
        });
        // A source that a helper feeds is paced by its own clock, but makes its blocks of the helper's.
        built.pacing = built.pacing.or((!built.inputs.is_empty()).then_some(0));
        built.inputs.extend(merged_inputs(&plan, stage));
        let mut drains = Vec::new();
        for helper in after {
            let stream = plan.streams.len();
            // A paced stage must not be held up by a slow disk; without a pace nothing may be lost.
            let full = if placement.unpaced {
                Full::Wait
            } else {
                Full::DropNewest
            };
            let mut ring = helper_ring(&built.name, helper, full, own_index, stream);
            if let Some(pacing) = stage.pacing {
                ring.origin = wiring.origin(stage.inputs[pacing].stream);
            }
            plan.streams.push(ring);
            built.outputs.push(OutputPlan {
                port: helper.port.clone(),
                stream,
            });
            drains.push(build_helper(
                graph, stage, typed, placed, helper, stream, catalogue, problems,
            ));
        }
        built
            .outputs
            .sort_by_key(|output| rank(&stage.kind.outputs, &output.port));
        for (stream, made) in wiring.streams.iter().zip(&mut plan.streams) {
            if stream.maker == index {
                made.maker = own_index;
            }
        }
        plan.stages.push(built);
        plan.stages.extend(drains);
        // In logical time nothing is fired, and nobody can be late.
        if let (Some(kind), Some(timer)) = (guard, &placement.timer) {
            plan.stages.push(build_guard(
                graph, stage, typed, placed, &kind, timer, catalogue, problems,
            ));
        }
    }
    seat_everyone(&mut plan);
    plan
}

/// The further streams of merged inputs: each has a seat and an account of its own, behind the inputs that `process` sees.
fn merged_inputs(plan: &Plan, stage: &Wired<'_>) -> Vec<InputPlan> {
    let edges = stage.inputs.iter();
    edges
        .flat_map(|edge| edge.merged.iter().map(move |stream| (edge, *stream)))
        .map(|(edge, stream)| InputPlan {
            port: edge.port.to_owned(),
            stream,
            seat: 0,
            seat_kind: edge.seat,
            read: Read::Same,
            feedback: false,
            adapters: Vec::new(),
            stream_type: plan.streams[stream].stream_type.clone(),
        })
        .collect()
}

fn build_stage(
    plan: &Plan,
    wiring: &Wiring<'_>,
    index: usize,
    stage: &Wired<'_>,
    placed: &Placed,
    typed: &Typed,
    described: Described,
) -> StagePlan {
    let inputs = stage
        .inputs
        .iter()
        .zip(&typed.inputs)
        .map(|(edge, (adapters, stream_type))| InputPlan {
            port: edge.port.to_owned(),
            stream: edge.stream,
            seat: 0,
            seat_kind: edge.seat,
            read: edge.read,
            feedback: edge.feedback,
            adapters: adapters.clone(),
            stream_type: stream_type
                .clone()
                .unwrap_or_else(|| plan.streams[edge.stream].stream_type.clone()),
        })
        .collect();
    let outputs = wiring
        .streams
        .iter()
        .enumerate()
        .filter(|(_, stream)| stream.maker == index)
        .map(|(at, stream)| OutputPlan {
            port: stream.port.to_owned(),
            stream: at,
        })
        .collect();
    StagePlan {
        name: stage.name.to_owned(),
        kind: stage.kind.kind.clone(),
        role: stage.kind.role,
        helper_of: None,
        guards: false,
        program: stage.kind.program.clone(),
        params: typed.params.clone(),
        policy: placed.policy,
        priority: placed.priority,
        nice: placed.nice,
        cpu: placed.cpu,
        pace: placed.pace,
        wait: placed.wait,
        divider: placed.divider,
        phase: placed.phase,
        burst: placed.burst,
        overrun: placed.overrun,
        on_death: placed.on_death,
        spare: placed.spare,
        restarts_per_minute: placed.restarts_per_minute,
        budget_ns: placed.budget_ns,
        inputs,
        outputs,
        pacing: None,
        described,
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one caller; a struct for it would only repeat the names"
)]
fn build_helper(
    graph: &Graph,
    stage: &Wired<'_>,
    typed: &Typed,
    placed: &Placed,
    helper: &Helper,
    stream: usize,
    catalogue: &dyn Catalogue,
    problems: &mut Vec<Problem>,
) -> StagePlan {
    let feeds = helper.direction == HelperDirection::Feeds;
    let inputs: Vec<(&str, &StreamType)> = if feeds {
        Vec::new()
    } else {
        vec![(HELPED, &helper.stream_type)]
    };
    let mut fault = |what: String| {
        problems.push(graph.problem(
            &["stage", stage.name],
            format!(
                "the helper on port `{}` cannot be started: {what}",
                helper.port
            ),
            "",
        ));
    };
    let kind = catalogue.kind(&helper.kind);
    if kind.is_none() {
        fault(format!("there is no kind of stage `{}`", helper.kind));
    }
    let mut described = match catalogue.describe(&helper.kind, &typed.params, &inputs) {
        Ok(described) => described,
        Err(error) => {
            if kind.is_some() {
                fault(error.to_string());
            }
            Described::default()
        }
    };
    described.outputs = if feeds {
        vec![(HELPED.to_owned(), helper.stream_type.clone())]
    } else {
        Vec::new()
    };
    let input = InputPlan {
        port: HELPED.to_owned(),
        stream,
        seat: 0,
        seat_kind: SeatKind::Hold,
        read: Read::All,
        feedback: false,
        adapters: Vec::new(),
        stream_type: helper.stream_type.clone(),
    };
    let output = OutputPlan {
        port: HELPED.to_owned(),
        stream,
    };
    StagePlan {
        name: format!("{}.{}", stage.name, helper.port),
        kind: helper.kind.clone(),
        role: kind.map_or(stage.kind.role, |kind| kind.role),
        helper_of: Some(stage.name.to_owned()),
        guards: false,
        program: kind.unwrap_or(stage.kind).program.clone(),
        params: typed.params.clone(),
        policy: Policy::Other,
        priority: 0,
        nice: 0,
        cpu: None,
        pace: if feeds { Pace::None } else { Pace::Data },
        wait: WaitKind::Futex,
        divider: 1,
        phase: 0,
        burst: HELPER_BURST,
        overrun: Overrun::Skip,
        on_death: placed.on_death,
        spare: false,
        restarts_per_minute: None,
        budget_ns: None,
        inputs: if feeds { Vec::new() } else { vec![input] },
        outputs: if feeds { vec![output] } else { Vec::new() },
        pacing: (!feeds).then_some(0),
        described,
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one caller; a struct for it would only repeat the names"
)]
fn build_guard(
    graph: &Graph,
    stage: &Wired<'_>,
    typed: &Typed,
    placed: &Placed,
    kind: &str,
    timer: &TimerPlan,
    catalogue: &dyn Catalogue,
    problems: &mut Vec<Problem>,
) -> StagePlan {
    let described = catalogue.describe(kind, &typed.params, &[]);
    let described = described.unwrap_or_else(|error| {
        problems.push(graph.problem(
            &["stage", stage.name],
            format!("its guard cannot be started: {error}"),
            "",
        ));
        Described::default()
    });
    let program = catalogue.kind(kind).unwrap_or(stage.kind).program.clone();
    StagePlan {
        name: format!("{}.guard", stage.name),
        kind: kind.to_owned(),
        role: stage.kind.role,
        helper_of: Some(stage.name.to_owned()),
        guards: true,
        program,
        params: typed.params.clone(),
        // Where its stage runs in real time, so does it; nobody's CPU but the timer's is disturbed by its looks.
        policy: placed.policy,
        priority: match placed.policy {
            Policy::Fifo => priority::GUARD,
            Policy::Other => 0,
        },
        nice: 0,
        cpu: match placed.policy {
            Policy::Fifo => Some(timer.cpu),
            Policy::Other => None,
        },
        pace: Pace::None,
        wait: WaitKind::Futex,
        divider: 1,
        phase: 0,
        burst: 1,
        overrun: Overrun::Skip,
        on_death: OnDeath::Restart,
        spare: false,
        restarts_per_minute: None,
        budget_ns: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
        pacing: None,
        described,
    }
}

/// The ring between a stage and its helper. Frames that a file reader passes on begin there: the ring is its own origin.
fn helper_ring(stage: &str, helper: &Helper, full: Full, maker: usize, own: usize) -> StreamPlan {
    StreamPlan {
        name: format!("{stage}.{}", helper.port),
        maker,
        stream_type: helper.stream_type.clone(),
        slots: helper.slots,
        full,
        seats: Vec::new(),
        spare_seats: 0,
        origin: own,
    }
}

/// Numbers the seats of every stream in order of the stages that read it.
fn seat_everyone(plan: &mut Plan) {
    for (index, stage) in plan.stages.iter_mut().enumerate() {
        for input in &mut stage.inputs {
            let seats = &mut plan.streams[input.stream].seats;
            input.seat = u32::try_from(seats.len()).unwrap_or(u32::MAX);
            seats.push(SeatPlan {
                reader: Reader::Stage(index),
                port: input.port.clone(),
                kind: input.seat_kind,
            });
        }
    }
}

/// Stands for a type that only the missing file or device could tell (offline checks).
fn unknown() -> StreamType {
    StreamType {
        kind: Kind::Bytes,
        dtype: Dtype::U8,
        axes: vec![Axis::new("time", 0)],
        rate: Rate::NONE,
        unit: "unknown".to_owned(),
        si_unit: String::new(),
        scale: Vec::new(),
        offset: Vec::new(),
        record: None,
        positions_um: Vec::new(),
    }
}
