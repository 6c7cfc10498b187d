//! Rounds of several contestants in turns, so that what else happens on the machine meets all of them.
//!
//! ```text
//! probe ─> round of A, round of B, ... ─> probe ─> round of ..., B, A ─> probe ─> ...
//! ```
//!
//! The probe says how far the CPUs are from each other: on a virtual machine that changes under our feet, and rounds of
//! different placement are never compared.

use crate::measured::{Comparison, Distance, Measured, Round, Series, histogram_of};
use crate::run::Run;
use ephapse_engine::os::monotonic_ns;
use std::time::Duration;

/// Both CPUs are left to the others for so long after each round: two spinning FIFO threads would otherwise be throttled
/// by the kernel (50 ms in each second), in the middle of some round.
const REST: Duration = Duration::from_millis(25);
/// Repetitions tried for each that is wanted, before a machine that keeps moving its CPUs is given up on.
const TRIES: usize = 3;

/// Something that can run rounds of several contestants.
pub trait Contestants {
    /// Their series, empty.
    fn series(&self) -> Vec<Series>;

    /// Series that a round of one contestant fills: so many in a row of [`Contestants::series`] are its own.
    fn series_of_a_round(&self) -> usize {
        1
    }

    /// A round of contestant `index`: its values, ns; those of several series one after the other, equally many of each.
    ///
    /// # Errors
    /// If it fails.
    fn round(&mut self, index: usize) -> anyhow::Result<Vec<u64>>;

    /// Values of each series of the round just run that were measured and got lost on the way here.
    fn missing(&self) -> u64 {
        0
    }

    /// How far the CPUs are from each other now; `OneCpu` where all happens on one.
    ///
    /// # Errors
    /// If the probe fails.
    fn probe(&mut self) -> anyhow::Result<Distance>;
}

/// How many repetitions, and what stops them.
pub struct Rules<'a> {
    /// Repetitions of equal placement wanted.
    pub repetitions: usize,
    /// The whole run.
    pub run: &'a mut Run,
}

/// Runs repetitions until so many of one placement are there, and keeps those of the placement that has most.
///
/// # Errors
/// If a contestant fails.
pub fn run(
    contestants: &mut dyn Contestants,
    rules: &mut Rules<'_>,
    comparisons: Vec<Comparison>,
) -> anyhow::Result<Measured> {
    let mut series = contestants.series();
    let each = contestants.series_of_a_round().max(1);
    let count = series.len() / each;
    let mut repetitions: Vec<(Distance, Vec<Option<Round>>)> = Vec::new();
    let mut before = contestants.probe()?;
    let probed = before != Distance::OneCpu;
    'all: for repetition in 0..rules.repetitions * TRIES {
        let mut rounds: Vec<Option<Round>> = vec![None; series.len()];
        for step in 0..count {
            // Whichever comes first is at a disadvantage or an advantage in every other repetition only.
            let index = if repetition % 2 == 0 {
                step
            } else {
                count - 1 - step
            };
            std::thread::sleep(REST);
            rules.run.go_on()?;
            let began_ns = monotonic_ns();
            let values = contestants.round(index)?;
            let ended_ns = monotonic_ns();
            let mut stop = false;
            let length = values.len() / each;
            for own in 0..each {
                let at = index * each + own;
                let values = &values[own * length..(own + 1) * length];
                stop |= rules.run.watch.look(&series[at], values);
                rounds[at] = Some(Round {
                    from_ns: began_ns - rules.run.began_ns,
                    length_ns: ended_ns - began_ns,
                    histogram: histogram_of(values),
                    distance: Distance::Unsettled,
                    missing: contestants.missing(),
                });
            }
            if stop {
                repetitions.push((Distance::Unsettled, rounds));
                break 'all;
            }
        }
        let after = contestants.probe()?;
        let distance = if before == after {
            after
        } else {
            Distance::Unsettled
        };
        before = after;
        repetitions.push((distance, rounds));
        let settled = |wanted: Distance| repetitions.iter().filter(|(d, _)| *d == wanted).count();
        let settled = if probed {
            settled(Distance::Near).max(settled(Distance::Far))
        } else {
            repetitions.len()
        };
        if settled >= rules.repetitions {
            break;
        }
    }
    let mut measured = Measured {
        comparisons,
        ..Measured::default()
    };
    let kept = most_common(&repetitions);
    let passed_over = repetitions.iter().filter(|(d, _)| *d != kept).count();
    if passed_over > 0 {
        measured.notes.push(format!(
            "{}: {passed_over} of {} repetitions passed over, for the CPUs' placement was not `{}` before and after them",
            series.first().map_or("", |s| s.group.as_str()),
            repetitions.len(),
            word(kept)
        ));
    }
    for (distance, rounds) in repetitions {
        if distance != kept {
            continue;
        }
        for (series, round) in series.iter_mut().zip(rounds) {
            if let Some(round) = round {
                series.rounds.push(Round { distance, ..round });
            }
        }
    }
    measured.series = series;
    Ok(measured)
}

/// The settled placement with most repetitions; unsettled only if there is no other.
fn most_common(repetitions: &[(Distance, Vec<Option<Round>>)]) -> Distance {
    let count = |wanted| repetitions.iter().filter(|(d, _)| *d == wanted).count();
    let (near, far) = (count(Distance::Near), count(Distance::Far));
    match (near, far) {
        (0, 0) if count(Distance::OneCpu) > 0 => Distance::OneCpu,
        (0, 0) => Distance::Unsettled,
        (near, far) if near >= far => Distance::Near,
        _ => Distance::Far,
    }
}

/// As in tables.
pub fn word(distance: Distance) -> &'static str {
    match distance {
        Distance::Near => "near",
        Distance::Far => "far",
        Distance::Unsettled => "unsettled",
        Distance::OneCpu => "one",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Measure;
    use crate::watch::{Action, Watch};
    use std::sync::Arc;

    /// Answers what it is told; the placement follows a script.
    struct Script {
        distances: Vec<Distance>,
        probes: usize,
        order: Vec<usize>,
        each: usize,
    }

    impl Contestants for Script {
        fn series(&self) -> Vec<Series> {
            ["a", "b"]
                .map(|tag| Series::new(tag, "test", tag, Measure::Latency))
                .to_vec()
        }

        fn series_of_a_round(&self) -> usize {
            self.each
        }

        fn round(&mut self, index: usize) -> anyhow::Result<Vec<u64>> {
            self.order.push(index);
            let own = index * self.each..(index + 1) * self.each;
            Ok(own.flat_map(|at| [100 * (at as u64 + 1); 10]).collect())
        }

        fn probe(&mut self) -> anyhow::Result<Distance> {
            let at = self.probes.min(self.distances.len() - 1);
            self.probes += 1;
            Ok(self.distances[at])
        }
    }

    fn run_script(
        distances: Vec<Distance>,
        threshold_ns: Option<u64>,
    ) -> (Measured, Script, Watch) {
        run_with_series(1, distances, threshold_ns)
    }

    fn run_with_series(
        each: usize,
        distances: Vec<Distance>,
        threshold_ns: Option<u64>,
    ) -> (Measured, Script, Watch) {
        let mut script = Script {
            distances,
            probes: 0,
            order: Vec::new(),
            each,
        };
        let watch = Watch::new(threshold_ns, Action::Stop);
        let mut whole = Run::new(watch, Arc::default());
        let mut rules = Rules {
            repetitions: 4,
            run: &mut whole,
        };
        let measured = run(&mut script, &mut rules, Vec::new()).unwrap();
        (measured, script, whole.watch)
    }

    #[test]
    fn contestants_take_turns_in_alternating_order() {
        let (measured, script, _) = run_script(vec![Distance::Near], None);
        assert_eq!(script.order, [0, 1, 1, 0, 0, 1, 1, 0]);
        assert!(measured.series.iter().all(|s| s.rounds.len() == 4));
        assert!(measured.notes.is_empty());
    }

    #[test]
    fn rounds_around_which_the_cpus_moved_are_passed_over_and_that_is_said() {
        use Distance::{Far, Near};
        let (measured, _, _) = run_script(vec![Near, Near, Far, Far, Near, Near, Near, Near], None);
        for series in &measured.series {
            assert_eq!(series.rounds.len(), 4);
            assert!(series.rounds.iter().all(|r| r.distance == Near));
        }
        assert!(measured.notes[0].contains("3 of 7"), "{:?}", measured.notes);
    }

    #[test]
    fn cpus_that_never_settle_end_the_contest_all_the_same() {
        use Distance::{Far, Near};
        let flipping: Vec<Distance> = (0..40)
            .map(|i| if i % 2 == 0 { Near } else { Far })
            .collect();
        let (measured, script, _) = run_script(flipping, None);
        assert_eq!(script.order.len(), 4 * TRIES * 2);
        let rounds = &measured.series[0].rounds;
        assert!(rounds.iter().all(|r| r.distance == Distance::Unsettled));
    }

    #[test]
    fn where_nothing_is_probed_no_repetition_is_passed_over() {
        let (measured, script, _) = run_script(vec![Distance::OneCpu], None);
        assert_eq!(script.order.len(), 4 * 2);
        assert!(measured.series.iter().all(|s| s.rounds.len() == 4));
        assert!(measured.notes.is_empty());
    }

    #[test]
    fn the_values_of_one_round_go_to_all_series_of_their_contestant() {
        let (measured, script, _) = run_with_series(2, vec![Distance::Near], None);
        assert_eq!(script.order, [0; 4]);
        for (series, value) in measured.series.iter().zip([100, 200]) {
            assert_eq!(series.rounds.len(), 4);
            let histogram = &series.rounds[0].histogram;
            assert_eq!((histogram.len(), histogram.count_at(value)), (10, 10));
        }
    }

    #[test]
    fn a_value_above_the_threshold_ends_the_contest_with_what_there_is() {
        let (measured, script, watch) = run_script(vec![Distance::Near], Some(150));
        assert_eq!(script.order, [0, 1]);
        assert_eq!(measured.series[1].rounds.len(), 1);
        assert_eq!(watch.hits.len(), 1);
    }
}
