//! The processes as the kernel describes them, and the budgets they broke.

use super::{Lines, clipped};
use crate::report::contract::{Report, StageReport};
use crate::report::units::{count_cell, duration, kib, thousands};

pub(super) fn section(out: &mut Lines, report: &Report) {
    if !report.stages.is_empty() {
        as_read_back(out, report);
        activity(out, report);
    }
    for (i, b) in report.budgets.iter().enumerate() {
        if i == 0 {
            out.title("Budgets broken");
        }
        out.line(&format!(
            "  {:<18} budget {:>8}, broken {:>10} times, at worst {:>8}",
            clipped(&b.stage, 18),
            duration(b.budget_ns),
            thousands(b.broken),
            duration(b.worst_ns)
        ));
    }
}

fn as_read_back(out: &mut Lines, report: &Report) {
    out.title("Real-time state, as read back from the kernel; counts from ready to end");
    let row = |name: &str, cells: [&str; 9]| {
        let [
            policy,
            priority,
            cpu,
            locked,
            minor,
            major,
            allocations,
            voluntary,
            forced,
        ] = cells;
        format!(
            "{name:<15} {policy:<6} {priority:>4} {cpu:>4} {locked:>9} {minor:>6} {major:>5} {allocations:>7} {voluntary:>8} {forced:>7}"
        )
    };
    out.line(&row(
        "",
        [
            "", "", "", "locked", "minor", "major", "heap", "switches", "",
        ],
    ));
    let names = [
        "policy", "prio", "cpu", "KiB", "faults", "fault", "allocs", "own", "forced",
    ];
    out.line(&row("  stage", names));
    for s in &report.stages {
        let cpu = s.cpu.map_or_else(|| "any".to_owned(), |c| c.to_string());
        out.line(&row(
            &format!("  {}", name_of(s, 13)),
            [
                &s.policy,
                &s.priority.to_string(),
                &cpu,
                &count_cell(kib(s.locked_bytes), 9),
                &count_cell(s.minor_faults, 6),
                &count_cell(s.major_faults, 5),
                &count_cell(s.allocations_after_start, 7),
                &count_cell(s.voluntary_switches, 8),
                &count_cell(s.involuntary_switches, 7),
            ],
        ));
    }
    if report.stages.iter().any(|s| s.helper) {
        out.line("  * a helper: of normal priority, it may allocate and fault");
    }
    for s in report.stages.iter().filter(|s| !s.rt_why.is_empty()) {
        out.wrapped_after("  ! ", "    ", &format!("{}: {}", s.name, s.rt_why));
    }
}

fn activity(out: &mut Lines, report: &Report) {
    out.title("Activity");
    let row = |name: &str, kind: &str, cells: [&str; 4]| {
        let [pid, activations, spurious, restarts] = cells;
        format!("  {name:<15} {kind:<20} {pid:>8} {activations:>12} {spurious:>8} {restarts:>8}")
    };
    let names = ["pid", "activations", "spurious", "restarts"];
    out.line(&row("stage", "kind", names));
    for s in &report.stages {
        out.line(&row(
            &name_of(s, 15),
            &clipped(&s.kind, 20),
            [
                &s.pid.to_string(),
                &thousands(s.activations),
                &thousands(s.spurious_rings),
                &thousands(s.restarts),
            ],
        ));
    }
}

fn name_of(s: &StageReport, width: usize) -> String {
    if s.helper {
        format!("{}*", clipped(&s.name, width - 1))
    } else {
        clipped(&s.name, width)
    }
}
