//! Loop latency, one interval after the other: a second each at first, longer ones as a run gets longer.
//!
//! All memory it will ever need is taken, and touched, at the beginning: how much a launcher holds after an hour is what it
//! held in the first minute.

use super::collect::{LoopNow, figures, histogram};
use crate::outcome::Interval;
use hdrhistogram::Histogram;

/// Most intervals of a run; when there are more, each two become one, and last twice as long from then on.
const MOST: usize = 128;
/// Length of the first ones, ns.
const FIRST_NS: u64 = 1_000_000_000;

/// The intervals of a run.
pub(super) struct Intervals {
    length_ns: u64,
    closed: Vec<Interval>,
    current: Histogram<u64>,
    current_from_ns: u64,
    spare: Vec<Histogram<u64>>,
}

impl Intervals {
    /// None yet. An unpaced run has no decisions in time, and needs no memory for them.
    pub fn new(paced: bool) -> Self {
        let spare = if paced { MOST + 1 } else { 0 };
        Intervals {
            length_ns: FIRST_NS,
            closed: Vec::with_capacity(MOST + 1),
            current: histogram(),
            current_from_ns: 0,
            spare: (0..spare).map(|_| histogram()).collect(),
        }
    }

    /// Takes a decision that took so long, ns.
    pub fn record(&mut self, ns: u64) {
        self.current.saturating_record(ns.max(1));
    }

    /// True if the current one is over, so long after the start.
    pub fn is_over(&self, elapsed_ns: u64) -> bool {
        elapsed_ns >= self.current_from_ns + self.length_ns
    }

    /// What the current one says so far.
    pub fn now(&self) -> LoopNow {
        figures(&self.current)
    }

    /// Closes the current one, if anything happened in it, and says what it says.
    pub fn close(&mut self, elapsed_ns: u64) -> Option<LoopNow> {
        let from_ns = core::mem::replace(&mut self.current_from_ns, elapsed_ns);
        if self.current.is_empty() {
            return None;
        }
        let next = self.spare.pop().unwrap_or_else(histogram);
        let histogram = core::mem::replace(&mut self.current, next);
        let said = figures(&histogram);
        self.closed.push(Interval {
            from_ns,
            length_ns: elapsed_ns - from_ns,
            tag: "loop".to_owned(),
            histogram,
        });
        if self.closed.len() > MOST {
            self.join();
        }
        Some(said)
    }

    /// Each two become one.
    fn join(&mut self) {
        self.length_ns *= 2;
        let mut joined: Vec<Interval> = Vec::with_capacity(MOST + 1);
        for (index, mut interval) in self.closed.drain(..).enumerate() {
            match joined.last_mut() {
                Some(last) if index % 2 == 1 => {
                    last.length_ns = interval.from_ns + interval.length_ns - last.from_ns;
                    // Both have the same bounds: adding cannot fail.
                    let _ = last.histogram.add(&interval.histogram);
                    interval.histogram.reset();
                    self.spare.push(interval.histogram);
                }
                _ => joined.push(interval),
            }
        }
        self.closed = joined;
    }

    /// All of them, in order.
    pub fn finish(self) -> Vec<Interval> {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_few_intervals_that_follow_each_other_and_hold_every_decision() {
        let mut intervals = Intervals::new(true);
        let spare = intervals.spare.len();
        let mut decisions = 0;
        for second in 1..=5_000_u64 {
            for decision in 0..second % 3 {
                intervals.record(1_000_000 + decision);
                decisions += 1;
            }
            if intervals.is_over(second * FIRST_NS) {
                intervals.close(second * FIRST_NS);
            }
        }
        intervals.close(5_000 * FIRST_NS);
        assert!(intervals.closed.len() <= MOST);
        // What is not in use is in reserve: nothing was taken beyond what was there at the beginning.
        assert_eq!(intervals.spare.len() + intervals.closed.len(), spare);
        let all = intervals.finish();
        let held: u64 = all.iter().map(|one| one.histogram.len()).sum();
        assert_eq!(held, decisions);
        for pair in all.windows(2) {
            assert!(pair[0].from_ns + pair[0].length_ns <= pair[1].from_ns);
        }
    }

    #[test]
    fn an_interval_in_which_nothing_was_decided_is_none() {
        let mut intervals = Intervals::new(true);
        assert!(intervals.close(FIRST_NS).is_none());
        intervals.record(7);
        assert_eq!(
            intervals.close(2 * FIRST_NS).map(|now| now.decisions),
            Some(1)
        );
        let all = intervals.finish();
        assert_eq!((all.len(), all[0].from_ns), (1, FIRST_NS));
    }
}
