//! Times in which stimulation was held, and what guards did.

use super::{FAULTS_SHOWN, Lines};
use crate::report::contract::Report;
use crate::report::units::{duration, thousands};
use crate::report::why::{guard_words, moment};

pub(super) fn section(out: &mut Lines, report: &Report) {
    held(out, report);
    switched_off(out, report);
}

fn switched_off(out: &mut Lines, report: &Report) {
    if report.guards.is_empty() {
        return;
    }
    out.title("Guards that saw to it that nothing stimulates");
    for guard in report.guards.iter().take(FAULTS_SHOWN) {
        out.wrapped(
            "  ",
            &format!(
                "{}: {}: {} ({})",
                guard.by,
                guard.why,
                guard_words(guard),
                moment(guard.tick, guard.at_ns)
            ),
        );
    }
    if let more @ 1.. = report.guards.len().saturating_sub(FAULTS_SHOWN) {
        out.line(&format!(
            "  and {} more in report.json",
            thousands(more as u64)
        ));
    }
}

fn held(out: &mut Lines, report: &Report) {
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
