//! Histograms reduced to figures and curves.

use super::contract::{CurvePoint, Figures};
use hdrhistogram::Histogram;

/// Points per halving of the distance to 100 %: HdrHistogram's own default for percentile files.
pub(super) const TICKS_PER_HALF: u32 = 5;

impl Figures {
    /// Percentiles of a histogram of ns; all null if it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let filled = !histogram.is_empty();
        let at = |quantile| filled.then(|| histogram.value_at_quantile(quantile));
        Figures {
            count: histogram.len(),
            min_ns: filled.then(|| histogram.min()),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            p9999_ns: at(0.9999),
            max_ns: filled.then(|| histogram.max()),
        }
    }
}

/// The distribution by percentile, in steps that get finer towards 100 %.
pub(crate) fn curve(histogram: &Histogram<u64>) -> Vec<CurvePoint> {
    if histogram.is_empty() {
        return Vec::new();
    }
    histogram
        .iter_quantiles(TICKS_PER_HALF)
        .map(|step| CurvePoint {
            percent: step.quantile_iterated_to() * 100.0,
            value_ns: step.value_iterated_to().min(histogram.max()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_has_no_percentiles_rather_than_zero_latency() {
        let empty = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        let figures = Figures::of(&empty);
        assert_eq!(
            (figures.count, figures.p50_ns, figures.max_ns),
            (0, None, None)
        );
        assert!(curve(&empty).is_empty());
    }

    #[test]
    fn one_value_is_every_percentile() {
        let mut one = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        one.record(123_456).unwrap();
        let figures = Figures::of(&one);
        assert_eq!(figures.p50_ns, figures.max_ns);
        assert!(figures.max_ns.unwrap().abs_diff(123_456) <= 123);
        assert_eq!(curve(&one).last().unwrap().percent, 100.0);
    }

    #[test]
    fn the_curve_rises_to_the_maximum_at_100_percent() {
        let mut ramp = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
        (1..=10_000).for_each(|i| ramp.record(i * 1_000).unwrap());
        let curve = curve(&ramp);
        assert!(curve.windows(2).all(|w| w[0].value_ns <= w[1].value_ns));
        assert_eq!(curve.last().unwrap().value_ns, ramp.max());
        assert!(curve.len() < 200, "{} points", curve.len());
    }
}
