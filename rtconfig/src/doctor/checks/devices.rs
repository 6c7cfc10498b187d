//! Devices at the ends of the loop: the recorder's disk, serial adapters.

use super::Check;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "disk",
        severity: Severity::Warning,
        why: "what the disk cannot take in time is a gap in the recording",
        look: disk,
    },
    Check {
        name: "ftdi_latency",
        severity: Severity::Warning,
        why: "an FTDI serial adapter keeps what it has received for so many ms: data come in lumps",
        look: ftdi_latency,
    },
];

const MB: f64 = 1e6;
/// The disk should be faster than the recording by this factor: it has other work, too.
const HEADROOM: f64 = 2.0;

fn disk(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let from = "8 MB written and synced in this folder";
    let speed = look.host.facts.disk_bytes_per_s.ok_or_else(|| {
        Unread(
            "not measured: that needs the host itself, a folder that can be written, and 8 MB on its disk within 300 ms"
                .to_owned(),
        )
    })?;
    look.note(from, &format!("{:.1} MB/s", speed / MB));
    let needed = look.host.asked.record_bytes_per_s;
    let what = format!(
        "takes {:.1} MB/s, {:.1} MB/s are to be recorded",
        speed / MB,
        needed / MB
    );
    if speed >= needed * HEADROOM {
        return Judgement::good(what);
    }
    Judgement::bad(
        what,
        Harm::None,
        vec![Fix::advice(
            "record to another disk (`--record DIR`), or less (`record = [...]` names streams)",
        )],
    )
}

fn ftdi_latency(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    if look.names("/sys/bus").is_empty() {
        return Err(Unread("/sys/bus: shows nothing".to_owned()));
    }
    let folder = "/sys/bus/usb-serial/devices";
    let mut slow = Vec::new();
    let mut timers = 0;
    for device in look.names(folder) {
        let file = format!("{folder}/{device}/latency_timer");
        // Other makes have no such timer.
        if look.quiet(&file)?.is_none() {
            continue;
        }
        timers += 1;
        let latency_ms = look.number(&file)?;
        if latency_ms > 1 {
            slow.push((file, latency_ms));
        }
    }
    let Some((_, latency_ms)) = slow.iter().max_by_key(|(_, ms)| *ms) else {
        look.note(folder, &format!("{timers} FTDI adapters"));
        return Judgement::good(format!("{timers} adapters, none of them slow"));
    };
    Judgement::bad(
        format!("{} adapters wait up to {latency_ms} ms", slow.len()),
        // The samples are late, the tick is not.
        Harm::None,
        vec![Fix::write(
            slow.iter().map(|(file, _)| file.clone()).collect(),
            "1",
        )],
    )
}
