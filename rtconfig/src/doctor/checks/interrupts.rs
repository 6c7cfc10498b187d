//! Interrupts of devices, and the threads that serve them.

use super::Check;
use super::isolation::NO_CPU_IS_FREE;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::cpu_ranges;

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
        let folder = format!("/proc/irq/{number}");
        for name in ["effective_affinity_list", "smp_affinity_list"] {
            let file = format!("{folder}/{name}");
            let Some(text) = look.quiet(&file)? else {
                continue;
            };
            if text.trim().is_empty() {
                continue;
            }
            if !cpus_of(&file, &text)?.is_disjoint(look.cpus()) {
                look.note(&file, &text);
                here.push(number);
            }
            break;
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

fn irq_threads(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let lowest = look.host.asked.lowest_priority;
    let mut seen = 0;
    let mut above = Vec::new();
    for pid in look.names("/proc") {
        if pid.parse::<u32>().is_err() {
            continue;
        }
        // Processes come and go while they are looked at.
        let Ok(Some(stat)) = look.quiet(&format!("/proc/{pid}/stat")) else {
            continue;
        };
        // The name in brackets may hold anything, brackets too.
        let Some((name, fields)) = stat.split_once('(').and_then(|(_, s)| s.rsplit_once(')'))
        else {
            continue;
        };
        seen += 1;
        if !name.starts_with("irq/") {
            continue;
        }
        let Ok(Some(status)) = look.quiet(&format!("/proc/{pid}/status")) else {
            continue;
        };
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .unwrap_or_default();
        let on = cpus_of(&format!("/proc/{pid}/status"), list)?;
        // proc_pid_stat(5): rt_priority is field 40, and two stand before this.
        let priority = fields.split_whitespace().nth(37);
        let priority: u8 = priority.and_then(|p| p.parse().ok()).unwrap_or(0);
        if priority >= lowest && !on.is_disjoint(look.cpus()) {
            let value = format!("{name}, FIFO {priority}, CPUs {}", cpu_ranges(&on));
            look.note(format!("/proc/{pid}"), &value);
            above.push(pid);
        }
    }
    if seen == 0 {
        return Err(Unread("/proc: shows no processes".to_owned()));
    }
    look.note("/proc/*/stat", &format!("{seen} processes"));
    if above.is_empty() {
        return Judgement::good("none in the way of a stage");
    }
    let below = lowest.saturating_sub(1).max(1);
    Judgement::bad(
        format!(
            "{} on the stages' CPUs at priority {lowest} or above",
            above.len()
        ),
        Harm::Delay {
            delay_ns: INTERRUPT_NS,
        },
        vec![Fix::command(format!(
            "for p in {}; do sudo chrt -f -p {below} $p; done",
            above.join(" ")
        ))],
    )
}
