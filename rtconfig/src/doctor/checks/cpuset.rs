//! Which CPUs the control group of this process may use, and with whom it shares them.

use super::Check;
use super::isolation::isolated_cpus;
use crate::doctor::finding::{Fix, Harm, Severity};
use crate::doctor::look::{Judgement, Look, Unread, cpus_of};
use crate::host::cpu_ranges;
use std::collections::BTreeSet;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "cpuset",
        severity: Severity::Critical,
        why: "a stage cannot be bound to a CPU that its control group must not use",
        look: cpuset,
    },
    Check {
        name: "cpuset_partition",
        severity: Severity::Note,
        why: "CPUs in a partition of their own are taken from all other groups, without a reboot",
        look: partition,
    },
];

/// The control group of this process in a hierarchy: its folder, and whether it is of version 2.
pub(super) struct Group {
    pub folder: String,
    pub unified: bool,
}

/// The hierarchy that rules `controller` here.
pub(super) fn group(look: &mut Look<'_>, controller: &str) -> Result<Group, Unread> {
    let file = "/proc/self/cgroup";
    let text = look
        .quiet(file)?
        .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    // `HIERARCHY:CONTROLLERS:PATH`; that of version 2 names no controllers.
    let groups = text.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        Some((line, controllers, path.trim_end_matches('/')))
    });
    let named = |controllers: &str| controllers.split(',').any(|name| name == controller);
    let (line, controllers, path) = groups
        .clone()
        .find(|(_, controllers, _)| named(controllers))
        .or_else(|| groups.clone().find(|(_, names, _)| names.is_empty()))
        .ok_or_else(|| Unread(format!("{file}: names no group with `{controller}`")))?;
    look.note(file, line);
    let unified = controllers.is_empty();
    let folder = if unified {
        format!("/sys/fs/cgroup{path}")
    } else {
        format!("/sys/fs/cgroup/{controllers}{path}")
    };
    Ok(Group { folder, unified })
}

fn allowed(look: &mut Look<'_>) -> Result<BTreeSet<u32>, Unread> {
    let group = group(look, "cpuset")?;
    let name = if group.unified {
        "cpuset.cpus.effective"
    } else {
        "cpuset.cpus"
    };
    // A group of version 2 without the controller uses what the next one above it may use.
    let mut folder = group.folder.as_str();
    loop {
        let file = format!("{folder}/{name}");
        if let Some(text) = look.quiet(&file)? {
            look.note(&file, &text);
            return cpus_of(&file, &text);
        }
        folder = folder
            .rsplit_once('/')
            .map(|(above, _)| above)
            .filter(|above| group.unified && above.starts_with("/sys/fs/cgroup"))
            .ok_or_else(|| Unread(format!("{file}: is not there")))?;
    }
}

fn cpuset(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let allowed = allowed(look)?;
    let missing = look.cpus() - &allowed;
    if missing.is_empty() {
        return Judgement::good(format!("may use CPUs {}", cpu_ranges(&allowed)));
    }
    Judgement::bad(
        format!(
            "must not use CPUs {} (only {})",
            cpu_ranges(&missing),
            cpu_ranges(&allowed)
        ),
        Harm::Run,
        vec![Fix::advice(format!(
            "start it where CPUs {} are permitted (systemd: `AllowedCPUs=` of the slice, a container: `--cpuset-cpus`), or let the graph name others",
            cpu_ranges(look.cpus())
        ))],
    )
}

fn partition(look: &mut Look<'_>) -> Result<Judgement, Unread> {
    let isolated = isolated_cpus(look)?;
    if look.cpus().is_subset(&isolated) {
        return Judgement::good("not needed: the CPUs are isolated");
    }
    let group = group(look, "cpuset")?;
    let kind = if group.unified {
        look.optional(&format!("{}/cpuset.cpus.partition", group.folder))?
    } else {
        look.note(&group.folder, "cgroup v1: knows no partitions");
        None
    };
    match kind.as_deref() {
        Some(kind @ ("root" | "isolated")) => Judgement::good(format!("a partition: {kind}")),
        _ => Judgement::bad(
            "shares its CPUs with every other group",
            Harm::None,
            vec![Fix::advice(
                "isolate the CPUs at boot (check `isolated`), or run the session in a cgroup v2 whose cpuset.cpus.partition is `isolated`",
            )],
        ),
    }
}
