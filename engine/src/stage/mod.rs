//! What a stage is: one process, one trait.

mod block;
mod prepared;
mod program;
mod registry;
mod rig;
mod state;

pub(crate) use block::Beside;
pub use block::{Block, Inputs, OutBlock, Outputs};
pub use ephapse_rtconfig::describe::{
    DescribeError as StageError, Described, Helper, HelperDirection, Program, Role,
};
pub use ephapse_rtconfig::modules::question::{Answer, DESCRIBE_ARGUMENT, Question, QuestionInput};
pub use prepared::Prepared;
pub use program::{answer, run};
pub use registry::{Describable, Registry, Runnable};
pub use rig::{Rig, Taken};
pub use state::State;

use ephapse_rtconfig::stream_type::StreamType;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// Ports of a kind of stage, in the order in which [`Inputs`] and [`Outputs`] number them.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Input ports; the first is the default pacing input.
    pub inputs: &'static [&'static str],
    /// Output ports.
    pub outputs: &'static [&'static str],
}

/// A stage. One type per kind; one process per instance.
///
/// `describe` runs in the launcher, the rest in the stage's own process. Between wake and the last store a stage
/// must not allocate, lock, log or make a system call; time comes from `ctx` alone.
pub trait Stage: Sized {
    /// The graph's `use`, e.g. `filter.bandpass`.
    const KIND: &'static str;
    /// One sentence for `ephapse list`.
    const ABOUT: &'static str;
    /// Place in the loop.
    const ROLE: Role;
    /// Ports.
    const PORTS: Ports;
    /// Executable that runs it: `Lean` for everything that may run under FIFO.
    const PROGRAM: Program = Program::Lean;
    /// True for a kind that only ever runs as another stage's helper.
    const HELPER: bool = false;
    /// Parameters; units in the names, ranges and defaults in the schema, unknown keys denied.
    type Params: DeserializeOwned + JsonSchema;

    /// From parameters and input types (in port order) to output types, state size, delay and settling time. Pure, but
    /// for sources that must open their file to know its type.
    ///
    /// # Errors
    /// Says which parameter or input is wrong, why, and what would be right.
    fn describe(
        params: &Self::Params,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, StageError>;

    /// In the stage's process, before `ready`: the last place that may allocate, open or plan.
    ///
    /// # Errors
    /// Whatever keeps the stage from starting.
    fn prepare(
        params: Self::Params,
        inputs: &[(&str, &StreamType)],
        what: &Described,
    ) -> Result<Self, StageError>;

    /// One pacing block (for a source: one block to make). What the next call must know stands in `ctx.state`.
    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next;

    /// Writes the initial state, at start and before the block that follows a gap, a seam or a RESET.
    /// `state` is all zero on the first call and the previous activation's state later.
    fn reset(&mut self, state: &mut [u8]);

    /// Takes live parameters between activations.
    fn tune(&mut self, _live: &Self::Params) {}

    /// Inputs have ended: publish what is held.
    fn finish(&mut self, _ctx: &mut Ctx<'_>, _outputs: &mut Outputs<'_>) {}

    /// The process is about to leave, in order or because its launcher is gone: a device must not be left as it is.
    fn leave(&mut self) {}
}

/// What comes after an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Continue,
    /// A source has nothing to give at the moment (its helper is behind); nothing was published. Ask again.
    Again,
    /// End my streams: a finite source has come to its end.
    Done,
    /// Ask the session to stop, with the reason.
    Stop(&'static str),
}

/// What a stage may know of the world during an activation.
pub struct Ctx<'a> {
    /// Tick (logical tick in an unpaced run).
    pub tick: u64,
    /// The only clock: CLOCK_MONOTONIC ns at the start of the activation, or logical time in an unpaced run.
    pub now_ns: u64,
    /// Parameter epoch.
    pub epoch: u32,
    /// Stimulation has been switched off: a stage that stimulates refuses, and records as refused, whatever it is told.
    pub off: bool,
    /// Some process on which stimulation depends is dead just now: a stage that stimulates refuses until it is replaced.
    pub held: bool,
    /// State that survives a restart.
    pub state: State<'a>,
}
