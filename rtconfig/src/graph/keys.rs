//! The keys of a graph file. Their documentation is the schema's.

use super::chaos_keys::ChaosKeys;
use super::edge::InputKeys;
use super::experiment::Experiment;
use super::on::OnKeys;
use super::record_keys::RecordKeys;
use super::words::{OverrunWord, Reserved};
use crate::plan::{Full, OnDeath, Pace, Policy, WaitKind};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// A graph: which stages run, how they are connected, where and when they run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphKeys {
    /// Session name: `a-z`, `0-9`, `_`, `-`, at most 32 bytes. Part of the names of all shared memory of the session.
    pub name: String,
    /// Files over which this one is laid, in their order: the later wins key by key, lists are replaced. Relative names, and
    /// relative paths in each file, count from its own folder.
    // Obeyed, and taken out, when the files are read: no graph that is put together has it.
    #[serde(default)]
    pub extends: Vec<String>,
    /// Who recorded what, from whom and why. Checked, and stored with every recording.
    #[serde(default)]
    pub experiment: Experiment,
    /// Reserved for graphs that span machines; refused today.
    #[serde(default)]
    pub machine: Option<Reserved>,
    /// What is kept in a capture: `["all"]` (the default), names of streams, `[]` for nothing; or a table.
    #[serde(default)]
    pub record: RecordKeys,
    /// Faults that the run suffers on purpose.
    #[serde(default)]
    pub chaos: ChaosKeys,
    /// Commands that the launcher runs on a fault, a broken budget, or the end.
    #[serde(default)]
    pub on: OnKeys,
    /// Other people's stages and graphs.
    #[serde(default)]
    pub modules: ModulesKeys,
    /// The tick that paces stages. Needed unless all sources have pace `none`.
    #[serde(default)]
    pub timer: Option<TimerKeys>,
    /// Engine keys for every stage that does not set them itself. A `pace` that a stage's role cannot have is passed over.
    #[serde(default)]
    pub defaults: DefaultKeys,
    /// The stages, by name: `a-z`, `0-9`, `_`, `-`, at most 32 bytes.
    #[serde(default)]
    pub stage: IndexMap<String, StageKeys>,
    /// Rings of the streams that some stage's `out` names.
    #[serde(default)]
    pub stream: IndexMap<String, StreamKeys>,
}

/// Other people's stages and graphs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModulesKeys {
    /// Folders that hold `stages/NAME/stage.toml` and `graphs/*.toml`; relative ones count from the folder of the file they stand in.
    /// Those of the environment variable `EPHAPSE_PATH` come after them.
    #[serde(default)]
    pub path: Vec<String>,
}

/// The timer process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimerKeys {
    /// Length of a tick in nanoseconds, 10000 to 10000000000 (10 us to 10 s).
    pub period_ns: u64,
    /// CPU the timer runs on, by its number in the kernel.
    pub cpu: u32,
    /// FIFO priority, 1 to 98; default 95. Every stage stays below it.
    #[serde(default)]
    pub priority: Option<u8>,
    /// Wake this many nanoseconds before the deadline and spin the rest; default 0, sleep only. Needs a CPU of its own.
    #[serde(default)]
    pub spin_ns: Option<u64>,
}

// [defaults] and [stage.NAME] share their engine keys; one list keeps names, types and documentation the same.
macro_rules! with_engine_keys {
    ($(#[$about:meta])* struct $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Scheduling policy: `fifo` (SCHED_FIFO, the default) or `other` (normal).
            #[serde(default)]
            pub policy: Option<Policy>,
            /// Nice value under policy `other`, -20 to 19; default 0.
            #[serde(default)]
            pub nice: Option<i8>,
            /// FIFO priority, 1 to 98 and below the timer's; default from the place in the graph.
            #[serde(default)]
            pub priority: Option<u8>,
            /// CPU the stage is pinned to, by its number in the kernel. Needed under policy `fifo`.
            #[serde(default)]
            pub cpu: Option<u32>,
            /// What begins an activation: `tick` (default) or `data`; for sources `clock` (default), `device`, or `none`
            /// (unpaced: as fast as the readers take it, then all sources must say so).
            #[serde(default)]
            pub pace: Option<Pace>,
            /// How a data-paced stage waits: `futex` (sleep, the default) or `spin` (burn a CPU of its own).
            #[serde(default)]
            pub wait: Option<WaitKind>,
            /// A ticked stage runs at every `divider`th tick, 1 or more; default 1.
            #[serde(default)]
            pub divider: Option<u32>,
            /// Which of the `divider` ticks: runs at ticks k with `k % divider == phase`; less than `divider`, default 0.
            #[serde(default)]
            pub phase: Option<u32>,
            /// Most blocks of the pacing input in one activation, 1 or more; default 8.
            #[serde(default)]
            pub burst: Option<u32>,
            /// What to do about skipped ticks: `skip` (count them, the default), `catch_up(n)` (run up to n of them late) or `stop`.
            #[serde(default)]
            pub overrun: Option<OverrunWord>,
            /// What to do when the process dies: `restart`, `stop` the session (default), or `isolate` (end its streams, let the rest run).
            #[serde(default)]
            pub on_death: Option<OnDeath>,
            /// With `on_death = "restart"`: keep a second process ready, prepared and parked, that takes over at once. For what
            /// starts slowly (Python takes 100 ms, a built-in stage 3). Default false.
            #[serde(default)]
            pub spare: Option<bool>,
            /// With `on_death = "restart"`: at most so many times in a minute, 1 or more; one more death stops the session. Default: as
            /// often as it dies, unless it dies again and again without finishing one activation.
            #[serde(default)]
            pub restarts_per_minute: Option<u32>,
            /// Longest permitted run time of one activation in nanoseconds; more is counted and ends in exit code 2.
            #[serde(default)]
            pub budget_ns: Option<u64>,
        }
    };
}

with_engine_keys! {
    /// Engine keys for every stage that does not set them itself.
    struct DefaultKeys {}
}

with_engine_keys! {
    /// One stage: one process.
    struct StageKeys {
        /// Kind of stage; `ephapse list` shows all.
        #[serde(rename = "use")]
        pub kind: String,
        /// Parameters of the kind. A relative `path` (or `..._path`) counts from the folder of the file it stands in.
        #[serde(default)]
        pub params: serde_json::Map<String, serde_json::Value>,
        /// Input ports and the streams they read: `{ port = "stream" }` or `{ port = { from = "stream", ... } }`.
        #[serde(default, rename = "in")]
        pub inputs: IndexMap<String, InputKeys>,
        /// Output ports and the names of the streams they make: `{ port = "stream" }`.
        #[serde(default, rename = "out")]
        pub outputs: IndexMap<String, String>,
        /// Input port whose blocks begin activations; default the first that is not a feedback.
        #[serde(default)]
        pub pacing: Option<String>,
    }
}

/// The ring of one stream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamKeys {
    /// Slots of the ring: a power of two, 2 to 16777216; default 128.
    #[serde(default)]
    pub slots: Option<u32>,
    /// When a `hold` seat is full: `wait` for room (default behind stages), `drop_newest` (default behind clock- and
    /// device-paced sources, which cannot wait), or `fault` (the session stops).
    #[serde(default)]
    pub full: Option<Full>,
    /// `lap` seats kept free for what joins the running session (recorder, shadow); default 2, at most 16.
    #[serde(default)]
    pub spare_seats: Option<u32>,
}
