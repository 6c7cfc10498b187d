//! The stage runner: attach, pin, lock, wait, stamp, compute, publish, drain.
//!
//! ```text
//! file ──> process ──> placement            once, before ready
//!             │
//!             └──> pace ──> turn ──> input / output / memory / telemetry     every activation
//!
//! script ──> scripted ──> turn          a stage that takes the turns of a capture
//! playback, comparison                  what surrounds it: recorded blocks come, made ones are compared
//! guard                                 no stage: it looks after one that stimulates, and switches its device off
//! ```

mod attendant;
mod comparison;
pub mod file;
mod guard;
mod input;
pub mod memory;
mod output;
mod pace;
mod parked;
mod placement;
mod playback;
mod process;
mod script;
mod scripted;
pub mod telemetry;
mod turn;

pub use attendant::Attendant;
pub use guard::run_guard;
pub(crate) use input::InputPort;
pub(crate) use output::OutputPort;
pub(crate) use placement::set_fifo;
pub use process::{ProcessError, RunRecorder, run_prepared, run_stage, run_timer_or};
pub(crate) use process::{follows, prepare};
pub(crate) use turn::{Moment, Readiness, Turns, Verdict};
