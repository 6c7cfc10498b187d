//! A capture computed once more, and compared with what it holds.
//!
//! ```text
//! Capture ─> plan: sources and stimulators played, the rest scripted ─> launch ─> findings ─> Proof
//!            planned                                                    prove
//! ```
//!
//! Nothing of a stage's output is copied. Its inputs come block for block as they were; which blocks a turn saw, its tick, its
//! clock and the stamp of what it published are in its activation record; all else it computes.
//!
//! **Why it cannot deadlock.** A replayed stage does not ask what has arrived: it waits for what is on record, so every stage is a
//! deterministic process between first-in-first-out queues, and the order in which they get on makes no difference to what they
//! make. The recorded run was one order in which all turns could be taken with rings of that length. A `lap` seat, which
//! held nobody back then, becomes a `hold` seat that gives back everything its next turn does not see, as soon as it comes.
//!
//! **What a stage must keep to.** Between turns it knows nothing but its state and its parameters. A stage without a state block that
//! was started again is replayed by its `reset`, which writes the initial state, as the contract of a stage says.

mod captures;
mod difference;
mod finding;
mod planned;
mod prove;

pub use captures::{Comparison, compare};
pub use difference::{Difference, Stamps, difference};
pub use finding::StreamFinding;
pub use planned::{ParamChange, Planned, ReplayError, plan};
pub use prove::{Proof, ProofOptions, ProofVerdict, prove};
