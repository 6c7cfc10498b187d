//! The way of a sample through a session: which process makes what another one takes, and where each runs.

use super::on_purpose::Ordered;
use crate::abi::MAX_PORTS;
use crate::launch::Watched;
use ephapse_rtconfig::describe::Role;
use ephapse_rtconfig::plan::{Full, Pace, Plan, Policy, Read, SeatKind, StagePlan};

/// An output as its readers see it.
#[derive(Clone, Debug)]
pub(super) struct Out {
    /// Index among its maker's outputs.
    pub port: usize,
    /// Slots of its ring.
    pub slots: u64,
    /// Its maker waits for room.
    pub waits: bool,
    /// Readers that hold it, as station and index among that one's inputs.
    pub holders: Vec<(usize, usize)>,
}

/// The input that begins a stage's turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paced {
    /// Index among the stage's inputs.
    pub input: usize,
    /// Who makes it, as a station.
    pub maker: usize,
    /// Index among that one's outputs.
    pub output: usize,
}

/// A further input without whose block of the same frames no turn begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Companion {
    /// Its stream.
    pub stream: String,
    /// Where it comes from.
    pub made: Paced,
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Station {
    pub watched: Watched,
    /// FIFO priority; `None`: normal.
    pub priority: Option<u8>,
    pub cpu: Option<u32>,
    pub ticked: bool,
    /// From one of its ticks to the next, or a tick, ns.
    pub step_ns: u64,
    pub budget_ns: Option<u64>,
    pub paced: Option<Paced>,
    pub companions: Vec<Companion>,
    pub outputs: Vec<Out>,
}

/// All processes of a session that keep activation records. A process's place in it is its `station`: the timer, if there is
/// one, and then the stages of the plan.
#[derive(Clone, Debug)]
pub struct Route {
    pub(super) stations: Vec<Station>,
    pub(super) timer: Option<usize>,
    /// Length of a tick, ns.
    pub(super) tick_ns: u64,
    /// Faults that the graph asks for.
    pub(super) ordered: Vec<Ordered>,
}

impl Route {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let timer = plan.timer.as_ref().map(|timer| Station {
            watched: Watched::timer(),
            priority: Some(timer.priority),
            cpu: Some(timer.cpu),
            ticked: false,
            step_ns: timer.period_ns,
            budget_ns: None,
            paced: None,
            companions: Vec::new(),
            outputs: Vec::new(),
        });
        let first = usize::from(timer.is_some());
        let stages = plan.stages.iter().map(|stage| {
            let watched = Watched::stage(plan, stage);
            let ticked = stage.pace == Pace::Tick;
            let source = stage.is_source();
            // What a helper feeds its source waits there and is not on the way of a sample.
            let pacing = stage.pacing.filter(|input| *input < MAX_PORTS && !source);
            let paced = pacing.and_then(|input| made(plan, stage, input, first));
            let outputs = stage.outputs.iter().enumerate().take(MAX_PORTS);
            let outputs = outputs.filter_map(|(port, output)| {
                let stream = plan.streams.get(output.stream)?;
                Some(Out {
                    port,
                    slots: u64::from(stream.slots),
                    waits: stream.full == Full::Wait,
                    holders: holders(plan, output.stream, first),
                })
            });
            Station {
                priority: (stage.policy == Policy::Fifo).then_some(stage.priority),
                cpu: stage.cpu,
                ticked,
                step_ns: plan.tick_ns * if ticked { watched.divider } else { 1 },
                budget_ns: stage.budget_ns,
                paced,
                companions: companions(plan, stage, pacing, first),
                outputs: outputs.collect(),
                watched,
            }
        });
        let stages: Vec<Station> = stages.collect();
        Route {
            timer: timer.as_ref().map(|_| 0),
            tick_ns: plan.tick_ns,
            ordered: Ordered::all(plan, first),
            stations: timer.into_iter().chain(stages).collect(),
        }
    }

    /// Processes.
    pub fn len(&self) -> usize {
        self.stations.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.stations.is_empty()
    }

    /// The process of that name.
    pub fn station(&self, name: &str) -> Option<usize> {
        self.stations.iter().position(|s| s.watched.name == name)
    }

    /// Processes whose records are decisions that were handed to a device.
    pub fn stimulators(&self) -> impl Iterator<Item = usize> {
        let all = self.stations.iter().enumerate();
        all.filter(|(_, s)| s.watched.role == Some(Role::Stimulate) && !s.watched.helper)
            .map(|(station, _)| station)
    }

    pub(super) fn name(&self, station: usize) -> &str {
        &self.stations[station].watched.name
    }
}

/// Where an input's blocks come from.
fn made(plan: &Plan, stage: &StagePlan, input: usize, first: usize) -> Option<Paced> {
    let stream = stage.inputs.get(input)?.stream;
    let maker = plan.streams.get(stream)?.maker;
    let mut outputs = plan.stages.get(maker)?.outputs.iter();
    let output = outputs.position(|o| o.stream == stream)?;
    (output < MAX_PORTS).then_some(Paced {
        input,
        maker: first + maker,
        output,
    })
}

/// Inputs that are read `same`, or merged into the pacing one.
fn companions(
    plan: &Plan,
    stage: &StagePlan,
    pacing: Option<usize>,
    first: usize,
) -> Vec<Companion> {
    let Some(pacing) = pacing else {
        return Vec::new();
    };
    let inputs = stage.inputs.iter().enumerate().take(MAX_PORTS);
    inputs
        .filter(|(index, input)| {
            let same = input.read == Read::Same && stage.merged_into(*index).is_none();
            let joined = same || stage.merged_into(*index) == Some(pacing);
            *index != pacing && joined && !input.feedback && input.seat_kind == SeatKind::Hold
        })
        .filter_map(|(index, input)| {
            Some(Companion {
                stream: plan.streams.get(input.stream)?.name.clone(),
                made: made(plan, stage, index, first)?,
            })
        })
        .collect()
}

/// Stages that hold a stream, and by which input.
fn holders(plan: &Plan, stream: usize, first: usize) -> Vec<(usize, usize)> {
    let stages = plan.stages.iter().enumerate();
    stages
        .flat_map(|(index, stage)| {
            let inputs = stage.inputs.iter().enumerate().take(MAX_PORTS);
            inputs
                .filter(|(_, i)| i.stream == stream && i.seat_kind == SeatKind::Hold)
                .map(move |(input, _)| (first + index, input))
        })
        .collect()
}
