//! Tables of a page.

use super::{escaped, push};
use crate::report::units::thousands;

/// A cell: text to the left, numbers to the right, marks in colour.
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// A number, as it is shown.
    Number(String),
    /// `ok` or `BROKEN`.
    Mark(bool),
}

impl Cell {
    /// Text.
    pub(crate) fn text(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }

    /// A count.
    pub(crate) fn count(count: u64) -> Self {
        Cell::Number(thousands(count))
    }
}

/// A table with its heads.
pub(crate) fn table(page: &mut String, heads: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) {
    let mut rows = rows.into_iter().peekable();
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (i, head) in heads.iter().enumerate() {
        let class = match rows.peek().and_then(|row| row.get(i)) {
            Some(Cell::Text(_)) => " class=\"text\"",
            _ => "",
        };
        push(page, format_args!("<th{class}>{}</th>", escaped(head)));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            match cell {
                Cell::Text(text) => {
                    let class = if text.chars().count() > 40 {
                        "text long"
                    } else {
                        "text"
                    };
                    push(
                        page,
                        format_args!("<td class=\"{class}\">{}</td>", escaped(&text)),
                    );
                }
                Cell::Number(number) => push(page, format_args!("<td>{}</td>", escaped(&number))),
                Cell::Mark(true) => page.push_str("<td class=\"ok\">ok</td>"),
                Cell::Mark(false) => page.push_str("<td class=\"broken\">BROKEN</td>"),
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}
