//! The result as text: the verdict first, then group by group what was measured, the ratios, and the circumstances.

use super::contract::*;
use crate::contest::word;
use crate::measured::{Bound, Distance, Measure, Statistic};
use crate::report::units::{duration, thousands, to_the_second};
use ephapse_engine::outcome::Verdict;
use std::fmt::Write;

/// Columns of running text.
const WIDTH: usize = 100;
/// Columns of the first column of a table.
const HEAD: usize = 10;
/// Columns of a cell.
const CELL: usize = 13;

/// Draws the result.
pub fn text(result: &BenchResult) -> String {
    let mut out = String::new();
    head(&mut out, result);
    for group in groups_of(result) {
        let of_group = |s: &&SeriesReport| s.group == group;
        let series: Vec<&SeriesReport> = result.series.iter().filter(of_group).collect();
        let latencies = |s: &&&SeriesReport| s.measure == Measure::Latency;
        let (latencies, rates): (Vec<_>, Vec<_>) =
            series.iter().copied().partition(|s| latencies(&s));
        title(&mut out, group, &series);
        if let Some(table) = result.histograms.iter().find(|h| h.group == group) {
            histogram(&mut out, table, &latencies);
        }
        for series in rates {
            rate(&mut out, series);
        }
    }
    comparisons(&mut out, result);
    if result.what == "prove" {
        checks(&mut out, result);
    }
    circumstances(&mut out, result);
    out
}

/// Headings of the result, in order.
pub(super) fn groups_of(result: &BenchResult) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for series in &result.series {
        if !groups.contains(&series.group.as_str()) {
            groups.push(&series.group);
        }
    }
    groups
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
    let kept = out.trim_end_matches(' ').len();
    out.truncate(kept);
    out.push('\n');
}

fn wrapped(out: &mut String, first: &str, rest: &str, text: &str) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest);
    out.push_str(&textwrap::fill(text, options));
    out.push('\n');
}

fn head(out: &mut String, result: &BenchResult) {
    let word = match result.verdict {
        Verdict::Passed => "PASSED: ",
        Verdict::Failed => "FAILED: ",
        Verdict::Threshold => "THRESHOLD: ",
    };
    wrapped(out, word, "  ", &result.why);
    if !result.rt.active {
        wrapped(out, "!!! rt = false: ", "    ", &result.rt.why);
    }
    line(out, format_args!(""));
    line(
        out,
        format_args!("# Ephapse {} bench {}", result.version, result.what),
    );
    line(
        out,
        format_args!(
            "# {}, ran {}",
            to_the_second(&result.started),
            duration(result.duration_ns)
        ),
    );
    line(
        out,
        format_args!(
            "# CPUs {} and {}, {}; {} repetitions; times in microseconds (us)",
            result.settings.cpus[0],
            result.settings.cpus[1],
            result.settings.class,
            result.settings.repetitions
        ),
    );
    wrapped(out, "# Instrument ", "#   ", &result.proof.sentence);
}

fn title(out: &mut String, group: &str, series: &[&SeriesReport]) {
    let placement = match series.first().map(|s| s.distance) {
        None | Some(Distance::OneCpu) => String::new(),
        Some(distance) => format!(" (CPUs {})", word(distance)),
    };
    line(out, format_args!("\n== {group}{placement} =="));
}

/// Microseconds with the digits that an HdrHistogram of three digits has.
pub(super) fn us(ns: f64) -> String {
    let us = ns / 1e3;
    match us {
        us if us < 10.0 => format!("{us:.3}"),
        us if us < 100.0 => format!("{us:.2}"),
        us if us < 1_000.0 => format!("{us:.1}"),
        us => thousands(us.round() as u64),
    }
}

fn us_or_dash(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| us(ns as f64))
}

fn histogram(out: &mut String, table: &HistogramReport, series: &[&SeriesReport]) {
    // A series that a threshold has ended before its first round has no column.
    let has_column = |s: &&SeriesReport| table.series.contains(&s.tag);
    let series: Vec<&SeriesReport> = series.iter().copied().filter(has_column).collect();
    // A terminal takes so many columns; a group with more contestants is printed in parts.
    for (part, columns) in series.chunks(6).enumerate() {
        let at = part * 6;
        let names = columns.iter().map(|s| s.what.as_str());
        let rows_of_names: Vec<Vec<String>> = names
            .map(|name| {
                textwrap::wrap(name, CELL - 1)
                    .iter()
                    .map(ToString::to_string)
                    .collect()
            })
            .collect();
        let height = rows_of_names.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..height {
            let head = if row + 1 == height { "Index us" } else { "" };
            cells(
                out,
                head,
                rows_of_names.iter().map(|words| {
                    let skip = height - words.len();
                    row.checked_sub(skip)
                        .and_then(|r| words.get(r))
                        .cloned()
                        .unwrap_or_default()
                }),
            );
        }
        for row in &table.rows {
            let counts = &row.counts[at..at + columns.len()];
            cells(
                out,
                &us(row.from_ns as f64),
                counts.iter().map(|c| thousands(*c)),
            );
        }
        let over = &table.over[at..at + columns.len()];
        cells(out, "over:", over.iter().map(|c| thousands(*c)));
        let figure = |pick: fn(&SeriesReport) -> String| columns.iter().map(move |s| pick(s));
        cells(out, "count:", figure(|s| thousands(s.figures.count)));
        cells(out, "min:", figure(|s| us_or_dash(s.figures.min_ns)));
        cells(out, "p50:", figure(|s| us_or_dash(s.figures.p50_ns)));
        cells(out, "p99:", figure(|s| us_or_dash(s.figures.p99_ns)));
        cells(out, "p99.9:", figure(|s| us_or_dash(s.figures.p999_ns)));
        cells(
            out,
            "avg:",
            figure(|s| s.mean_ns.map_or_else(|| "-".to_owned(), us)),
        );
        cells(out, "max:", figure(|s| us_or_dash(s.figures.max_ns)));
    }
    for series in &series {
        incomplete(out, series);
        if let (Some(most_ns), Some(held)) = (series.bound_p50_ns, series.held) {
            line(
                out,
                format_args!(
                    "{}: p50 promised to be at most {} us: {}",
                    series.what,
                    us(most_ns as f64),
                    yes(held)
                ),
            );
        }
    }
}

fn incomplete(out: &mut String, series: &SeriesReport) {
    if !series.complete {
        line(
            out,
            format_args!(
                "{}: INCOMPLETE, {} values lost",
                series.what, series.missing
            ),
        );
    }
}

fn cells(out: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let row = cells.fold(format!("{head:<HEAD$}"), |row, cell| {
        row + &format!("{cell:>CELL$}")
    });
    line(out, format_args!("{row}"));
}

fn rate(out: &mut String, series: &SeriesReport) {
    let figure = match (series.measure, series.per_second, series.per_operation_ns) {
        (Measure::Rate { .. }, Some(rate), _) => {
            format!("{:>14} {}/s", thousands(rate.round() as u64), series.unit)
        }
        (_, _, Some(ns)) => format!("{ns:>14.1} ns"),
        _ => format!("{:>14}", "-"),
    };
    let real_time = series
        .real_time_factor
        .map_or_else(String::new, |factor| format!("   {factor:.1} x real time"));
    line(out, format_args!("{:<46}{figure}{real_time}", series.what));
    if let (Some(most_ns), Some(held)) = (series.bound_p50_ns, series.held) {
        let per = match series.measure {
            Measure::Latency => 1,
            Measure::Rate { per } | Measure::Cost { per } => per,
        };
        let promised = match series.real_time_hz {
            Some(hz) => format!(
                "promised: at least {:.1} x real time",
                per as f64 * 1e9 / most_ns as f64 / hz
            ),
            None => format!("promised: at most {:.1} ns", most_ns as f64 / per as f64),
        };
        line(out, format_args!("{:<46}{promised}: {}", "", yes(held)));
    }
    incomplete(out, series);
}

fn yes(held: bool) -> &'static str {
    if held { "yes" } else { "NO" }
}

/// What a bound asks, as it stands beside the interval.
pub(super) fn wanted(bound: Bound) -> String {
    match bound {
        Bound::MedianAtMost(x) => format!("at most {x}"),
        Bound::MedianAtLeast(x) => format!("at least {x}"),
        Bound::WholeBelow(x) => format!("all below {x}"),
        Bound::WholeAbove(x) => format!("all above {x}"),
        Bound::ReachesBelow(x) => format!("reaches below {x}"),
    }
}

/// Name of a statistic in the table of ratios.
pub(super) fn statistic(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::P50 => "p50",
        Statistic::P99 => "p99",
        Statistic::Rate => "rate",
    }
}

fn comparisons(out: &mut String, result: &BenchResult) {
    if result.comparisons.is_empty() {
        return;
    }
    line(
        out,
        format_args!(
            "\n== Ratios: median over pairs of rounds in turns, with its {} % interval ==",
            95
        ),
    );
    for c in &result.comparisons {
        let figure = |value: f64| match c.comparison.statistic {
            Statistic::Rate => format!("{}/s", thousands(value.round() as u64)),
            Statistic::P50 | Statistic::P99 => format!("{} us", us(value)),
        };
        line(
            out,
            format_args!(
                "{}: {} against {}, {}",
                c.group,
                c.of_what,
                c.to_what,
                statistic(c.comparison.statistic)
            ),
        );
        let bound = match (c.comparison.bound, c.held) {
            (Some(bound), Some(held)) => format!("   {}: {}", wanted(bound), yes(held)),
            _ => String::new(),
        };
        let placement = match c.distance {
            Distance::OneCpu => String::new(),
            distance => format!(", CPUs {}", word(distance)),
        };
        let confidence = if c.coverage < crate::stats::CONFIDENCE {
            format!("; only {:.0} %", c.coverage * 100.0)
        } else {
            String::new()
        };
        line(
            out,
            format_args!(
                "    {} / {} = {:.3} ({:.3} to {:.3}{confidence}), {} pairs{placement}{bound}",
                figure(c.of_median),
                figure(c.to_median),
                c.ratio,
                c.low,
                c.high,
                c.pairs,
            ),
        );
    }
}

fn checks(out: &mut String, result: &BenchResult) {
    line(
        out,
        format_args!(
            "\n== Checks: what was computed beforehand, and what came out of the report =="
        ),
    );
    for check in &result.proof.checks {
        let held = if check.held { "ok" } else { "NO" };
        wrapped(
            out,
            &format!("{held}  "),
            "      ",
            &format!(
                "{}: expected {}, found {}",
                check.what, check.expected, check.found
            ),
        );
    }
}

fn circumstances(out: &mut String, result: &BenchResult) {
    line(out, format_args!("\n== Circumstances =="));
    let steal = |ms: Option<u64>| ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms} ms"));
    let load = |load: &[f64]| {
        load.iter()
            .map(|l| format!("{l:.2}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    wrapped(
        out,
        "",
        "  ",
        &format!(
            "Taken by the hypervisor (steal) from CPU {}: {}, from CPU {}: {}. Load {} before, {} after.",
            result.settings.cpus[0],
            steal(result.machine.steal_ms[0]),
            result.settings.cpus[1],
            steal(result.machine.steal_ms[1]),
            load(&result.machine.load_before),
            load(&result.machine.load_after),
        ),
    );
    for note in &result.notes {
        wrapped(out, "- ", "  ", note);
    }
    for skipped in &result.skipped {
        wrapped(out, "- not measured: ", "  ", skipped);
    }
    let host = crate::report::host_entries(&result.host)
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect::<Vec<_>>()
        .join("; ");
    wrapped(out, "Host ", "  ", &host);
}
