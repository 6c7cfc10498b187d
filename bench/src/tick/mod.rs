//! How late a periodic thread wakes: the engine's timer in real sessions, and `cyclictest` beside it.
//!
//! ```text
//! deadline ─────────────> awake      the session's own histogram `timer lateness`, as it happened
//! ```
//!
//! A round is a whole session (or a whole run of `cyclictest`): it counts from the first tick on, so there is no warm-up
//! to be left out. The timer runs at the engine's own priority, and `cyclictest` at the same.

mod cyclictest;
mod graph;
mod rounds;
mod session;

pub use rounds::measure;
