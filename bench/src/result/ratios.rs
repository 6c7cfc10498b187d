//! All ratios in one picture: the interval as a line, its median as a dot, 1 as the line to look at.

use super::contract::ComparisonReport;
use crate::page::plot::{self, GRID, INK, MAX, P50, PlotError, WIDTH};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Height of a row.
const ROW: u32 = 22;
/// Width of the names.
const NAMES: i32 = 470;
/// Room below the rows for the marks.
const MARKS: u32 = 30;

/// The picture.
pub(super) fn figure(comparisons: &[ComparisonReport]) -> String {
    let height = comparisons.len() as u32 * ROW + MARKS;
    plot::figure(
        "Ratios with their 95 % intervals",
        &[
            ("p50", "bound holds, or nothing is promised"),
            ("max", "bound does not hold"),
        ],
        "Each line is the interval of a median ratio over pairs of rounds in turns, the dot the median. At 1 both take the same time.",
        height,
        |area| draw(area, comparisons, height),
    )
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    comparisons: &[ComparisonReport],
    height: u32,
) -> Result<(), PlotError> {
    let ends = comparisons.iter().flat_map(|c| [c.low, c.high]);
    let (mut low, mut high) = ends.fold((0.5_f64, 2.0_f64), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    (low, high) = (low / 1.1, high * 1.1);
    let (left, right) = (f64::from(NAMES + 10), f64::from(WIDTH) - 20.0);
    // Equal factors are equal ways.
    let at = |ratio: f64| {
        let share = (ratio.max(low) / low).ln() / (high / low).ln();
        (left + share * (right - left)) as i32
    };
    let bottom = (height - MARKS) as i32;
    let text = ("sans-serif", 13).into_font().color(&INK);
    for mark in [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0,
    ] {
        if mark < low || mark > high {
            continue;
        }
        let x = at(mark);
        let colour = if mark == 1.0 { INK } else { GRID };
        area.draw(&PathElement::new(
            vec![(x, 0), (x, bottom)],
            colour.stroke_width(1),
        ))?;
        area.draw(&Text::new(
            format!("{mark}"),
            (x - 6, bottom + 8),
            text.clone(),
        ))?;
    }
    for (row, c) in comparisons.iter().enumerate() {
        let y = row as i32 * ROW as i32 + ROW as i32 / 2;
        let name = format!("{}: {} / {}", c.group, c.of_what, c.to_what);
        let name = if name.chars().count() > 74 {
            name.chars().take(73).chain(['…']).collect()
        } else {
            name
        };
        area.draw(&Text::new(name, (0, y - 7), text.clone()))?;
        let colour = if c.held == Some(false) { MAX } else { P50 };
        area.draw(&PathElement::new(
            vec![(at(c.low), y), (at(c.high), y)],
            colour.stroke_width(2),
        ))?;
        area.draw(&Circle::new((at(c.ratio), y), 4, colour.filled()))?;
    }
    Ok(())
}
