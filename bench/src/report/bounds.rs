//! Bounds from the budgets of the graph, beside what was measured.

use super::contract::Report;
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
