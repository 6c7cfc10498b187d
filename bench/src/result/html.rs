//! The result as one page that needs nothing but itself.

use super::contract::*;
use super::ratios;
use super::text::{groups_of, statistic, us, wanted};
use crate::contest::word;
use crate::measured::Measure;
use crate::page::percentiles::{axis, nines};
use crate::page::plot::{self, Frame, INK, MAX, P50, P99, PlotError};
use crate::page::{Axis, Cell, STYLE, escaped, push, table};
use crate::report::units::{duration, thousands, to_the_second};
use ephapse_engine::outcome::Verdict;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours of a group's curves, with the class of their keys; a group with more is drawn in parts.
const COLOURS: [(RGBColor, &str); 4] = [(P50, "p50"), (P99, "p99"), (MAX, "max"), (INK, "ink")];

/// Draws the page.
pub fn html(result: &BenchResult) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Ephapse bench {what}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        what = escaped(&result.what)
    );
    head(&mut page, result);
    if !result.comparisons.is_empty() {
        section(&mut page, "Ratios");
        page.push_str(&ratios::figure(&result.comparisons));
        comparisons(&mut page, result);
    }
    for group in groups_of(result) {
        section(&mut page, group);
        let series: Vec<&SeriesReport> =
            result.series.iter().filter(|s| s.group == group).collect();
        let (latencies, rates): (Vec<&SeriesReport>, Vec<&SeriesReport>) =
            series.iter().partition(|s| s.measure == Measure::Latency);
        for part in latencies.chunks(COLOURS.len()) {
            page.push_str(&curves(part));
        }
        if !latencies.is_empty() {
            latency_table(&mut page, &latencies);
        }
        if !rates.is_empty() {
            rate_table(&mut page, &rates);
        }
    }
    circumstances(&mut page, result);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn section(page: &mut String, title: &str) {
    push(page, format_args!("<h2>{}</h2>\n", escaped(title)));
}

fn head(page: &mut String, result: &BenchResult) {
    let (class, word) = match result.verdict {
        Verdict::Passed => ("passed", "Passed"),
        Verdict::Failed => ("failed", "Failed"),
        Verdict::Threshold => ("threshold", "Threshold hit"),
    };
    push(
        page,
        format_args!(
            "<header>\n<p class=\"verdict {class}\"><strong>{word}:</strong> {}</p>\n",
            escaped(&result.why)
        ),
    );
    if !result.rt.active {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\"><strong>rt = false:</strong> {}</p>\n",
                escaped(&result.rt.why)
            ),
        );
    }
    push(
        page,
        format_args!(
            "<h1>Ephapse bench {}</h1>\n<p>Started {}, ran {}; CPUs {} and {}, {}; {} repetitions. Instrument {}. \
             The histogram of every round is in <code>{}</code>, from which each figure here can be computed again.</p>\n</header>\n",
            escaped(&result.what),
            escaped(&to_the_second(&result.started)),
            duration(result.duration_ns),
            result.settings.cpus[0],
            result.settings.cpus[1],
            escaped(&result.settings.class),
            result.settings.repetitions,
            escaped(&result.proof.sentence),
            escaped(&result.hlog),
        ),
    );
}

fn comparisons(page: &mut String, result: &BenchResult) {
    let heads = [
        "compared",
        "figure",
        "ratio",
        "95 % interval",
        "pairs",
        "CPUs",
        "promised",
        "",
    ];
    let rows = result.comparisons.iter().map(|c| {
        vec![
            Cell::Text(format!("{}: {} against {}", c.group, c.of_what, c.to_what)),
            Cell::text(statistic(c.comparison.statistic)),
            Cell::Number(format!("{:.3}", c.ratio)),
            Cell::Number(format!("{:.3} to {:.3}", c.low, c.high)),
            Cell::count(c.pairs as u64),
            Cell::text(word(c.distance)),
            Cell::Text(c.comparison.bound.map_or_else(String::new, wanted)),
            c.held.map_or_else(|| Cell::text(""), Cell::Mark),
        ]
    });
    table(page, &heads, rows);
}

fn latency_table(page: &mut String, series: &[&SeriesReport]) {
    let heads = [
        "latency, us",
        "CPUs",
        "count",
        "min",
        "p50",
        "p99",
        "p99.9",
        "mean",
        "max",
        "complete",
    ];
    let cell =
        |ns: Option<u64>| Cell::Number(ns.map_or_else(|| "-".to_owned(), |ns| us(ns as f64)));
    let rows = series.iter().map(|s| {
        vec![
            Cell::text(&s.what),
            Cell::text(word(s.distance)),
            Cell::count(s.figures.count),
            cell(s.figures.min_ns),
            cell(s.figures.p50_ns),
            cell(s.figures.p99_ns),
            cell(s.figures.p999_ns),
            Cell::Number(s.mean_ns.map_or_else(|| "-".to_owned(), us)),
            cell(s.figures.max_ns),
            Cell::Mark(s.complete),
        ]
    });
    table(page, &heads, rows);
}

fn rate_table(page: &mut String, series: &[&SeriesReport]) {
    let heads = [
        "",
        "per second",
        "",
        "ns each",
        "times real time",
        "complete",
    ];
    let rows = series.iter().map(|s| {
        let number = |value: Option<f64>, digits: usize| {
            Cell::Number(value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}")))
        };
        vec![
            Cell::text(&s.what),
            Cell::Number(
                s.per_second
                    .map_or_else(|| "-".to_owned(), |r| thousands(r as u64)),
            ),
            Cell::text(&s.unit),
            number(s.per_operation_ns, 1),
            number(s.real_time_factor, 1),
            Cell::Mark(s.complete),
        ]
    });
    table(page, &heads, rows);
}

fn curves(series: &[&SeriesReport]) -> String {
    let legend: Vec<(&str, &str)> = series
        .iter()
        .zip(COLOURS)
        .map(|(s, (_, class))| (class, s.what.as_str()))
        .collect();
    let sentence = series
        .iter()
        .filter_map(|s| {
            Some(format!(
                "{}: half within {}, 99 of 100 within {}.",
                s.what,
                duration(s.figures.p50_ns?),
                duration(s.figures.p99_ns?)
            ))
        })
        .collect::<Vec<_>>()
        .join(" ");
    plot::figure("Latency by percentile", &legend, &sentence, 320, |area| {
        draw(area, series)
    })
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    series: &[&SeriesReport],
) -> Result<(), PlotError> {
    let lowest = series.iter().filter_map(|s| s.figures.min_ns).min();
    let highest = series.iter().filter_map(|s| s.figures.max_ns).max();
    let count = series.iter().map(|s| s.figures.count).max().unwrap_or(1);
    let y = Axis::latency(lowest.unwrap_or(1), highest.unwrap_or(1));
    let x = axis(count);
    let frame = Frame {
        x_title: "share of values that were not larger (percentile)",
        y_title: "latency",
        y_labels: 80,
    };
    let mut chart = plot::chart(area, (&x, &y.clone().with_room()), &frame)?;
    for (series, (colour, _)) in series.iter().zip(COLOURS) {
        let points = series
            .curve
            .iter()
            .map(|p| (nines(p.percent, series.figures.count), y.at(p.value_ns)));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

fn circumstances(page: &mut String, result: &BenchResult) {
    section(page, "Circumstances");
    let steal = |ms: Option<u64>| ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms} ms"));
    push(
        page,
        format_args!(
            "<p>Taken by the hypervisor (steal) from CPU {}: {}, from CPU {}: {}. Load {:?} before, {:?} after.</p>\n<ul>\n",
            result.settings.cpus[0],
            steal(result.machine.steal_ms[0]),
            result.settings.cpus[1],
            steal(result.machine.steal_ms[1]),
            result.machine.load_before,
            result.machine.load_after,
        ),
    );
    for note in &result.notes {
        push(page, format_args!("<li>{}</li>\n", escaped(note)));
    }
    for skipped in &result.skipped {
        push(
            page,
            format_args!("<li>Not measured: {}</li>\n", escaped(skipped)),
        );
    }
    page.push_str("</ul>\n");
    let host = crate::report::host_entries(&result.host);
    table(
        page,
        &["host", ""],
        host.iter()
            .map(|(key, value)| vec![Cell::text(key), Cell::text(value)]),
    );
}

#[cfg(test)]
mod tests {
    use super::super::reduce::reduce;
    use super::super::samples;
    use super::*;

    #[test]
    fn the_page_shows_every_series_and_ratio_and_needs_nothing_else() {
        let mut measured = samples::measured();
        measured.series[0].what = "<script>engine".to_owned();
        let page = html(&reduce(&measured, samples::circumstances()));
        for wanted in [
            "&lt;script&gt;engine",
            "ring.b",
            "band-pass, 60 channels",
            "A note.",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert!(!page.contains("<script"));
        // The one address in it names the kind of a drawing and is never fetched.
        let own = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("http"), "something is fetched from elsewhere");
        assert!(page.matches("<svg").count() >= 2);
        assert!(!page.contains("could not be drawn"));
    }
}
