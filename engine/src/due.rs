//! Which ticks a stage with a divider and a phase is due at.

/// The newest tick below `end` at which `tick % divider == phase`; wraps below 0, so that differences still count ticks.
pub(crate) fn due_before(end: u64, divider: u64, phase: u64) -> u64 {
    let last = end.wrapping_sub(1);
    if end > phase {
        last - (last - phase) % divider
    } else {
        phase.wrapping_sub(divider)
    }
}

/// Ticks in `start..stop` at which `tick % divider == phase`.
#[cfg(not(loom))]
pub(crate) fn due_between(start: u64, stop: u64, divider: u64, phase: u64) -> u64 {
    let newest = due_before(stop, divider, phase);
    let before = due_before(start, divider, phase);
    if stop <= start {
        0
    } else {
        newest.wrapping_sub(before) / divider
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn due_ticks_are_those_a_count_one_by_one_finds() {
        for divider in 1..6 {
            for phase in 0..divider {
                for start in 0..12 {
                    for stop in 0..40 {
                        let counted = (start..stop).filter(|t| t % divider == phase).count() as u64;
                        assert_eq!(
                            due_between(start, stop, divider, phase),
                            counted,
                            "{start}..{stop} every {divider} at {phase}"
                        );
                    }
                }
            }
        }
    }
}
