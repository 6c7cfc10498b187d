//! Medians, percentiles of counted values, and the interval of a median of paired ratios.

/// Confidence that an interval of a median should reach.
pub const CONFIDENCE: f64 = 0.95;

/// A median with an interval that holds without any assumption on the distribution: two order statistics of the sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Median of the sample.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability that the interval covers the true median: at least [`CONFIDENCE`] from six values on.
    pub coverage: f64,
}

/// Middle of the values (mean of the two middle ones if their number is even); `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted[middle - 1] + upper) / 2.0)
}

/// The sign test turned round: the narrowest symmetric pair of order statistics that covers the true median with
/// [`CONFIDENCE`]; smallest and largest value, with the coverage they have, if there are too few. `None` without values.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let sorted = sorted(values);
    let median = median(&sorted)?;
    let count = sorted.len();
    let mut below = 0;
    while below + 1 < count / 2 && coverage(count, below + 1) >= CONFIDENCE {
        below += 1;
    }
    Some(Interval {
        median,
        low: sorted[below],
        high: sorted[count - 1 - below],
        coverage: coverage(count, below),
    })
}

/// Ratios pair by pair, `of / to`, with the interval of their median; `None` without pairs.
pub fn paired_ratio(of: &[f64], to: &[f64]) -> Option<Interval> {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(a, b)| a / b).collect();
    median_interval(&ratios)
}

/// Smallest value of a histogram (value, count; ascending) that at least `share` of all counts do not exceed; `None` if
/// that value lies among the `beyond` counts above the histogram, or nothing was counted.
pub fn percentile(histogram: &[(u64, u64)], beyond: u64, share: f64) -> Option<u64> {
    let total = histogram.iter().map(|(_, count)| count).sum::<u64>() + beyond;
    let wanted = ((total as f64 * share).ceil() as u64).max(1);
    let mut seen = 0;
    histogram.iter().find_map(|(value, count)| {
        seen += count;
        (seen >= wanted).then_some(*value)
    })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Probability that the true median lies between the order statistics number `below` from either end (from 0):
/// 1 - 2 P(Binomial(count, 1/2) <= below).
fn coverage(count: usize, below: usize) -> f64 {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut tail = term;
    for k in 1..=below {
        term *= (count - k + 1) as f64 / k as f64;
        tail += term;
    }
    1.0 - 2.0 * tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_to(count: u32) -> Vec<f64> {
        (1..=count).rev().map(f64::from).collect()
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    /// Ranks as printed in tables of the sign test (for instance Conover, Practical Nonparametric Statistics).
    #[test]
    fn interval_ranks_agree_with_the_tables_of_the_sign_test() {
        for (count, low, high, covered) in [
            (6, 1.0, 6.0, 0.96875),
            (9, 2.0, 8.0, 0.9609375),
            (15, 4.0, 12.0, 0.96484375),
            (25, 8.0, 18.0, 0.9567147),
        ] {
            let interval = median_interval(&one_to(count)).unwrap();
            assert_eq!((interval.low, interval.high), (low, high), "of {count}");
            assert!((interval.coverage - covered).abs() < 1e-6, "of {count}");
        }
    }

    #[test]
    fn too_few_values_give_their_range_and_own_up_to_less_confidence() {
        let interval = median_interval(&one_to(5)).unwrap();
        assert_eq!((interval.low, interval.high), (1.0, 5.0));
        assert_eq!(interval.coverage, 0.9375);
        assert_eq!(median_interval(&[]), None);
    }

    #[test]
    fn ratios_are_taken_within_pairs_so_that_a_drift_of_both_cancels() {
        let to = [1.0, 10.0, 100.0, 1.0, 10.0, 100.0];
        let of = to.map(|t| t * 1.25);
        let interval = paired_ratio(&of, &to).unwrap();
        assert_eq!(
            (interval.low, interval.median, interval.high),
            (1.25, 1.25, 1.25)
        );
    }

    #[test]
    fn a_percentile_is_the_first_value_that_enough_counts_do_not_exceed() {
        let histogram = [(10, 50), (20, 49), (30, 1)];
        assert_eq!(percentile(&histogram, 0, 0.50), Some(10));
        assert_eq!(percentile(&histogram, 0, 0.51), Some(20));
        assert_eq!(percentile(&histogram, 0, 0.99), Some(20));
        assert_eq!(percentile(&histogram, 0, 1.0), Some(30));
    }

    #[test]
    fn a_percentile_beyond_the_histogram_is_not_made_up() {
        assert_eq!(percentile(&[(10, 98)], 2, 0.99), None);
        assert_eq!(percentile(&[(10, 98)], 2, 0.98), Some(10));
        assert_eq!(percentile(&[], 0, 0.5), None);
    }
}
