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

mod asked;
mod capture;
mod cause;
mod evidence;
mod history;
mod route;
mod walk;
mod worst;

pub use asked::{Found, HindsightError, Wanted};
pub use capture::of_capture;
pub use cause::{Cause, Skip};
pub use history::{Happened, History};
pub use route::Route;
pub use walk::{Hop, Walk, walk};
pub(crate) use worst::{Decisions, Worst};

#[cfg(test)]
mod tests;
