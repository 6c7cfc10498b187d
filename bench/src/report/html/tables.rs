//! The tables: every figure of the report.

use super::{rt_watch, said, section};
use crate::page::{Cell, escaped, push, table};
use crate::report::bounds;
use crate::report::contract::{Figures, HopReport, Report};
use crate::report::host_entries::entries;
use crate::report::units::{duration, kib, microseconds, thousands};
use crate::report::why::{all_hops, guard_words, hop_words, moment};
use ephapse_rtconfig::plan::SeatKind;

fn subtitle(page: &mut String, title: &str) {
    push(page, format_args!("<h3>{}</h3>\n", escaped(title)));
}

/// The loop's figures, corrected and as it happened.
pub(super) fn loop_figures(page: &mut String, hop: &HopReport) {
    let row = |name: &str, f: &Figures| {
        let mut row = vec![Cell::text(name), Cell::count(f.count)];
        for ns in [f.p50_ns, f.p99_ns, f.p999_ns, f.p9999_ns, f.max_ns] {
            row.push(Cell::Number(ns.map_or_else(|| "-".to_owned(), duration)));
        }
        row
    };
    let heads = ["", "decisions", "p50", "p99", "p99.9", "p99.99", "max"];
    let rows = [
        row(
            "corrected (skipped decisions count with their wait)",
            &hop.figures,
        ),
        row("as it happened", &hop.uncorrected),
    ];
    table(page, &heads, rows);
    if let Some(words) = bounds::words(hop) {
        push(page, format_args!("<p>As it happened, {words}.</p>\n"));
    }
    caveats(page, hop);
}

fn caveats(page: &mut String, hop: &HopReport) {
    let name = format!("{} {}", escaped(&hop.stage), hop_words(hop.kind).0);
    if !hop.complete {
        push(
            page,
            format_args!(
                "<p class=\"verdict failed\">{name} is incomplete: {} records were overwritten before they were read.</p>\n",
                thousands(hop.missing)
            ),
        );
    }
    if hop.saturated > 0 {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\">{name} is saturated: {} values were longer than max says.</p>\n",
                thousands(hop.saturated)
            ),
        );
    }
}

/// Everything but the loop's own figures.
pub(super) fn all(page: &mut String, report: &Report) {
    hops(page, report);
    faults_and_budgets(page, report);
    accounts(page, report);
    stages(page, report);
    rt_watch::all(page, report);
    said::all(page, report);
    experiment_and_host(page, report);
}

fn hops(page: &mut String, report: &Report) {
    if all_hops(report).next().is_none() {
        return;
    }
    subtitle(
        page,
        "Every hop, microseconds: corrected, and below it as it happened where that differs",
    );
    let heads = [
        "stage", "hop", "from, to", "count", "p50", "p99", "p99.9", "p99.99", "max",
    ];
    let row = |stage: &str, what: &str, from_to: &str, f: &Figures| {
        let mut row = vec![
            Cell::text(stage),
            Cell::text(what),
            Cell::text(from_to),
            Cell::count(f.count),
        ];
        for ns in [f.p50_ns, f.p99_ns, f.p999_ns, f.p9999_ns, f.max_ns] {
            row.push(Cell::Number(microseconds(ns)));
        }
        row
    };
    let rows = all_hops(report).flat_map(|hop| {
        let (name, from_to) = hop_words(hop.kind);
        let mut rows = vec![row(&hop.stage, name, from_to, &hop.figures)];
        if hop.uncorrected != hop.figures {
            rows.push(row("", "", "as it happened", &hop.uncorrected));
        }
        rows
    });
    table(page, &heads, rows);
    for hop in &report.hops {
        caveats(page, hop);
    }
}

fn faults_and_budgets(page: &mut String, report: &Report) {
    for (title, list) in [
        ("Faults, first to last", &report.faults),
        ("Restarts, first to last", &report.restarts),
    ] {
        if list.is_empty() {
            continue;
        }
        section(page, title);
        let rows = list.iter().map(|f| {
            vec![
                Cell::text(&f.who),
                Cell::text(&f.what),
                Cell::Text(moment(f.tick, f.at_ns)),
            ]
        });
        table(page, &["who", "what", "when"], rows);
    }
    if !report.holds.is_empty() {
        section(page, "Stimulation held while a process was dead");
        let rows = report.holds.iter().map(|hold| {
            vec![
                Cell::text(&hold.who),
                Cell::Number(duration(hold.seen_within_ns)),
                hold.held_ns
                    .map_or_else(|| Cell::text("to the end"), |ns| Cell::Number(duration(ns))),
                Cell::Text(moment(hold.tick, hold.at_ns)),
            ]
        });
        table(page, &["who died", "held within", "held for", "when"], rows);
    }
    if !report.guards.is_empty() {
        section(page, "Guards that saw to it that nothing stimulates");
        let rows = report.guards.iter().map(|guard| {
            vec![
                Cell::text(&guard.by),
                Cell::text(&guard.why),
                Cell::text(&guard_words(guard)),
                Cell::Text(moment(guard.tick, guard.at_ns)),
            ]
        });
        table(page, &["who", "why", "what it did", "when"], rows);
    }
    if !report.chaos.is_empty() {
        section(page, "Faults on purpose");
        let rows = report.chaos.iter().map(|fault| {
            vec![
                Cell::count(fault.tick),
                Cell::text(&fault.who),
                Cell::text(&fault.what),
                Cell::text(match &fault.came_to {
                    Some(came_to) => came_to,
                    None if fault.struck => "struck",
                    None => "has not struck",
                }),
            ]
        });
        table(page, &["tick", "who", "what", "came to"], rows);
    }
    if !report.budgets.is_empty() {
        section(page, "Budgets broken");
        let rows = report.budgets.iter().map(|b| {
            vec![
                Cell::text(&b.stage),
                Cell::Number(duration(b.budget_ns)),
                Cell::count(b.broken),
                Cell::Number(duration(b.worst_ns)),
            ]
        });
        table(page, &["stage", "budget", "times broken", "worst"], rows);
    }
}

fn accounts(page: &mut String, report: &Report) {
    section(page, "Accounts");
    page.push_str("<p class=\"note\">Each term was counted where it happened; an account that does not add up fails the run.</p>\n");
    if !report.ticks.is_empty() {
        subtitle(page, "Ticks: due = run + skipped by cause");
        let heads = [
            "who",
            "due",
            "run",
            "late wake",
            "long run",
            "no room",
            "dead",
            "",
        ];
        let rows = report.ticks.iter().map(|a| {
            let counts = [a.due, a.run, a.late_wake, a.long_run, a.no_room, a.dead];
            account(&a.who, counts, a.holds)
        });
        table(page, &heads, rows);
    }
    if !report.rings.is_empty() {
        subtitle(page, "Rings, blocks: offered = published + dropped");
        let heads = ["stream", "offered", "published", "dropped", ""];
        let rows = report.rings.iter();
        let rows = rows.map(|a| account(&a.stream, [a.offered, a.published, a.dropped], a.holds));
        table(page, &heads, rows);
    }
    edges(page, report);
    if !report.sources.is_empty() {
        subtitle(page, "Sources, frames: counted = valid + lost");
        let rows = report.sources.iter();
        let rows = rows.map(|a| account(&a.stream, [a.counted, a.valid, a.lost], a.holds));
        table(page, &["stream", "counted", "valid", "lost", ""], rows);
    }
}

fn account<const N: usize>(name: &str, counts: [u64; N], holds: bool) -> Vec<Cell> {
    let mut row = vec![Cell::text(name)];
    row.extend(counts.map(Cell::count));
    row.push(Cell::Mark(holds));
    row
}

fn edges(page: &mut String, report: &Report) {
    if report.edges.is_empty() {
        return;
    }
    subtitle(
        page,
        "Edges, blocks: published = consumed + jumped + lapped + left; and their gaps",
    );
    let heads = [
        "stream",
        "read by",
        "seat",
        "published",
        "consumed",
        "jumped",
        "lapped",
        "left",
        "",
        "gaps",
        "frames lost",
    ];
    let rows = report.edges.iter().map(|a| {
        let kind = match a.kind {
            SeatKind::Hold => "hold",
            SeatKind::Lap => "lap",
        };
        let mut row = vec![Cell::text(&a.stream), Cell::text(&a.seat), Cell::text(kind)];
        row.extend([a.published, a.consumed, a.jumped, a.lapped, a.left].map(Cell::count));
        row.push(Cell::Mark(a.holds));
        row.extend([a.gaps, a.lost_frames].map(Cell::count));
        row
    });
    table(page, &heads, rows);
}

fn stages(page: &mut String, report: &Report) {
    if report.stages.is_empty() {
        return;
    }
    section(page, "Processes, as read back from the kernel");
    page.push_str("<p class=\"note\">Counts run from ready to the end. A helper runs at normal priority and may allocate and fault.</p>\n");
    let heads = [
        "stage",
        "policy",
        "priority",
        "CPU",
        "locked KiB",
        "minor faults",
        "major faults",
        "heap allocations",
        "own switches",
        "forced switches",
    ];
    let rows = report.stages.iter().map(|s| {
        let cpu = s.cpu.map_or_else(|| "any".to_owned(), |c| c.to_string());
        let mut row = vec![
            Cell::text(&s.name),
            Cell::text(&s.policy),
            Cell::Number(s.priority.to_string()),
            Cell::Number(cpu),
        ];
        let counts = [
            kib(s.locked_bytes),
            s.minor_faults,
            s.major_faults,
            s.allocations_after_start,
            s.voluntary_switches,
            s.involuntary_switches,
        ];
        row.extend(counts.map(Cell::count));
        row
    });
    table(page, &heads, rows);
    subtitle(page, "What they did");
    let heads = [
        "stage",
        "kind",
        "pid",
        "activations",
        "spurious rings",
        "late wakes",
        "long runs",
        "restarts",
    ];
    let rows = report.stages.iter().map(|s| {
        let kind = if s.helper {
            format!("{} (helper)", s.kind)
        } else {
            s.kind.clone()
        };
        let mut row = vec![
            Cell::text(&s.name),
            Cell::Text(kind),
            Cell::Number(s.pid.to_string()),
        ];
        let counts = [
            s.activations,
            s.spurious_rings,
            s.late_wakes,
            s.long_runs,
            s.restarts,
        ];
        row.extend(counts.map(Cell::count));
        row
    });
    table(page, &heads, rows);
    for s in report.stages.iter().filter(|s| !s.rt_why.is_empty()) {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\"><strong>{}</strong> does not run in real time: {}</p>\n",
                escaped(&s.name),
                escaped(&s.rt_why)
            ),
        );
    }
}

fn experiment_and_host(page: &mut String, report: &Report) {
    if !report.experiment.is_empty() {
        section(page, "Experiment");
        let rows = report.experiment.iter();
        table(
            page,
            &["key", "value"],
            rows.map(|(k, v)| vec![Cell::text(k), Cell::text(v)]),
        );
    }
    let host = entries(&report.host);
    if !host.is_empty() {
        section(page, "Host");
        let rows = host.iter();
        table(
            page,
            &["key", "value"],
            rows.map(|(k, v)| vec![Cell::text(k), Cell::text(v)]),
        );
    }
}
