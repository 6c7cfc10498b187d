//! From telling to running: one waker, and one or several waiters on another CPU.
//!
//! ```text
//! driver ── orders ──> waker (first CPU), waiters (second CPU)
//!        <── instants: told, woke ──    value = woke - told, of the first and of the slowest waiter, and what lies between
//! ```
//!
//! What a wake costs is decided by the state of the waiters' CPU: one that is halted has to be woken itself, one that
//! polls while it is idle has not. Both are measured, apart.

mod events;
mod futexes;
mod mechanism;
mod rounds;
mod signals;
mod spinning;
mod turns;
mod words;

pub use mechanism::Mechanism;
pub use rounds::measure;

/// Most waiters of a measurement.
pub const MOST_WAITERS: usize = 8;
