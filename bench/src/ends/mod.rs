//! The processes between which something is measured, and what they are told.
//!
//! ```text
//! driver (this program) ── orders, one JSON line each ──> two ends, or more ── links ──> each other
//!        <── answers: raw values in ns ──
//! ```
//!
//! An end is this program started again (or, for a peer, a program that speaks the same lines). It binds itself to a CPU,
//! opens its side of any number of links, and runs rounds over them. Values come back raw: histograms are made by the
//! driver, so every contestant is reduced to figures by the same code.

mod place;
mod process;
mod protocol;
mod serve;

pub use place::{Class, place, without_fifo};
pub use process::{EndProcess, Ends, Program, RoundValues};
pub use protocol::{Answer, LinkSpec, Mode, Order, Round, Side, Wait};
pub use serve::{OpenLinks, Sides, serve};
