//! Faults that a run suffers on purpose, at ticks that are known beforehand: what they cost, and what is done about them, can
//! then be told from the record.

use crate::plan::Plan;
use serde::{Deserialize, Serialize};

/// One fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// Strikes at this tick, or, if its stage has no activation then, at the first one behind it.
    pub tick: u64,
    /// What strikes.
    pub fault: Fault,
}

/// What strikes. Stages are indices into [`Plan::stages`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The stage computes for so long, between its wake and its commit.
    Stall {
        /// Stage.
        stage: usize,
        /// Length, ns.
        for_ns: u64,
    },
    /// The stage sleeps for so long, between its wake and its commit.
    Delay {
        /// Stage.
        stage: usize,
        /// Length, ns.
        for_ns: u64,
    },
    /// The stage is killed between its wake and its commit.
    Kill {
        /// Stage.
        stage: usize,
    },
    /// The next blocks that the source makes find no room.
    Drop {
        /// Stage.
        stage: usize,
        /// Blocks of each of its outputs.
        blocks: u32,
    },
    /// The stage touches pages that are not there.
    PageFaults {
        /// Stage.
        stage: usize,
        /// Pages.
        pages: u32,
    },
    /// A thread above every stage burns a CPU.
    Hog {
        /// CPU, by its number in the kernel.
        cpu: u32,
        /// Length, ns.
        for_ns: u64,
    },
    /// The recorder's files may not grow.
    DiskFull {
        /// Length, ns.
        for_ns: u64,
    },
}

impl Fault {
    /// The stage that suffers it, if it is one.
    pub fn stage(&self) -> Option<usize> {
        match self {
            Fault::Stall { stage, .. }
            | Fault::Delay { stage, .. }
            | Fault::Kill { stage }
            | Fault::Drop { stage, .. }
            | Fault::PageFaults { stage, .. } => Some(*stage),
            Fault::Hog { .. } | Fault::DiskFull { .. } => None,
        }
    }

    /// Who suffers it: a stage's name, `CPU 1`, the recorder.
    pub fn who(&self, plan: &Plan) -> String {
        match (self.stage(), self) {
            (Some(stage), _) => plan
                .stages
                .get(stage)
                .map_or_else(|| "?".to_owned(), |stage| stage.name.clone()),
            (None, Fault::Hog { cpu, .. }) => format!("CPU {cpu}"),
            (None, _) => crate::plan::RECORDER.to_owned(),
        }
    }

    /// What it is, in a few words.
    pub fn words(&self) -> String {
        let ms = |ns: &u64| *ns as f64 / 1e6;
        match self {
            Fault::Stall { for_ns, .. } => format!("stalled for {} ms", ms(for_ns)),
            Fault::Delay { for_ns, .. } => format!("delayed by {} ms", ms(for_ns)),
            Fault::Kill { .. } => "killed".to_owned(),
            Fault::Drop { blocks: 1, .. } => "1 block dropped".to_owned(),
            Fault::Drop { blocks, .. } => format!("{blocks} blocks dropped"),
            Fault::PageFaults { pages, .. } => format!("{pages} page faults"),
            Fault::Hog { for_ns, .. } => format!("hogged for {} ms", ms(for_ns)),
            Fault::DiskFull { for_ns } => format!("disk full for {} ms", ms(for_ns)),
        }
    }

    /// How an event tells that it struck.
    pub fn struck_words(&self) -> String {
        format!("injected: {}", self.words())
    }
}
