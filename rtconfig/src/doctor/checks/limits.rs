//! Resource limits of this process, which its stages inherit.

use super::Check;
use super::privileges::{allow, effective};
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "rlimit_rtprio",
        severity: Severity::Critical,
        why: "without CAP_SYS_NICE it is the highest SCHED_FIFO priority a stage can have",
        look: rtprio,
    },
    Check {
        name: "rlimit_memlock",
        severity: Severity::Critical,
        why: "every stage locks its memory, else a page fault waits for the disk in the middle of an activation",
        look: memlock,
    },
    Check {
        name: "rlimit_sigpending",
        severity: Severity::Note,
        why: "signals beyond it are not queued; the tick's ring survives that, signals of your own stages may not",
        look: sigpending,
    },
    Check {
        name: "rlimit_rttime",
        severity: Severity::Critical,
        why: "a FIFO process that computes longer without blocking is killed; a ticked stage sets its own limit of one second",
        look: rttime,
    },
];

/// Twice what the largest process of the demo locks (28 MB).
const MEMLOCK_BYTES: u64 = 64 << 20;
/// One per process of the largest graph, and room.
const SIGPENDING: u64 = 128;
/// What a stage sets for itself, us.
const RTTIME_US: u64 = 1_000_000;

/// Soft limit; `None`: unlimited.
fn soft(look: &mut Look<'_>, name: &str) -> Result<Option<u64>, Unread> {
    let file = "/proc/self/limits";
    let from = format!("{file}, {name}");
    let text = look
        .quiet(file)?
        .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    look.note(&from, value.unwrap_or("not there"));
    match value {
        Some("unlimited") => Ok(None),
        Some(number) => number
            .parse()
            .map(Some)
            .map_err(|_| Unread(format!("{from}: is no number"))),
        None => Err(Unread(format!("{from}: is not there"))),
    }
}

/// The limit, or the capability that needs none, lets this process have the highest priority that is asked for.
pub(super) fn rtprio_suffices(look: &mut Look<'_>) -> Result<bool, Unread> {
    let limit = soft(look, "Max realtime priority")?;
    let wanted = u64::from(look.host.asked.highest_priority);
    Ok(limit.is_none_or(|limit| limit >= wanted) || effective(look)?.sys_nice)
}

fn rtprio(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let wanted = look.host.asked.highest_priority;
    if rtprio_suffices(look)? {
        return Judgement::good(format!("{wanted} is permitted"));
    }
    Judgement::bad(
        format!("{wanted} is asked for and not permitted"),
        Harm::Run,
        vec![allow()],
    )
}

fn memlock(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let limit = soft(look, "Max locked memory")?;
    if limit.is_none_or(|limit| limit >= MEMLOCK_BYTES) {
        return Judgement::good(
            limit.map_or("unlimited".to_owned(), |l| format!("{} KiB", l / 1024)),
        );
    }
    if effective(look)?.ipc_lock {
        return Judgement::good("CAP_IPC_LOCK needs no limit");
    }
    Judgement::bad(
        format!(
            "{} KiB, and a stage of the demo locks 28,000",
            limit.unwrap_or(0) / 1024
        ),
        Harm::Run,
        vec![allow()],
    )
}

fn sigpending(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let limit = soft(look, "Max pending signals")?;
    if limit.is_none_or(|limit| limit >= SIGPENDING) {
        return Judgement::good(limit.map_or("unlimited".to_owned(), |l| l.to_string()));
    }
    Judgement::bad(
        format!("{}", limit.unwrap_or(0)),
        Harm::None,
        vec![Fix::command(
            "echo \"$USER - sigpending 1024\" | sudo tee /etc/security/limits.d/91-ephapse.conf > /dev/null # then log in again",
        )],
    )
}

fn rttime(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let limit = soft(look, "Max realtime timeout")?;
    let enough = limit.is_none_or(|limit| limit >= RTTIME_US && !look.spins());
    if enough {
        return Judgement::good(limit.map_or("unlimited".to_owned(), |l| format!("{l} us")));
    }
    Judgement::bad(
        format!("kills after {} us", limit.unwrap_or(0)),
        Harm::Run,
        vec![Fix::command(
            "ulimit -R unlimited # in the shell that starts the session",
        )],
    )
}
