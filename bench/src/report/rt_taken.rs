//! The words for what the kernel or a hypervisor took from the session while it ran.

use super::contract::RtWatchReport;
use super::units::{duration, thousands};

/// One line each; none if nothing was seen.
pub(super) fn taken(watch: &RtWatchReport) -> Vec<String> {
    let throttling = &watch.throttling;
    let throttled = [
        (
            throttling.rt_throttled_seen,
            "real-time threads were throttled",
        ),
        (
            throttling.group_throttled,
            "the control group was throttled",
        ),
    ];
    let throttled = throttled.into_iter().filter_map(|(count, what)| {
        let count = count.filter(|count| *count > 0)?;
        Some(format!("{what}: seen {} times", thousands(count)))
    });
    let stolen = watch.steal.iter().filter_map(|steal| {
        let worst = steal.worst.first()?;
        Some(format!(
            "a hypervisor took {} of CPU {}, {} of it in one second",
            duration(steal.ns),
            steal.cpu,
            duration(worst.ns)
        ))
    });
    throttled.chain(stolen).collect()
}
