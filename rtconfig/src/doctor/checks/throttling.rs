//! What takes the CPU from a real-time task that does not give it up.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "rt_throttling",
        severity: Severity::Warning,
        why: "a real-time task that spins is stopped for the rest of every period (50 ms a second by default); it is also what saves the host from a runaway",
        look: rt_throttling,
    },
    Check {
        name: "fair_server",
        severity: Severity::Warning,
        why: "from Linux 6.12 on, starved tasks of normal priority are given time in front of a real-time task that spins",
        look: fair_server,
    },
];

/// First kernel with a fair server.
const FAIR_SERVER_SINCE: (u32, u32) = (6, 12);

// Neither is a `Write`: who has switched them off and spins on the last CPU has lost the host, so that is the user's own
// decision and command.

fn rt_throttling(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let runtime = "/proc/sys/kernel/sched_rt_runtime_us";
    let runtime_us = look.number(runtime)?;
    if runtime_us < 0 {
        return Judgement::good("off: nothing stops a runaway but RLIMIT_RTTIME");
    }
    let period_us = look.number("/proc/sys/kernel/sched_rt_period_us")?;
    if !look.spins() {
        return Judgement::good(format!(
            "real-time tasks get {runtime_us} of {period_us} us; nothing here spins"
        ));
    }
    let delay_us = u64::try_from(period_us - runtime_us).unwrap_or(0);
    Judgement::bad(
        format!("a spinning stage is stopped for {delay_us} of {period_us} us"),
        Harm::Delay {
            delay_ns: delay_us * 1000,
        },
        vec![Fix::command("sudo sysctl kernel.sched_rt_runtime_us=-1")],
    )
}

fn fair_server(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let release = look.text("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|n| n.parse::<u32>().ok());
    let version = number().zip(number());
    let version = version.ok_or_else(|| Unread(format!("`{release}` names no version")))?;
    if version < FAIR_SERVER_SINCE {
        return Judgement::good("this kernel has none");
    }
    if !look.spins() {
        return Judgement::good("nothing here spins");
    }
    let mut longest_ns = 0;
    let mut files = Vec::new();
    for cpu in look.host.asked.spinning_cpus.clone() {
        let file = format!("/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime");
        let runtime_ns = look.number(&file)?;
        if runtime_ns > 0 {
            longest_ns = longest_ns.max(runtime_ns.unsigned_abs());
            files.push(file);
        }
    }
    if files.is_empty() {
        return Judgement::good("off where something spins");
    }
    Judgement::bad(
        format!(
            "takes up to {} ms a second from a spinning stage",
            longest_ns / 1_000_000
        ),
        Harm::Delay {
            delay_ns: longest_ns,
        },
        vec![Fix::command(format!(
            "echo 0 | sudo tee {} > /dev/null",
            files.join(" ")
        ))],
    )
}
