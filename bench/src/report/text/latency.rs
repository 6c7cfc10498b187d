//! The loop in words and as a histogram, and the table of hops.

use super::histogram::bars;
use super::{Lines, clipped};
use crate::report::bounds;
use crate::report::contract::{Figures, HopReport, LoopReport, Report};
use crate::report::units::{duration, microseconds_cell, thousands};
use crate::report::why::{all_hops, hop_words};
use ephapse_engine::outcome::HopKind;

/// Order of the groups of the hop table: along the way of a sample.
const ORDER: [HopKind; 7] = [
    HopKind::TimerLateness,
    HopKind::Transport,
    HopKind::Wake,
    HopKind::Run,
    HopKind::Age,
    HopKind::HostLoop,
    HopKind::Loop,
];

/// From this many values on, the 99.99th percentile is not simply the maximum.
const ENOUGH_FOR_P9999: u64 = 10_000;

pub(super) fn section(out: &mut Lines, report: &Report) {
    out.title("Loop latency");
    match &report.loop_latency {
        None => out.line("  none: the graph has no stimulate stage"),
        Some(measured) => the_loop(out, measured),
    }
    if all_hops(report).next().is_some() {
        hops(out, report);
    }
}

fn the_loop(out: &mut Lines, measured: &LoopReport) {
    let hop = &measured.hop;
    if hop.figures.count == 0 {
        out.line("  no decision was handed over: nothing to measure");
        return;
    }
    out.wrapped(
        "  ",
        &format!(
            "{} decision{}, sampled to handed: {}",
            thousands(hop.figures.count),
            if hop.figures.count == 1 { "" } else { "s" },
            in_words(&hop.figures)
        ),
    );
    if hop.uncorrected == hop.figures {
        out.line("  no decision was skipped: corrected and uncorrected are the same");
    } else {
        out.wrapped(
            "  ",
            &format!(
                "uncorrected (as {} decisions happened, skipped ones left out): {}",
                thousands(hop.uncorrected.count),
                in_words(&hop.uncorrected)
            ),
        );
    }
    if let Some(words) = bounds::words(hop) {
        out.wrapped("  ", &words);
    }
    caveats(out, hop);
    out.line("");
    bars(out, &measured.histogram);
}

fn in_words(figures: &Figures) -> String {
    let show = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration);
    format!(
        "p50 {}, p99 {}, max {}",
        show(figures.p50_ns),
        show(figures.p99_ns),
        show(figures.max_ns)
    )
}

fn caveats(out: &mut Lines, hop: &HopReport) {
    let name = format!("{} {}", hop.stage, hop_words(hop.kind).0);
    if !hop.complete {
        out.wrapped_after(
            "  ! ",
            "    ",
            &format!(
                "{name} is incomplete: {} records were overwritten before they were read",
                thousands(hop.missing)
            ),
        );
    }
    if hop.saturated > 0 {
        out.wrapped_after(
            "  ! ",
            "    ",
            &format!(
                "{name} is saturated: {} values were longer than max says",
                thousands(hop.saturated)
            ),
        );
    }
}

fn hops(out: &mut Lines, report: &Report) {
    out.title("Hops, corrected, microseconds");
    out.line(&row(
        "",
        "count",
        ["p50", "p99", "p99.9", "p99.99", "max"].map(str::to_owned),
    ));
    for kind in ORDER {
        let mut group = all_hops(report).filter(|hop| hop.kind == kind).peekable();
        if group.peek().is_none() {
            continue;
        }
        let (name, from_to) = hop_words(kind);
        out.line(&format!("{name}: {from_to}"));
        for hop in group {
            let f = &hop.figures;
            let cells = [f.p50_ns, f.p99_ns, f.p999_ns, f.p9999_ns, f.max_ns];
            out.line(&row(
                &hop.stage,
                &thousands(f.count),
                cells.map(microseconds_cell),
            ));
        }
    }
    if all_hops(report).any(|h| h.figures.count > 0 && h.figures.count < ENOUGH_FOR_P9999) {
        out.line("Below 10,000 values p99.99 is the maximum, below 1,000 p99.9 too.");
    }
    for hop in &report.hops {
        caveats(out, hop);
    }
}

fn row(name: &str, count: &str, cells: [String; 5]) -> String {
    let mut line = format!("  {:<16} {count:>10}", clipped(name, 16));
    for cell in cells {
        line += &format!(" {cell:>9}");
    }
    line
}
