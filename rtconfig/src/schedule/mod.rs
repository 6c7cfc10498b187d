//! The schedule before it runs: what is to be run, how late it can be at worst, and a model that runs it in seconds.

mod busy_period;
pub mod curve;
mod demand;
pub mod fits;
mod from_plan;
mod incoming;
pub mod measured;
mod measured_wake;
pub mod no_bound;
pub mod occupancy;
mod overhead;
mod promise;
pub mod response;
pub mod run_time;
pub mod simulate;
pub mod tasks;
mod ticked;
pub mod what_if;

pub use from_plan::{IRQ_PRIORITY, IrqThread, Schedule, Sources, schedule};
pub use promise::{Promise, promise};
