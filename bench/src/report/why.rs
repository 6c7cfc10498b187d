//! The verdict in one sentence, and the words for what is measured.

use super::contract::{GuardReport, HopReport, Report};
use super::units::{duration, thousands};
use ephapse_engine::outcome::{HopKind, Verdict};

/// What a hop measures: its short name, and from where to where.
pub(super) fn hop_words(kind: HopKind) -> (&'static str, &'static str) {
    match kind {
        HopKind::TimerLateness => ("lateness", "deadline to timer awake"),
        HopKind::Wake => ("wake", "tick due, or input committed, to stage running"),
        HopKind::Run => ("run", "stage running to output committed"),
        HopKind::Transport => ("transport", "sampled to arrived on the host"),
        HopKind::Age => ("age", "sampled to this stage's commit"),
        HopKind::Loop => ("loop", "sampled (last frame used) to handed to the device"),
        HopKind::HostLoop => ("host loop", "arrived on the host to handed to the device"),
    }
}

/// What a guard did, in words.
pub(super) fn guard_words(guard: &GuardReport) -> String {
    let told = match guard.told {
        0 => "it was off already".to_owned(),
        1 => "switched off".to_owned(),
        told => format!("switched off {} times", thousands(told)),
    };
    match guard.off_within_ns {
        Some(ns) => format!(
            "{told}, off at most {} after its last sign of life",
            duration(ns)
        ),
        None => format!(
            "{told}, and NOT seen off ({} calls failed)",
            thousands(guard.failed)
        ),
    }
}

/// A moment of the run: `tick 1,234, 1.23 s after the start`.
pub(super) fn moment(tick: u64, at_ns: i64) -> String {
    let side = if at_ns < 0 { "before" } else { "after" };
    format!(
        "tick {}, {} {side} the start",
        thousands(tick),
        duration(at_ns.unsigned_abs())
    )
}

/// All hops, the loop last.
pub(super) fn all_hops(report: &Report) -> impl Iterator<Item = &HopReport> {
    report
        .hops
        .iter()
        .chain(report.loop_latency.as_ref().map(|l| &l.hop))
}

/// The first fault, the first broken account, the first incomplete histogram, the broken budget, or what held.
pub(super) fn why(report: &Report) -> String {
    match report.verdict {
        Verdict::Failed => first_failure(report),
        Verdict::Threshold => report.budgets.first().map_or_else(
            || "a budget of the graph was broken".to_owned(),
            |b| {
                let more = match report.budgets.len() - 1 {
                    0 => String::new(),
                    n => format!("; {n} more stages broke theirs"),
                };
                format!(
                    "{} took longer than its budget of {} in {} activations, at worst {}{more}",
                    b.stage,
                    duration(b.budget_ns),
                    thousands(b.broken),
                    duration(b.worst_ns)
                )
            },
        ),
        Verdict::Passed => {
            "every account holds, every histogram is complete, no budget was broken".to_owned()
        }
    }
}

fn first_failure(report: &Report) -> String {
    if let Some(fault) = report.faults.first() {
        return format!(
            "{}: {} ({})",
            fault.who,
            fault.what,
            moment(fault.tick, fault.at_ns)
        );
    }
    if let Some(account) = broken_accounts(report).next() {
        return format!("account broken: {account}");
    }
    all_hops(report).find(|hop| !hop.complete).map_or_else(
        || "the engine's own verdict is failed, without a fault or a broken account".to_owned(),
        |hop| {
            format!(
                "histogram incomplete: {} records of {} ({}) were overwritten before the collector read them; \
                 its percentiles are no evidence",
                thousands(hop.missing),
                hop.stage,
                hop_words(hop.kind).0
            )
        },
    )
}

/// Every account that does not hold, as an equation with its numbers: ticks, rings, edges, sources.
fn broken_accounts(report: &Report) -> impl Iterator<Item = String> {
    let ticks = report.ticks.iter().filter(|a| !a.holds).map(|a| {
        let sum = sum([a.run, a.late_wake, a.long_run, a.no_room, a.dead]);
        format!(
            "ticks of {}: due {} is not run {} + late wake {} + long run {} + no room {} + dead {} = {}",
            a.who,
            thousands(a.due),
            thousands(a.run),
            thousands(a.late_wake),
            thousands(a.long_run),
            thousands(a.no_room),
            thousands(a.dead),
            thousands(sum)
        )
    });
    let rings = report.rings.iter().filter(|a| !a.holds).map(|a| {
        format!(
            "ring {}: offered {} is not published {} + dropped {} = {}",
            a.stream,
            thousands(a.offered),
            thousands(a.published),
            thousands(a.dropped),
            thousands(sum([a.published, a.dropped]))
        )
    });
    let edges = report.edges.iter().filter(|a| !a.holds).map(|a| {
        let sum = sum([a.consumed, a.jumped, a.lapped, a.left]);
        if sum == a.published {
            return format!(
                "edge {} > {}: {} blocks were left in the ring after the drain",
                a.stream,
                a.seat,
                thousands(a.left)
            );
        }
        format!(
            "edge {} > {}: published {} is not consumed {} + jumped {} + lapped {} + left {} = {}",
            a.stream,
            a.seat,
            thousands(a.published),
            thousands(a.consumed),
            thousands(a.jumped),
            thousands(a.lapped),
            thousands(a.left),
            thousands(sum)
        )
    });
    let sources = report.sources.iter().filter(|a| !a.holds).map(|a| {
        format!(
            "source {}: counted {} frames is not valid {} + lost {} = {}",
            a.stream,
            thousands(a.counted),
            thousands(a.valid),
            thousands(a.lost),
            thousands(sum([a.valid, a.lost]))
        )
    });
    ticks.chain(rings).chain(edges).chain(sources)
}

/// A counter that is broken may hold anything: the sum must not overflow.
fn sum<const N: usize>(terms: [u64; N]) -> u64 {
    terms.into_iter().fold(0, u64::saturating_add)
}
