//! The JSON bodies of a capture.

use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::stream_type::StreamType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was recorded: everything one must know to read the rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meta {
    /// Version of the engine that recorded.
    pub version: String,
    /// Random, 32 hexadecimal digits.
    pub capture_id: String,
    /// The session's, 32 hexadecimal digits.
    pub session_id: String,
    /// The machine's, 32 hexadecimal digits.
    pub machine_id: String,
    /// CLOCK_REALTIME when recording began, ns.
    pub created_realtime_ns: u64,
    /// CLOCK_MONOTONIC at the same moment, ns.
    pub created_monotonic_ns: u64,
    /// What ran: stages, streams with their types, `[experiment]`, the resolved graph.
    pub plan: Plan,
    /// Processes whose activations are recorded, in the order of their numbers.
    pub processes: Vec<String>,
    /// Streams that are recorded, as indices in `plan.streams`.
    pub streams: Vec<u32>,
    /// The host's fingerprint.
    pub host: Value,
}

impl Meta {
    /// Type of a recorded stream; `None` for one that the plan does not have.
    pub fn stream_type(&self, stream: u32) -> Option<&StreamType> {
        Some(&self.plan.streams.get(stream as usize)?.stream_type)
    }

    /// Name of a stream; `?` for one that the plan does not have.
    pub fn stream_name(&self, stream: u32) -> &str {
        let stream = self.plan.streams.get(stream as usize);
        stream.map_or("?", |s| s.name.as_str())
    }

    /// The recorded stream of that name.
    pub fn stream(&self, name: &str) -> Option<u32> {
        let recorded = self.streams.iter().copied();
        recorded.into_iter().find(|s| self.stream_name(*s) == name)
    }

    /// The process of that name.
    pub fn process(&self, name: &str) -> Option<u32> {
        let at = self.processes.iter().position(|p| p == name)?;
        u32::try_from(at).ok()
    }
}

/// A file that the session ran or read its parameters from, as it was when the process that does so was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNote {
    /// What it was for: `launcher` (and every stage that comes with it), the name of a stage, or `stage.parameter`.
    pub role: String,
    /// Where it was.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits; empty: it was too long to be read, or could not be read in time.
    pub sha256: String,
    /// What it says of its version; empty if nothing.
    pub version: String,
}

/// Of what something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapOf {
    /// Blocks of a stream, as an index in the plan.
    Stream(u32),
    /// Activation records of a process, as an index in `meta.processes`.
    Activations(u32),
}

/// Something that was to be recorded and is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapNote {
    /// Of what.
    pub of: GapOf,
    /// First position (number of the activation record) that is missing.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// `lapped` (the recorder came too late), `spool full` (the disk could not follow), `off` (recording was switched off),
    /// or what else happened.
    pub why: String,
}

/// Parameters of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamsNote {
    /// Stage.
    pub stage: String,
    /// Their epoch: 0, and one more with every change.
    pub epoch: u64,
    /// Tick at which they were seen.
    pub tick: u64,
    /// All of them.
    pub params: Value,
}

/// Somebody's remark: an event of `mark`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkNote {
    /// What was said.
    pub text: String,
    /// Tick at which it was said.
    pub tick: u64,
    /// CLOCK_MONOTONIC, ns.
    pub monotonic_ns: u64,
    /// CLOCK_REALTIME, ns, by the clocks of the moment when recording began.
    pub realtime_ns: u64,
}

/// How everything ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndNote {
    /// Each recorded stream.
    pub streams: Vec<EndOf>,
    /// Activation records that each process had made, in the order of `meta.processes`.
    pub activations: Vec<u64>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOf {
    /// Index in the plan.
    pub stream: u32,
    /// Position at which it ended; `None`: it had not, when the recording did.
    pub position: Option<u64>,
    /// See [`crate::abi::end_reason`].
    pub reason: u64,
    /// Frames lost behind the last block.
    pub lost: u64,
}

/// The last record of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealNote {
    /// See [`seal_why`].
    pub why: String,
    /// Records in the file, this one included.
    pub records: u64,
}

/// Why a file was sealed.
pub mod seal_why {
    /// The session was over.
    pub const CLOSED: &str = "closed";
    /// The recording goes on in the file of the next number.
    pub const ROLLED: &str = "rolled over";
    /// The session had died, and what was left of it has been appended.
    pub const RECOVERED: &str = "recovered";
}
