//! Whether the CPUs are real ones.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "hypervisor",
        severity: Severity::Warning,
        why: "a hypervisor takes a CPU away for milliseconds (1 to 30 measured) without the guest's kernel knowing",
        look: hypervisor,
    },
    Check {
        name: "steal",
        severity: Severity::Warning,
        why: "it is the time in which a stage could have run and its CPU was somebody else's",
        look: steal,
    },
];

/// Share of the time from which on steal is not an accident, and from which on it is the rule.
const SOME: f64 = 0.001;
const MUCH: f64 = 0.01;
/// A time slice of the hypervisor's scheduler.
const SLICE_NS: u64 = 10_000_000;

fn hypervisor(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    if look.cpu_flags(&["hypervisor"])?.is_empty() {
        return Judgement::good("none");
    }
    Judgement::bad(
        "this is a virtual machine",
        Harm::Promise {
            words: "under a hypervisor, so no promise of any maximum".to_owned(),
        },
        vec![Fix::advice(
            "run on the bare host; else let the virtual machine have physical CPUs of its own (libvirt: <vcpupin>, `isolcpus` on the host)",
        )],
    )
}

fn steal(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/stat";
    let text = look
        .quiet(file)?
        .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    let mut worst = 0.0_f64;
    for cpu in look.cpus().clone() {
        let name = format!("cpu{cpu}");
        // proc_stat(5): the eighth number is steal; the ninth and tenth are part of the first two.
        let times: Vec<f64> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(key, _)| *key == name)
            .map(|(_, rest)| rest.split_whitespace().take(8))
            .into_iter()
            .flatten()
            .filter_map(|word| word.parse().ok())
            .collect();
        let (Some(steal), total) = (times.get(7), times.iter().sum::<f64>()) else {
            return Err(Unread(format!("{file}: has no steal for CPU {cpu}")));
        };
        let share = steal / total.max(1.0);
        look.note(
            format!("{file}, {name}"),
            &format!("{:.2} % steal since boot", share * 100.0),
        );
        worst = worst.max(share);
    }
    let what = format!("{:.2} % since boot", worst * 100.0);
    if worst < SOME {
        return Judgement::good(what);
    }
    let harm = if worst < MUCH {
        Harm::None
    } else {
        Harm::Delay { delay_ns: SLICE_NS }
    };
    Judgement::bad(
        what,
        harm,
        vec![Fix::advice(
            "the host of this virtual machine has more of them than CPUs: move it, or pin its CPUs",
        )],
    )
}
