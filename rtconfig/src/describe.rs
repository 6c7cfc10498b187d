//! What a kind of stage says of itself: its ports, its parameters, and what it makes of its input types.

use crate::stream_type::StreamType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Answer of a stage to "given these input types and parameters, what are you?".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// Output port and the type of its stream, in the order of the stage's ports.
    pub outputs: Vec<(String, StreamType)>,
    /// Bytes of state that must survive a restart; held in two flipped copies. 0: the stage starts from RESET, unless it is
    /// `memoryless`.
    #[serde(default)]
    pub state_bytes: usize,
    /// What a call makes follows from its blocks alone: without a state block, too, a restart changes nothing.
    #[serde(default)]
    pub memoryless: bool,
    /// Bytes of append-only state (calibration buffers), held once.
    #[serde(default)]
    pub append_bytes: usize,
    /// Delay of the signal through the stage, in frames of its pacing input.
    #[serde(default)]
    pub group_delay_frames: f64,
    /// Frames after a reset in which the outputs do not yet mean what they should.
    #[serde(default)]
    pub settle_frames: u64,
    /// Most blocks one call of `process` publishes per stream: the credit it needs. At least 1.
    #[serde(default = "one")]
    pub parts_per_call: u32,
    /// Helpers this stage needs beside it, with the rings between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<Helper>,
    /// Kind of the process that guards this stage's device, if it has one; it gets the same parameters as its stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

fn one() -> u32 {
    1
}

/// A normal-priority process that does what a FIFO stage must not (files, sockets, foreign libraries).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Helper {
    /// Kind of stage the helper runs; it gets the same parameters as its stage.
    pub kind: String,
    /// Which way the ring between the two goes.
    pub direction: HelperDirection,
    /// Port of the helped stage at which the ring ends (the stage's own port list contains it).
    pub port: String,
    /// Type of the ring's stream.
    pub stream_type: StreamType,
    /// Slots of the ring; a power of two.
    pub slots: u32,
}

/// Which way a helper's ring goes. The helper's own port is always named `helped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HelperDirection {
    /// The helper produces, the stage consumes (a file reader before its pacer).
    Feeds,
    /// The stage produces, the helper consumes (a log writer behind its stimulator).
    Drains,
}

/// What a stage is in the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Device to ring.
    Acquire,
    /// Ring to ring.
    Process,
    /// Ring to device.
    Stimulate,
    /// Ring to somewhere else: file, screen, socket.
    Sink,
}

/// Which executable runs a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The lean executable: real-time stages.
    Lean,
    /// The command line's own executable, with file-format libraries: helpers.
    Full,
    /// Somebody else's executable, named by a manifest.
    External {
        /// Program (absolute, or a bare name that is looked for in `PATH`) and its arguments.
        command: Vec<String>,
        /// Folder it runs in: the manifest's.
        folder: PathBuf,
    },
}

/// One kind of stage as `list`, the schema and the checks see it.
#[derive(Clone, Debug, Serialize)]
pub struct KindInfo {
    /// The graph's `use`.
    pub kind: String,
    /// One sentence.
    pub about: String,
    /// Place in the loop.
    pub role: Role,
    /// Input ports that must be connected, in order; ports fed by a helper included.
    pub inputs: Vec<String>,
    /// Output ports, in order; ports drained by a helper included.
    pub outputs: Vec<String>,
    /// Which executable runs it.
    pub program: Program,
    /// Started only as some stage's helper; never named in a graph.
    pub helper: bool,
    /// JSON schema of the parameters: an object with `properties`, each with a `description`.
    pub params_schema: serde_json::Value,
}

/// The stages a graph can use. Implemented by whoever knows the stages; the rules here know none.
pub trait Catalogue {
    /// All kinds, sorted by name.
    fn kinds(&self) -> &[KindInfo];

    /// Runs the stage's `describe`. `params` holds only keys of the kind's schema; input types come in port order.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do, and the parameter or input port it is about.
    fn describe(
        &self,
        kind: &str,
        params: &serde_json::Value,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, DescribeError>;

    /// The kind of that name.
    fn kind(&self, name: &str) -> Option<&KindInfo> {
        self.kinds().iter().find(|k| k.kind == name)
    }

    /// Longest run time of one activation that the maker of a kind promises, ns; a graph may say another.
    fn budget_ns(&self, _kind: &str) -> Option<u64> {
        None
    }
}

/// Why a stage refused its parameters or inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescribeError {
    /// A parameter has a wrong value or form.
    #[error("parameter `{key}`: {why}")]
    Parameter {
        /// Key in `params`; empty if the whole table is meant.
        key: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// An input has a type the stage cannot use.
    #[error("input `{port}`: {why}")]
    Input {
        /// Port.
        port: String,
        /// What came and what is needed.
        why: String,
    },
    /// Something the stage needs (a file, a device) cannot be used.
    #[error("{what}: {why}")]
    Resource {
        /// Path or name.
        what: String,
        /// What is wrong and what to do.
        why: String,
    },
}

impl DescribeError {
    /// A wrong parameter.
    pub fn parameter(key: &str, why: impl Into<String>) -> Self {
        DescribeError::Parameter {
            key: key.to_owned(),
            why: why.into(),
        }
    }

    /// A wrong input type.
    pub fn input(port: &str, why: impl Into<String>) -> Self {
        DescribeError::Input {
            port: port.to_owned(),
            why: why.into(),
        }
    }

    /// An unusable file or device.
    pub fn resource(what: impl Into<String>, why: impl Into<String>) -> Self {
        DescribeError::Resource {
            what: what.into(),
            why: why.into(),
        }
    }
}
