//! The keys of a manifest. Their documentation is the schema's.

use super::input_port::InputPort;
use super::output_port::OutputPort;
use super::parameter::Parameter;
use crate::describe::Role;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// A stage that is not one of Ephapse's own: what a graph can say of it, and how it is started.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestKeys {
    /// What a graph's `use` says: words of a-z, 0-9, `_`, `-`, joined by dots, at least two, at most 64 bytes; best begun with
    /// your lab's name, as in `mylab.decoder`.
    pub name: String,
    /// What the stage does, one sentence.
    pub about: String,
    /// Place in the loop: `acquire` (device to ring), `process` (ring to ring), `stimulate` (ring to device), `sink`.
    pub role: Role,
    /// Program and arguments. It runs in the manifest's folder. A program with a slash counts from there; one without is looked
    /// for in `PATH`.
    pub command: Vec<String>,
    /// Ask the command itself (`command... --ephapse-describe`) for outputs, state, delay and settling time, instead of saying
    /// them here; default false.
    #[serde(default)]
    pub describe: bool,
    /// Longest run time of one activation in nanoseconds, if the graph says none; more is counted and ends in exit code 2.
    #[serde(default)]
    pub budget_ns: Option<u64>,
    /// Delay of the signal through the stage, in frames of its pacing input; default 0.
    #[serde(default)]
    pub group_delay_frames: Option<f64>,
    /// Frames after a reset in which the outputs do not yet mean what they should; default 0.
    #[serde(default)]
    pub settle_frames: Option<u64>,
    /// Most blocks published per output for one block of the pacing input; default 1.
    #[serde(default)]
    pub parts_per_call: Option<u32>,
    /// State that survives a restart.
    #[serde(default)]
    pub state: Option<StateKeys>,
    /// Input ports in their order; the first is the default pacing input.
    #[serde(default, rename = "in")]
    pub inputs: IndexMap<String, InputPort>,
    /// Output ports in their order.
    #[serde(default, rename = "out")]
    pub outputs: IndexMap<String, OutputPort>,
    /// Parameters: `a-z`, `0-9`, `_`; the unit in the name, as `cutoff_hz`.
    #[serde(default)]
    pub params: IndexMap<String, Parameter>,
}

/// State that survives a restart.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateKeys {
    /// Bytes that change with every activation, held in two flipped copies; default 0.
    #[serde(default)]
    pub bytes: usize,
    /// Bytes that are only appended to (calibration buffers), held once; default 0.
    #[serde(default)]
    pub append_bytes: usize,
    /// What a call makes follows from its blocks alone: after a restart nothing need be marked RESET. Default false.
    #[serde(default)]
    pub memoryless: bool,
}
