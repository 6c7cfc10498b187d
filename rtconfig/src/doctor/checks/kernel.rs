//! What the kernel is, and what it does on its own on every CPU.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::{HostFingerprint, cpu_ranges};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "preempt_rt",
        severity: Severity::Critical,
        why: "without PREEMPT_RT the kernel may hold a CPU for milliseconds before a stage runs, and nothing bounds that",
        look: preempt_rt,
    },
    Check {
        name: "timer_migration",
        severity: Severity::Note,
        why: "timers of idle CPUs are moved to busy ones, and a stage's CPU is one of these",
        look: timer_migration,
    },
    Check {
        name: "watchdogs",
        severity: Severity::Note,
        why: "the lockup watchdogs wake a thread of highest priority on every CPU they watch, every few seconds",
        look: watchdogs,
    },
    Check {
        name: "workqueues",
        severity: Severity::Warning,
        why: "kernel work that belongs to no CPU runs wherever the mask lets it, between two activations too",
        look: workqueues,
    },
];

/// Some interruption by the kernel's own housekeeping: 16 to 20 us each, measured on a virtual machine.
const INTERRUPTION_NS: u64 = 20_000;

fn preempt_rt(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let extra = "/sys/kernel/realtime";
    if look.quiet(extra).is_ok_and(|text| text.is_some()) {
        // Missing on mainline kernels from 6.12 on: it says nothing by its absence.
        look.text(extra)?;
    }
    let host = HostFingerprint::read(&look.host.root);
    look.note("uname -v", &host.kernel_version);
    if host.kernel_version.is_empty() {
        return Err(Unread(
            "/proc/sys/kernel/version and /proc/version: are not there".to_owned(),
        ));
    }
    if host.preempt_rt {
        return Judgement::good(format!("{} has PREEMPT_RT", host.kernel_release));
    }
    Judgement::bad(
        "the kernel is built without PREEMPT_RT",
        Harm::Promise {
            words: "no PREEMPT_RT, so no promise above p99.9".to_owned(),
        },
        vec![Fix::advice(
            "boot a kernel with PREEMPT_RT: Debian `apt install linux-image-rt-amd64`, Ubuntu `pro enable realtime-kernel`, mainline from 6.12 on CONFIG_PREEMPT_RT=y",
        )],
    )
}

fn timer_migration(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/sys/kernel/timer_migration";
    if look.number(file)? == 0 {
        return Judgement::good("off");
    }
    Judgement::bad(
        "on",
        Harm::Delay {
            delay_ns: INTERRUPTION_NS,
        },
        vec![Fix::write(vec![file.to_owned()], "0")],
    )
}

fn watchdogs(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/sys/kernel/watchdog_cpumask";
    let switch = "/proc/sys/kernel/watchdog";
    if look.number(switch)? == 0 {
        return Judgement::good("off");
    }
    let mask = look.text(file)?;
    let watched = &cpus_of(file, &mask)? & look.cpus();
    if watched.is_empty() {
        return Judgement::good("not on the stages' CPUs");
    }
    let free = look.free_cpus()?;
    let fix = if free.is_empty() {
        Fix::write(vec![switch.to_owned()], "0")
    } else {
        Fix::write(vec![file.to_owned()], &cpu_ranges(&free))
    };
    Judgement::bad(
        format!("watch CPUs {}", cpu_ranges(&watched)),
        Harm::Delay {
            delay_ns: INTERRUPTION_NS,
        },
        vec![fix],
    )
}

fn workqueues(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let own = "/sys/devices/virtual/workqueue/cpumask";
    let mut masks = vec![(own, look.text(own)?)];
    // Not on every host.
    let writeback = "/sys/devices/virtual/workqueue/writeback/cpumask";
    masks.extend(look.optional(writeback)?.map(|mask| (writeback, mask)));
    let mut wrong = Vec::new();
    for (file, mask) in masks {
        let cpus = super::cpu_mask::read(&mask)
            .ok_or_else(|| Unread(format!("{file}: is no mask of CPUs")))?;
        if !cpus.is_disjoint(look.cpus()) {
            wrong.push(file.to_owned());
        }
    }
    if wrong.is_empty() {
        return Judgement::good("not on the stages' CPUs");
    }
    let free = look.free_cpus()?;
    let fix = if free.is_empty() {
        Fix::advice(super::isolation::NO_CPU_IS_FREE)
    } else {
        Fix::write(wrong, &super::cpu_mask::write(&free))
    };
    Judgement::bad(
        "kernel work may run on the stages' CPUs",
        Harm::Delay {
            delay_ns: INTERRUPTION_NS,
        },
        vec![fix],
    )
}
