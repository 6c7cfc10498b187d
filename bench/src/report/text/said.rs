//! What the processes said: how much of it was kept, and where.

use super::{Lines, clipped};
use crate::report::contract::Report;
use crate::report::units::thousands;

pub(super) fn section(out: &mut Lines, report: &Report) {
    let logs = &report.logs;
    if logs.said.is_empty() {
        return;
    }
    out.title("Said to stdout and stderr, lines = kept + repeated + not kept");
    for s in &logs.said {
        let [lines, kept, repeated, not_kept] =
            [s.lines, s.kept, s.repeated, s.not_kept].map(thousands);
        out.line(&format!(
            "  {:<18} {lines:>13} = {kept:>9} + {repeated:>13} + {not_kept:>13}",
            clipped(&s.stage, 18)
        ));
    }
    if let Some(path) = &logs.path {
        out.wrapped("  ", &format!("kept in {path}"));
    }
    if !logs.why.is_empty() {
        out.wrapped_after(
            "  ! ",
            "    ",
            &format!("not everything could be written: {}", logs.why),
        );
    }
}

/// Commands that were run, and how they ended.
pub(super) fn told(out: &mut Lines, report: &Report) {
    for (i, t) in report.told.iter().enumerate() {
        if i == 0 {
            out.title("Commands of [on]");
        }
        let what = format!(
            "on {}: {} {} ({})",
            t.on,
            t.command.join(" "),
            t.how,
            t.cause
        );
        out.wrapped("  ", &what);
    }
}
