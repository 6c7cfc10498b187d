//! The `[chaos]` table: faults on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Faults that the run suffers on purpose, to see what they cost and what is done about them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChaosKeys {
    /// Seed of the ticks that `between` draws; default 1. The same seed draws the same ticks.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The faults.
    #[serde(default)]
    pub inject: Vec<InjectKeys>,
}

/// One fault, or several of a kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectKeys {
    /// What strikes.
    pub fault: FaultWord,
    /// The stage that suffers it; for all but `hog` and `disk_full`.
    #[serde(default)]
    pub stage: Option<String>,
    /// The CPU that is burnt, by its number in the kernel; for `hog`.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// The tick at which it strikes, 1 or more; or `between`.
    #[serde(default)]
    pub tick: Option<u64>,
    /// It strikes at random, from the first of these ticks on and before the second.
    #[serde(default)]
    pub between: Option<[u64; 2]>,
    /// How often it strikes `between` the two ticks, 1 to 10000; default 1.
    #[serde(default)]
    pub times: Option<u32>,
    /// How long it lasts, in milliseconds, 0.001 to 60000; for `stall`, `delay`, `hog` and `disk_full`.
    #[serde(default)]
    pub for_ms: Option<f64>,
    /// Blocks that are lost, 1 or more; for `drop`, default 1.
    #[serde(default)]
    pub blocks: Option<u32>,
    /// Pages that are touched, 1 to 65536; for `page_faults`, default 256.
    #[serde(default)]
    pub pages: Option<u32>,
}

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultWord {
    /// The stage computes for so long, between its wake and its commit.
    Stall,
    /// The stage sleeps for so long, between its wake and its commit.
    Delay,
    /// The stage is killed between its wake and its commit.
    Kill,
    /// The next blocks that the source makes find no room.
    Drop,
    /// The stage touches pages that are not there.
    PageFaults,
    /// A thread of FIFO priority 90 burns a CPU.
    Hog,
    /// The recorder's files may not grow.
    DiskFull,
}
