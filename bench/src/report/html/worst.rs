//! The worst loops: a table, and below each row's number its way.

use super::section;
use crate::page::{Cell, escaped, push, table};
use crate::report::contract::Report;
use crate::report::text::what_cost_most;
use crate::report::units::{duration, thousands};
use crate::report::walks::{HEADS, WalkReport};

pub(super) fn all(page: &mut String, report: &Report) {
    if report.incidents.is_empty() {
        return;
    }
    section(page, "Worst loops, as they happened");
    page.push_str(
        "<p class=\"note\">Sampled to handed. Decisions that the same thing kept waiting are one row, with the worst of them.</p>\n",
    );
    let rows = report.incidents.iter().map(|incident| {
        let worst = &incident.worst;
        let span = incident.span_in_words();
        vec![
            Cell::Number(thousands(worst.tick)),
            Cell::Number(duration(worst.total_ns)),
            Cell::Text(what_cost_most(worst)),
            Cell::Text(span.unwrap_or_else(|| "this one".to_owned())),
        ]
    });
    table(
        page,
        &["tick", "total", "the hop that cost most", "decisions"],
        rows,
    );
    page.push_str("<details><summary>Each of them, stage by stage</summary>\n");
    for incident in &report.incidents {
        way(page, &incident.worst);
    }
    page.push_str("</details>\n");
}

/// What `ephapse why` says of it.
fn way(page: &mut String, walk: &WalkReport) {
    push(page, format_args!("<p>{}</p>\n", escaped(&walk.title())));
    if let Some(why) = &walk.broken {
        push(
            page,
            format_args!("<p class=\"note\">Before this: {}.</p>\n", escaped(why)),
        );
    }
    let rows = walk.hops.iter().map(|hop| {
        let [stage, numbers @ ..] = hop.cells();
        let mut row = vec![Cell::Text(stage)];
        row.extend(numbers.map(Cell::Number));
        row.push(Cell::Text(walk.why_in_words(hop)));
        row
    });
    table(page, &HEADS, rows);
}
