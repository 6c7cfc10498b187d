//! What CPUs do to save power, and what two of them share.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::cpu_ranges;
use std::collections::BTreeSet;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "governor",
        severity: Severity::Warning,
        why: "any governor but `performance` slows an idle CPU down, and a stage begins on a slow one",
        look: governor,
    },
    Check {
        name: "boost",
        severity: Severity::Note,
        why: "with boost, run times depend on heat and on what the other CPUs do",
        look: boost,
    },
    Check {
        name: "c_states",
        severity: Severity::Warning,
        why: "an idle CPU sleeps as deep as it is let, and takes that state's exit latency to wake",
        look: c_states,
    },
    Check {
        name: "cpu_dma_latency",
        severity: Severity::Warning,
        why: "a run that may write it keeps idle CPUs polling: a wake-up takes 3 us instead of 26",
        look: cpu_dma_latency,
    },
    Check {
        name: "smt",
        severity: Severity::Warning,
        why: "two threads of one core share its units: what the sibling does makes a stage up to twice as long",
        look: smt,
    },
];

/// A change of frequency, and the slow run before it.
const FREQUENCY_NS: u64 = 200_000;
/// Waking a halted CPU, measured.
const HALTED_NS: u64 = 26_000;
/// Exit latency that is none, us.
const SHALLOW_US: i64 = 10;

fn governor(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let mut wrong = Vec::new();
    for cpu in look.cpus().clone() {
        let file = format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
        let governor = look.text(&file).map_err(|Unread(why)| {
            Unread(format!(
                "{why} (the frequency is the firmware's or the hypervisor's business)"
            ))
        })?;
        if governor != "performance" {
            wrong.push((file, cpu, governor));
        }
    }
    let Some((_, _, governor)) = wrong.first() else {
        return Judgement::good("performance");
    };
    let cpus: BTreeSet<u32> = wrong.iter().map(|(_, cpu, _)| *cpu).collect();
    Judgement::bad(
        format!("`{governor}` on CPUs {}", cpu_ranges(&cpus)),
        Harm::Delay {
            delay_ns: FREQUENCY_NS,
        },
        vec![Fix::write(
            wrong.iter().map(|(file, _, _)| file.clone()).collect(),
            "performance",
        )],
    )
}

fn boost(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    for (file, off, on) in [
        ("/sys/devices/system/cpu/intel_pstate/no_turbo", "1", "0"),
        ("/sys/devices/system/cpu/cpufreq/boost", "0", "1"),
    ] {
        let Some(text) = look.optional(file)? else {
            continue;
        };
        return match text.as_str() {
            text if text == off => Judgement::good("off"),
            text if text == on => {
                let fix = Fix::write(vec![file.to_owned()], off);
                Judgement::bad("on", Harm::None, vec![fix])
            }
            _ => Err(Unread(format!("{file}: is neither 0 nor 1"))),
        };
    }
    Err(Unread(
        "neither intel_pstate/no_turbo nor cpufreq/boost is there".to_owned(),
    ))
}

fn c_states(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let mut deepest: Option<(i64, String)> = None;
    let mut deep = Vec::new();
    for cpu in look.cpus().clone() {
        let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cpuidle");
        let states = look.names(&folder);
        if states.is_empty() {
            return Err(Unread(format!(
                "{folder}: shows no states (they are the firmware's or the hypervisor's business)"
            )));
        }
        for state in states {
            let of = |name: &str| format!("{folder}/{state}/{name}");
            if look.quiet(&of("disable"))?.as_deref() == Some("1") {
                continue;
            }
            let latency = look.quiet(&of("latency"))?.unwrap_or_default();
            let latency_us: i64 = latency
                .parse()
                .map_err(|_| Unread(format!("{}: is no number", of("latency"))))?;
            if latency_us > SHALLOW_US {
                deep.push(of("disable"));
            }
            if deepest.as_ref().is_none_or(|(most, _)| latency_us > *most) {
                let name = look.quiet(&of("name"))?.unwrap_or_default();
                look.note(of("latency"), &format!("{name}, {latency_us} us"));
                deepest = Some((latency_us, name));
            }
        }
    }
    let (latency_us, name) = deepest.unwrap_or_default();
    if deep.is_empty() {
        return Judgement::good("none that takes long to leave");
    }
    if look.host.facts.latency_file == Some(Ok(())) {
        look.note("/dev/cpu_dma_latency", "may be written");
        return Judgement::good(format!(
            "{name} takes {latency_us} us to leave, but a run keeps idle CPUs out of it"
        ));
    }
    Judgement::bad(
        format!("{name} takes {latency_us} us to leave"),
        Harm::Delay {
            delay_ns: latency_us.unsigned_abs() * 1000,
        },
        vec![Fix::write(deep, "1")],
    )
}

fn cpu_dma_latency(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/dev/cpu_dma_latency";
    let open = look.fact(&format!("opening {file}"), &look.host.facts.latency_file)?;
    match open {
        Ok(()) => {
            look.note(format!("open({file}, O_WRONLY)"), "permitted");
            Judgement::good("may be written: a run holds it at 0")
        }
        Err(why) => {
            look.note(format!("open({file}, O_WRONLY)"), &why);
            Judgement::bad(
                format!("may not be written: {why}"),
                Harm::Delay {
                    delay_ns: HALTED_NS,
                },
                vec![Fix::command(format!("sudo chown $USER {file}"))],
            )
        }
    }
}

fn smt(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let cpus = look.cpus().clone();
    let mut siblings = BTreeSet::new();
    for cpu in cpus.clone() {
        let file = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let text = look.text(&file)?;
        let mut core = cpus_of(&file, &text)?;
        if !core.remove(&cpu) {
            return Err(Unread(format!("{file}: does not name its own CPU")));
        }
        siblings.extend(core);
    }
    if siblings.is_empty() {
        return Judgement::good("each of the stages' CPUs is a core of its own");
    }
    let idle = &siblings - &cpus;
    // Not a `Write`: who takes a CPU away and brings it back has changed masks and control groups of others meanwhile.
    let fix = if idle.is_empty() || idle.contains(&0) {
        Fix::advice(
            "let the graph name CPUs of different cores (`cpu =`), or switch SMT off in the firmware or with `nosmt` at boot",
        )
    } else {
        let files = idle
            .iter()
            .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/online"));
        Fix::command(format!(
            "echo 0 | sudo tee {} > /dev/null",
            files.collect::<Vec<_>>().join(" ")
        ))
    };
    Judgement::bad(
        format!("share their cores with CPUs {}", cpu_ranges(&siblings)),
        Harm::None,
        vec![fix],
    )
}
