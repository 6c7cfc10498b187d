//! The report as one page that needs nothing but itself: inline style, inline SVG, no script.

mod curve;
mod distribution;
mod hop_bars;
mod over_time;
mod rt_watch;
mod said;
mod tables;
mod worst;

use super::contract::Report;
use super::recorded::recorded;
use super::units::{duration, to_the_second};
use crate::page::{STYLE, escaped, push};
use ephapse_engine::outcome::Verdict;

/// Draws the page. `try_next` is what to suggest at the end, best first.
pub fn html(report: &Report, try_next: &[String]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Ephapse report: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&report.session)
    );
    head(&mut page, report);
    plots(&mut page, report);
    worst::all(&mut page, report);
    tables::all(&mut page, report);
    if !try_next.is_empty() {
        section(&mut page, "What to try next");
        page.push_str("<ol>\n");
        for suggestion in try_next {
            push(
                &mut page,
                format_args!("<li>{}</li>\n", escaped(suggestion)),
            );
        }
        page.push_str("</ol>\n");
    }
    section(&mut page, "The graph that ran");
    push(
        &mut page,
        format_args!(
            "<details><summary>As resolved, every default written out</summary>\n<pre>{}</pre>\n</details>\n",
            escaped(&report.graph)
        ),
    );
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(page: &mut String, report: &Report) {
    let (class, word) = match report.verdict {
        Verdict::Passed => ("passed", "Passed"),
        Verdict::Failed => ("failed", "Failed"),
        Verdict::Threshold => ("threshold", "Threshold hit"),
    };
    push(
        page,
        format_args!(
            "<header>\n<p class=\"verdict {class}\"><strong>{word}:</strong> {}.</p>\n",
            escaped(report.why.trim_end_matches('.'))
        ),
    );
    if !report.rt.active {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\"><strong>rt = false:</strong> {}</p>\n",
                escaped(&report.rt.why)
            ),
        );
    }
    let title = report.experiment.get("title").unwrap_or(&report.session);
    push(page, format_args!("<h1>{}</h1>\n", escaped(title)));
    let tick = report.timer.as_ref().map_or_else(
        || "unpaced, in logical time".to_owned(),
        |t| format!("one tick every {}", duration(t.period_ns)),
    );
    let played = match &report.recording {
        Some(name) => format!("played <strong>{}</strong>", escaped(name)),
        None => "played no recording".to_owned(),
    };
    push(
        page,
        format_args!(
            "<p>Session <strong>{}</strong> {played}, started {}, ran {}, {}; ended by: {}.</p>\n",
            escaped(&report.session),
            escaped(&to_the_second(&report.started)),
            duration(report.duration_ns),
            tick,
            escaped(&report.ended_by)
        ),
    );
    if let Some(capture) = &report.capture {
        let replays = match &report.replay {
            Some(replay) => format!("Replays: {}.", escaped(&replay.says)),
            None => "Not replayed (<code>ephapse replay</code> does that).".to_owned(),
        };
        push(
            page,
            format_args!(
                "<p>Recorded: {}. {replays}</p>\n",
                escaped(&recorded(capture))
            ),
        );
    }
    page.push_str("</header>\n");
}

fn plots(page: &mut String, report: &Report) {
    section(page, "Loop latency: sampled to handed to the device");
    match &report.loop_latency {
        None => {
            page.push_str("<p>The graph has no stimulate stage: there is no loop to measure.</p>\n")
        }
        Some(measured) if measured.hop.figures.count == 0 => {
            page.push_str("<p>No decision was handed over: there is nothing to measure.</p>\n");
        }
        Some(measured) => {
            tables::loop_figures(page, &measured.hop);
            page.push_str(&curve::figure(measured));
            page.push_str(&distribution::figure(measured));
            page.push_str(&over_time::figure(measured));
        }
    }
    if report.hops.iter().any(|hop| hop.figures.count > 0) {
        section(page, "Hops");
        page.push_str(&hop_bars::figure(report));
    }
}

fn section(page: &mut String, title: &str) {
    push(page, format_args!("<h2>{title}</h2>\n"));
}
