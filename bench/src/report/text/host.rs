//! The host's fingerprint, one line per entry.

use super::Lines;
use crate::report::contract::Report;
use crate::report::host_entries::entries;

pub(super) fn section(out: &mut Lines, report: &Report) {
    let entries = entries(&report.host);
    if entries.is_empty() {
        return;
    }
    out.title("Host");
    let widest = entries.iter().map(|(key, _)| key.chars().count()).max();
    let width = widest.unwrap_or(0).min(28);
    for (key, value) in &entries {
        out.wrapped(&format!("  {key:<width$} "), value);
    }
}
