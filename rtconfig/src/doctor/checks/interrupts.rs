//! Interrupts of devices, and the threads that serve them.

use super::Check;
use super::isolation::NO_CPU_IS_FREE;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::cpu_ranges;
use std::collections::BTreeSet;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "irqs",
        severity: Severity::Warning,
        why: "a device's interrupt, and the soft interrupt behind it, runs before any stage on its CPU",
        look: irqs,
    },
    Check {
        name: "irq_threads",
        severity: Severity::Warning,
        why: "with PREEMPT_RT interrupts are served by FIFO threads of priority 50: before every stage of a lower one on their CPU",
        look: irq_threads,
    },
];

/// A hard interrupt with its soft interrupt. A disk's or network's burst takes longer.
const INTERRUPT_NS: u64 = 100_000;

fn irqs(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/interrupts";
    let table = look
        .quiet(file)?
        .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    if !table
        .lines()
        .next()
        .is_some_and(|head| head.contains("CPU"))
    {
        return Err(Unread(format!("{file}: is no table of interrupts")));
    }
    // Rows with a number are devices; those with letters belong to the CPUs themselves.
    let numbers: Vec<u32> = table
        .lines()
        .filter_map(|line| line.split_once(':')?.0.trim().parse().ok())
        .collect();
    look.note(file, &format!("{} device interrupts", numbers.len()));
    let mut here = Vec::new();
    for number in numbers {
        let (file, cpus) = affinity(look, number)?;
        if !cpus.is_disjoint(look.cpus()) {
            look.note(file, &cpu_ranges(&cpus));
            here.push(number);
        }
    }
    if here.is_empty() {
        return Judgement::good("none on the stages' CPUs");
    }
    let free = look.free_cpus()?;
    let mut fix = Vec::new();
    if free.is_empty() {
        fix.push(Fix::advice(NO_CPU_IS_FREE));
    } else {
        if look.names("/proc").iter().any(|pid| {
            let comm = look.quiet(&format!("/proc/{pid}/comm"));
            pid.parse::<u32>().is_ok() && matches!(comm, Ok(Some(name)) if name == "irqbalance")
        }) {
            // It would move them back.
            fix.push(Fix::command("sudo systemctl stop irqbalance"));
        }
        let files = here
            .iter()
            .map(|number| format!("/proc/irq/{number}/smp_affinity_list"));
        fix.push(Fix::write(files.collect(), &cpu_ranges(&free)));
    }
    Judgement::bad(
        format!("{} of them come to the stages' CPUs", here.len()),
        Harm::Delay {
            delay_ns: INTERRUPT_NS,
        },
        fix,
    )
}

/// Where an interrupt goes: the CPUs chosen of those it may go to, or all of these on hosts that do not say.
fn affinity(look: &Look<'_>, number: u32) -> Result<(String, BTreeSet<u32>), Unread> {
    let folder = format!("/proc/irq/{number}");
    for name in ["effective_affinity_list", "smp_affinity_list"] {
        let file = format!("{folder}/{name}");
        let text = look.quiet(&file)?.unwrap_or_default();
        if !text.trim().is_empty() {
            let cpus = cpus_of(&file, &text)?;
            return Ok((file, cpus));
        }
    }
    Err(Unread(format!("{folder}: does not say where it goes")))
}

/// A thread of the kernel that serves an interrupt.
struct IrqThread {
    pid: String,
    name: String,
    priority: u8,
    cpus: BTreeSet<u32>,
}

/// All of them, and how many processes were looked at for it.
fn irq_threads_of(look: &Look<'_>) -> Result<(Vec<IrqThread>, usize), Unread> {
    let mut threads = Vec::new();
    let (mut seen, mut kernel) = (0, false);
    for pid in look.names("/proc") {
        if pid.parse::<u32>().is_err() {
            continue;
        }
        // Processes come and go while they are looked at.
        let Ok(Some(stat)) = look.quiet(&format!("/proc/{pid}/stat")) else {
            continue;
        };
        // The name in brackets may hold anything, brackets too.
        let named = stat.split_once('(').and_then(|(_, s)| s.rsplit_once(')'));
        let Some((name, fields)) = named else {
            continue;
        };
        seen += 1;
        kernel |= name == "kthreadd";
        if name.starts_with("irq/") {
            // proc_pid_stat(5): rt_priority is field 40, and two stand before these.
            let priority = fields.split_whitespace().nth(37);
            let priority = priority.and_then(|p| p.parse().ok());
            threads.push(IrqThread {
                cpus: allowed_cpus(look, &pid)?,
                priority: priority
                    .ok_or_else(|| Unread(format!("/proc/{pid}/stat: has no priority")))?,
                name: name.to_owned(),
                pid,
            });
        }
    }
    if !kernel {
        return Err(Unread(
            "/proc: shows no threads of the kernel (a container does not)".to_owned(),
        ));
    }
    Ok((threads, seen))
}

fn allowed_cpus(look: &Look<'_>, pid: &str) -> Result<BTreeSet<u32>, Unread> {
    let file = format!("/proc/{pid}/status");
    let status = look.quiet(&file)?.unwrap_or_default();
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let list = list.ok_or_else(|| Unread(format!("{file}: has no Cpus_allowed_list")))?;
    cpus_of(&file, list)
}

fn irq_threads(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let lowest = look.host.asked.lowest_priority;
    let (mut threads, seen) = irq_threads_of(look)?;
    look.note("/proc/*/stat", &format!("{seen} processes"));
    threads.retain(|t| t.priority >= lowest && !t.cpus.is_disjoint(look.cpus()));
    if threads.is_empty() {
        return Judgement::good("none in the way of a stage");
    }
    for thread in &threads {
        let (name, priority) = (&thread.name, thread.priority);
        let value = format!("{name}, FIFO {priority}, CPUs {}", cpu_ranges(&thread.cpus));
        look.note(format!("/proc/{}", thread.pid), &value);
    }
    let below = lowest.saturating_sub(1).max(1);
    let pids: Vec<&str> = threads.iter().map(|thread| thread.pid.as_str()).collect();
    Judgement::bad(
        format!(
            "{} on the stages' CPUs at priority {lowest} or above",
            pids.len()
        ),
        Harm::Delay {
            delay_ns: INTERRUPT_NS,
        },
        vec![Fix::command(format!(
            "for p in {}; do sudo chrt -f -p {below} $p; done",
            pids.join(" ")
        ))],
    )
}
