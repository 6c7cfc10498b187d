//! What waking has cost in an earlier run, out of hops that say only when a stage ran: what has passed since whoever ran
//! before it on its CPU was done.
//!
//! Percentiles are subtracted one by one, as if what is slow were slow together: a host's delays mostly are.

use super::measured::{Figures, Measured, SHARES_PPM};
use super::overhead;
use super::run_time::RunTime;
use crate::plan::{Pace, Plan, Policy, StagePlan};
use std::cmp::Reverse;

/// What an activation of a stage costs before its first turn.
pub fn wake(measured: &Measured, plan: &Plan, stage: usize) -> RunTime {
    known(measured, plan, stage).unwrap_or_else(overhead::wake)
}

fn known(measured: &Measured, plan: &Plan, index: usize) -> Option<RunTime> {
    let (stage, timer) = (&plan.stages[index], plan.timer.as_ref()?);
    let ran = measured.hop(&stage.name, "wake")?.points()?;
    let ring_ns = overhead::ring().quantile_ns(500_000);
    let rings = |count: usize| [ring_ns.saturating_mul(count as u64); SHARES_PPM.len()];
    let late = || {
        measured
            .hop("timer", "timer_lateness")
            .and_then(Figures::points)
    };
    let ticked = |stage: &&StagePlan| stage.pace == Pace::Tick;
    let before = match stage.pace {
        Pace::Tick => match runs_before(plan, index) {
            Some(other) => sum(
                measured.hop(&other.name, "wake")?.points()?,
                measured.hop(&other.name, "run")?.points()?,
            ),
            None => {
                let place = plan.stages[..=index].iter().filter(ticked).count();
                sum(late()?, rings(place))
            }
        },
        Pace::Clock | Pace::Device if stage.cpu == Some(timer.cpu) => {
            let rung = plan.stages.iter().filter(ticked).count();
            sum(late()?, rings(rung))
        }
        Pace::Clock | Pace::Device => rings(0),
        // Counted from the commit upstream, whatever ran between.
        Pace::Data | Pace::None => return None,
    };
    let assumed = overhead::wake();
    let least = SHARES_PPM.map(|ppm| match ppm {
        1_000_000 => assumed.worst_ns(),
        _ => assumed.best_ns(),
    });
    let points = (0..SHARES_PPM.len()).map(|at| {
        let cost_ns = ran[at].saturating_sub(before[at]);
        (SHARES_PPM[at], cost_ns.max(least[at]))
    });
    Some(RunTime::measured(points))
}

/// The ticked stage that runs just before this one in the same ticks on its CPU.
fn runs_before(plan: &Plan, index: usize) -> Option<&StagePlan> {
    let own = &plan.stages[index];
    let rank = |at: usize, stage: &StagePlan| (stage.priority, Reverse(at));
    let stages = plan.stages.iter().enumerate();
    let before = stages.filter(|(at, stage)| {
        stage.policy == Policy::Fifo
            && stage.pace == Pace::Tick
            && stage.cpu == own.cpu
            && (stage.divider, stage.phase) == (own.divider, own.phase)
            && rank(*at, stage) > rank(index, own)
    });
    let before = before.min_by_key(|(at, stage)| rank(*at, stage));
    before.map(|(_, stage)| stage)
}

fn sum(a: [u64; SHARES_PPM.len()], b: [u64; SHARES_PPM.len()]) -> [u64; SHARES_PPM.len()] {
    std::array::from_fn(|at| a[at].saturating_add(b[at]))
}
