//! Stalls whose every trace in a histogram stands alone in its cell.

use super::Stall;

/// Deadlines or decisions that fall due during a stall, and the part of a period by which its end is past the last of
/// them, in percent. The parts differ, so that no two stalls leave a value in the same cell.
pub(super) const SLEPT: [(u64, u64); 5] = [(1, 13), (3, 29), (7, 47), (40, 63), (300, 83)];
/// The same for stalls of another cause in the same histogram.
pub(super) const RAN: [(u64, u64); 4] = [(1, 7), (3, 37), (7, 55), (40, 91)];

/// What the last deadline that fell due during a stall waited.
pub(super) fn rest_ns(percent: u64, period_ns: u64) -> u64 {
    period_ns / 100 * percent
}

/// What each deadline of a stall of `count` periods waited, the last one first.
fn each_ns(count: u64, percent: u64, period_ns: u64) -> Vec<u64> {
    let rest_ns = rest_ns(percent, period_ns);
    (0..count).map(|k| rest_ns + k * period_ns).collect()
}

/// A stall of which the longest wait is what happened: somebody slept all the while.
pub(super) fn slept(what: &str, (count, percent): (u64, u64), period_ns: u64) -> Stall {
    let each_ns = each_ns(count, percent, period_ns);
    Stall {
        what: format!("{what}: {count}"),
        once_ns: each_ns.last().copied().unwrap_or(0),
        each_ns,
    }
}

/// A stall of which the shortest wait is what happened: the others were passed over.
pub(super) fn passed_over(what: &str, (count, percent): (u64, u64), period_ns: u64) -> Stall {
    let each_ns = each_ns(count, percent, period_ns);
    Stall {
        what: format!("{what}: {count}"),
        once_ns: each_ns.first().copied().unwrap_or(0),
        each_ns,
    }
}

/// Values that nothing else may come near.
pub(super) fn kept(stalls: &[Stall]) -> impl Iterator<Item = u64> {
    stalls
        .iter()
        .flat_map(|stall| stall.each_ns.iter().copied())
}
