//! What is asked of a capture, and what is answered.

use super::walk::Walk;
use crate::capture::CaptureError;
use ephapse_rtconfig::chaos::Fault;
use std::path::PathBuf;

/// Which decision is to be walked back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one that waited longest, those included that never came because of it.
    Worst,
    /// The newest of which everything is there.
    Last,
    /// Of those that a fault on purpose of this tick met, the one that took longest; if there is none, of those that some stage
    /// worked on in this tick; if there is none, the next that was handed over.
    Tick(u64),
}

/// A fault that the graph asked for at the tick that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Tick.
    pub tick: u64,
    /// Who was to suffer it: a stage, `CPU 1`, `recorder`.
    pub who: String,
    /// What it is.
    pub fault: Fault,
    /// It met the decision: it stands among the causes of its hops.
    pub met: bool,
    /// A full disk: what the capture lacks.
    pub lost: Option<Lost>,
}

/// What a capture lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Blocks.
    pub blocks: u64,
    /// Activation records.
    pub records: u64,
}

/// A decision that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its way.
    pub walk: Walk,
    /// The common start (tick 0), CLOCK_MONOTONIC ns, if the records tell.
    pub start_ns: Option<u64>,
    /// No stage worked on any decision in the tick that was asked for: this is the next one.
    pub next_instead: bool,
    /// Faults on purpose of the tick that was asked for.
    pub on_purpose: Vec<Asked>,
}

/// Why there is no decision to be walked back. One line each.
#[derive(Debug, thiserror::Error)]
pub enum HindsightError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// In logical time nothing is late.
    #[error(
        "{}: the run was unpaced, in logical time: nothing waited and nothing was late in it",
        capture.display()
    )]
    Unpaced {
        /// Its first file.
        capture: PathBuf,
    },
    /// There is no loop.
    #[error("{}: the graph has no stimulate stage: no decision was handed over", capture.display())]
    NoStimulator {
        /// Its first file.
        capture: PathBuf,
    },
    /// The records are not there.
    #[error(
        "{}: has no activation records of `{stage}`: it was recorded without them, or nothing has been written yet",
        capture.display()
    )]
    NoRecords {
        /// Its first file.
        capture: PathBuf,
        /// The stimulating stage.
        stage: String,
    },
    /// Nothing was handed over.
    #[error("{}: `{stage}` has handed over no decision", capture.display())]
    NoDecision {
        /// Its first file.
        capture: PathBuf,
        /// The stimulating stage.
        stage: String,
    },
    /// There is no such tick.
    #[error(
        "{}: no decision of tick {tick} is there: those there are were handed over in ticks {first} to {last}",
        capture.display()
    )]
    NoTick {
        /// Its first file.
        capture: PathBuf,
        /// What was asked for.
        tick: u64,
        /// Tick of the first decision.
        first: u64,
        /// Tick of the last.
        last: u64,
    },
}
