//! Whether this user may run real-time stages.

use super::Check;
use super::cpuset::group;
use super::limits::rtprio_suffices;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "fifo",
        severity: Severity::Critical,
        why: "without SCHED_FIFO every other process of the host is as important as a stage",
        look: fifo,
    },
    Check {
        name: "capabilities",
        severity: Severity::Note,
        why: "CAP_SYS_NICE and CAP_IPC_LOCK give what limits (rtprio, memlock) else must give",
        look: capabilities,
    },
    Check {
        name: "rt_group",
        severity: Severity::Critical,
        why: "in a control group without real-time budget SCHED_FIFO is refused (EPERM), root's too",
        look: rt_group,
    },
];

/// capabilities(7).
const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;

/// Which of the two capabilities this process has.
pub(super) struct Capabilities {
    pub sys_nice: bool,
    pub ipc_lock: bool,
}

pub(super) fn effective(look: &mut Look<'_>) -> Result<Capabilities, Unread> {
    let mask = look.field("/proc/self/status", "CapEff")?;
    let mask = u64::from_str_radix(&mask, 16)
        .map_err(|_| Unread(format!("/proc/self/status: CapEff `{mask}` is no mask")))?;
    let has = |bit: u32| mask >> bit & 1 == 1;
    Ok(Capabilities {
        sys_nice: has(CAP_SYS_NICE),
        ipc_lock: has(CAP_IPC_LOCK),
    })
}

/// Gives a user what runs need, from the next login on; with Debian's and most others' pam_limits.
pub(super) fn allow() -> Fix {
    Fix::command(
        "printf '%s - rtprio 95\\n%s - memlock unlimited\\n' $USER $USER | sudo tee /etc/security/limits.d/90-ephapse.conf > /dev/null # then log in again",
    )
}

fn fifo(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let priority = look.host.asked.highest_priority;
    let from = format!("sched_setscheduler(SCHED_FIFO, {priority}), tried");
    match look.fact(&from, &look.host.facts.fifo)? {
        Ok(()) => {
            look.note(from, "granted");
            Judgement::good(format!("SCHED_FIFO {priority} was granted"))
        }
        Err(why) => {
            look.note(from, &why);
            let fix = if rtprio_suffices(look)? {
                Fix::advice(
                    "limits and capabilities allow it: see `rt_group`; in a container, what its runtime forbids",
                )
            } else {
                allow()
            };
            let what = format!("SCHED_FIFO {priority} was refused: {why}");
            Judgement::bad(what, Harm::Run, vec![fix])
        }
    }
}

fn capabilities(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let has = effective(look)?;
    let missing: Vec<&str> = [
        (has.sys_nice, "CAP_SYS_NICE"),
        (has.ipc_lock, "CAP_IPC_LOCK"),
    ]
    .into_iter()
    .filter_map(|(has, name)| (!has).then_some(name))
    .collect();
    if missing.is_empty() {
        return Judgement::good("CAP_SYS_NICE, CAP_IPC_LOCK");
    }
    Judgement::bad(
        format!("without {}: the limits decide", missing.join(", ")),
        Harm::None,
        vec![Fix::advice(
            "none are needed where `rlimit_rtprio` and `rlimit_memlock` pass; a systemd unit gives them with AmbientCapabilities=",
        )],
    )
}

fn rt_group(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let group = group(look, "cpu")?;
    if group.unified {
        // Version 2 has no such budget; what it refuses nevertheless, `fifo` finds out.
        return Judgement::good("cgroup v2 has no real-time budgets");
    }
    let file = format!("{}/cpu.rt_runtime_us", group.folder);
    let Some(budget) = look.optional(&file)? else {
        look.text(&format!("{}/cpu.shares", group.folder))?;
        return Judgement::good("this kernel has no real-time budgets");
    };
    match budget.parse::<i64>() {
        Err(_) => Err(Unread(format!("{file}: is no number"))),
        Ok(0) => Judgement::bad(
            "the group's real-time budget is 0",
            Harm::Run,
            vec![Fix::write(vec![file], "950000")],
        ),
        Ok(budget) => Judgement::good(format!("{budget} us per period")),
    }
}
