//! An axis of percentiles on which each nine is one step.

use super::Axis;

/// Nines: 0 is 0 %, 1 is 90 %, 2 is 99 %.
pub(crate) fn nines(percent: f64, count: u64) -> f64 {
    // 100 % would lie at infinity; the largest of n values stands for the slowest one in n.
    let last = (count.max(10) as f64).log10();
    (-(1.0 - percent / 100.0).max(f64::MIN_POSITIVE).log10()).min(last)
}

fn nines_label(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        n => format!("99.{} %", "9".repeat(n as usize - 2)),
    }
}

/// The axis for a distribution of `count` values.
pub(crate) fn axis(count: u64) -> Axis {
    let last = nines(100.0, count);
    let marks = (0..=last.floor() as u32).map(|n| (f64::from(n), nines_label(n)));
    Axis::labelled(last * 1.02, marks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_is_one_step_and_100_percent_stays_on_the_page() {
        assert!((nines(99.0, 1_000_000) - 2.0).abs() < 1e-9);
        assert!((nines(99.999, 1_000_000) - 5.0).abs() < 1e-6);
        assert_eq!(nines(100.0, 1_000), 3.0);
        assert_eq!([0, 2, 4].map(nines_label), ["0 %", "99 %", "99.99 %"]);
    }
}
