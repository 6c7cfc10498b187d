//! What every page of ours is made of: style, escaped text, tables, plots. A page needs nothing but itself: inline style,
//! inline SVG, no script.

mod axis;
mod escape;
pub(crate) mod percentiles;
pub(crate) mod plot;
mod table;

pub(crate) use axis::Axis;
pub(crate) use escape::escaped;
pub(crate) use table::{Cell, table};

use std::fmt::Write;

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Appends to a page.
pub(crate) fn push(page: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(piece);
}
