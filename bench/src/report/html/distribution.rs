//! The loop's histogram, counts on a logarithmic axis so that the rare slow ones show.

use crate::page::Axis;
use crate::page::plot::{self, Frame, P50, PlotError};
use crate::report::contract::{Bin, LoopReport};
use crate::report::units::{duration, thousands};
use plotters::coord::Shift;
use plotters::prelude::*;

pub(super) fn figure(measured: &LoopReport) -> String {
    let bins = &measured.histogram;
    let sentence = bins.iter().max_by_key(|b| b.count).map_or_else(String::new, |most| {
        format!(
            "Each bar counts the decisions whose latency fell into its range. The vertical axis is logarithmic, so that \
                 the rare slow ones at the right show beside the many fast ones. The fullest bar, {} to {}, holds {} of {}.",
            duration(most.from_ns),
            duration(most.to_ns),
            thousands(most.count),
            thousands(measured.hop.figures.count)
        )
    });
    plot::figure("Loop latency histogram", &[], &sentence, 320, |area| {
        draw(area, bins)
    })
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, bins: &[Bin]) -> Result<(), PlotError> {
    let x = Axis::over_bins(bins);
    let y = Axis::counts(bins.iter().map(|b| b.count).max().unwrap_or(1));
    let frame = Frame {
        x_title: "latency, corrected",
        y_title: "decisions",
        y_labels: 80,
    };
    let mut chart = plot::chart(area, (&x, &y.clone().with_room()), &frame)?;
    let bars = bins.iter().filter(|b| b.count > 0).map(|b| {
        let mut bar = Rectangle::new(
            [(x.at(b.from_ns), y.from), (x.at(b.to_ns), y.at(b.count))],
            P50.filled(),
        );
        bar.set_margin(0, 0, 1, 0);
        bar
    });
    chart.draw_series(bars)?;
    Ok(())
}
