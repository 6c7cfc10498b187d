//! Placement while the session ran, and what the kernel or a hypervisor took.

use super::section;
use crate::page::{Cell, escaped, push, table};
use crate::report::contract::{Report, RtWatchReport};
use crate::report::rt_taken::taken;
use crate::report::units::thousands;
use crate::report::why::moment;

pub(super) fn all(page: &mut String, report: &Report) {
    let Some(watch) = &report.rt_watch else {
        return;
    };
    let looks = watch.processes.iter().map(|w| w.seconds).max();
    let Some(looks) = looks.filter(|looks| *looks > 0) else {
        return;
    };
    section(page, "Placement, looked at once a second");
    placement(page, watch, looks);
    for line in taken(watch) {
        push(
            page,
            format_args!("<p class=\"verdict threshold\">{}</p>\n", escaped(&line)),
        );
    }
}

fn placement(page: &mut String, watch: &RtWatchReport, looks: u64) {
    let changed = || watch.processes.iter().filter(|w| !w.changes.is_empty());
    if changed().next().is_none() {
        push(
            page,
            format_args!(
                "<p>Every process had the policy, priority and CPUs of ready in all {} looks.</p>\n",
                thousands(looks)
            ),
        );
        return;
    }
    let rows = changed().flat_map(|w| {
        let unlisted = w.changes_seen.saturating_sub(w.changes.len() as u64);
        let listed = w.changes.iter().map(|change| {
            vec![
                Cell::text(&w.name),
                Cell::text(&change.what),
                Cell::Text(moment(change.tick, change.at_ns)),
            ]
        });
        let more = (unlisted > 0).then(|| {
            vec![
                Cell::text(&w.name),
                Cell::Text(format!("and {} more", thousands(unlisted))),
                Cell::text(""),
            ]
        });
        listed.chain(more)
    });
    table(page, &["who", "what", "when"], rows);
}
