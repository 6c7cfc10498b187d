//! Bounds from the budgets of the graph, beside what was measured.

use super::contract::{HopReport, Report};
use super::units::duration;
use ephapse_engine::outcome::HopKind;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::schedule::promise;

/// Sets the bound of every hop that has one. What did not run in real time was promised nothing.
pub(super) fn set(report: &mut Report, plan: &Plan) {
    let Some(promise) = promise(plan).filter(|_| report.rt.active) else {
        return;
    };
    for hop in &mut report.hops {
        if hop.kind == HopKind::Age {
            hop.bound_ns = promise.latency_ns.get(&hop.stage).copied();
        }
    }
    if let Some(measured) = &mut report.loop_latency {
        measured.hop.bound_ns = promise.verdict.loop_ns;
    }
}

/// The bound of a hop in words, and whether it has held.
pub(super) fn words(hop: &HopReport) -> Option<String> {
    let bound_ns = hop.bound_ns?;
    let broken = hop
        .uncorrected
        .max_ns
        .is_some_and(|max_ns| max_ns > bound_ns);
    let remark = if broken {
        "; broken: a stage took longer than its budget, or the host took the CPU away (see the stalls)"
    } else {
        ""
    };
    Some(format!(
        "by the budgets of the graph at most {}{remark}",
        duration(bound_ns)
    ))
}
