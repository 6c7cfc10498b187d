//! What a process finds in the JSON file named by `EPHAPSE_STAGE`.

use super::ProcessError;
use crate::capture::NamedFile;
use ephapse_rtconfig::chaos::Injection;
use ephapse_rtconfig::plan::{ReplayPart, ReplaySource, SeatKind, StagePlan};
use ephapse_rtconfig::stream_type::StreamType;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Environment variable that names the file.
pub const STAGE_VARIABLE: &str = "EPHAPSE_STAGE";

/// Everything a process of a session needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageFile {
    /// Session name.
    pub session: String,
    /// Session segment.
    pub session_segment: String,
    /// Stage segment.
    pub stage_segment: String,
    /// Telemetry segment.
    pub telemetry_segment: String,
    /// How often the process was started.
    pub generation: u32,
    /// Read end of the lifeline pipe, open in the process.
    pub lifeline_fd: i32,
    /// A stand-in's: read end of a pipe on which it learns, as a little-endian u32, with which generation it is to begin.
    /// Until then it prepares itself and touches no shared memory.
    #[serde(default)]
    pub parked_fd: Option<i32>,
    /// Read ends of stdout and stderr, if those are pipes that the launcher empties for as long as it lives.
    #[serde(default)]
    pub ears: Option<[i32; 2]>,
    /// False in an unpaced run: logical time, back-pressure everywhere.
    pub paced: bool,
    /// Tick length, ns.
    pub tick_ns: u64,
    /// What the process is.
    pub duty: Duty,
}

impl StageFile {
    /// The file that [`STAGE_VARIABLE`] names.
    ///
    /// # Errors
    /// The variable is not set (this process was not started by a launcher), or the file cannot be read.
    pub fn read() -> Result<Self, ProcessError> {
        let path = std::env::var(STAGE_VARIABLE).map_err(|_| ProcessError::NotLaunched)?;
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string());
        text.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()))
            .map_err(|why| ProcessError::File { path, why })
    }
}

/// What a process is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// The timer.
    Timer(TimerDuty),
    /// A stage.
    Stage(Box<StageDuty>),
    /// The recorder.
    Recorder(Box<RecorderDuty>),
}

/// The recorder's part: everything it needs, and everything that must be known to end a capture when nobody lives any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecorderDuty {
    /// The capture's first file: the launcher has made it.
    pub capture: PathBuf,
    /// Spool segment. Its sources are the streams, and behind them the processes.
    pub spool_segment: String,
    /// Events segment.
    pub events_segment: String,
    /// Streams that are recorded.
    pub streams: Vec<RecordedDuty>,
    /// Processes whose activation records and parameters are recorded.
    pub processes: Vec<WatchedDuty>,
    /// Sources whose frames are tied to the clocks.
    pub sources: Vec<TiedDuty>,
    /// FIFO priority of the thread that reads the rings; `None`: it runs as everybody else.
    pub priority: Option<u8>,
    /// From one look at the rings to the next, ns.
    pub look_ns: u64,
    /// From one flush to the disk to the next, ns.
    pub sync_ns: u64,
    /// Bytes that are allocated on the disk ahead of what is written.
    pub ahead_bytes: u64,
    /// A new file begins when this one would become longer.
    pub roll_bytes: Option<u64>,
    /// A new file begins when this one has been written to for so long, ns.
    pub roll_ns: Option<u64>,
}

/// A stream that is recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedDuty {
    /// Index in the plan.
    pub stream: u32,
    /// The recorder's seat.
    pub seat: u32,
    /// Kind of seat.
    pub kind: SeatKind,
    /// Its ring.
    pub edge: EdgeDuty,
}

/// A process whose doings are recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WatchedDuty {
    /// Name.
    pub name: String,
    /// Telemetry segment.
    pub telemetry_segment: String,
    /// Stage segment.
    pub stage_segment: String,
    /// What it runs and reads its parameters from.
    pub files: Vec<NamedFile>,
}

/// A source whose frames are tied to the clocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TiedDuty {
    /// Stream.
    pub stream: String,
    /// Its maker, as an index in [`RecorderDuty::processes`].
    pub process: u32,
    /// Output port of the maker.
    pub port: u32,
}

/// The timer's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimerDuty {
    /// CPU.
    pub cpu: u32,
    /// FIFO priority.
    pub priority: u8,
    /// Spin the last so many ns before a deadline.
    pub spin_ns: u64,
    /// Ticked stages in ringing order.
    pub rings: Vec<RingDuty>,
}

/// A stage the timer rings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingDuty {
    /// Stage segment.
    pub stage_segment: String,
    /// Due at ticks k with `k % divider == phase`.
    pub divider: u32,
    /// See `divider`.
    pub phase: u32,
}

/// A stage's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageDuty {
    /// Its plan.
    pub plan: StagePlan,
    /// Rings of its inputs, in port order.
    pub inputs: Vec<EdgeDuty>,
    /// Rings of its outputs, in port order.
    pub outputs: Vec<EdgeDuty>,
    /// Index of its pacing source in the graph's stream table.
    pub origin: u32,
    /// Faults that it suffers on purpose, in order of their ticks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chaos: Vec<Injection>,
    /// Its part in a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayDuty>,
    /// Whom it watches, if it is a guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardDuty>,
}

/// Whom a guard watches, beside the launcher.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuardDuty {
    /// Segment of the stage that stimulates.
    pub stage_segment: String,
    /// Segment of the timer.
    pub timer_segment: String,
}

/// A stage's part in a replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplayDuty {
    /// What is played back, and how.
    pub source: ReplaySource,
    /// What the stage does about it.
    pub part: ReplayPart,
}

/// One ring as the stage attaches to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EdgeDuty {
    /// Segment.
    pub segment: String,
    /// Type the ring must carry.
    pub stream_type: StreamType,
}
