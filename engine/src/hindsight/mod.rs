//! Why a decision came when it did: one decision walked back, stage by stage, to the frames it was made of.
//!
//! ```text
//! Plan ──────────────────> Route   ┐
//! activation records ────> History ┴─> walk ─> Walk: hops, each with its waits and their causes
//! witnessed stalls, events ──┘
//! ```
//!
//! Nothing is measured here and nothing guessed: a cause is what stands on record in the time in which a hop waited or ran. A
//! record that is not there ends the walk, and the walk says so.
//!
//! A fault that the graph asked for (`[chaos]`) is a cause where the records show that it struck the turn: it computes or sleeps
//! in a turn that is marked for it; the turn behind the one that was killed; the block behind those that were dropped; a stage
//! that neither began nor ended before its burnt CPU was free. A full disk strikes no turn: the answer says what is missing in
//! the capture. A stage that waits for a block of the same frames on a further input waited for whoever was late on that
//! input's way. What a hypervisor took is a cause if it took as much, in those seconds, as a witness saw the CPU stand still.
//!
//! The report's ten worst loops are ten [`Incident`]s, so that one stall does not fill the list.

mod asked;
mod asked_tick;
mod capture;
mod cause;
mod evidence;
mod history;
mod incident;
mod on_purpose;
mod other_inputs;
mod route;
mod walk;
mod worst;

pub use asked::{Asked, Found, HindsightError, Lost, Wanted};
pub use capture::of_capture;
pub use cause::{Cause, Skip};
pub use history::{Happened, History};
pub use incident::Incident;
pub use route::Route;
pub use walk::{Hop, Walk, walk};
pub(crate) use worst::{Decisions, Worst};

#[cfg(test)]
mod tests;
