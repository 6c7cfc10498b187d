//! Memory: what moves pages under a running stage, and the room that rings need.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "shm",
        severity: Severity::Critical,
        why: "rings, states and the recorder's spool stand in /dev/shm, and are taken before the first tick or not at all",
        look: shm,
    },
    Check {
        name: "thp",
        severity: Severity::Warning,
        why: "with `always` the kernel copies small pages into huge ones while their owner waits",
        look: thp,
    },
    Check {
        name: "swap",
        severity: Severity::Note,
        why: "stages lock their memory; helpers, the recorder's writer and the report do not, and wait for the disk",
        look: swap,
    },
    Check {
        name: "numa_balancing",
        severity: Severity::Warning,
        why: "it takes pages away for a moment to see who uses them, locked ones too",
        look: numa_balancing,
    },
];

/// Copying 2 MiB, with all TLBs told.
const COLLAPSE_NS: u64 = 300_000;
/// A burst of hinting faults.
const HINTING_NS: u64 = 200_000;
/// A page of a "shared memory" that is on a disk.
const DISK_NS: u64 = 10_000_000;
const MIB: u64 = 1 << 20;

fn shm(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/mounts";
    let mounts = look
        .quiet(file)?
        .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    let mut mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == "/dev/shm").then_some(())?;
        words.next()
    });
    // What is mounted last lies on top.
    let kind = mounted.next_back().unwrap_or("not mounted").to_owned();
    look.note(format!("{file}, /dev/shm"), &kind);
    if kind != "tmpfs" {
        return Judgement::bad(
            format!("/dev/shm is no memory: {kind}"),
            Harm::Delay { delay_ns: DISK_NS },
            vec![Fix::command("sudo mount -t tmpfs tmpfs /dev/shm")],
        );
    }
    let free = look.fact("statvfs(/dev/shm)", &look.host.facts.shm_free_bytes)?;
    let needed = look.host.asked.shm_bytes;
    look.note("statvfs(/dev/shm)", &format!("{} MiB free", free / MIB));
    if free >= needed {
        return Judgement::good(format!(
            "tmpfs, {} MiB free, {} MiB are enough",
            free / MIB,
            needed.div_ceil(MIB)
        ));
    }
    Judgement::bad(
        format!(
            "{} MiB are free, {} MiB are needed",
            free / MIB,
            needed.div_ceil(MIB)
        ),
        Harm::Run,
        vec![Fix::command(format!(
            "sudo mount -o remount,size={}M /dev/shm",
            // What is in use stays there.
            (needed * 2).div_ceil(MIB) + 1024
        ))],
    )
}

fn thp(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/sys/kernel/mm/transparent_hugepage/enabled";
    let text = look.text(file)?;
    // `always [madvise] never`: the chosen one stands in brackets.
    let chosen = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or(text.as_str(), |(chosen, _)| chosen);
    match chosen {
        "madvise" | "never" => return Judgement::good(chosen),
        "always" => {}
        other => return Err(Unread(format!("{file}: `{other}` is not known here"))),
    }
    Judgement::bad(
        "always",
        Harm::Delay {
            delay_ns: COLLAPSE_NS,
        },
        vec![Fix::write(vec![file.to_owned()], "madvise")],
    )
}

fn swap(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let file = "/proc/swaps";
    let text = look.text(file)?;
    let mut lines = text.lines();
    if !lines
        .next()
        .is_some_and(|head| head.starts_with("Filename"))
    {
        return Err(Unread(format!("{file}: is no table of swap areas")));
    }
    match lines.filter(|line| !line.trim().is_empty()).count() {
        0 => Judgement::good("none"),
        areas => Judgement::bad(
            format!("{areas} areas in use"),
            Harm::None,
            vec![Fix::command("sudo swapoff -a")],
        ),
    }
}

fn numa_balancing(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let nodes_file = "/sys/devices/system/node/online";
    let file = "/proc/sys/kernel/numa_balancing";
    let nodes = look.text(nodes_file)?;
    match cpus_of(nodes_file, &nodes)?.len() {
        0 => return Err(Unread(format!("{nodes_file}: names no node"))),
        1 => return Judgement::good("one memory node"),
        _ => {}
    }
    match look.optional(file)?.as_deref() {
        None => {
            // The folder of its switches is there, this one is not.
            look.text("/proc/sys/kernel/osrelease")?;
            Judgement::good("this kernel has none")
        }
        Some("0") => Judgement::good("off"),
        // 1, or 2 on hosts with slow memory.
        Some(_) => Judgement::bad(
            "on",
            Harm::Delay {
                delay_ns: HINTING_NS,
            },
            vec![Fix::write(vec![file.to_owned()], "0")],
        ),
    }
}
