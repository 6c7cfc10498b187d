//! What the processes said, counted, and the commands that were run beside the session.

use super::section;
use crate::page::{Cell, escaped, push, table};
use crate::report::contract::Report;
use crate::report::units::{duration, thousands};

pub(super) fn all(page: &mut String, report: &Report) {
    said(page, report);
    told(page, report);
}

fn said(page: &mut String, report: &Report) {
    let logs = &report.logs;
    if logs.said.is_empty() {
        return;
    }
    section(page, "What the processes said");
    let kept = logs.path.as_ref().map_or_else(String::new, |path| {
        format!(
            " Kept in <code>{}</code>; <code>ephapse logs --report</code> shows it.",
            escaped(path)
        )
    });
    push(
        page,
        format_args!(
            "<p class=\"note\">Lines to stdout and stderr = kept + repeated (the same as the line before) + not kept (too many).{kept}</p>\n"
        ),
    );
    let rows = logs.said.iter().map(|s| {
        let mut row = vec![Cell::text(&s.stage)];
        row.extend([s.lines, s.kept, s.repeated, s.not_kept].map(Cell::count));
        row
    });
    table(
        page,
        &["who", "lines", "kept", "repeated", "not kept"],
        rows,
    );
    if !logs.why.is_empty() {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\">Not everything could be written: {}</p>\n",
                escaped(&logs.why)
            ),
        );
    }
}

fn told(page: &mut String, report: &Report) {
    if report.told.is_empty() {
        return;
    }
    section(page, "Commands of [on]");
    let rows = report.told.iter().map(|t| {
        let side = if t.at_ns < 0 { "before" } else { "after" };
        vec![
            Cell::text(&t.on),
            Cell::Text(t.command.join(" ")),
            t.exit_code.map_or_else(
                || Cell::Number("-".to_owned()),
                |code| Cell::Number(code.to_string()),
            ),
            Cell::text(&t.how),
            Cell::text(&t.cause),
            Cell::Text(format!(
                "{} {side} the start",
                duration(t.at_ns.unsigned_abs())
            )),
        ]
    });
    table(
        page,
        &[
            "on",
            "command",
            "exit code",
            "how it ended",
            "cause",
            "when",
        ],
        rows,
    );
    let failed = report
        .told
        .iter()
        .filter(|t| t.exit_code != Some(0))
        .count();
    if failed > 0 {
        push(
            page,
            format_args!(
                "<p class=\"verdict threshold\">{} of {} did not end with 0.</p>\n",
                thousands(failed as u64),
                thousands(report.told.len() as u64)
            ),
        );
    }
}
