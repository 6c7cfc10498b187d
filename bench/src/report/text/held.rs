//! Times in which stimulation was held.

use super::{FAULTS_SHOWN, Lines};
use crate::report::contract::Report;
use crate::report::units::{duration, thousands};
use crate::report::why::moment;

pub(super) fn section(out: &mut Lines, report: &Report) {
    if report.holds.is_empty() {
        return;
    }
    out.title("Stimulation held while a process was dead");
    for hold in report.holds.iter().take(FAULTS_SHOWN) {
        let long = match hold.held_ns {
            Some(ns) => format!("for {}", duration(ns)),
            None => "to the end".to_owned(),
        };
        out.wrapped(
            "  ",
            &format!(
                "{}: {long}, from at most {} after its last sign of life ({})",
                hold.who,
                duration(hold.seen_within_ns),
                moment(hold.tick, hold.at_ns)
            ),
        );
    }
    if let more @ 1.. = report.holds.len().saturating_sub(FAULTS_SHOWN) {
        out.line(&format!(
            "  and {} more in report.json",
            thousands(more as u64)
        ));
    }
}
