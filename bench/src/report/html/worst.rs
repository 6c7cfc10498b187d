//! The worst loops: a table, and below each row's number its way.

use super::section;
use crate::page::{Cell, escaped, push, table};
use crate::report::contract::Report;
use crate::report::text::what_cost_most;
use crate::report::units::{duration, thousands};
use crate::report::walks::walk_text;

pub(super) fn all(page: &mut String, report: &Report) {
    if report.worst.is_empty() {
        return;
    }
    section(page, "Worst loops, as they happened");
    let rows = report.worst.iter().map(|walk| {
        vec![
            Cell::Number(thousands(walk.tick)),
            Cell::Number(duration(walk.total_ns)),
            Cell::Text(what_cost_most(walk)),
        ]
    });
    table(page, &["tick", "total", "the hop that cost most"], rows);
    page.push_str("<details><summary>Each of them, stage by stage</summary>\n");
    for walk in &report.worst {
        push(
            page,
            format_args!("<pre>{}</pre>\n", escaped(&walk_text(walk))),
        );
    }
    page.push_str("</details>\n");
}
