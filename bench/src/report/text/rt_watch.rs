//! Placement as it was while the session ran, where it was not what it had been at ready.

use super::Lines;
use crate::report::contract::Report;
use crate::report::rt_taken::taken;
use crate::report::units::thousands;
use crate::report::why::moment;

pub(super) fn section(out: &mut Lines, report: &Report) {
    let Some(watch) = &report.rt_watch else {
        return;
    };
    let changed = watch.processes.iter().filter(|w| !w.changes.is_empty());
    for (i, w) in changed.enumerate() {
        if i == 0 {
            out.title("Placement, looked at once a second");
        }
        for change in &w.changes {
            let when = moment(change.tick, change.at_ns);
            out.wrapped_after(
                "  ! ",
                "    ",
                &format!("{} {} ({when})", w.name, change.what),
            );
        }
        let unlisted = w.changes_seen - w.changes.len() as u64;
        if unlisted > 0 {
            out.line(&format!("    and {} more", thousands(unlisted)));
        }
    }
    for line in taken(watch) {
        out.wrapped_after("  ! ", "    ", &line);
    }
}
