//! The histogram of a group as a table: one row per bucket, one column per series, as `rtla timerlat hist` prints it.

use super::contract::{BucketRow, HistogramReport};
use crate::measured::{Measure, Series};
use hdrhistogram::Histogram;

/// Rows of a table whose bucket size is not given: from the smallest value to the 99th percentile.
const ROWS: u64 = 12;
/// Rows of a table whose bucket size is given: what lies above the last is counted as `over`, as rtla does.
const MOST_ROWS: u64 = 256;

/// One table per group of latencies, in the order of the groups. `all` holds each series' values.
pub(super) fn tables(
    series: &[(&Series, Histogram<u64>)],
    bucket_ns: Option<u64>,
) -> Vec<HistogramReport> {
    let latencies = || {
        series
            .iter()
            .filter(|(s, all)| s.measure == Measure::Latency && !all.is_empty())
    };
    let mut groups: Vec<&str> = Vec::new();
    for (series, _) in latencies() {
        if !groups.contains(&series.group.as_str()) {
            groups.push(&series.group);
        }
    }
    groups
        .into_iter()
        .map(|group| {
            let columns: Vec<_> = latencies().filter(|(s, _)| s.group == group).collect();
            table(group, &columns, bucket_ns)
        })
        .collect()
}

fn table(
    group: &str,
    columns: &[&(&Series, Histogram<u64>)],
    bucket_ns: Option<u64>,
) -> HistogramReport {
    let lowest = columns.iter().map(|(_, all)| all.min()).min().unwrap_or(0);
    let high = columns.iter().map(|(_, all)| all.value_at_quantile(0.99));
    let high = high.max().unwrap_or(0).max(lowest);
    let bucket_ns = bucket_ns
        .unwrap_or_else(|| nice((high - lowest) / ROWS))
        .max(1);
    let first = lowest / bucket_ns;
    let rows = if high / bucket_ns - first < MOST_ROWS {
        high / bucket_ns - first + 1
    } else {
        MOST_ROWS
    };
    let mut counts = vec![vec![0_u64; columns.len()]; rows as usize];
    let mut over = vec![0_u64; columns.len()];
    for (column, (_, all)) in columns.iter().enumerate() {
        for step in all.iter_recorded() {
            let row = step.value_iterated_to() / bucket_ns - first;
            let cell = counts
                .get_mut(row as usize)
                .map_or(&mut over[column], |r| &mut r[column]);
            *cell += step.count_at_value();
        }
    }
    HistogramReport {
        group: group.to_owned(),
        bucket_ns,
        series: columns.iter().map(|(s, _)| s.tag.clone()).collect(),
        rows: counts
            .into_iter()
            .enumerate()
            .filter(|(_, counts)| counts.iter().any(|count| *count > 0))
            .map(|(row, counts)| BucketRow {
                from_ns: (first + row as u64) * bucket_ns,
                counts,
            })
            .collect(),
        over,
    }
}

/// The next of 1, 2, 5, 10, 20, ... that is not below `ns`.
fn nice(ns: u64) -> u64 {
    let mut decade = 1;
    loop {
        for step in [1, 2, 5] {
            if step * decade >= ns {
                return step * decade;
            }
        }
        decade *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::histogram_of;

    fn series(tag: &str) -> Series {
        Series::new(tag, "group", tag, Measure::Latency)
    }

    #[test]
    fn every_value_is_in_a_bucket_or_over() {
        let (a, b) = (series("a"), series("b"));
        let values: Vec<u64> = (1_000..2_000).collect();
        let far = [1_500, 9_000_000];
        let all = [(&a, histogram_of(&values)), (&b, histogram_of(&far))];
        for bucket_ns in [None, Some(1), Some(100), Some(1_000_000)] {
            let tables = tables(&all, bucket_ns);
            for (column, expected) in [(0, 1_000), (1, 2)] {
                let inside: u64 = tables[0].rows.iter().map(|r| r.counts[column]).sum();
                assert_eq!(inside + tables[0].over[column], expected, "{bucket_ns:?}");
            }
            assert!(tables[0].rows.len() <= MOST_ROWS as usize);
        }
    }

    #[test]
    fn a_given_bucket_size_is_kept_and_empty_rows_are_left_out() {
        let a = series("a");
        let table = &tables(&[(&a, histogram_of(&[110, 120, 950]))], Some(100))[0];
        let rows: Vec<(u64, u64)> = table
            .rows
            .iter()
            .map(|r| (r.from_ns, r.counts[0]))
            .collect();
        assert_eq!(rows, [(100, 2), (900, 1)]);
    }

    #[test]
    fn bucket_sizes_are_round_numbers() {
        assert_eq!([0, 1, 3, 7, 12, 101].map(nice), [1, 1, 5, 10, 20, 200]);
    }
}
