//! Skipped ticks by cause, gaps per edge, and every account with its numbers.

use super::{Lines, clipped, mark};
use crate::report::contract::{EdgeReport, Report};
use crate::report::units::{count_cell, duration, thousands};
use ephapse_rtconfig::plan::SeatKind;

pub(super) fn section(out: &mut Lines, report: &Report) {
    ticks(out, report);
    rings(out, report);
    edges(out, report);
    sources(out, report);
    gaps(out, report);
}

fn ticks(out: &mut Lines, report: &Report) {
    if report.ticks.is_empty() {
        return;
    }
    out.title("Ticks: due = run + skipped by cause");
    let row = |who: &str, cells: [String; 6], mark: &str| {
        let [due, run, late, long, room, dead] = cells;
        format!("  {who:<14} {due:>10} {run:>10} {late:>9} {long:>8} {room:>7} {dead:>6} {mark:>6}")
    };
    let names = ["due", "run", "late wake", "long run", "no room", "dead"];
    out.line(&row("", names.map(str::to_owned), ""));
    for a in &report.ticks {
        let cells = [
            count_cell(a.due, 10),
            count_cell(a.run, 10),
            count_cell(a.late_wake, 9),
            count_cell(a.long_run, 8),
            count_cell(a.no_room, 7),
            count_cell(a.dead, 6),
        ];
        out.line(&row(&clipped(&a.who, 14), cells, mark(a.holds)));
    }
}

fn rings(out: &mut Lines, report: &Report) {
    if report.rings.is_empty() {
        return;
    }
    out.title("Rings, blocks: offered = published + dropped");
    let names = ["offered", "published", "dropped"];
    out.line(&three("", names.map(str::to_owned), ""));
    for a in &report.rings {
        let cells = [a.offered, a.published, a.dropped].map(thousands);
        out.line(&three(&a.stream, cells, mark(a.holds)));
    }
}

fn sources(out: &mut Lines, report: &Report) {
    if report.sources.is_empty() {
        return;
    }
    out.title("Sources, frames: counted = valid + lost");
    let names = ["counted", "valid", "lost"];
    out.line(&three("", names.map(str::to_owned), ""));
    for a in &report.sources {
        let cells = [a.counted, a.valid, a.lost].map(thousands);
        out.line(&three(&a.stream, cells, mark(a.holds)));
    }
}

fn three(name: &str, cells: [String; 3], mark: &str) -> String {
    let [a, b, c] = cells;
    format!(
        "  {:<24} {a:>14} {b:>14} {c:>14} {mark:>7}",
        clipped(name, 24)
    )
}

fn edges(out: &mut Lines, report: &Report) {
    if report.edges.is_empty() {
        return;
    }
    out.title("Edges, blocks: published = consumed + jumped + lapped + left");
    let row = |name: &str, kind: &str, cells: [String; 5], mark: &str| {
        let [published, consumed, jumped, lapped, left] = cells;
        format!(
            "  {name:<20} {kind:<4} {published:>10} {consumed:>10} {jumped:>7} {lapped:>7} {left:>5} {mark:>6}"
        )
    };
    let names = ["published", "consumed", "jumped", "lapped", "left"];
    out.line(&row("", "seat", names.map(str::to_owned), ""));
    for a in &report.edges {
        let kind = match a.kind {
            SeatKind::Hold => "hold",
            SeatKind::Lap => "lap",
        };
        let cells = [
            count_cell(a.published, 10),
            count_cell(a.consumed, 10),
            count_cell(a.jumped, 7),
            count_cell(a.lapped, 7),
            count_cell(a.left, 5),
        ];
        out.line(&row(
            &clipped(&edge_name(a), 20),
            kind,
            cells,
            mark(a.holds),
        ));
    }
}

fn gaps(out: &mut Lines, report: &Report) {
    out.title("Gaps per edge");
    let with_gaps = |a: &&EdgeReport| a.gaps > 0 || a.lost_frames > 0;
    let whole = report.edges.iter().filter(|a| !with_gaps(a)).count();
    for a in report.edges.iter().filter(with_gaps) {
        out.line(&format!(
            "  {:<30} {:>12} gap(s) {:>14} frames lost",
            clipped(&edge_name(a), 30),
            thousands(a.gaps),
            thousands(a.lost_frames)
        ));
    }
    let edges = report.edges.len();
    out.line(&match whole {
        0 if edges > 0 => "  no edge was without a gap".to_owned(),
        n if n == edges => format!("  none on {edges} edges"),
        n => format!("  none on the other {n} edges"),
    });
    let longest = report.stalls.iter().max_by_key(|s| s.length_ns);
    out.line(&match longest {
        None => "  no stall of 2 ms or more was witnessed on a stage CPU".to_owned(),
        Some(stall) => format!(
            "  witnessed stalls of 2 ms and more: {}, the longest {} on CPU {}",
            thousands(report.stalls.len() as u64),
            duration(stall.length_ns),
            stall.cpu
        ),
    });
}

fn edge_name(a: &EdgeReport) -> String {
    format!("{} > {}", a.stream, a.seat)
}
