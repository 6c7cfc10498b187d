//! What stands in a report against what must stand there.

use super::chain::SLICE_NS;
use super::proof::Checks;
use super::reading::{Cells, Files};
use super::resolution::{cell, cells, percentile};
use super::script::{Decision, START_NS, Script, Truth};
use crate::report::units::thousands;
use crate::report::{Figures, HopReport};
use ephapse_engine::outcome::{HopKind, Verdict};
use std::collections::BTreeSet;

/// Everything.
pub(super) fn compare(script: &Script, files: &Files, checks: &mut Checks) {
    let truths = || script.processes.iter().flat_map(|p| &p.truths);
    // Counts first: whoever lost a record should read that before what follows from it.
    for truth in truths() {
        let found = hop(files, truth).map_or(0, |hop| hop.uncorrected.count);
        let expected = truth.uncorrected.len() as u64;
        checks.count(format!("values of {}", tag(truth, false)), expected, found);
    }
    tags(truths(), files, checks);
    checks.add(
        "verdict of the report",
        "passed",
        files.report.why.clone(),
        files.report.verdict == Verdict::Passed,
    );
    for truth in truths() {
        for (corrected, values) in [(false, &truth.uncorrected), (true, &truth.corrected)] {
            distribution(truth, corrected, values, files, checks);
            figures(truth, corrected, values, files, checks);
        }
        stalls(truth, files, checks);
        if truth.kind == HopKind::Loop {
            percentile_file(truth, files, checks);
        }
    }
    intervals(&script.decisions, files, checks);
}

fn manner(corrected: bool) -> &'static str {
    if corrected {
        "corrected"
    } else {
        "as it happened"
    }
}

/// Tag of a hop in the logs.
fn tag(truth: &Truth, corrected: bool) -> String {
    let tag = match truth.kind {
        HopKind::Loop => "loop".to_owned(),
        other => {
            let kind = serde_json::json!(other);
            format!("{}.{}", truth.stage, kind.as_str().unwrap_or_default())
        }
    };
    if corrected { tag + ".corrected" } else { tag }
}

/// The logs have every hop that must be there, and no other.
fn tags<'a>(truths: impl Iterator<Item = &'a Truth>, files: &Files, checks: &mut Checks) {
    let tags = truths.flat_map(|truth| [tag(truth, false), tag(truth, true)]);
    let expected: BTreeSet<String> = tags.collect();
    let found: BTreeSet<String> = files.logs.keys().cloned().collect();
    let list = |tags: Vec<&String>| format!("{tags:?}");
    checks.add(
        "tags in the logs",
        format!("{}", expected.len()),
        if expected == found {
            format!("{}", found.len())
        } else {
            format!(
                "{} missing, {} that do not belong there",
                list(expected.difference(&found).collect()),
                list(found.difference(&expected).collect())
            )
        },
        expected == found,
    );
}

fn hop<'a>(files: &'a Files, truth: &Truth) -> Option<&'a HopReport> {
    let the_loop = files.report.loop_latency.iter().map(|l| &l.hop);
    files
        .report
        .hops
        .iter()
        .chain(the_loop)
        .find(|hop| hop.stage == truth.stage && hop.kind == truth.kind)
}

/// Cell by cell, from the interval log.
fn distribution(
    truth: &Truth,
    corrected: bool,
    values: &[u64],
    files: &Files,
    checks: &mut Checks,
) {
    let what = format!(
        "{}, {}: distribution in the log",
        tag(truth, false),
        manner(corrected)
    );
    let expected = cells(values);
    let found = files.sum(&tag(truth, corrected));
    let (held, difference) = differences(&expected, &found);
    let expected = format!(
        "{} values in {} cells",
        thousands(values.len() as u64),
        thousands(expected.len() as u64)
    );
    let found = if held { expected.clone() } else { difference };
    checks.add(what, expected, found, held);
}

/// True if they are the same; else how many cells differ, and the first that does.
fn differences(expected: &Cells, found: &Cells) -> (bool, String) {
    let all: BTreeSet<u64> = expected.keys().chain(found.keys()).copied().collect();
    let count = |cells: &Cells, cell: &u64| cells.get(cell).copied().unwrap_or(0);
    let differ: Vec<u64> = all
        .into_iter()
        .filter(|cell| count(expected, cell) != count(found, cell))
        .collect();
    let words = differ.first().map_or_else(String::new, |first| {
        format!(
            "{} at {} ns, where {} belong; {} cells differ",
            count(found, first),
            thousands(*first),
            count(expected, first),
            thousands(differ.len() as u64)
        )
    });
    (differ.is_empty(), words)
}

/// Count, percentiles and ends in `report.json`, each in the cell of the value it should be.
fn figures(truth: &Truth, corrected: bool, values: &[u64], files: &Files, checks: &mut Checks) {
    let what = format!(
        "{}, {}: figures of the report",
        tag(truth, false),
        manner(corrected)
    );
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let expected = Figures {
        count: sorted.len() as u64,
        min_ns: sorted.first().copied(),
        p50_ns: percentile(&sorted, 5_000),
        p99_ns: percentile(&sorted, 9_900),
        p999_ns: percentile(&sorted, 9_990),
        p9999_ns: percentile(&sorted, 9_999),
        max_ns: sorted.last().copied(),
    };
    let Some(hop) = hop(files, truth) else {
        checks.add(what, written(&expected), "no such hop", false);
        return;
    };
    let found = if corrected {
        &hop.figures
    } else {
        &hop.uncorrected
    };
    let sound = hop.complete && hop.saturated == 0;
    let held = sound && in_cells(&expected) == in_cells(found);
    checks.add(what, written(&expected), written(found), held);
}

fn latencies(figures: &Figures) -> [Option<u64>; 6] {
    [
        figures.min_ns,
        figures.p50_ns,
        figures.p99_ns,
        figures.p999_ns,
        figures.p9999_ns,
        figures.max_ns,
    ]
}

fn in_cells(figures: &Figures) -> (u64, [Option<u64>; 6]) {
    (figures.count, latencies(figures).map(|ns| ns.map(cell)))
}

fn written(figures: &Figures) -> String {
    let names = ["min", "p50", "p99", "p99.9", "p99.99", "max"];
    let latencies = latencies(figures).map(|ns| ns.map_or_else(|| "none".to_owned(), thousands));
    let parts: Vec<String> = names
        .iter()
        .zip(latencies)
        .map(|(name, ns)| format!("{name} {ns}"))
        .collect();
    format!(
        "{} values: {} ns",
        thousands(figures.count),
        parts.join(", ")
    )
}

/// A stall is one value as it happened; corrected, it is one for each deadline or decision that fell due meanwhile.
fn stalls(truth: &Truth, files: &Files, checks: &mut Checks) {
    let [happened, corrected] = [false, true].map(|corrected| files.sum(&tag(truth, corrected)));
    let at = |cells: &Cells, ns: &u64| cells.get(&cell(*ns)).copied().unwrap_or(0);
    for stall in &truth.stalls {
        let say = |once: u64, times: u64| {
            format!(
                "{once} of {} ns as it happened, {times} from {} to {} ns corrected",
                thousands(stall.once_ns),
                thousands(stall.each_ns.iter().copied().min().unwrap_or(0)),
                thousands(stall.each_ns.iter().copied().max().unwrap_or(0))
            )
        };
        let once = at(&happened, &stall.once_ns);
        let each = stall.each_ns.iter().map(|ns| at(&corrected, ns));
        checks.add(
            format!("{}: {}", tag(truth, false), stall.what),
            say(1, stall.each_ns.len() as u64),
            say(once, each.clone().sum()),
            once == 1 && each.clone().all(|count| count == 1),
        );
    }
}

/// Every line of `loop.hgrm` counts the values up to it.
fn percentile_file(truth: &Truth, files: &Files, checks: &mut Checks) {
    let mut sorted = truth.corrected.clone();
    sorted.sort_unstable();
    let up_to = |ns: u64| sorted.partition_point(|value| cell(*value) <= cell(ns)) as u64;
    let right = files
        .rows
        .iter()
        .filter(|row| row.total == up_to(row.value_ns));
    let (right, all) = (right.count(), files.rows.len());
    let last = files.rows.last().map_or(0, |row| row.total);
    checks.add(
        "percentile file of the loop",
        format!(
            "{all} lines count right, the last {}",
            thousands(sorted.len() as u64)
        ),
        format!("{right} lines count right, the last {}", thousands(last)),
        right == all && last == sorted.len() as u64,
    );
}

/// Every interval of the loop holds the decisions of its time, and together they hold all.
fn intervals(decisions: &[Decision], files: &Files, checks: &mut Checks) {
    let intervals = files.logs.get("loop").map_or(&[][..], Vec::as_slice);
    let seconds = files.report.loop_latency.iter().flat_map(|l| &l.seconds);
    let counts: Vec<u64> = seconds.map(|second| second.figures.count).collect();
    let mut right = 0;
    let mut held = 0;
    for (index, interval) in intervals.iter().enumerate() {
        let from_ns = START_NS + interval.from_ns;
        let within = from_ns..from_ns + interval.length_ns;
        let ages = decisions.iter().filter(|d| within.contains(&d.handed_ns));
        let ages: Vec<u64> = ages.map(|d| d.age_ns).collect();
        let whole = interval.length_ns % SLICE_NS == 0;
        let same =
            cells(&ages) == interval.cells && counts.get(index) == Some(&(ages.len() as u64));
        right += usize::from(whole && same);
        held += ages.len();
    }
    let say = |right: usize, held: usize| {
        format!(
            "{right} of {} intervals hold the decisions of their time, together {}",
            intervals.len(),
            thousands(held as u64)
        )
    };
    checks.add(
        "loop, interval by interval",
        say(intervals.len(), decisions.len()),
        say(right, held),
        right == intervals.len() && held == decisions.len() && counts.len() == intervals.len(),
    );
}
