//! Which stalls the report of a live session must show, and whether it does.

use super::Injection;
use super::hog::{Away, PERIOD_NS, Spin};
use crate::prove::proof::Checks;
use crate::prove::reading::{Cells, Files};
use crate::prove::resolution::cell;
use crate::report::TickReport;
use crate::report::units::{duration, thousands};
use ephapse_engine::outcome::{HopKind, Verdict};

/// What the hog did, seen from the deadlines.
pub(super) fn injections(start_ns: u64, spins: &[Spin]) -> Vec<Injection> {
    let injections = spins.iter().map(|spin| {
        let ticks = (spin.began_ns - start_ns).div_ceil(PERIOD_NS);
        let deadline_ns = start_ns + ticks * PERIOD_NS;
        let late_ns = spin.ended_ns - deadline_ns;
        Injection {
            began_ns: spin.began_ns - start_ns,
            length_ns: spin.ended_ns - spin.began_ns,
            late_ns,
            at_most_ns: spin.ran_ns.max(spin.ended_ns) - deadline_ns,
            skipped: late_ns / PERIOD_NS,
            disturbed: spin.disturbed.clone(),
        }
    });
    injections.collect()
}

/// Latenesses that something else may have caused, disturbed spins included: the longest of each. Wherever the watcher
/// ran, the timer was asleep and had missed nothing.
pub(super) fn others(spins: &[Spin], away: &[Away]) -> Vec<u64> {
    let calm = |away: &&Away| {
        let calm = spins.iter().filter(|spin| spin.disturbed.is_none());
        calm.clone()
            .all(|spin| away.to_ns < spin.began_ns || spin.ran_ns < away.from_ns)
    };
    let others = away.iter().filter(calm);
    others.map(Away::at_most_ns).collect()
}

/// Values from `from_ns` to `to_ns`, as well as cells can tell.
fn between(cells: &Cells, from_ns: u64, to_ns: u64) -> u64 {
    let range = cells.range(cell(from_ns)..=cell(to_ns));
    range.map(|(_, count)| count).sum()
}

/// Looks for every undisturbed injection in the report. What else may have made the timer late is `others`.
pub(super) fn judge(
    period_ns: u64,
    injections: &[Injection],
    others: &[u64],
    files: &Files,
    checks: &mut Checks,
) {
    let report = &files.report;
    checks.add(
        "live: the session's own verdict",
        "not failed",
        report.why.clone(),
        report.verdict != Verdict::Failed,
    );
    let happened = files.sum("timer.timer_lateness");
    let corrected = files.sum("timer.timer_lateness.corrected");
    let calm = || injections.iter().filter(|i| i.disturbed.is_none());
    for injection in calm() {
        // Whatever was as long may have left a value in the same place.
        let one = |found: u64, ns: u64| {
            let more = others.iter().filter(|longest| **longest >= ns).count() as u64;
            (1..=1 + more).contains(&found)
        };
        let once = between(&happened, injection.late_ns, injection.at_most_ns);
        let added = |k: &u64| {
            let (from_ns, to_ns) = (
                injection.late_ns - k * period_ns,
                injection.at_most_ns - k * period_ns,
            );
            let all = between(&corrected, from_ns, to_ns);
            one(
                all.saturating_sub(between(&happened, from_ns, to_ns)),
                from_ns,
            )
        };
        let found = (1..=injection.skipped).filter(added).count() as u64;
        let say = |once: u64, found: u64| {
            format!(
                "{once} so late or up to {} later, {found} of {} skipped ticks corrected",
                duration(injection.at_most_ns - injection.late_ns),
                injection.skipped
            )
        };
        checks.add(
            format!(
                "live: the CPU away for {}, the timer late by {} ns",
                duration(injection.length_ns),
                thousands(injection.late_ns)
            ),
            say(1, injection.skipped),
            say(once, found),
            one(once, injection.late_ns) && found == injection.skipped,
        );
    }
    let skipped: u64 = calm().map(|i| i.skipped).sum();
    for ticks in &report.ticks {
        account(ticks, skipped, files, checks);
    }
}

/// The loop holds the longest stall during which the stages, whose CPU was `away` at times, could have decided: the block
/// that was complete when the timer should have woken waited until it did.
pub(super) fn loop_holds(
    start_ns: u64,
    injections: &[Injection],
    away: &[Away],
    files: &Files,
    checks: &mut Checks,
) {
    let could_decide = |injection: &&Injection| {
        let began_ns = start_ns + injection.began_ns;
        let around = began_ns - 2 * PERIOD_NS..began_ns + injection.length_ns + 5 * PERIOD_NS;
        let long = away.iter().filter(|away| away.at_most_ns() > PERIOD_NS / 2);
        injection.disturbed.is_none()
            && long
                .clone()
                .all(|away| away.to_ns < around.start || around.end < away.from_ns)
    };
    let waited = injections.iter().filter(could_decide).map(|i| i.late_ns);
    let Some(waited_ns) = waited.max() else {
        return;
    };
    let max_ns = files.report.loop_latency.as_ref();
    let max_ns = max_ns.and_then(|l| l.hop.uncorrected.max_ns);
    checks.add(
        "live: longest loop latency as it happened",
        format!(
            "at least the {} ns the timer was late",
            thousands(waited_ns)
        ),
        max_ns.map_or_else(|| "none".to_owned(), |ns| format!("{} ns", thousands(ns))),
        max_ns.is_some_and(|ns| cell(ns) >= cell(waited_ns)),
    );
}

/// The tick account covers the ticks that the stalls skipped, and each tick skipped by waking late or running long is in
/// the corrected histogram.
fn account(ticks: &TickReport, skipped: u64, files: &Files, checks: &mut Checks) {
    let counted = ticks.late_wake + ticks.long_run;
    checks.add(
        format!(
            "live: ticks that {} skipped by waking late or running long",
            ticks.who
        ),
        format!("at least {}", thousands(skipped)),
        thousands(counted),
        counted >= skipped,
    );
    let kinds = [HopKind::TimerLateness, HopKind::Wake];
    let mut hops = files.report.hops.iter();
    let wake = hops.find(|hop| hop.stage == ticks.who && kinds.contains(&hop.kind));
    let added = wake.map_or(0, |hop| {
        hop.figures.count.saturating_sub(hop.uncorrected.count)
    });
    checks.count(
        format!("live: waits that the correction adds for {}", ticks.who),
        counted,
        added,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::script::{self, Script};
    use crate::prove::{chain, graph, read_back};

    const START_NS: u64 = 1_000_000_000;

    fn spin(began_at: f64, ended_at: f64, disturbed: Option<&str>) -> Spin {
        let at = |ticks: f64| START_NS + (ticks * PERIOD_NS as f64) as u64;
        Spin {
            began_ns: at(began_at),
            ended_ns: at(ended_at),
            ran_ns: at(ended_at) + 30_000,
            disturbed: disturbed.map(str::to_owned),
        }
    }

    #[test]
    fn a_spin_makes_the_timer_late_for_the_first_deadline_in_it() {
        let injections = injections(START_NS, &[spin(10.5, 17.75, None)]);
        let [injection] = injections.as_slice() else {
            panic!("{injections:?}");
        };
        assert_eq!(injection.late_ns, 6_750_000);
        assert_eq!(injection.at_most_ns, 6_780_000);
        assert_eq!(injection.skipped, 6);
    }

    #[test]
    fn only_what_is_no_calm_spin_of_ours_may_have_left_other_values() {
        let spins = [
            spin(10.5, 17.75, None),
            spin(30.5, 42.0, Some("it ended too late")),
        ];
        let away = |from: f64, to: f64| Away {
            from_ns: spin(from, to, None).began_ns,
            to_ns: spin(from, to, None).ended_ns,
        };
        let seen = [away(10.4, 17.77), away(30.4, 42.5), away(50.0, 52.0)];
        assert_eq!(others(&spins, &seen), [12_200_000, 2_100_000]);
    }

    /// A spin that began half a period before the first of `skipped + 1` deadlines of the script's period.
    fn injection(late_ns: u64, skipped: u64) -> Injection {
        Injection {
            began_ns: 0,
            length_ns: late_ns + script::PERIOD_NS / 2,
            late_ns: late_ns - 100_000,
            at_most_ns: late_ns + 20_000,
            skipped,
            disturbed: None,
        }
    }

    fn files_of(script: &Script) -> Files {
        let outcome = chain::run(&graph::plan().unwrap(), script, None).unwrap();
        read_back(&outcome).unwrap()
    }

    /// The script's timer sleeps through 3 deadlines, the first by 22.9 ms, and through 7, the first by 64.7 ms.
    #[test]
    fn a_stall_is_found_at_its_length_and_with_all_its_ticks_or_not_at_all() {
        let failed = |files: &Files, injection: Injection, others: &[u64]| {
            let mut checks = Checks::default();
            judge(script::PERIOD_NS, &[injection], others, files, &mut checks);
            checks.failed().len()
        };
        let files = files_of(&Script::new());
        assert_eq!(failed(&files, injection(22_900_000, 2), &[]), 0);
        assert_eq!(failed(&files, injection(64_700_000, 6), &[]), 0);
        assert_eq!(failed(&files, injection(65_000_000, 6), &[]), 1);
        assert_eq!(failed(&files, injection(64_400_000, 6), &[]), 1);
        // Whatever else there was, the stall itself must be there.
        assert_eq!(failed(&files, injection(65_000_000, 6), &[900_000_000]), 1);
        let mut script = Script::new();
        let records = &mut script.processes[0].records;
        let stalled = records.iter_mut().find(|r| r.skipped[0] == 6).unwrap();
        stalled.skipped[0] = 5;
        let files = files_of(&script);
        assert_eq!(failed(&files, injection(64_700_000, 6), &[]), 1);
    }

    /// In the script no command is older than 100 ms.
    #[test]
    fn a_loop_that_does_not_hold_the_stall_is_found_out_unless_the_stages_were_kept_from_deciding()
    {
        let files = files_of(&Script::new());
        let failed = |late_ns: u64, away: &[Away]| {
            let mut checks = Checks::default();
            let injections = [injection(late_ns, 0)];
            loop_holds(START_NS, &injections, away, &files, &mut checks);
            checks.failed().len()
        };
        assert_eq!(failed(90_000_000, &[]), 0);
        assert_eq!(failed(110_000_000, &[]), 1);
        let meanwhile = Away {
            from_ns: START_NS + 10_000_000,
            to_ns: START_NS + 20_000_000,
        };
        assert_eq!(failed(110_000_000, &[meanwhile]), 0);
    }
}
