//! From a capture to the plan of its replay.

use crate::abi::MAX_PORTS;
use crate::capture::layout::kind;
use crate::capture::{Capture, CaptureError, EndNote, Item};
use ephapse_rtconfig::describe::{Described, Program, Role};
use ephapse_rtconfig::plan::{
    Full, InputPlan, OnDeath, OnPlan, OutputPlan, Overrun, Pace, Plan, Policy, Read, Reader,
    RecordedEnd, ReplayPart, ReplayPlan, ReplaySource, ReplayStream, SeatKind, SeatPlan, StagePlan,
    StreamPlan, WaitKind,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longest name of a session.
const LONGEST_NAME: usize = 32;
/// What a replay's session is called, behind the original's name.
const SUFFIX: &str = "-replay";

/// Why a capture cannot be replayed. One line each.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A stream that cannot be computed is not there.
    #[error(
        "stream `{stream}` of `{stage}` ({kind}) is not in the capture, and nothing can be computed without it: record it, with `record = [\"all\"]` or by its name"
    )]
    NotRecorded {
        /// Stream.
        stream: String,
        /// Its maker.
        stage: String,
        /// The maker's kind.
        kind: String,
    },
    /// A stage's turns are not there.
    #[error(
        "stage `{stage}`: the capture has no activation records of it: it was recorded without them"
    )]
    NoActivations {
        /// Stage.
        stage: String,
    },
    /// A stage is not what it was.
    #[error("stage `{stage}` ({kind}): {why}")]
    Stage {
        /// Stage.
        stage: String,
        /// Its kind.
        kind: String,
        /// What has changed.
        why: String,
    },
    /// `--set` for a stage or parameter that the capture does not have.
    #[error("{what}")]
    Change {
        /// What is wrong, and what is there.
        what: String,
    },
    /// A file that the replay needs.
    #[error("{}: {why}", path.display())]
    File {
        /// Path.
        path: PathBuf,
        /// Cause.
        why: String,
    },
    /// The session did not come to run.
    #[error(transparent)]
    Launch(#[from] crate::launch::LaunchError),
}

/// A parameter that is to be another than it was.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamChange {
    /// Stage.
    pub stage: String,
    /// Parameter.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// A replay that can be launched.
pub struct Planned {
    /// Its plan.
    pub plan: Plan,
    /// Streams whose blocks are the decisions.
    pub decisions: Vec<String>,
}

/// What becomes of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Scripted,
    Played,
    LeftOut,
}

/// What a capture says beside its blocks and activations.
#[derive(Default)]
struct Notes {
    params: BTreeMap<String, Vec<(u64, Value)>>,
    end: Option<EndNote>,
    begin_ns: u64,
}

impl Notes {
    fn of(capture: &Capture) -> Result<Self, CaptureError> {
        let mut notes = Notes::default();
        let mut cursor = capture.items()?;
        loop {
            let begun = notes.begin_ns != 0;
            let next = cursor.next_item_of(|header| match header.kind {
                kind::PARAMS | kind::END => true,
                kind::ACTIVATIONS => !begun,
                _ => false,
            })?;
            match next {
                Some(Item::Params(note)) => {
                    let of_stage = notes.params.entry(note.stage).or_default();
                    of_stage.push((note.epoch, note.params));
                }
                Some(Item::End(note)) => notes.end = Some(note),
                Some(Item::Activation { record, .. }) if notes.begin_ns == 0 => {
                    notes.begin_ns = record.woke_ns;
                }
                Some(_) => {}
                None => return Ok(notes),
            }
        }
    }

    fn end_of(&self, stream: u32) -> Option<RecordedEnd> {
        let ends = &self.end.as_ref()?.streams;
        let end = ends.iter().find(|end| end.stream == stream)?;
        Some(RecordedEnd {
            position: end.position?,
            reason: end.reason,
            lost: end.lost,
        })
    }
}

/// Plans the replay of a capture: what acquires, and whatever a stimulator or a sink has published, is played; every other stage takes
/// its recorded turns; devices, files and helpers are left alone; what is made is compared with what is recorded. `describe`
/// asks a stage what it is with some parameters; `findings` is a folder for what the comparing processes find.
///
/// # Errors
/// Names what is missing or has changed.
pub fn plan(
    capture: &Capture,
    speed: Option<f64>,
    changes: &[ParamChange],
    findings: &Path,
    describe: &dyn Fn(&StagePlan, &Value) -> Result<Described, String>,
) -> Result<Planned, ReplayError> {
    let meta = capture.meta();
    let notes = Notes::of(capture)?;
    let mut original = meta.plan.clone();
    change(&mut original, changes)?;
    let fates: Vec<Fate> = original
        .stages
        .iter()
        .map(|stage| fate(&original, stage))
        .collect();
    let mut builder = Builder {
        stages: Vec::new(),
        parts: Vec::new(),
        streams: Vec::new(),
        new_stage: BTreeMap::new(),
        new_stream: BTreeMap::new(),
    };
    let recorded = |stream: usize| ReplayStream {
        stream: stream as u32,
        recorded: meta.streams.contains(&(stream as u32)),
        end: notes.end_of(stream as u32),
    };
    for (index, stage) in original.stages.iter().enumerate() {
        if fates[index] == Fate::LeftOut {
            continue;
        }
        let read = |stream: usize| {
            let readers = &original.streams[stream].seats;
            readers
                .iter()
                .filter_map(|seat| seat.reader.stage())
                .any(|reader| fates[reader] == Fate::Scripted)
        };
        let keeps = |stream: usize| {
            fates[index] == Fate::Scripted || recorded(stream).recorded || read(stream)
        };
        let kept: Vec<usize> = stage
            .outputs
            .iter()
            .map(|o| o.stream)
            .filter(|s| keeps(*s))
            .collect();
        if fates[index] == Fate::Played
            && let Some(stream) = kept.iter().find(|stream| !recorded(**stream).recorded)
        {
            return Err(ReplayError::NotRecorded {
                stream: original.streams[*stream].name.clone(),
                stage: stage.name.clone(),
                kind: stage.kind.clone(),
            });
        }
        if fates[index] == Fate::Played && kept.is_empty() {
            continue;
        }
        let outputs: Vec<ReplayStream> = kept.iter().map(|s| recorded(*s)).collect();
        let (stage, part) = if fates[index] == Fate::Scripted {
            let described = redescribed(stage, &meta.plan, changes, describe)?;
            let process = meta
                .process(&stage.name)
                .ok_or_else(|| ReplayError::NoActivations {
                    stage: stage.name.clone(),
                })?;
            let mut params = notes.params.get(&stage.name).cloned().unwrap_or_default();
            // What was changed stays changed, whatever was set later.
            for (_, all) in &mut params {
                for changed in changes.iter().filter(|c| c.stage == stage.name) {
                    all[&changed.key] = changed.value.clone();
                }
            }
            let scripted = StagePlan {
                described,
                ..quiet(stage)
            };
            (
                scripted,
                ReplayPart::Scripted {
                    process,
                    outputs,
                    params,
                },
            )
        } else {
            let played = StagePlan {
                role: Role::Acquire,
                kind: "replay.play".into(),
                program: Program::Lean,
                inputs: Vec::new(),
                pacing: None,
                pace: Pace::None,
                described: Described::default(),
                ..quiet(stage)
            };
            (played, ReplayPart::Played { outputs })
        };
        builder.add_stage(index, stage, part);
        for stream in kept {
            builder.add_stream(stream, &original);
        }
    }
    builder.wire(&original);
    let compared: Vec<ReplayStream> = builder
        .scripted_streams()
        .map(recorded)
        .filter(|stream| stream.recorded)
        .collect();
    builder.compare(&compared);
    let decisions = decisions(&original, &builder);
    let session: String = original
        .session
        .chars()
        .take(LONGEST_NAME - SUFFIX.len())
        .collect();
    Ok(Planned {
        decisions,
        plan: Plan {
            session: session + SUFFIX,
            timer: None,
            stages: builder.stages,
            streams: builder.streams,
            recorder: None,
            // What struck the run is on its record.
            chaos: Vec::new(),
            // What is told of a run is not told of its replay.
            on: OnPlan::default(),
            replay: Some(ReplayPlan {
                source: ReplaySource {
                    capture: capture.path().to_owned(),
                    findings: findings.to_owned(),
                    speed,
                    begin_ns: notes.begin_ns,
                    paced: original.timer.is_some(),
                },
                parts: builder.parts,
            }),
            ..original
        },
    })
}

fn change(plan: &mut Plan, changes: &[ParamChange]) -> Result<(), ReplayError> {
    for change in changes {
        let named = |stage: &&mut StagePlan| stage.name == change.stage;
        let Some(stage) = plan.stages.iter_mut().find(named) else {
            return Err(ReplayError::Change {
                what: format!("the capture has no stage `{}`", change.stage),
            });
        };
        if stage.role != Role::Process {
            return Err(ReplayError::Change {
                what: format!(
                    "stage `{}` ({}) is not computed in a replay: changing its parameters changes nothing",
                    stage.name, stage.kind
                ),
            });
        }
        stage.params[&change.key] = change.value.clone();
    }
    Ok(())
}

fn fate(plan: &Plan, stage: &StagePlan) -> Fate {
    if stage.helper_of.is_some() {
        let feeds = |output: &OutputPlan| {
            let readers = &plan.streams[output.stream].seats;
            readers
                .iter()
                .filter_map(|seat| seat.reader.stage())
                .any(|reader| plan.stages[reader].role == Role::Process)
        };
        return if stage.outputs.iter().any(feeds) {
            Fate::Played
        } else {
            Fate::LeftOut
        };
    }
    match stage.role {
        Role::Process => Fate::Scripted,
        Role::Acquire => Fate::Played,
        Role::Stimulate | Role::Sink if stage.outputs.is_empty() => Fate::LeftOut,
        Role::Stimulate | Role::Sink => Fate::Played,
    }
}

/// Without what only a live run needs: priority, CPU, tick, budget.
fn quiet(stage: &StagePlan) -> StagePlan {
    StagePlan {
        helper_of: None,
        guards: false,
        policy: Policy::Other,
        priority: 0,
        nice: 0,
        cpu: None,
        pace: Pace::Data,
        wait: WaitKind::Futex,
        divider: 1,
        phase: 0,
        overrun: Overrun::Skip,
        on_death: OnDeath::Stop,
        spare: false,
        restarts_per_minute: None,
        budget_ns: None,
        ..stage.clone()
    }
}

/// Asks the stage what it is now, and refuses it if what it gives has another type than it had.
fn redescribed(
    stage: &StagePlan,
    before: &Plan,
    changes: &[ParamChange],
    describe: &dyn Fn(&StagePlan, &Value) -> Result<Described, String>,
) -> Result<Described, ReplayError> {
    let refused = |why: String| ReplayError::Stage {
        stage: stage.name.clone(),
        kind: stage.kind.clone(),
        why,
    };
    let described = describe(stage, &stage.params).map_err(refused)?;
    for (port, stream_type) in &stage.described.outputs {
        let now = described.outputs.iter().find(|(name, _)| name == port);
        if now.map(|(_, now)| now) != Some(stream_type) {
            let now = now.map_or_else(|| "nothing".to_owned(), |(_, now)| now.summary());
            return Err(refused(format!(
                "port `{port}` gave {} when it was recorded and would give {now} now",
                stream_type.summary()
            )));
        }
    }
    let changed = changes.iter().any(|c| c.stage == stage.name);
    let was = before.stages.iter().find(|s| s.name == stage.name);
    if !changed && was.is_some_and(|was| was.described.state_bytes != described.state_bytes) {
        return Err(refused(
            "keeps another state than it did when it was recorded: its program has changed".into(),
        ));
    }
    Ok(described)
}

/// Streams whose blocks are the decisions: what stimulators read; failing that, what nobody reads.
fn decisions(original: &Plan, builder: &Builder) -> Vec<String> {
    let made: Vec<usize> = builder.scripted_streams().collect();
    let of = |wanted: &dyn Fn(&StreamPlan) -> bool| -> Vec<String> {
        let streams = made.iter().map(|stream| &original.streams[*stream]);
        streams
            .filter(|s| wanted(s))
            .map(|s| s.name.clone())
            .collect()
    };
    let readers = |stream: &StreamPlan| -> Vec<Role> {
        let stages = stream.seats.iter().filter_map(|seat| seat.reader.stage());
        stages.map(|reader| original.stages[reader].role).collect()
    };
    let stimulating = of(&|s| readers(s).contains(&Role::Stimulate));
    if stimulating.is_empty() {
        of(&|s| readers(s).iter().all(|role| *role == Role::Sink))
    } else {
        stimulating
    }
}

/// The plan as it grows; the original's numbers to the new ones.
struct Builder {
    stages: Vec<StagePlan>,
    parts: Vec<ReplayPart>,
    streams: Vec<StreamPlan>,
    new_stage: BTreeMap<usize, usize>,
    new_stream: BTreeMap<usize, usize>,
}

impl Builder {
    fn add_stage(&mut self, index: usize, stage: StagePlan, part: ReplayPart) {
        self.new_stage.insert(index, self.stages.len());
        self.stages.push(stage);
        self.parts.push(part);
    }

    fn add_stream(&mut self, index: usize, original: &Plan) {
        self.new_stream.insert(index, self.streams.len());
        let stream = &original.streams[index];
        let lapped = stream
            .seats
            .iter()
            .any(|seat| seat.kind == SeatKind::Lap && seat.reader != Reader::Recorder);
        self.streams.push(StreamPlan {
            full: Full::Wait,
            // A seat that held nobody back then keeps a block now.
            slots: if lapped {
                stream.slots.saturating_mul(2)
            } else {
                stream.slots
            },
            seats: Vec::new(),
            spare_seats: 0,
            ..stream.clone()
        });
    }

    /// Streams, by their old numbers, that are computed.
    fn scripted_streams(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().flat_map(|part| match part {
            ReplayPart::Scripted { outputs, .. } => {
                outputs.iter().map(|s| s.stream as usize).collect()
            }
            ReplayPart::Played { .. } | ReplayPart::Compared { .. } => Vec::new(),
        })
    }

    /// Numbers and seats: every reader holds.
    fn wire(&mut self, original: &Plan) {
        for (old, new) in &self.new_stream {
            let stream = &original.streams[*old];
            let plan = &mut self.streams[*new];
            plan.maker = self.new_stage.get(&stream.maker).copied().unwrap_or(0);
            plan.origin = self.new_stream.get(&stream.origin).copied().unwrap_or(*new);
        }
        let new_stream = self.new_stream.clone();
        for (index, stage) in self.stages.iter_mut().enumerate() {
            stage
                .outputs
                .retain(|output| new_stream.contains_key(&output.stream));
            for output in &mut stage.outputs {
                output.stream = new_stream[&output.stream];
            }
            for input in &mut stage.inputs {
                let Some(stream) = new_stream.get(&input.stream) else {
                    continue;
                };
                let seats = &mut self.streams[*stream].seats;
                input.stream = *stream;
                input.seat = seats.len() as u32;
                input.seat_kind = SeatKind::Hold;
                input.feedback = false;
                seats.push(SeatPlan {
                    reader: Reader::Stage(index),
                    port: input.port.clone(),
                    kind: SeatKind::Hold,
                });
            }
        }
    }

    /// Adds the processes that compare.
    fn compare(&mut self, compared: &[ReplayStream]) {
        for (number, streams) in compared.chunks(MAX_PORTS).enumerate() {
            let index = self.stages.len();
            let inputs = streams.iter().map(|recorded| {
                let stream = self.new_stream[&(recorded.stream as usize)];
                let plan = &mut self.streams[stream];
                let seat = plan.seats.len() as u32;
                plan.seats.push(SeatPlan {
                    reader: Reader::Stage(index),
                    port: plan.name.clone(),
                    kind: SeatKind::Hold,
                });
                InputPlan {
                    port: plan.name.clone(),
                    stream,
                    seat,
                    seat_kind: SeatKind::Hold,
                    read: Read::All,
                    feedback: false,
                    adapters: Vec::new(),
                    stream_type: plan.stream_type.clone(),
                }
            });
            let inputs = inputs.collect();
            self.parts.push(ReplayPart::Compared {
                inputs: streams.to_vec(),
            });
            self.stages.push(StagePlan {
                name: format!("replay.compare.{}", number + 1),
                kind: "replay.compare".into(),
                role: Role::Sink,
                helper_of: None,
                guards: false,
                program: Program::Lean,
                params: Value::Object(serde_json::Map::new()),
                policy: Policy::Other,
                priority: 0,
                nice: 0,
                cpu: None,
                pace: Pace::Data,
                wait: WaitKind::Futex,
                divider: 1,
                phase: 0,
                burst: 1,
                overrun: Overrun::Skip,
                on_death: OnDeath::Stop,
                spare: false,
                restarts_per_minute: None,
                budget_ns: None,
                inputs,
                outputs: Vec::new(),
                pacing: Some(0),
                described: Described::default(),
            });
        }
    }
}
