//! A histogram drawn with block characters.

use super::Lines;
use crate::report::bins::coarser;
use crate::report::contract::Bin;
use crate::report::units::{duration, thousands};

/// Most rows, those without values included.
const ROWS: usize = 26;

/// Columns of the longest bar.
const BAR: usize = 40;

const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One row per bin: its range, a bar, its count. Several empty bins in a row become one.
pub(super) fn bars(out: &mut Lines, fine: &[Bin]) {
    let bins = coarser(fine, ROWS);
    let most = bins.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    for run in bins.chunk_by(|a, b| a.count == 0 && b.count == 0) {
        let count = run.iter().map(|b| b.count).sum();
        out.line(&format!(
            "  {:>8} .. {:>8} {:<BAR$} {:>10}",
            duration(run[0].from_ns),
            duration(run[run.len() - 1].to_ns),
            bar(count, most),
            thousands(count)
        ));
    }
}

/// A bar in eighths of a column; whatever is not zero shows.
fn bar(count: u64, most: u64) -> String {
    if count == 0 {
        return String::new();
    }
    let eighths = ((count as f64 / most as f64) * (BAR * 8) as f64).round() as usize;
    let eighths = eighths.clamp(1, BAR * 8);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_value_beside_a_million_still_shows() {
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(0, 1_000_000), "");
        assert_eq!(bar(1_000_000, 1_000_000).chars().count(), BAR);
    }
}
