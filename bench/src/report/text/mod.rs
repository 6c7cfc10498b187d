//! The report as text, at most 80 columns wide: the verdict first, what to try next last.

mod accounts;
mod held;
mod histogram;
mod host;
mod latency;
mod on_purpose;
mod rt_watch;
mod said;
mod stages;
mod worst;

pub(super) use worst::what_cost_most;

use super::contract::{FaultReport, Report};
use super::recorded::recorded;
use super::units::{duration, thousands, to_the_second};
use super::why::moment;
use ephapse_engine::outcome::Verdict;

/// Columns of the report.
const WIDTH: usize = 80;

/// Faults that are listed; the first is the cause, most others are its consequences.
const FAULTS_SHOWN: usize = 10;

/// Draws the report. `try_next` is what to suggest at the end, best first.
pub fn text(report: &Report, try_next: &[String]) -> String {
    let mut out = Lines::default();
    head(&mut out, report);
    latency::section(&mut out, report);
    worst::section(&mut out, report);
    accounts::section(&mut out, report);
    stages::section(&mut out, report);
    rt_watch::section(&mut out, report);
    said::section(&mut out, report);
    said::told(&mut out, report);
    host::section(&mut out, report);
    if !try_next.is_empty() {
        out.title(match try_next.len() {
            1 => "One thing to try next",
            2 => "Two things to try next",
            3 => "Three things to try next",
            _ => "Things to try next",
        });
        for (i, suggestion) in try_next.iter().enumerate() {
            out.wrapped(&format!("  {}. ", i + 1), suggestion);
        }
    }
    out.text
}

fn head(out: &mut Lines, report: &Report) {
    let word = match report.verdict {
        Verdict::Passed => "PASSED: ",
        Verdict::Failed => "FAILED: ",
        Verdict::Threshold => "THRESHOLD: ",
    };
    out.wrapped_after(word, "  ", &report.why);
    if !report.rt.active {
        let why = if report.rt.why.is_empty() {
            "no reason was given"
        } else {
            &report.rt.why
        };
        out.wrapped_after("!!! rt = false: ", "    ", why);
    }
    out.line("");
    let mut entry = |name: &str, value: &str| out.wrapped(&format!("{name:<11} "), value);
    entry("Session", &report.session);
    let title = report.experiment.get("title");
    if let Some(title) = title {
        entry("Experiment", title);
    }
    entry(
        "Played",
        report.recording.as_deref().unwrap_or("no recording"),
    );
    if let Some(capture) = &report.capture {
        entry("Recorded", &recorded(capture));
    }
    if let Some(replay) = &report.replay {
        entry("Replays", &replay.says);
    }
    entry("Started", &to_the_second(&report.started));
    entry(
        "Ran for",
        &format!(
            "{}; ended by: {}",
            duration(report.duration_ns),
            report.ended_by
        ),
    );
    entry(
        "Tick",
        &report.timer.as_ref().map_or_else(
            || "none: an unpaced run in logical time".to_owned(),
            |t| {
                format!(
                    "every {} (timer on CPU {}, priority {})",
                    duration(t.period_ns),
                    t.cpu,
                    t.priority
                )
            },
        ),
    );
    // A single fault already stands in the verdict.
    if report.faults.len() > 1 {
        happened(out, "Faults, first to last", &report.faults);
    }
    on_purpose::section(out, report);
    if !report.restarts.is_empty() {
        happened(out, "Restarts, first to last", &report.restarts);
    }
    held::section(out, report);
}

fn happened(out: &mut Lines, title: &str, list: &[FaultReport]) {
    out.title(title);
    for fault in list.iter().take(FAULTS_SHOWN) {
        out.wrapped(
            "  ",
            &format!(
                "{}: {} ({})",
                fault.who,
                fault.what,
                moment(fault.tick, fault.at_ns)
            ),
        );
    }
    let unlisted = list.len().saturating_sub(FAULTS_SHOWN);
    if unlisted > 0 {
        out.line(&format!(
            "  and {} more in report.json",
            thousands(unlisted as u64)
        ));
    }
}

/// Text that grows by lines of at most [`WIDTH`] columns.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading, with an empty line before it.
    fn title(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    /// `text` after `first`, continued below itself.
    fn wrapped(&mut self, first: &str, text: &str) {
        self.wrapped_after(first, &" ".repeat(first.chars().count()), text);
    }

    /// `text` after `first`, continued after `rest`.
    fn wrapped_after(&mut self, first: &str, rest: &str, text: &str) {
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(first)
            .subsequent_indent(rest);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }
}

/// `name` in at most `width` columns; what is cut shows as an ellipsis.
fn clipped(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    let kept = name.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// How an account that holds, or does not, is marked.
fn mark(holds: bool) -> &'static str {
    if holds { "ok" } else { "BROKEN" }
}
