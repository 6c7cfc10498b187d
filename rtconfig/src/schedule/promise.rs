//! What the budgets of a plan promise.

use super::fits::{Verdict, verdict};
use super::from_plan::{Sources, schedule};
use super::response::analyse;
use crate::plan::Plan;
use std::collections::BTreeMap;

/// What the budgets of a plan promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Does it fit?
    pub verdict: Verdict,
    /// By stage: worst time from the sampling of the newest frame used to the end of the turn, ns. Stages without a bound are
    /// left out, and all of them where makers may have to wait.
    pub latency_ns: BTreeMap<String, u64>,
}

/// What the budgets of a plan promise; `None` if it is unpaced.
pub fn promise(plan: &Plan) -> Option<Promise> {
    let schedule = schedule(plan, &Sources::default())?;
    let analysis = analyse(&schedule.set);
    let tasks = schedule.set.tasks.iter().zip(&analysis.tasks);
    let latencies = tasks
        .filter(|_| analysis.withheld.is_none())
        .filter_map(|(task, bound)| Some((task.name.clone(), bound.latency_ns?)));
    Some(Promise {
        latency_ns: latencies.collect(),
        verdict: verdict(&schedule.set, &analysis),
    })
}
