//! What a report says of the capture.

use super::contract::{CaptureLossReport, CaptureReport};
use super::units::thousands;

/// What the capture holds, and loudly what it lacks.
pub fn recorded(capture: &CaptureReport) -> String {
    let mut words = format!(
        "{} ({:.1} MB, {} blocks)",
        capture.path,
        capture.bytes as f64 / 1e6,
        thousands(capture.blocks)
    );
    let list = |title: &str, count: fn(&CaptureLossReport) -> u64| {
        let lost = capture.lost.iter().filter(|l| count(l) > 0);
        let lost: Vec<String> = lost
            .map(|l| format!("{} of {}", thousands(count(l)), l.of))
            .collect();
        if lost.is_empty() {
            String::new()
        } else {
            format!("; {title}: {}", lost.join(", "))
        }
    };
    words += &list("LOST", |l| l.count.saturating_sub(l.off));
    words += &list("switched off", |l| l.off);
    if capture.unwritten_bytes > 0 {
        words += &format!(
            "; NOT WRITTEN: {} bytes",
            thousands(capture.unwritten_bytes)
        );
    }
    if !capture.sealed {
        words += "; NOT SEALED";
    }
    if !capture.why.is_empty() {
        words += &format!(" ({})", capture.why);
    }
    words
}
