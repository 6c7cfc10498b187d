//! Faults that the graph asked for.

use super::{FAULTS_SHOWN, Lines};
use crate::report::contract::Report;
use crate::report::units::thousands;

pub(super) fn section(out: &mut Lines, report: &Report) {
    if report.chaos.is_empty() {
        return;
    }
    out.title("Faults on purpose");
    for fault in report.chaos.iter().take(FAULTS_SHOWN) {
        let came_to = match &fault.came_to {
            Some(came_to) => came_to,
            None if fault.struck => "struck",
            None => "has not struck",
        };
        let tick = thousands(fault.tick);
        out.wrapped(
            "  ",
            &format!("tick {tick}: {} {}; {came_to}", fault.who, fault.what),
        );
    }
    if let more @ 1.. = report.chaos.len().saturating_sub(FAULTS_SHOWN) {
        out.line(&format!(
            "  and {} more in report.json",
            thousands(more as u64)
        ));
    }
}
