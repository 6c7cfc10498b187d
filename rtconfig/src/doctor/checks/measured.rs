//! What `--measure` has seen.

use super::Check;
use crate::doctor::facts::MeasuredCpu;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};
use crate::doctor::verdict::{TICKS_PER_DELAY, time};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "wake_ups",
        severity: Severity::Warning,
        why: "no setting proves anything: this is how late a thread of highest priority really woke",
        look: wake_ups,
    },
    Check {
        name: "spin_gaps",
        severity: Severity::Warning,
        why: "what interrupts a thread that only reads the clock interrupts a stage as well",
        look: spin_gaps,
    },
];

/// A 99.9th percentile of fewer values is their maximum.
const LEAST_WAKES: u64 = 1000;
/// What comes once a second is not seen in less.
const LEAST_SPUN_NS: u64 = 1_000_000_000;

fn measured(
    look: &mut Look<'_>,
    enough: impl Fn(&MeasuredCpu) -> bool,
) -> Result<Vec<MeasuredCpu>, Unread> {
    let measured = look.host.facts.measured.clone();
    let cpus = measured
        .filter(|cpus| !cpus.is_empty())
        .ok_or_else(|| Unread("not measured: `ephapse doctor --measure 30s` does it".to_owned()))?;
    if !cpus.iter().all(enough) {
        return Err(Unread(
            "measured for too short a time to say it: `--measure 30s` is enough".to_owned(),
        ));
    }
    Ok(cpus)
}

/// Delays CPU by CPU against the shortest tick that is asked for.
fn judge(look: &Look<'_>, what: String, worst_ns: u64) -> Result<Judgement, Unread> {
    let shortest_ns = look.host.asked.ticks_ns.iter().min().copied().unwrap_or(0);
    if worst_ns.saturating_mul(TICKS_PER_DELAY) <= shortest_ns {
        return Judgement::good(what);
    }
    Judgement::bad(
        what,
        Harm::Delay { delay_ns: worst_ns },
        vec![Fix::advice(
            "put right what else is listed here, and measure again; what then is left is the hardware's or the hypervisor's",
        )],
    )
}

fn without_fifo(cpu: &MeasuredCpu) -> &'static str {
    if cpu.fifo {
        ""
    } else {
        " (without SCHED_FIFO)"
    }
}

fn wake_ups(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let cpus = measured(look, |cpu| cpu.wakes >= LEAST_WAKES)?;
    for cpu in &cpus {
        let value = format!(
            "{} wake-ups{}, late by p50 {}, p99 {}, p99.9 {}, max {}",
            cpu.wakes,
            without_fifo(cpu),
            time(cpu.wake_p50_ns),
            time(cpu.wake_p99_ns),
            time(cpu.wake_p999_ns),
            time(cpu.wake_max_ns)
        );
        look.note(format!("measured, CPU {}", cpu.cpu), &value);
    }
    let worst_ns = cpus.iter().map(|cpu| cpu.wake_p999_ns).max().unwrap_or(0);
    let what = format!("99.9 % are late by {} or less", time(worst_ns));
    judge(look, what, worst_ns)
}

fn spin_gaps(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let cpus = measured(look, |cpu| cpu.spun_ns >= LEAST_SPUN_NS)?;
    for cpu in &cpus {
        let value = format!(
            "{} gaps in {}{}, {:.2} % of it, {} once a second, max {}",
            cpu.gaps,
            time(cpu.spun_ns),
            without_fifo(cpu),
            cpu.gaps_ns as f64 * 100.0 / cpu.spun_ns.max(1) as f64,
            time(cpu.gap_each_second_ns),
            time(cpu.gap_max_ns)
        );
        look.note(format!("measured, CPU {}", cpu.cpu), &value);
    }
    let worst_ns = cpus.iter().map(|cpu| cpu.gap_each_second_ns).max();
    let worst_ns = worst_ns.unwrap_or(0);
    let what = format!("one of {} or more each second", time(worst_ns));
    judge(look, what, worst_ns)
}
