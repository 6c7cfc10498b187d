//! What else goes on on the machine: load, and the time the hypervisor takes.

use ephapse_rtconfig::host::stolen_ticks;
use std::fs;
use std::path::Path;

/// A look at the machine's counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Vec<f64>,
    /// Time that the hypervisor has taken from each CPU since boot, in the kernel's ticks, by CPU id.
    pub steal_ticks: Vec<u64>,
}

impl Machine {
    /// Reads `proc` below `root`. What the host does not say stays empty.
    pub fn read(root: &Path) -> Self {
        let text = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
        Machine {
            load: text("proc/loadavg")
                .split_whitespace()
                .take(3)
                .filter_map(|word| word.parse().ok())
                .collect(),
            steal_ticks: stolen_ticks(&text("proc/stat")).into_values().collect(),
        }
    }

    /// Steal on `cpu` since an earlier look, ms (a tick is 10 ms: `USER_HZ` is 100 on every Linux).
    pub fn steal_ms_since(&self, earlier: &Machine, cpu: u32) -> Option<u64> {
        let at = |machine: &Machine| machine.steal_ticks.get(cpu as usize).copied();
        Some(at(self)?.saturating_sub(at(earlier)?) * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_read_cpu_by_cpu_and_counted_from_the_earlier_look() {
        let folder = tempfile::tempdir().unwrap();
        let proc = folder.path().join("proc");
        fs::create_dir(&proc).unwrap();
        let stat = |a: u64, b: u64| {
            format!(
                "cpu  9 9 9 9 9 9 9 {} 0 0\ncpu0 1 2 3 4 5 6 7 {a} 0 0\ncpu1 1 2 3 4 5 6 7 {b} 0 0\nintr 5\n",
                a + b
            )
        };
        fs::write(proc.join("loadavg"), "0.50 1.25 2.00 1/99 4711\n").unwrap();
        fs::write(proc.join("stat"), stat(10, 20)).unwrap();
        let before = Machine::read(folder.path());
        assert_eq!(before.load, [0.5, 1.25, 2.0]);
        fs::write(proc.join("stat"), stat(13, 20)).unwrap();
        let after = Machine::read(folder.path());
        assert_eq!(after.steal_ms_since(&before, 0), Some(30));
        assert_eq!(after.steal_ms_since(&before, 1), Some(0));
        assert_eq!(after.steal_ms_since(&before, 2), None);
    }
}
