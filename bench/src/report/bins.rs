//! A latency distribution in a few bins with round edges.

use super::contract::Bin;
use hdrhistogram::Histogram;

/// Most bins of the distribution in `report.json` and in its plot.
pub(super) const FINE: usize = 60;

/// Mantissas of logarithmic edges, finest first; each list is part of the one before, so that fine bins merge into coarse.
const DECADES: [&[u64]; 7] = [
    &[
        100, 105, 110, 115, 120, 127, 135, 142, 150, 160, 170, 185, 200, 210, 220, 235, 250, 260,
        270, 285, 300, 325, 350, 375, 400, 425, 450, 475, 500, 550, 600, 650, 700, 750, 800, 850,
        900, 950,
    ],
    &[
        100, 110, 120, 135, 150, 170, 200, 220, 250, 270, 300, 350, 400, 450, 500, 600, 700, 800,
        900,
    ],
    &[100, 120, 150, 200, 250, 300, 400, 500, 600, 800],
    &[100, 150, 200, 300, 500, 800],
    &[100, 200, 500],
    &[100, 500],
    &[100],
];

/// Bins that cover all values, at most `most` of them: of equal width, or growing if the values span more than a decade.
pub(super) fn bins(histogram: &Histogram<u64>, most: usize) -> Vec<Bin> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let (min, max) = (histogram.min(), histogram.max());
    let mut ladders: Box<dyn Iterator<Item = Vec<u64>>> = if max / 10 >= min.max(1) {
        Box::new(growing(min, max))
    } else {
        Box::new(equal(min, max))
    };
    let Some(edges) = ladders.find(|edges| edges.len() <= most + 1) else {
        return Vec::new();
    };
    let mut bins = between(&edges);
    for step in histogram.iter_recorded() {
        let value = histogram.lowest_equivalent(step.value_iterated_to());
        let at = bins
            .partition_point(|b| b.to_ns <= value)
            .min(bins.len() - 1);
        bins[at].count += step.count_since_last_iteration();
    }
    bins
}

/// The same distribution in at most `most` bins, if fine bins can be merged into round ones; else as it was.
pub(super) fn coarser(fine: &[Bin], most: usize) -> Vec<Bin> {
    let (Some(first), Some(last)) = (fine.first(), fine.last()) else {
        return Vec::new();
    };
    let (min, max) = (first.from_ns, last.to_ns - 1);
    let width = first.to_ns - first.from_ns;
    let mut ladders: Box<dyn Iterator<Item = Vec<u64>>> =
        if fine.iter().all(|b| b.to_ns - b.from_ns == width) {
            Box::new(equal(min, max))
        } else {
            Box::new(growing(min, max))
        };
    let is_edge = |edge: &u64| fine.iter().any(|b| b.to_ns == *edge);
    let splits_no_bin = |edges: &[u64]| edges[1..edges.len() - 1].iter().all(is_edge);
    let Some(edges) = ladders.find(|edges| edges.len() <= most + 1 && splits_no_bin(edges)) else {
        return fine.to_vec();
    };
    let mut bins = between(&edges);
    for bin in fine {
        let at = bins
            .partition_point(|b| b.to_ns <= bin.from_ns)
            .min(bins.len() - 1);
        bins[at].count += bin.count;
    }
    bins
}

fn between(edges: &[u64]) -> Vec<Bin> {
    edges
        .windows(2)
        .map(|w| Bin {
            from_ns: w[0],
            to_ns: w[1],
            count: 0,
        })
        .collect()
}

/// Edges in steps of 1, 2 or 5 times a power of ten around `[min, max]`, finest first, each with at least one bin.
fn equal(min: u64, max: u64) -> impl Iterator<Item = Vec<u64>> {
    // A bin narrower than a hundredth of the value would show the histogram's own resolution.
    let finest = (max / 100).max(1);
    (0..19)
        .flat_map(|decade| [1, 2, 5].map(|m| m * 10_u64.pow(decade)))
        .filter(move |step| *step >= finest)
        .map(move |step| (min / step..=max / step + 1).map(|k| k * step).collect())
}

/// Edges that grow by the same mantissas in every decade around `[min, max]`, finest first, each with at least one bin.
fn growing(min: u64, max: u64) -> impl Iterator<Item = Vec<u64>> {
    DECADES.into_iter().map(move |mantissas| {
        let mut all = (0..17)
            .flat_map(|decade| mantissas.iter().map(move |m| m * 10_u64.pow(decade) / 100))
            .collect::<Vec<u64>>();
        all.dedup();
        let from = all.partition_point(|edge| *edge <= min).saturating_sub(1);
        let to = all.partition_point(|edge| *edge <= max).max(from + 1);
        all[from..=to].to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 30_000_000_000, 3).unwrap();
        values.iter().for_each(|v| histogram.saturating_record(*v));
        histogram
    }

    #[test]
    fn nothing_recorded_gives_no_bins() {
        assert!(bins(&histogram(&[]), 16).is_empty());
        assert!(coarser(&[], 16).is_empty());
    }

    #[test]
    fn one_value_gives_one_bin_around_it() {
        let bins = bins(&histogram(&[1_234_567]), 16);
        assert_eq!(bins.len(), 1);
        assert!(bins[0].from_ns <= 1_234_567 && bins[0].to_ns > 1_234_567);
        assert_eq!(bins[0].count, 1);
    }

    #[test]
    fn values_over_several_decades_get_growing_bins() {
        let bins = bins(&histogram(&[10_000, 50_000, 1_000_000, 30_000_000]), 60);
        assert!(
            bins.last().unwrap().to_ns - bins.last().unwrap().from_ns
                > bins[0].to_ns - bins[0].from_ns
        );
        assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
        #[test]
        fn no_value_is_lost_by_binning_or_by_merging(values in prop::collection::vec(0_u64..40_000_000_000, 1..50)) {
            let fine = bins(&histogram(&values), FINE);
            prop_assert!(!fine.is_empty() && fine.len() <= FINE);
            prop_assert_eq!(fine.iter().map(|b| b.count).sum::<u64>(), values.len() as u64);
            prop_assert!(fine.windows(2).all(|w| w[0].to_ns == w[1].from_ns));
            let coarse = coarser(&fine, 24);
            prop_assert!(coarse.len() <= 24, "{} rows", coarse.len());
            prop_assert_eq!(coarse.iter().map(|b| b.count).sum::<u64>(), values.len() as u64);
        }
    }
}
