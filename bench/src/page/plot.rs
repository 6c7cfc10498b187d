//! What all plots share: canvas, colours, axes, and the figure around them.
//!
//! The colours are names as much as colours: the page's style sheet replaces each by one that suits light or dark.

use super::axis::Axis;
use super::escape::escaped;
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;

/// Width of a plot, in its own units.
pub(crate) const WIDTH: u32 = 900;

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(0x01, 0x01, 0x01);
/// Grid.
pub(crate) const GRID: RGBColor = RGBColor(0x02, 0x02, 0x02);
/// Median.
pub(crate) const P50: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// 99th percentile.
pub(crate) const P99: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
/// Maximum.
pub(crate) const MAX: RGBColor = RGBColor(0xcc, 0x41, 0x25);

/// Why a plot could not be drawn.
pub(crate) type PlotError = Box<dyn std::error::Error>;

/// The area of a plot that its data go to.
pub(crate) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// What stands along the axes, and the room for the labels of the vertical one.
pub(crate) struct Frame {
    pub(crate) x_title: &'static str,
    pub(crate) y_title: &'static str,
    pub(crate) y_labels: u32,
}

/// Axes, grid and labels.
pub(crate) fn chart<'a, 'b>(
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
    (x, y): (&Axis, &Axis),
    frame: &Frame,
) -> Result<Chart<'a, 'b>, PlotError> {
    let text = ("sans-serif", 14).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(32)
        .x_label_area_size(48)
        .y_label_area_size(frame.y_labels)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(text.clone())
        .x_desc(frame.x_title)
        .y_desc(frame.y_title)
        .axis_desc_style(text)
        .draw()?;
    Ok(chart)
}

/// An SVG drawn by `draw`, inside a figure with its title, legend (class and text) and the sentence that says what one sees.
pub(crate) fn figure(
    title: &str,
    legend: &[(&str, &str)],
    sentence: &str,
    height: u32,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PlotError>,
) -> String {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?))
    };
    let picture = match drawn {
        Ok(()) => svg.replacen(
            "<svg ",
            &format!("<svg role=\"img\" aria-label=\"{}\" ", escaped(title)),
            1,
        ),
        Err(error) => format!(
            "<p>This plot could not be drawn: {}</p>\n",
            escaped(&error.to_string())
        ),
    };
    let legend = legend
        .iter()
        .map(|(class, text)| format!("<span class=\"key {class}\">{}</span>", escaped(text)))
        .collect::<String>();
    format!(
        "<figure>\n<h3>{}</h3>\n<div>{legend}</div>\n{picture}<figcaption>{}</figcaption>\n</figure>\n",
        escaped(title),
        escaped(sentence)
    )
}
