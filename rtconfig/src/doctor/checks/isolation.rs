//! Whether the stages' CPUs are theirs alone.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::cpu_ranges;
use std::collections::BTreeSet;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "cpus_online",
        severity: Severity::Critical,
        why: "a stage cannot be bound to a CPU that is not there",
        look: cpus_online,
    },
    Check {
        name: "free_cpu",
        severity: Severity::Warning,
        why: "interrupts, kernel threads, the recorder and your shell need a CPU on which no real-time stage is in their way",
        look: free_cpu,
    },
    Check {
        name: "isolated",
        severity: Severity::Warning,
        why: "on an isolated CPU the scheduler places nothing that was not bound to it",
        look: isolated,
    },
    Check {
        name: "nohz_full",
        severity: Severity::Note,
        why: "without it every CPU is interrupted by the scheduler's tick, 100 to 1000 times a second",
        look: nohz_full,
    },
    Check {
        name: "rcu_nocbs",
        severity: Severity::Note,
        why: "without it the kernel's deferred work (RCU callbacks) runs on the CPU that caused it, in a soft interrupt",
        look: rcu_nocbs,
    },
];

/// When everything that could go elsewhere has nowhere to go.
pub(super) const NO_CPU_IS_FREE: &str =
    "every CPU has stages: give the graph fewer of them (`cpu =`), or the host more, and ask again";
/// Work that the kernel binds to a CPU: deferred callbacks, timers. Tens of microseconds.
const BOUND_WORK_NS: u64 = 50_000;
/// A tick: 16 to 20 us each, measured on a virtual machine.
const TICK_NS: u64 = 20_000;

fn cpus_online(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let online = look.online()?;
    let missing = look.cpus() - &online;
    if missing.is_empty() {
        return Judgement::good(format!("CPUs {} are online", cpu_ranges(look.cpus())));
    }
    Judgement::bad(
        format!("CPUs {} are not online", cpu_ranges(&missing)),
        Harm::Run,
        vec![Fix::advice(format!(
            "let the graph name CPUs that are there (`cpu =`): {}",
            cpu_ranges(&online)
        ))],
    )
}

fn free_cpu(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let free = look.free_cpus()?;
    if free.is_empty() {
        return Judgement::bad(
            "every CPU has timer or stages",
            Harm::None,
            vec![Fix::advice(NO_CPU_IS_FREE)],
        );
    }
    Judgement::good(format!("CPUs {} have no stages", cpu_ranges(&free)))
}

/// CPUs that the scheduler leaves alone, by the boot line or by a cgroup.
pub(super) fn isolated_cpus(look: &mut Look<'_>) -> Result<BTreeSet<u32>, Unread> {
    let file = "/sys/devices/system/cpu/isolated";
    let mut cpus = cpus_of(file, &look.text(file)?)?;
    // cgroup v2 from Linux 6.7 on; a cgroup of version 1 has no such file.
    let partitions = "/sys/fs/cgroup/cpuset.cpus.isolated";
    if let Ok(Some(text)) = look.quiet(partitions) {
        look.note(partitions, &text);
        cpus.extend(cpus_of(partitions, &text)?);
    }
    Ok(cpus)
}

fn isolated(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let isolated = isolated_cpus(look)?;
    covered(
        look,
        &isolated,
        "isolated",
        BOUND_WORK_NS,
        "isolcpus=managed_irq,domain,",
    )
}

fn nohz_full(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/sys/devices/system/cpu/nohz_full";
    let cpus = match look.optional(file)? {
        Some(text) => cpus_of(file, &text)?,
        // A kernel that cannot do it has no such file; one that was not asked says nothing in it.
        None => listed(look, "nohz_full")?,
    };
    covered(look, &cpus, "without ticks", TICK_NS, "nohz_full=")
}

fn rcu_nocbs(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let named = look.boot_parameter("rcu_nocbs")?;
    let mut cpus = match named.as_deref() {
        Some("all") => look.online()?,
        Some(list) => cpus_of("/proc/cmdline, rcu_nocbs", list)?,
        None => BTreeSet::new(),
    };
    // What has no ticks has no callbacks either.
    cpus.extend(listed(look, "nohz_full")?);
    covered(
        look,
        &cpus,
        "without RCU callbacks",
        BOUND_WORK_NS,
        "rcu_nocbs=",
    )
}

fn listed(look: &mut Look<'_>, parameter: &str) -> Result<BTreeSet<u32>, Unread> {
    let list = look.boot_parameter(parameter)?.unwrap_or_default();
    cpus_of(&format!("/proc/cmdline, {parameter}"), &list)
}

fn covered(
    look: &mut Look<'_>,
    cpus: &BTreeSet<u32>,
    word: &str,
    delay_ns: u64,
    parameter: &str,
) -> Result<Judgement, Unread> {
    let wanted = look.cpus().clone();
    let missing = &wanted - cpus;
    if missing.is_empty() {
        return Judgement::good(format!("CPUs {} are {word}", cpu_ranges(&wanted)));
    }
    let fix = if look.free_cpus()?.is_empty() {
        Fix::advice(NO_CPU_IS_FREE)
    } else {
        Fix::boot(format!("{parameter}{}", cpu_ranges(&wanted)))
    };
    Judgement::bad(
        format!("CPUs {} are not {word}", cpu_ranges(&missing)),
        Harm::Delay { delay_ns },
        vec![fix],
    )
}
