//! One session of the engine, and what its timer has on record.

use super::rounds::Lateness;
use crate::programs::Programs;
use anyhow::{Context, bail};
use ephapse_engine::launch::{self, Options};
use ephapse_engine::outcome::{HopKind, Outcome};
use ephapse_rtconfig::plan::Plan;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Lateness of the timer over a session of `length`, and whether the timer had SCHED_FIFO. `interrupts` as in
/// [`Options::interrupts`].
///
/// # Errors
/// If the session does not start, has a fault, or was interrupted.
pub fn run(
    plan: &Plan,
    programs: &Programs,
    length: Duration,
    hold_cpu_latency: bool,
    interrupts: &Arc<AtomicU32>,
) -> anyhow::Result<(Lateness, bool)> {
    let outcome = launch::launch(
        plan,
        &mut Options {
            duration: Some(length),
            require_rt: false,
            hold_cpu_latency,
            lean_program: programs.lean.clone(),
            full_program: programs.full.clone(),
            capture_folder: std::path::PathBuf::new(),
            log: None,
            interrupts: interrupts.clone(),
            live: &mut |_| {},
            redescribe: &|stage, _| Ok(stage.described.clone()),
            live_params: &|_| Vec::new(),
            before_check: &mut |_| {},
        },
    )?;
    if interrupts.load(Ordering::Acquire) > 0 {
        bail!("interrupted");
    }
    if let Some(fault) = outcome.faults.first() {
        bail!("the timer's session: {}: {}", fault.who, fault.what);
    }
    let fifo = outcome
        .stages
        .iter()
        .any(|s| s.name == "timer" && s.policy == "fifo");
    Ok((lateness(&outcome)?, fifo))
}

/// The values as they happened: `cyclictest`, too, adds nothing for the wake-ups it slept through.
fn lateness(outcome: &Outcome) -> anyhow::Result<Lateness> {
    let hop = outcome
        .hops
        .iter()
        .find(|hop| hop.kind == HopKind::TimerLateness)
        .context("the session has no histogram of its timer's lateness")?;
    let values = hop.uncorrected.iter_recorded().flat_map(|step| {
        let count = usize::try_from(step.count_at_value()).unwrap_or(usize::MAX);
        std::iter::repeat_n(step.value_iterated_to(), count)
    });
    Ok(Lateness {
        values_ns: values.collect(),
        missing: hop.missing,
    })
}
