//! The loop second by second.

use crate::page::Axis;
use crate::page::plot::{self, Frame, MAX, P50, P99, PlotError};
use crate::report::contract::{Figures, LoopReport, Second};
use crate::report::units::duration;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Up to this many seconds each is drawn as a dot, so that a single one shows at all.
const DOTS: usize = 120;

/// One line of the plot: which figure, in which colour.
type Line = (fn(&Figures) -> Option<u64>, RGBColor);

const LINES: [Line; 3] = [
    (|f| f.p50_ns, P50),
    (|f| f.p99_ns, P99),
    (|f| f.max_ns, MAX),
];

pub(super) fn figure(measured: &LoopReport) -> String {
    let filled = measured
        .seconds
        .iter()
        .filter(|s| s.figures.count > 0)
        .collect::<Vec<_>>();
    let Some(slowest) = filled.iter().max_by_key(|s| s.figures.max_ns) else {
        return String::new();
    };
    let sentence = format!(
        "Median, 99th percentile and slowest decision of each second, as they happened. The slowest of all, {}, fell into \
         the second that began {} after the start. Level lines mean a steady loop; lone peaks are stalls; a slope is a queue \
         that grows.",
        duration(slowest.figures.max_ns.unwrap_or(0)),
        duration(slowest.from_ns)
    );
    let legend = [("p50", "p50"), ("p99", "p99"), ("max", "max")];
    plot::figure("Loop latency over time", &legend, &sentence, 320, |area| {
        draw(area, &filled)
    })
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, seconds: &[&Second]) -> Result<(), PlotError> {
    let middle = |s: &Second| (s.from_ns + s.length_ns / 2) as f64 / 1e9;
    let end_ns = seconds
        .iter()
        .map(|s| s.from_ns + s.length_ns)
        .max()
        .unwrap_or(1);
    let lowest = seconds.iter().filter_map(|s| s.figures.p50_ns).min();
    let highest = seconds.iter().filter_map(|s| s.figures.max_ns).max();
    let y = Axis::latency(lowest.unwrap_or(1), highest.unwrap_or(1));
    let x = Axis::seconds(end_ns.div_ceil(1_000_000_000));
    let frame = Frame {
        x_title: "time since the start, s",
        y_title: "latency",
        y_labels: 80,
    };
    let mut chart = plot::chart(area, (&x, &y.clone().with_room()), &frame)?;
    for (figure, colour) in LINES {
        let points = seconds
            .iter()
            .filter_map(|s| Some((middle(s), y.at(figure(&s.figures)?))))
            .collect::<Vec<_>>();
        if seconds.len() <= DOTS {
            chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}
