//! Latency and count axes: linear or logarithmic, with round marks.

use crate::report::Bin;
use crate::report::units::thousands;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// A span wider than this many times its start is drawn logarithmically.
const WIDE: u64 = 20;

/// An axis in plot coordinates: the values themselves, or their decimal logarithms.
#[derive(Clone)]
pub(crate) struct Axis {
    logarithmic: bool,
    /// Start, in plot coordinates.
    pub(crate) from: f64,
    /// End, in plot coordinates.
    pub(crate) to: f64,
    /// Marks in plot coordinates, with their labels.
    marks: Vec<(f64, String)>,
}

impl Axis {
    /// Latencies from `min` to `max` ns; from 0 if the span is narrow.
    pub(crate) fn latency(min: u64, max: u64) -> Self {
        let min = min.max(1);
        let max = max.max(min + 1);
        if max / min >= WIDE {
            Axis::logarithmic(min, max, mark_duration)
        } else {
            Axis::linear(0, max, mark_duration)
        }
    }

    /// Latencies over bins: logarithmic if the bins grow.
    pub(crate) fn over_bins(bins: &[Bin]) -> Self {
        let width = |bin: &Bin| bin.to_ns - bin.from_ns;
        let min = bins.first().map_or(0, |b| b.from_ns);
        let max = bins.last().map_or(1, |b| b.to_ns);
        if bins.windows(2).all(|w| width(&w[0]) == width(&w[1])) {
            Axis::linear(min, max, mark_duration)
        } else {
            Axis::logarithmic(min.max(1), max, mark_duration)
        }
    }

    /// Counts from 1 to `max`, logarithmic; starts below 1 so that a single value has a height.
    pub(crate) fn counts(max: u64) -> Self {
        let mut axis = Axis::logarithmic(1, max.max(10), thousands);
        axis.from = -0.3;
        axis
    }

    /// Seconds from 0 to `end_s`.
    pub(crate) fn seconds(end_s: u64) -> Self {
        Axis::linear(0, end_s.max(1), thousands)
    }

    /// Marks with labels of their own.
    pub(crate) fn labelled(to: f64, marks: Vec<(f64, String)>) -> Self {
        Axis {
            logarithmic: false,
            from: 0.0,
            to,
            marks,
        }
    }

    fn linear(min: u64, max: u64, label: fn(u64) -> String) -> Self {
        let rough = (max - min).max(1) as f64 / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|s| *s >= rough);
        let step = step.unwrap_or(rough).max(1.0) as u64;
        let marks = (min.div_ceil(step)..=max / step).map(|k| k * step);
        Axis {
            logarithmic: false,
            from: min as f64,
            to: max as f64,
            marks: marks.map(|mark| (mark as f64, label(mark))).collect(),
        }
    }

    fn logarithmic(min: u64, max: u64, label: fn(u64) -> String) -> Self {
        let (from, to) = ((min as f64).log10(), (max as f64).log10() + 0.03);
        let mantissas: &[u64] = match to - from {
            d if d <= 2.5 => &[1, 2, 5],
            d if d <= 4.0 => &[1, 3],
            _ => &[1],
        };
        let marks = (0..18)
            .flat_map(|decade| mantissas.iter().map(move |m| m * 10_u64.pow(decade)))
            .map(|mark| ((mark as f64).log10(), label(mark)))
            .filter(|(mark, _)| (from..=to).contains(mark));
        Axis {
            logarithmic: true,
            from,
            to,
            marks: marks.collect(),
        }
    }

    /// Plot coordinate of a value; what lies below the axis is put on its start.
    pub(crate) fn at(&self, value: u64) -> f64 {
        let at = if self.logarithmic {
            (value.max(1) as f64).log10()
        } else {
            value as f64
        };
        at.max(self.from)
    }

    /// True if equal ways along it are equal factors.
    pub(crate) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// The same axis with some room above its end.
    pub(crate) fn with_room(mut self) -> Self {
        self.to += (self.to - self.from) * 0.03;
        self
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.iter().map(|(mark, _)| *mark).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }

    fn format_ext(&self, value: &f64) -> String {
        let own = self.marks.iter().find(|(mark, _)| mark == value);
        own.map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// `1 ms`, `1.045 ms`: as many digits as a mark has, for marks may lie closer than three digits tell apart.
fn mark_duration(ns: u64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)];
    let found = units.into_iter().find(|(_, size)| ns as f64 >= *size);
    found.map_or_else(
        || "0".to_owned(),
        |(unit, size)| format!("{} {unit}", ns as f64 / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_spans_are_logarithmic_and_narrow_ones_start_at_zero() {
        let narrow = Axis::latency(1_000_000, 5_000_000);
        assert_eq!((narrow.from, narrow.at(2_000_000)), (0.0, 2_000_000.0));
        let wide = Axis::latency(10_000, 30_000_000);
        assert!((wide.at(1_000_000) - 6.0).abs() < 1e-12);
    }

    #[test]
    fn marks_are_round_and_lie_on_the_axis() {
        for (min, max) in [(1, 1), (0, 3), (999_000, 1_200_000), (10, 30_000_000_000)] {
            let axis = Axis::latency(min, max);
            assert!(!axis.marks.is_empty(), "{min}..{max}");
            assert!(axis.marks.len() < 14, "{min}..{max}: {}", axis.marks.len());
            assert!(
                axis.marks
                    .iter()
                    .all(|(m, _)| *m >= axis.from && *m <= axis.to)
            );
        }
        assert_eq!(mark_duration(1_045_000), "1.045 ms");
        let axis = Axis::latency(1_000_000, 5_000_000);
        let labels = axis.marks.iter().map(|(_, label)| label.as_str());
        assert_eq!(
            labels.collect::<Vec<_>>(),
            ["0", "1 ms", "2 ms", "3 ms", "4 ms", "5 ms"]
        );
    }
}
