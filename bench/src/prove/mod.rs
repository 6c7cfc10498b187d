//! The instrument proves itself.
//!
//! ```text
//! script ─> records ─> telemetry rings ─> collector ─> outcome ─> report ─> files ─> read back ──┐
//!    └────> every deadline and decision asked how long it waited ─> sorted values ─> the same? ──┴─> checks
//! ```
//!
//! [`quick`] does that with a made-up session and takes part of a second; it needs no privilege and depends on no clock. In
//! front of every benchmark it says whether what follows is worth reading. [`prove`] adds a real session whose timer is kept
//! from its CPU for known lengths, and what measuring costs.

mod chain;
mod compare;
mod cost;
mod draw;
mod graph;
mod lapped;
mod live;
mod proof;
mod reading;
mod resolution;
mod script;
mod turns;

pub use cost::{BOUND_NS, Cost};
pub use live::{Injection, Live, Setup};
pub use proof::{Check, Proof, ProofOutcome};

use crate::report::{self, Report};
use ephapse_engine::outcome::Outcome;
use graph::ACT;
use proof::Checks;
use reading::Files;
use script::Script;

/// What is to be different from an ordinary proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProveOptions {
    /// Loses so manyth record of the stage that hands commands over, the first being 1, between ring and collector: to see
    /// the proof fail.
    pub drop_record: Option<u64>,
}

/// The part that needs nothing and depends on nothing.
pub fn quick(options: &ProveOptions) -> Proof {
    Proof::new(scripted(&Script::new(), options), Live::NotAsked, None)
}

/// All of it.
pub fn prove(options: &ProveOptions, setup: &Setup<'_>) -> Proof {
    let mut checks = scripted(&Script::new(), options);
    let live = live::prove(setup, &mut checks).unwrap_or_else(|why| {
        checks.add("live session", "one that runs", why.clone(), false);
        Live::Failed { why }
    });
    let cost = turns::pair()
        .and_then(|mut pair| cost::measure(pair.as_functions()))
        .map_err(|why| checks.add("cost of measuring", "figures", why, false))
        .ok();
    Proof::new(checks, live, cost)
}

/// The script through the chain, and rings that are not drained in time.
fn scripted(script: &Script, options: &ProveOptions) -> Checks {
    let mut checks = Checks::default();
    if let Err(why) = through_the_chain(script, options, &mut checks) {
        checks.add("the measuring chain", "a report", why, false);
    }
    checks
}

fn through_the_chain(
    script: &Script,
    options: &ProveOptions,
    checks: &mut Checks,
) -> Result<(), String> {
    let decided = script.processes.iter().filter(|p| p.name == ACT);
    let records: usize = decided.map(|p| p.records.len()).sum();
    if let Some(lost) = options.drop_record
        && !(1..=records as u64).contains(&lost)
    {
        return Err(format!(
            "there is no record {lost} to lose: choose 1 to {records}"
        ));
    }
    let plan = graph::plan()?;
    let outcome = chain::run(&plan, script, options.drop_record)?;
    compare::compare(script, &read_back(&outcome)?, checks);
    lapped::prove(outcome, checks)
}

/// Reports a session into a folder of its own, and reads all of it back from there.
fn read_back(outcome: &Outcome) -> Result<Files, String> {
    let folder = tempfile::tempdir().map_err(|e| format!("a folder for the report: {e}"))?;
    let report = Report::new(outcome, &serde_json::Value::Null, None);
    report::write(folder.path(), outcome, &report, &[]).map_err(|e| e.to_string())?;
    Files::read(folder.path())
}

#[cfg(test)]
mod tests;
