//! The host a graph runs on: which CPUs there are, and a fingerprint for reports.
//!
//! Everything is read from files below a root folder (`/` on a live host), never from the calling process: what the
//! process may use is another question than what the host has.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a report must know of a host to compare its latencies with those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFingerprint {
    /// Model name of the first CPU, empty if the host does not say.
    pub cpu_model: String,
    /// CPUs online.
    pub cpus: u32,
    /// Kernel release, as `uname -r`.
    pub kernel_release: String,
    /// Kernel version, as `uname -v`.
    pub kernel_version: String,
    /// The kernel is built with PREEMPT_RT.
    pub preempt_rt: bool,
    /// The CPU says that it runs under a hypervisor.
    pub hypervisor: bool,
    /// Frequency governor of the first CPU; `none` if there is no frequency scaling.
    pub governor: String,
    /// The kernel's clock source.
    pub clocksource: String,
    /// CPUs taken out of the scheduler's hands, by raw id.
    pub isolated_cpus: Vec<u32>,
    /// Memory, bytes.
    pub memory_bytes: u64,
}

/// Time that a hypervisor has taken of each CPU since the system began, in the kernel's clock ticks: the eighth number of each
/// `cpuN` line of `/proc/stat` (proc_stat(5)).
pub fn stolen_ticks(stat: &str) -> BTreeMap<u32, u64> {
    let lines = stat.lines().filter_map(|line| {
        let mut words = line.strip_prefix("cpu")?.split(' ');
        let cpu = words.next()?.parse().ok()?;
        Some((cpu, words.nth(7)?.parse().ok()?))
    });
    lines.collect()
}

impl HostFingerprint {
    /// Reads the fingerprint from `proc` and `sys` below `root`. What the host does not say stays empty or zero.
    pub fn read(root: &Path) -> Self {
        let cpuinfo = text(root, "proc/cpuinfo");
        let kernel_version = kernel_version(root);
        let governor = text(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        HostFingerprint {
            cpu_model: cpuinfo_field(&cpuinfo, "model name")
                .or_else(|| cpuinfo_field(&cpuinfo, "Model"))
                .unwrap_or_default(),
            cpus: online_cpus(root).map_or(0, |cpus| u32::try_from(cpus.len()).unwrap_or(u32::MAX)),
            kernel_release: text(root, "proc/sys/kernel/osrelease"),
            preempt_rt: kernel_version.contains("PREEMPT_RT"),
            kernel_version,
            hypervisor: cpuinfo_field(&cpuinfo, "flags")
                .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            governor: if governor.is_empty() {
                "none".to_owned()
            } else {
                governor
            },
            clocksource: text(
                root,
                "sys/devices/system/clocksource/clocksource0/current_clocksource",
            ),
            isolated_cpus: cpu_list(&text(root, "sys/devices/system/cpu/isolated"))
                .unwrap_or_default()
                .into_iter()
                .collect(),
            memory_bytes: memory_bytes(&text(root, "proc/meminfo")),
        }
    }
}

/// CPUs that are online, by raw id; `None` if the host does not say.
pub fn online_cpus(root: &Path) -> Option<BTreeSet<u32>> {
    cpu_list(&text(root, "sys/devices/system/cpu/online")).filter(|cpus| !cpus.is_empty())
}

/// Parses the kernel's lists of CPUs, `0-3,6`. The empty list is a list.
pub fn cpu_list(text: &str) -> Option<BTreeSet<u32>> {
    // No kernel has more CPUs than this; a wrong file must not make us count to four billion.
    const MOST: u32 = 65_536;
    let mut cpus = BTreeSet::new();
    for part in text
        .trim()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// The opposite of [`cpu_list`].
pub fn cpu_ranges(cpus: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *cpu => *last = *cpu,
            _ => ranges.push((*cpu, *cpu)),
        }
    }
    ranges
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect::<Vec<_>>()
        .join(",")
}

fn text(root: &Path, file: &str) -> String {
    std::fs::read_to_string(root.join(file))
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// `/proc/sys/kernel/version` is `uname -v`; `/proc/version` ends with it and is there in more containers.
fn kernel_version(root: &Path) -> String {
    let version = text(root, "proc/sys/kernel/version");
    if !version.is_empty() {
        return version;
    }
    let long = text(root, "proc/version");
    long.find(" #")
        .map_or(long.clone(), |at| long[at + 1..].to_owned())
}

fn cpuinfo_field(cpuinfo: &str, name: &str) -> Option<String> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

fn memory_bytes(meminfo: &str) -> u64 {
    cpuinfo_field(meminfo, "MemTotal")
        .and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        let folder = path.parent().unwrap_or(root);
        std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn the_eighth_number_of_a_cpu_s_line_is_what_was_stolen() {
        let stat = "cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu11 1 2 3 4 5 6 7 80 0 0\nintr 1 2\ncpu2 1 2\n";
        assert_eq!(stolen_ticks(stat), BTreeMap::from([(0, 8), (11, 80)]));
    }

    #[test]
    fn the_fingerprint_of_a_real_time_host_is_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let root = folder.path();
        write(
            root,
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Fast CPU 9\nflags\t\t: fpu hypervisor sse\n\nprocessor\t: 1\nmodel name\t: Fast CPU 9\n",
        );
        write(
            root,
            "proc/version",
            "Linux version 6.12.1-rt (builder@host) (gcc 12) #1 SMP PREEMPT_RT Debian 6.12.1\n",
        );
        write(root, "proc/sys/kernel/osrelease", "6.12.1-rt\n");
        write(
            root,
            "proc/meminfo",
            "MemTotal:        8000 kB\nMemFree: 1 kB\n",
        );
        write(root, "sys/devices/system/cpu/online", "0-1\n");
        write(root, "sys/devices/system/cpu/isolated", "1\n");
        write(
            root,
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "performance\n",
        );
        write(
            root,
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc\n",
        );
        assert_eq!(
            HostFingerprint::read(root),
            HostFingerprint {
                cpu_model: "Fast CPU 9".to_owned(),
                cpus: 2,
                kernel_release: "6.12.1-rt".to_owned(),
                kernel_version: "#1 SMP PREEMPT_RT Debian 6.12.1".to_owned(),
                preempt_rt: true,
                hypervisor: true,
                governor: "performance".to_owned(),
                clocksource: "tsc".to_owned(),
                isolated_cpus: vec![1],
                memory_bytes: 8_192_000,
            }
        );
    }

    #[test]
    fn a_host_that_says_nothing_gives_an_empty_fingerprint() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let fingerprint = HostFingerprint::read(folder.path());
        assert!(!fingerprint.preempt_rt && fingerprint.cpus == 0);
        assert_eq!(fingerprint.governor, "none");
        assert_eq!(online_cpus(folder.path()), None);
    }

    #[test]
    fn cpu_lists_are_read_and_written_as_the_kernel_does() {
        for list in ["", "0", "0-3", "0,2-3,7"] {
            assert_eq!(
                cpu_list(list).map(|cpus| cpu_ranges(&cpus)).as_deref(),
                Some(list)
            );
        }
        assert_eq!(cpu_list("0-x"), None);
        assert_eq!(cpu_list("0-4000000000"), None);
    }
}
