//! Every hop as a bar: to its median, its 99th percentile, its maximum.

use crate::page::Axis;
use crate::page::plot::{self, Frame, MAX, P50, P99, PlotError};
use crate::report::contract::{HopReport, Report};
use crate::report::units::duration;
use crate::report::why::{all_hops, hop_words};
use ephapse_engine::outcome::HopKind;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Height of one bar with its space.
const ROW: u32 = 22;

pub(super) fn figure(report: &Report) -> String {
    let hops = all_hops(report)
        .filter(|hop| hop.figures.count > 0)
        .collect::<Vec<_>>();
    let own_work = hops.iter().filter(|h| h.kind == HopKind::Run);
    let longest = own_work
        .max_by_key(|hop| hop.figures.p99_ns)
        .map_or_else(String::new, |hop| {
            format!(
                " The stage that works longest is {}: {} at p99.",
                hop.stage,
                duration(hop.figures.p99_ns.unwrap_or(0))
            )
        });
    let x = latencies(&hops);
    let scale = if x.is_logarithmic() {
        "; the axis is logarithmic"
    } else {
        ""
    };
    let sentence = format!(
        "Blue ends at a hop's median, orange at its 99th percentile, red at its maximum{scale}. Little orange and red means \
         a steady hop.{longest}"
    );
    let legend = [("p50", "to p50"), ("p99", "to p99"), ("max", "to max")];
    let height = 84 + ROW * u32::try_from(hops.len()).unwrap_or(1);
    plot::figure("Latency of every hop", &legend, &sentence, height, |area| {
        draw(area, &hops, &x)
    })
}

fn name(hop: &HopReport) -> String {
    let name = format!("{} {}", hop.stage, hop_words(hop.kind).0);
    // The label area holds this many characters.
    match name.char_indices().nth(27) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// From well below the lowest median, so that every bar has a length, to the highest maximum.
fn latencies(hops: &[&HopReport]) -> Axis {
    let lowest = hops.iter().filter_map(|h| h.figures.p50_ns).min();
    let highest = hops.iter().filter_map(|h| h.figures.max_ns).max();
    Axis::latency((lowest.unwrap_or(1) / 3).max(1), highest.unwrap_or(1))
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    hops: &[&HopReport],
    x: &Axis,
) -> Result<(), PlotError> {
    let rows = hops.len() as f64;
    let middle = |i: usize| rows - i as f64 - 0.5;
    let names = hops
        .iter()
        .enumerate()
        .map(|(i, hop)| (middle(i), name(hop)));
    let y = Axis::labelled(rows, names.collect());
    let frame = Frame {
        x_title: "latency, corrected",
        y_title: "",
        y_labels: 200,
    };
    let mut chart = plot::chart(area, (x, &y), &frame)?;
    for (i, hop) in hops.iter().enumerate() {
        let f = &hop.figures;
        for (end, colour) in [(f.max_ns, MAX), (f.p99_ns, P99), (f.p50_ns, P50)] {
            let end = x.at(end.unwrap_or(0));
            let corners = [(x.from, middle(i) - 0.32), (end, middle(i) + 0.32)];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
        }
    }
    Ok(())
}
