//! The loop by percentile: how long the slowest one in ten, hundred, thousand took.

use crate::page::Axis;
use crate::page::percentiles::{axis, nines};
use crate::page::plot::{self, Frame, INK, P50, PlotError};
use crate::report::contract::{CurvePoint, LoopReport};
use crate::report::units::{duration, thousands};
use plotters::coord::Shift;
use plotters::prelude::*;

pub(super) fn figure(measured: &LoopReport) -> String {
    let figures = &measured.hop.figures;
    let show = |ns: Option<u64>| duration(ns.unwrap_or(0));
    let skipped = measured.hop.uncorrected != *figures;
    let mut legend = vec![("p50", "corrected")];
    if skipped {
        legend.push(("ink", "as it happened"));
    }
    let sentence = if figures.count == 1 {
        format!(
            "The only decision was handed over {} after its last sample.",
            show(figures.max_ns)
        )
    } else {
        format!(
            "Of {} decisions, half were handed over within {} of their last sample, 99 of 100 within {}; the slowest took {}. {}",
            thousands(figures.count),
            show(figures.p50_ns),
            show(figures.p99_ns),
            show(figures.max_ns),
            if skipped {
                "Between the two curves lie the waits of decisions that were skipped or missing."
            } else {
                "No decision was skipped, so there is nothing to correct."
            }
        )
    };
    plot::figure(
        "Loop latency by percentile",
        &legend,
        &sentence,
        360,
        |area| draw(area, measured, skipped),
    )
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    measured: &LoopReport,
    skipped: bool,
) -> Result<(), PlotError> {
    let f = &measured.hop.figures;
    let lowest = f
        .min_ns
        .into_iter()
        .chain(measured.hop.uncorrected.min_ns)
        .min();
    let highest = f
        .max_ns
        .into_iter()
        .chain(measured.hop.uncorrected.max_ns)
        .max();
    let y = Axis::latency(lowest.unwrap_or(1), highest.unwrap_or(1));
    let count = f.count.max(measured.hop.uncorrected.count);
    let x = axis(count);
    let frame = Frame {
        x_title: "share of decisions that were not slower (percentile)",
        y_title: "latency",
        y_labels: 80,
    };
    let mut chart = plot::chart(area, (&x, &y.clone().with_room()), &frame)?;
    let line = |points: &[CurvePoint], count: u64| {
        points
            .iter()
            .map(|p| (nines(p.percent, count), y.at(p.value_ns)))
            .collect::<Vec<_>>()
    };
    if skipped {
        let points = line(&measured.uncorrected_curve, measured.hop.uncorrected.count);
        chart.draw_series(LineSeries::new(points, INK.stroke_width(1)))?;
    }
    let points = line(&measured.curve, f.count);
    chart.draw_series(LineSeries::new(points.clone(), P50.stroke_width(2)))?;
    chart.draw_series(points.last().map(|end| Circle::new(*end, 4, P50.filled())))?;
    Ok(())
}
