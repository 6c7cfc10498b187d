//! Whether the kernel has taken the CPU away from real-time threads, as far as it lets us see.

use crate::outcome::ThrottlingRecord;
use std::path::{Path, PathBuf};

/// The scheduler's own account; debugfs must be mounted, and only root may read it.
const SCHED_DEBUG: &str = "/sys/kernel/debug/sched/debug";
/// What it says of each CPU's real-time threads, 0 or 1.
const RT_THROTTLED: &str = ".rt_throttled";

/// What is looked at.
pub(super) struct Throttling {
    record: ThrottlingRecord,
    /// `cpu.stat` of the launcher's control group, and what it said at the start.
    group: Option<(PathBuf, u64)>,
    debug: bool,
}

impl Throttling {
    /// Finds out what can be seen.
    pub fn start() -> Self {
        let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
        let group = group_of(&std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
            .into_iter()
            .find_map(|path| {
                let throttled = throttled_in(&std::fs::read_to_string(&path).ok()?)?;
                Some((path, throttled))
            });
        let text = std::fs::read_to_string(SCHED_DEBUG);
        let debug = text.is_ok_and(|text| text.contains(RT_THROTTLED));
        let mut not_visible = Vec::new();
        if group.is_none() {
            not_visible.push("throttling of the control group (no cpu.stat with nr_throttled)");
        }
        if !debug {
            not_visible
                .push("throttling of real-time threads (no readable sched/debug in debugfs)");
        }
        Throttling {
            record: ThrottlingRecord {
                rt_runtime_us: number("/proc/sys/kernel/sched_rt_runtime_us"),
                rt_period_us: number("/proc/sys/kernel/sched_rt_period_us"),
                group_throttled: group.is_some().then_some(0),
                rt_throttled_seen: debug.then_some(0),
                not_visible: not_visible.into_iter().map(str::to_owned).collect(),
            },
            group,
            debug,
        }
    }

    /// Looks once more. CPUs whose real-time threads are throttled at this moment, as far as that is visible.
    pub fn look(&mut self) -> Vec<u32> {
        if let Some((path, before)) = &self.group
            && let Ok(text) = std::fs::read_to_string(path)
            && let Some(now) = throttled_in(&text)
        {
            self.record.group_throttled = Some(now.saturating_sub(*before));
        }
        if self.debug
            && let Ok(text) = std::fs::read_to_string(SCHED_DEBUG)
        {
            let cpus = rt_throttled(&text);
            *self.record.rt_throttled_seen.get_or_insert(0) += u64::from(!cpus.is_empty());
            return cpus;
        }
        Vec::new()
    }

    pub fn finish(self) -> ThrottlingRecord {
        self.record
    }
}

/// Where `cpu.stat` of a process's control group may stand, by its `/proc/self/cgroup`: version 2, or 1.
fn group_of(cgroup: &str) -> Vec<PathBuf> {
    let lines = cgroup.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup").to_owned(),
            list if list.split(',').any(|c| c == "cpu") => Path::new("/sys/fs/cgroup").join(list),
            _ => return None,
        };
        Some(root.join(path.trim_start_matches('/')).join("cpu.stat"))
    });
    lines.collect()
}

fn throttled_in(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|l| l.strip_prefix("nr_throttled "));
    line?.trim().parse().ok()
}

/// CPUs of which some real-time threads are throttled now.
fn rt_throttled(debug: &str) -> Vec<u32> {
    let (mut cpu, mut throttled) = (None, Vec::new());
    for line in debug.lines() {
        if let Some(rest) = line.strip_prefix("rt_rq[") {
            // Of several control groups each has its own line.
            cpu = rest.split_once(']').and_then(|(cpu, _)| cpu.parse().ok());
        } else if let Some(rest) = line.trim_start().strip_prefix(RT_THROTTLED)
            && rest.trim_start_matches([' ', ':']).trim() != "0"
            && let Some(cpu) = cpu
            && !throttled.contains(&cpu)
        {
            throttled.push(cpu);
        }
    }
    throttled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_either_version_is_found() {
        assert_eq!(
            group_of("0::/user.slice/a\n"),
            [PathBuf::from("/sys/fs/cgroup/user.slice/a/cpu.stat")]
        );
        assert_eq!(
            group_of("5:cpu,cpuacct:/x\n3:memory:/x\n"),
            [PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/x/cpu.stat")]
        );
    }

    #[test]
    fn throttling_is_read_where_it_is_told() {
        assert_eq!(throttled_in("nr_periods 9\nnr_throttled 4\n"), Some(4));
        assert_eq!(throttled_in("usage_usec 5\n"), None);
        let debug = "rt_rq[0]:\n  .rt_throttled   : 0\nrt_rq[1]:\n  .rt_throttled   : 1\n";
        assert_eq!(rt_throttled(debug), [1]);
        let groups = debug.replace("[0]:", "[1]:/a") + "rt_rq[3]:/b\n  .rt_throttled : 1\n";
        assert_eq!(rt_throttled(&groups), [1, 3]);
        assert_eq!(rt_throttled("rt_rq[0]:\n"), Vec::<u32>::new());
    }
}
