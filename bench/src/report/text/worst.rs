//! The worst loops, and what cost most in each.

use super::Lines;
use crate::report::contract::Report;
use crate::report::incidents::IncidentReport;
use crate::report::units::{duration, thousands};
use crate::report::walks::WalkReport;

pub(super) fn section(out: &mut Lines, report: &Report) {
    if report.incidents.is_empty() {
        return;
    }
    out.title("Worst loops, as they happened: sampled to handed, and the hop that cost most");
    let mut row = |tick: &str, total: &str, what: &str| {
        let first = format!("  {tick:>13} {total:>8}  ");
        out.wrapped(&first, what);
    };
    row("tick", "total", "stage: why");
    for incident in &report.incidents {
        row(
            &thousands(incident.worst.tick),
            &duration(incident.worst.total_ns),
            &in_words(incident),
        );
    }
}

/// What cost most in the worst of them, and how many there are.
fn in_words(incident: &IncidentReport) -> String {
    let words = what_cost_most(&incident.worst);
    match incident.span_in_words() {
        Some(span) => format!("{words} [{span}]"),
        None => words,
    }
}

/// `band: waited 5.00 ms: late_wake, 4 ticks`, and how many decisions had to wait for this one.
pub(in crate::report) fn what_cost_most(walk: &WalkReport) -> String {
    let hop = walk.costliest_hop();
    let mut words = hop.map_or_else(
        || "nothing on record".to_owned(),
        |hop| format!("{}: {}", hop.stage, hop.cost_in_words()),
    );
    // What was dropped on purpose cost the stage that shows it nothing.
    for other in walk.hops.iter().filter(|h| h.stage != walk.costliest) {
        let injected = other.causes.iter().filter(|c| c.kind == "injected");
        for cause in injected {
            words += &format!("; {}: {}", other.stage, cause.says);
        }
    }
    if walk.lost > 0 {
        words += &format!(
            " (with the decisions that never came before it {})",
            duration(walk.total_ns.saturating_add(walk.lost_ns))
        );
    }
    if let Some(broken) = &walk.broken {
        words += &format!(" (not followed to the frames: {broken})");
    }
    words
}
