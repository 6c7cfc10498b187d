//! What measuring costs: an activation record, a look at the clock, a look at the kernel's counts.

use super::chain::ring;
use crate::measured::{
    Comparison, Distance, Measure, Measured, Round, Series, Statistic, histogram_of,
};
use crate::stats::median;
use ephapse_engine::abi::{ActivationRecord, SlotHeader};
use ephapse_engine::os;
use ephapse_engine::runner::telemetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// What the telemetry of an activation may cost beyond its looks at the clock and at the kernel's counts, ns.
pub const BOUND_NS: f64 = 50.0;
/// Operations of one value: so many that the two looks at the clock around them do not show.
const PER: u64 = 256;
/// Values of a round.
const VALUES: usize = 64;
/// Rounds of each.
const ROUNDS: usize = 15;
/// Records per second of a stage at 1 kHz: what its ring is made for.
pub(super) const PER_SECOND: f64 = 1_000.0;

const RECORD: &str = "prove.record";
const CLOCK: &str = "prove.clock";
const USAGE: &str = "prove.usage";
const WITH: &str = "prove.turn.with";
const WITHOUT: &str = "prove.turn.without";

/// One and the same turn of a stage twice, as functions that run so many of them.
pub(super) struct TurnPair<'a> {
    /// With activation records.
    pub(super) with_telemetry: &'a mut dyn FnMut(u64),
    /// Without.
    pub(super) without_telemetry: &'a mut dyn FnMut(u64),
}

/// What measuring costs.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Telemetry of an activation beyond its looks at the clock and at the kernel's counts, ns: a turn with it less the same
    /// turn without, median over rounds in turns.
    pub telemetry_ns: f64,
    /// One look at the clock, ns.
    pub clock_ns: f64,
    /// One look at the kernel's counts (`getrusage`, `getcpu`), ns.
    pub usage_ns: f64,
    /// What `telemetry_ns` may be.
    pub bound_ns: f64,
    /// The histograms behind these figures.
    #[serde(skip)]
    pub measured: Measured,
}

impl Cost {
    /// Telemetry costs no more than it may.
    pub fn holds(&self) -> bool {
        self.telemetry_ns <= self.bound_ns
    }

    /// For the sentence of the proof.
    pub(super) fn sentence(&self) -> String {
        format!(
            "measuring an activation costs {:.0} ns ({} {:.0} ns), beside {:.0} ns for each look at the clock and {:.0} ns for the \
             kernel's counts",
            self.telemetry_ns,
            if self.holds() {
                "at most"
            } else {
                "more than the permitted"
            },
            self.bound_ns,
            self.clock_ns,
            self.usage_ns
        )
    }
}

/// One thing that is measured: tag, in words, and a function that does it so many times.
type Part<'a> = (&'static str, &'static str, Box<dyn FnMut(u64) + 'a>);

/// Measures all of it in turns.
///
/// # Errors
/// If there is no memory.
pub(super) fn measure(pair: TurnPair<'_>) -> Result<Cost, String> {
    let (mut writer, _reader) = ring("cost", telemetry::slots_for(PER_SECOND))?;
    writer.touch();
    let header = SlotHeader::default();
    let mut parts: Vec<Part<'_>> = vec![
        (
            RECORD,
            "an activation record made and written",
            Box::new(|times| {
                for tick in 0..times {
                    writer.push(&black_box(record(black_box(tick), black_box(&header))));
                }
            }),
        ),
        (
            CLOCK,
            "a look at the clock",
            Box::new(|times| {
                for _ in 0..times {
                    black_box(os::monotonic_ns());
                }
            }),
        ),
        (
            USAGE,
            "the kernel's counts of a thread, and its CPU",
            Box::new(|times| {
                for _ in 0..times {
                    black_box((os::usage(), os::current_cpu()));
                }
            }),
        ),
    ];
    parts.push((WITH, "a turn with telemetry", Box::new(pair.with_telemetry)));
    parts.push((
        WITHOUT,
        "the same turn without",
        Box::new(pair.without_telemetry),
    ));
    let measured = in_turns(&mut parts);
    let of = |tag: &str| medians(&measured, tag);
    let middle = |values: &[f64]| median(values).unwrap_or(0.0);
    let pairs = of(WITH).into_iter().zip(of(WITHOUT));
    let more: Vec<f64> = pairs.map(|(with, without)| with - without).collect();
    let telemetry_ns = middle(&more);
    Ok(Cost {
        telemetry_ns,
        clock_ns: middle(&of(CLOCK)),
        usage_ns: middle(&of(USAGE)),
        bound_ns: BOUND_NS,
        measured,
    })
}

/// A record as the runner makes one of a moment and the header of the pacing block.
fn record(tick: u64, header: &SlotHeader) -> ActivationRecord {
    let mut record = ActivationRecord {
        tick,
        since_ns: tick + 1,
        woke_ns: tick + 2,
        committed_ns: tick + 3,
        sampled_ns: header.sampled_ns,
        arrived_ns: header.arrived_ns,
        origin_frame: header.origin_frame,
        now_ns: tick + 2,
        frames: u16::try_from(header.valid).unwrap_or(u16::MAX),
        lost: u32::try_from(header.lost).unwrap_or(u32::MAX),
        ports: 0x11,
        marks: 1,
        ..ActivationRecord::default()
    };
    record.consumed[0] = tick as u16;
    record.produced[0] = tick as u16;
    record
}

/// Rounds of every part in turns, each time beginning with another, so that what else happens meets all of them.
fn in_turns(parts: &mut [Part<'_>]) -> Measured {
    let began_ns = os::monotonic_ns();
    let group = "cost of measuring";
    let mut series: Vec<Series> = parts
        .iter()
        .map(|(tag, what, _)| Series::new(tag, group, what, Measure::Cost { per: PER }))
        .collect();
    for round in 0..ROUNDS {
        for step in 0..parts.len() {
            let index = (round + step) % parts.len();
            let run = &mut parts[index].2;
            run(PER);
            let from_ns = os::monotonic_ns();
            let values: Vec<u64> = (0..VALUES)
                .map(|_| {
                    let from_ns = os::monotonic_ns();
                    run(PER);
                    os::monotonic_ns() - from_ns
                })
                .collect();
            series[index].rounds.push(Round {
                from_ns: from_ns - began_ns,
                length_ns: os::monotonic_ns() - from_ns,
                histogram: histogram_of(&values),
                distance: Distance::OneCpu,
                missing: 0,
            });
        }
    }
    let comparison = Comparison {
        of: WITH.to_owned(),
        to: WITHOUT.to_owned(),
        statistic: Statistic::Rate,
        bound: None,
    };
    Measured {
        comparisons: vec![comparison],
        series,
        ..Measured::default()
    }
}

/// Median time of one operation in each round of a series, ns.
fn medians(measured: &Measured, tag: &str) -> Vec<f64> {
    let series = measured.series.iter().filter(|s| s.tag == tag);
    let rounds = series.flat_map(|s| &s.rounds);
    rounds
        .map(|round| round.histogram.value_at_quantile(0.5) as f64 / PER as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_pair_of_turns_only_what_one_has_and_the_other_lacks_is_telemetry() {
        // Work that no optimiser sees through: the second closure does it once, the first twice.
        let work = |times: u64| {
            for n in 0..times * 40 {
                black_box(n);
            }
        };
        let cost = measure(TurnPair {
            with_telemetry: &mut |times| work(2 * times),
            without_telemetry: &mut |times| work(times),
        })
        .unwrap();
        let once = median(&medians(&cost.measured, WITHOUT)).unwrap();
        assert!(cost.telemetry_ns > once / 4.0 && cost.telemetry_ns < once * 4.0);
        assert_eq!(cost.measured.comparisons.len(), 1);
        let rounds = cost.measured.series.iter().map(|s| s.rounds.len());
        assert!(rounds.eq([ROUNDS; 5]));
    }
}
