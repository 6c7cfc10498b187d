//! A resolved graph: everything the launcher needs, nothing left to decide.
//!
//! Stages stand in order of the graph's flow: sources first, helpers beside their stage. Streams carry their types,
//! seats their kinds, processes their CPU and priority.

use crate::chaos::Injection;
use crate::describe::{Described, Program, Role};
use crate::stream_type::{Dtype, StreamType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A resolved graph.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Session name: `[a-z0-9_-]`, at most 32 bytes.
    pub session: String,
    /// The `[experiment]` table, checked.
    pub experiment: BTreeMap<String, String>,
    /// The tick; `None` in an unpaced run (some source has pace `none`): then every stage is data-paced at normal priority.
    pub timer: Option<TimerPlan>,
    /// Length of a tick, ns: the timer's, or in an unpaced run the length of a logical tick.
    pub tick_ns: u64,
    /// Processes, sources first.
    pub stages: Vec<StagePlan>,
    /// Streams; `StreamPlan::maker`, `InputPlan::stream` and `OutputPlan::stream` are indices into these two lists.
    pub streams: Vec<StreamPlan>,
    /// What is recorded; `None`: nothing. The recorder is not among `stages`: it may read more streams than a stage can.
    #[serde(default)]
    pub recorder: Option<RecorderPlan>,
    /// Faults that the run suffers on purpose, in order of their ticks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chaos: Vec<Injection>,
    /// What is run when something has happened.
    #[serde(default, skip_serializing_if = "OnPlan::is_empty")]
    pub on: OnPlan,
    /// The graph as resolved: every default written out, TOML, stored with each recording.
    pub resolved_toml: String,
    /// Where the graph was read from.
    pub graph_path: Option<PathBuf>,
    /// This run plays a capture back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayPlan>,
}

/// What the launcher runs when something has happened: programs with their arguments; empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnPlan {
    /// A fault.
    pub fault: Vec<String>,
    /// A broken budget.
    pub threshold: Vec<String>,
    /// The end.
    pub end: Vec<String>,
}

impl OnPlan {
    /// Nothing is ever run.
    pub fn is_empty(&self) -> bool {
        self.named().iter().all(|(_, command)| command.is_empty())
    }

    /// The commands, by the key that names each.
    pub fn named(&self) -> [(&'static str, &[String]); 3] {
        [
            ("fault", &self.fault),
            ("threshold", &self.threshold),
            ("end", &self.end),
        ]
    }
}

/// How a capture is played back: sources give what is recorded, the other stages take the turns they took then, and what
/// they make is compared with what they made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplayPlan {
    /// What all have in common.
    pub source: ReplaySource,
    /// What each stage of the plan does, in its order.
    pub parts: Vec<ReplayPart>,
}

/// What is played back, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplaySource {
    /// The capture.
    pub capture: PathBuf,
    /// Folder for what the comparing processes find.
    pub findings: PathBuf,
    /// So many times faster than it was; `None`: as fast as it goes.
    pub speed: Option<f64>,
    /// The recorded moment with which the replay begins, ns.
    pub begin_ns: u64,
    /// The run that was recorded had a tick.
    pub paced: bool,
}

/// What a stage does in a replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayPart {
    /// Runs its own code, turn by turn as its activation records say.
    Scripted {
        /// Number of its process in the capture.
        process: u32,
        /// Its outputs, in port order.
        outputs: Vec<ReplayStream>,
        /// Parameters that it was given while it ran: epoch, all of them.
        params: Vec<(u64, serde_json::Value)>,
    },
    /// Its outputs are taken from the capture.
    Played {
        /// Its outputs, in port order.
        outputs: Vec<ReplayStream>,
    },
    /// Compares its inputs with the capture.
    Compared {
        /// Its inputs, in order.
        inputs: Vec<ReplayStream>,
    },
}

/// A stream in a capture.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReplayStream {
    /// Its index there.
    pub stream: u32,
    /// Its blocks are there.
    pub recorded: bool,
    /// How it ended, if that is known.
    pub end: Option<RecordedEnd>,
}

/// How a recorded stream ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// Position.
    pub position: u64,
    /// Reason, as the ABI numbers them.
    pub reason: u64,
    /// Frames lost behind the last block.
    pub lost: u64,
}

/// The tick and who makes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimerPlan {
    /// Length of a tick, ns.
    pub period_ns: u64,
    /// CPU the timer runs on.
    pub cpu: u32,
    /// FIFO priority.
    pub priority: u8,
    /// Wake this much before the deadline and spin the rest; 0 sleeps only. Only on a CPU of its own.
    pub spin_ns: u64,
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StagePlan {
    /// Name in the graph; a helper is called `<stage>.<port>`, a guard `<stage>.guard`.
    pub name: String,
    /// Kind of stage.
    pub kind: String,
    /// Place in the loop.
    pub role: Role,
    /// The stage this one helps.
    pub helper_of: Option<String>,
    /// It guards the device of the stage it helps: it has no streams, and is woken by nobody.
    #[serde(default)]
    pub guards: bool,
    /// Executable.
    pub program: Program,
    /// Parameters, defaults filled in by the stage itself.
    pub params: serde_json::Value,
    /// Scheduling policy.
    pub policy: Policy,
    /// FIFO priority 1..=98; 0 with policy `other`.
    pub priority: u8,
    /// Nice value with policy `other`.
    pub nice: i8,
    /// CPU; `None` lets the kernel choose (policy `other` only).
    pub cpu: Option<u32>,
    /// What begins an activation.
    pub pace: Pace,
    /// How a data-paced stage waits.
    pub wait: WaitKind,
    /// Ticked stages: runs at ticks k with `k % divider == phase`.
    pub divider: u32,
    /// See `divider`.
    pub phase: u32,
    /// Most blocks of the pacing input in one activation.
    pub burst: u32,
    /// What to do about skipped ticks.
    pub overrun: Overrun,
    /// What to do when the process dies.
    pub on_death: OnDeath,
    /// A second process is kept prepared and parked, to take over when this one dies.
    #[serde(default)]
    pub spare: bool,
    /// Most times that it is started again within a minute; one more death stops the session.
    #[serde(default)]
    pub restarts_per_minute: Option<u32>,
    /// Longest permitted run time per activation, ns; more is counted and exits 2.
    pub budget_ns: Option<u64>,
    /// Inputs in port order; behind them those that are [merged](StagePlan::merged_into) into one of them.
    pub inputs: Vec<InputPlan>,
    /// Outputs in port order.
    pub outputs: Vec<OutputPlan>,
    /// Index into `inputs` of the pacing one; `None` for sources.
    pub pacing: Option<usize>,
    /// What the stage said of itself.
    pub described: Described,
}

impl StagePlan {
    /// It brings data in: where a helper feeds it, it is the stage, not the helper.
    pub fn is_source(&self) -> bool {
        self.role == Role::Acquire && self.helper_of.is_none()
    }

    /// It acts on a device itself, and is neither a helper nor a guard.
    pub fn stimulates(&self) -> bool {
        self.role == Role::Stimulate && self.helper_of.is_none()
    }

    /// The input that input `index` is merged into: the first one of its port, if that is another.
    pub fn merged_into(&self, index: usize) -> Option<usize> {
        let port = &self.inputs.get(index)?.port;
        let first = self.inputs.iter().position(|input| input.port == *port)?;
        (first != index).then_some(first)
    }

    /// The inputs that `process` sees, in port order.
    pub fn ports(&self) -> impl Iterator<Item = &InputPlan> {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .filter(|(index, _)| self.merged_into(*index).is_none())
            .map(|(_, input)| input)
    }
}

/// One input of a stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InputPlan {
    /// Port.
    pub port: String,
    /// Stream, index into [`Plan::streams`].
    pub stream: usize,
    /// Seat on that stream's ring.
    pub seat: u32,
    /// Kind of seat.
    pub seat_kind: SeatKind,
    /// Which blocks are read.
    pub read: Read,
    /// Feedback input: never paces, holds, or takes part in the end.
    pub feedback: bool,
    /// Edge adapters in order.
    pub adapters: Vec<Adapter>,
    /// Type behind the adapters: what the stage sees.
    pub stream_type: StreamType,
}

/// One output of a stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputPlan {
    /// Port.
    pub port: String,
    /// Stream, index into [`Plan::streams`].
    pub stream: usize,
}

/// One stream and its ring.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamPlan {
    /// Name, unique in the graph.
    pub name: String,
    /// Its producer, index into [`Plan::stages`].
    pub maker: usize,
    /// Type.
    pub stream_type: StreamType,
    /// Slots; a power of two.
    pub slots: u32,
    /// What happens when a `hold` seat is full.
    pub full: Full,
    /// Seats in order of their index.
    pub seats: Vec<SeatPlan>,
    /// `lap` seats kept free for what joins later.
    pub spare_seats: u32,
    /// The source whose frames are this stream's origin, index into [`Plan::streams`].
    pub origin: usize,
}

/// One seat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeatPlan {
    /// Who sits there.
    pub reader: Reader,
    /// Its input port; for the recorder, the stream.
    pub port: String,
    /// Kind.
    pub kind: SeatKind,
}

/// Who sits in a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// A stage, index into [`Plan::stages`].
    Stage(usize),
    /// The recorder.
    Recorder,
}

impl Reader {
    /// The stage, if it is one.
    pub fn stage(self) -> Option<usize> {
        match self {
            Reader::Stage(stage) => Some(stage),
            Reader::Recorder => None,
        }
    }
}

/// What is recorded, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecorderPlan {
    /// Streams, in the order of the plan.
    pub streams: Vec<RecordedStream>,
    /// Seconds of data that wait in shared memory for the disk.
    pub spool_s: f64,
    /// From one flush to the disk to the next, s.
    pub sync_s: f64,
    /// A new file begins when this one would become longer, bytes.
    pub roll_bytes: Option<u64>,
    /// A new file begins when this one has been written to for so long, s.
    pub roll_s: Option<f64>,
    /// Folder of the capture, absolute; `None`: where the run's report goes.
    pub path: Option<PathBuf>,
}

/// One recorded stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStream {
    /// Index into [`Plan::streams`].
    pub stream: usize,
    /// The recorder's seat on its ring.
    pub seat: u32,
}

/// The recorder's name, among processes and at its seats.
pub const RECORDER: &str = "recorder";

impl Plan {
    /// Name of whoever sits in a seat.
    pub fn reader_name(&self, reader: Reader) -> &str {
        match reader {
            Reader::Stage(stage) => self.stages.get(stage).map_or("?", |s| s.name.as_str()),
            Reader::Recorder => RECORDER,
        }
    }
}

/// Scheduling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// `SCHED_FIFO`.
    Fifo,
    /// `SCHED_OTHER`, with a nice value.
    Other,
}

/// What begins an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// The timer's signal.
    Tick,
    /// A block on the pacing input.
    Data,
    /// Sources: the stream's own rate on the host's clock.
    Clock,
    /// Sources: the device.
    Device,
    /// Sources: nothing; as fast as the readers take it.
    None,
}

/// How a data-paced stage waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitKind {
    /// Sleep on the ring's bell.
    Futex,
    /// Burn the CPU; only on a CPU of its own.
    Spin,
}

/// What to do about skipped ticks. In a graph: `"skip"`, `"stop"`, or `"catch_up(3)"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overrun {
    /// Count it and go on with the newest.
    Skip,
    /// Run up to this many of the missed ticks after the fact.
    CatchUp(u32),
    /// Stop the session.
    Stop,
}

/// What to do when a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDeath {
    /// Start it again at its released position.
    Restart,
    /// Stop the session.
    Stop,
    /// End its streams, let the rest run.
    Isolate,
}

/// Kind of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeatKind {
    /// Reads in place; the producer cannot pass it.
    Hold,
    /// Copies out and validates; the producer may pass it.
    Lap,
}

/// Which blocks of an input are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    /// The block that covers the same origin frames as the pacing block.
    Same,
    /// The newest; what lies before it is jumped over and counted.
    Newest,
    /// All that has arrived.
    All,
}

/// What happens when a `hold` seat is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Full {
    /// The producer's activation waits for room.
    Wait,
    /// The new block is dropped, counted, and named in the next header.
    DropNewest,
    /// The session stops.
    Fault,
}

/// Work done on the consumer's end of an edge, before `process`. The order here is the order in which they work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapter {
    /// Several streams as one, channel beside channel; the input's own stream is the first of them.
    Merge(Vec<Merged>),
    /// These channels, by their place from 0, in this order.
    Select(Vec<u32>),
    /// Physical numbers in this unit instead of stored ones, as `f64`.
    Scale(String),
    /// One frame for so many behind a low-pass filter, as `f64`.
    Decimate(u32),
    /// Change of number format; scale and offset stay with the type. Saturates, rounds to nearest even.
    Cast(Dtype),
    /// Blocks of exactly `n` frames, one every `step` frames, over block borders.
    Window {
        /// Frames in a window.
        n: u32,
        /// Frames from one window's start to the next.
        step: u32,
    },
}

/// One of several streams that are read as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// Its name.
    pub stream: String,
    /// Its type.
    pub stream_type: StreamType,
}
