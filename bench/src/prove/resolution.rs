//! Sorted values and the cells of a histogram of three digits, in plain arithmetic of this proof's own.

use std::collections::BTreeMap;

/// Lowest value that a histogram of three digits does not tell from `value`: every number up to 2,047 has a cell of its own,
/// and each doubling from there on is divided into 1,024 cells.
pub(super) fn cell(value: u64) -> u64 {
    let beyond = (u64::BITS - value.leading_zeros()).saturating_sub(11);
    value >> beyond << beyond
}

/// The distribution of values as a histogram can know it: how many in which cell.
pub(super) fn cells(values: &[u64]) -> BTreeMap<u64, u64> {
    let mut cells = BTreeMap::new();
    for value in values {
        *cells.entry(cell(*value)).or_insert(0) += 1;
    }
    cells
}

/// The smallest value that at least `per_ten_thousand` of `sorted` do not exceed.
pub(super) fn percentile(sorted: &[u64], per_ten_thousand: usize) -> Option<u64> {
    let rank = (sorted.len() * per_ten_thousand).div_ceil(10_000).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::histogram_of;

    #[test]
    fn cells_are_those_of_a_histogram_of_three_digits() {
        let histogram = histogram_of(&[]);
        let mut value = 1_u64;
        while value < 3_000_000_000_000 {
            for near in [value - 1, value, value + 1] {
                assert_eq!(cell(near), histogram.lowest_equivalent(near), "{near}");
            }
            value += value / 3 + 1;
        }
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        let sorted: Vec<u64> = (1..=1_000).collect();
        let at = |p| percentile(&sorted, p);
        assert_eq!(
            [at(5_000), at(9_900), at(9_999), at(10_000)],
            [Some(500), Some(990), Some(1_000), Some(1_000)]
        );
        assert_eq!(percentile(&[7], 5_000), Some(7));
        assert_eq!(percentile(&[], 5_000), None);
    }
}
