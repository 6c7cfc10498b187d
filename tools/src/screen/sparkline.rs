//! Recent values as one line of blocks.

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The newest `width` of `values`, each as a block whose height is its share of the largest of them.
pub(super) fn sparkline(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    shown
        .iter()
        .map(|value| {
            let share = *value as f64 / most as f64;
            let height = (share * HEIGHTS.len() as f64).ceil() as usize;
            HEIGHTS[height.clamp(1, HEIGHTS.len()) - 1]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn the_largest_value_is_a_full_block_and_small_ones_still_show() {
        assert_eq!(sparkline(&[1, 500, 1_000], 10), "▁▄█");
        assert_eq!(sparkline(&[0, 0], 10), "▁▁");
        assert_eq!(sparkline(&[], 10), "");
    }

    #[test]
    fn only_the_newest_values_that_fit_are_shown() {
        let values = (1..=100).collect::<Vec<_>>();
        assert_eq!(sparkline(&values, 60).chars().count(), 60);
        assert!(sparkline(&values, 60).ends_with('█'));
    }
}
