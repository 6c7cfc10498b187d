//! The clock that every stamp comes from.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "clocksource",
        severity: Severity::Warning,
        why: "only these clocks are read without a system call (24 ns); others cost a microsecond or more per stamp",
        look: clocksource,
    },
    Check {
        name: "tsc",
        severity: Severity::Warning,
        why: "a counter that changes its rate or stops in idle states makes the kernel give it up for a slow clock, in the middle of a run",
        look: tsc,
    },
];

/// Clock sources that the vDSO can read.
const FAST: [&str; 5] = [
    "tsc",
    "tsc-early",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
    "arch_sys_counter",
];
const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
/// Some stamps per activation, each by a system call to slow hardware.
const SLOW_STAMPS_NS: u64 = 10_000;

fn clocksource(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = format!("{FOLDER}/current_clocksource");
    let current = look.text(&file)?;
    if FAST.contains(&current.as_str()) {
        return Judgement::good(current);
    }
    let available = look.text(&format!("{FOLDER}/available_clocksource"))?;
    let better = available
        .split_whitespace()
        .find(|name| FAST.contains(name));
    let fix = match better {
        Some(better) => Fix::write(vec![file], better),
        None => Fix::boot("tsc=reliable"),
    };
    Judgement::bad(
        format!("`{current}` is slow to read"),
        Harm::Delay {
            delay_ns: SLOW_STAMPS_NS,
        },
        vec![fix],
    )
}

fn tsc(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let current = look.text(&format!("{FOLDER}/current_clocksource"))?;
    if current == "arch_sys_counter" {
        return Judgement::good("an ARM counter has one rate and never stops");
    }
    let wanted = ["constant_tsc", "nonstop_tsc"];
    let found = look.cpu_flags(&wanted)?;
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|flag| !found.contains(flag))
        .collect();
    if missing.is_empty() {
        return Judgement::good("constant_tsc, nonstop_tsc");
    }
    Judgement::bad(
        format!("the CPU does not say {}", missing.join(", ")),
        Harm::None,
        vec![Fix::advice(
            "watch `dmesg | grep -i tsc` for `unstable`; a virtual machine gets both flags with a host-passthrough CPU",
        )],
    )
}
