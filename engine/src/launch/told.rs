//! What the witnesses saw and what befell the processes, told to those who walk decisions back: to the collector at once, and
//! through the session's events to the capture.

use super::run::Run;
use crate::hindsight::Happened;
use crate::outcome::{Stall, Steal};
use std::collections::BTreeMap;

/// Stalls that may become events in a row. The events have few places, and other things happen, too.
const IN_A_ROW: u64 = 16;
/// And one more in so long, ns.
const ONE_MORE_NS: u64 = 1_000_000_000;

/// Which stalls become events: all of them while they are rare, of many the longest.
#[derive(Debug, Default)]
pub(super) struct Telling {
    waiting: Vec<Stall>,
    told: u64,
    passed_over: u64,
    since_ns: Option<u64>,
}

impl Telling {
    pub fn add(&mut self, stall: Stall) {
        let place = self
            .waiting
            .partition_point(|s| s.length_ns >= stall.length_ns);
        self.waiting.insert(place, stall);
        if self.waiting.len() > IN_A_ROW as usize {
            self.waiting.pop();
            self.passed_over += 1;
        }
    }

    /// Those whose turn it is, longest first.
    pub fn due(&mut self, now_ns: u64) -> Vec<Stall> {
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        let more = now_ns.saturating_sub(since_ns) / ONE_MORE_NS;
        // What nobody needed does not add up.
        if more >= self.told {
            (self.told, self.since_ns) = (0, Some(now_ns));
        } else {
            self.told -= more;
            self.since_ns = Some(since_ns + more * ONE_MORE_NS);
        }
        let may = (IN_A_ROW - self.told.min(IN_A_ROW)) as usize;
        let due: Vec<Stall> = self.waiting.drain(..may.min(self.waiting.len())).collect();
        self.told += due.len() as u64;
        due
    }

    /// How many were passed over since this was asked last.
    pub fn passed_over(&mut self) -> u64 {
        core::mem::take(&mut self.passed_over)
    }
}

/// How far the collector was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    telling: Telling,
    faults: usize,
    restarts: usize,
    /// End of each CPU's newest stall, ns.
    stalled_ns: BTreeMap<u32, u64>,
}

impl Run {
    /// Passes on what is new. To be called before the collector looks at its records.
    pub(super) fn tell(&mut self, now_ns: u64) {
        let start_ns = self.start_ns;
        for stall in self.witnesses.look() {
            if stall.at_ns >= start_ns {
                self.collector.stall(stall);
                self.told.telling.add(stall);
                let end_ns = stall.at_ns.saturating_add(stall.length_ns);
                self.told.stalled_ns.insert(stall.cpu, end_ns);
            }
        }
        let tick_ns = self.processes.plan.tick_ns.max(1);
        for stall in self.told.telling.due(now_ns) {
            let tick = (stall.at_ns - start_ns) / tick_ns;
            let events = &mut self.processes.events;
            events.say_at(stall.at_ns, tick, Stall::TELLER, &stall.says());
            let passed_over = self.told.telling.passed_over();
            if passed_over > 0 {
                let what = format!("{passed_over} shorter stalls are not listed");
                events.say(tick, Stall::TELLER, &what);
            }
        }
        let faults = self.faults.iter().skip(self.told.faults);
        let restarts = self.restarts.iter().skip(self.told.restarts);
        for fault in faults.chain(restarts) {
            self.collector.event(&Happened {
                at_ns: start_ns.saturating_add_signed(fault.at_ns),
                who: fault.who.clone(),
                what: fault.what.clone(),
            });
        }
        self.told.faults = self.faults.len();
        self.told.restarts = self.restarts.len();
    }

    /// Passes on what a hypervisor took in a second in which a witness saw that CPU stand still: nothing else is explained by it.
    pub(super) fn tell_steal(&mut self, steal: Steal, tick: u64) {
        let since_ns = steal.until_ns.saturating_sub(steal.over_ns);
        let stalled_ns = self.told.stalled_ns.get(&steal.cpu);
        if stalled_ns.is_some_and(|end_ns| *end_ns >= since_ns) {
            self.collector.steal(steal);
            let events = &mut self.processes.events;
            events.say_at(steal.until_ns, tick, Steal::TELLER, &steal.says());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn stall(length_ns: u64) -> Stall {
        Stall {
            cpu: 1,
            at_ns: 5,
            length_ns,
        }
    }

    fn lengths(stalls: Vec<Stall>) -> Vec<u64> {
        stalls.iter().map(|s| s.length_ns).collect()
    }

    #[test]
    fn rare_stalls_are_all_told_at_once() {
        let mut telling = Telling::default();
        for second in 0..100 {
            telling.add(stall(second + 1));
            assert_eq!(lengths(telling.due(second * SECOND_NS)), [second + 1]);
        }
        assert_eq!(telling.passed_over(), 0);
    }

    #[test]
    fn of_many_stalls_the_longest_are_told_and_the_rest_counted() {
        let mut telling = Telling::default();
        (1..=100).for_each(|length| telling.add(stall(length)));
        let longest: Vec<u64> = (85..=100).rev().collect();
        assert_eq!(lengths(telling.due(0)), longest);
        assert_eq!(telling.passed_over(), 84);
        // Now one a second.
        (1..=10).for_each(|length| telling.add(stall(length)));
        assert!(telling.due(SECOND_NS - 1).is_empty());
        assert_eq!(lengths(telling.due(SECOND_NS)), [10]);
        assert_eq!(lengths(telling.due(3 * SECOND_NS)), [9, 8]);
    }

    #[test]
    fn a_stall_that_was_told_as_an_event_is_read_back_exactly() {
        let seen = Stall {
            cpu: 3,
            at_ns: 77,
            length_ns: 38_900_012,
        };
        assert_eq!(seen.says(), "stall of CPU 3: 38.900012 ms");
        assert_eq!(Stall::told("witness", &seen.says(), 77), Some(seen));
        assert_eq!(Stall::told("band", &seen.says(), 77), None);
        assert_eq!(
            Stall::told("witness", "3 shorter stalls are not listed", 77),
            None
        );
        let steal = Steal {
            cpu: 3,
            until_ns: 77,
            over_ns: 1_000_123_456,
            ns: 40_000_000,
        };
        assert_eq!(steal.says(), "took 40.000000 ms of CPU 3 in 1000.123456 ms");
        assert_eq!(Steal::told("hypervisor", &steal.says(), 77), Some(steal));
        assert_eq!(Steal::told("band", &steal.says(), 77), None);
    }
}
