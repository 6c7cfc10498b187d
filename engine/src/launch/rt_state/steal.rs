//! What a hypervisor takes of each CPU, as `/proc/stat` counts it. It can be read without privileges.

use crate::outcome::{Steal, StealRecord, StolenSecond};
use ephapse_rtconfig::host::stolen_ticks;
use std::collections::BTreeMap;

/// Seconds of one CPU that are put down, those with most; of the others the sum is.
const SECONDS: usize = 20;

/// What is known of all CPUs.
pub(super) struct StealWatch {
    /// Length of a clock tick, in which the kernel counts, ns.
    unit_ns: u64,
    /// Counts at the last look, and when that was, ns.
    before: Option<(u64, BTreeMap<u32, u64>)>,
    records: BTreeMap<u32, StealRecord>,
}

impl StealWatch {
    pub fn start() -> Self {
        StealWatch {
            unit_ns: 1_000_000_000 / crate::os::clock_ticks_per_s(),
            before: None,
            records: BTreeMap::new(),
        }
    }

    /// Looks once more. What was taken of each CPU since the last look; `at_ns` is now, after the start.
    pub fn look(&mut self, now_ns: u64, at_ns: i64) -> Vec<Steal> {
        match std::fs::read_to_string("/proc/stat") {
            Ok(text) => self.heed(stolen_ticks(&text), now_ns, at_ns),
            Err(_) => Vec::new(),
        }
    }

    fn heed(&mut self, counts: BTreeMap<u32, u64>, now_ns: u64, at_ns: i64) -> Vec<Steal> {
        let before = self.before.replace((now_ns, counts.clone()));
        let mut steals = Vec::new();
        for (cpu, count) in counts {
            let record = self.records.entry(cpu).or_insert_with(|| StealRecord {
                cpu,
                ..StealRecord::default()
            });
            let Some((then_ns, counts)) = &before else {
                continue;
            };
            let since = counts
                .get(&cpu)
                .map_or(0, |then| count.saturating_sub(*then));
            let (ns, over_ns) = (since * self.unit_ns, now_ns.saturating_sub(*then_ns));
            if ns == 0 {
                continue;
            }
            record.ns += ns;
            let place = record.worst.partition_point(|second| second.ns >= ns);
            record
                .worst
                .insert(place, StolenSecond { at_ns, over_ns, ns });
            record.worst.truncate(SECONDS);
            steals.push(Steal {
                cpu,
                until_ns: now_ns,
                over_ns,
                ns,
            });
        }
        steals
    }

    /// CPUs in order.
    pub fn finish(self) -> Vec<StealRecord> {
        self.records.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cpu_1: u64) -> BTreeMap<u32, u64> {
        BTreeMap::from([(0, 7), (1, cpu_1)])
    }

    #[test]
    fn what_is_taken_between_two_looks_is_put_down_with_its_second() {
        let mut watch = StealWatch {
            unit_ns: 10,
            before: None,
            records: BTreeMap::new(),
        };
        assert!(watch.heed(counts(500), 1_000, 0).is_empty());
        assert!(watch.heed(counts(500), 2_000, 1_000).is_empty());
        let steals = watch.heed(counts(503), 3_000, 2_000);
        let stolen = Steal {
            cpu: 1,
            until_ns: 3_000,
            over_ns: 1_000,
            ns: 30,
        };
        assert_eq!(steals, [stolen]);
        (0..30).for_each(|n| {
            watch.heed(counts(504 + n), 4_000 + n * 1_000, 3_000);
        });
        let records = watch.finish();
        let sums: Vec<(u32, u64)> = records.iter().map(|r| (r.cpu, r.ns)).collect();
        assert_eq!(sums, [(0, 0), (1, 330)]);
        assert_eq!(records[1].worst.len(), SECONDS);
        assert_eq!(records[1].worst[0].ns, 30);
        assert_eq!(records[1].worst[0].at_ns, 2_000);
    }
}
