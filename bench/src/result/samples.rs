//! A small measurement with known figures, for the tests beside it.

use super::contract::*;
use super::reduce::Circumstances;
use crate::measured::{
    Bound, Comparison, Distance, Measure, Measured, Round, Series, Statistic, histogram_of,
};
use crate::prove::Check;

fn round(index: u64, values: &[u64]) -> Round {
    Round {
        from_ns: index * 100_000_000,
        length_ns: 90_000_000,
        histogram: histogram_of(values),
        distance: Distance::Near,
        missing: 0,
    }
}

fn latencies(tag: &str, factor: f64) -> Series {
    let mut series = Series::new(tag, "64 B, spin", tag, Measure::Latency);
    series.rounds = (0..15)
        .map(|index| {
            // Each round has its own level, as on a machine that drifts; the ratio stays.
            let level = 200.0 + 10.0 * index as f64;
            let values: Vec<u64> = (0..500)
                .map(|i| ((level + f64::from(i % 50)) * factor) as u64)
                .collect();
            round(index, &values)
        })
        .collect();
    series
}

/// 15 rounds of `ring.a` at 1.1 times `ring.b`, and a filter at ten times real time.
pub(super) fn measured() -> Measured {
    let mut filter = Series::rate(
        "dsp.filter",
        "filter",
        "band-pass, 60 channels",
        30,
        "frames",
    );
    filter.real_time_hz = 30_000.0;
    filter.rounds = (0..3).map(|i| round(i, &[100_000; 40])).collect();
    Measured {
        series: vec![latencies("ring.a", 1.1), latencies("ring.b", 1.0), filter],
        comparisons: vec![Comparison {
            of: "ring.a".to_owned(),
            to: "ring.b".to_owned(),
            statistic: Statistic::P50,
            bound: Some(Bound::MedianAtMost(1.15)),
        }],
        notes: vec!["A note.".to_owned()],
        skipped: Vec::new(),
        without_fifo: Vec::new(),
    }
}

/// Its circumstances: a sound run.
pub(super) fn circumstances() -> Circumstances {
    Circumstances {
        what: "ring".to_owned(),
        started: "2026-11-20T20:31:40.000000000Z".to_owned(),
        duration_ns: 42_000_000_000,
        proof: ProofReport {
            passed: true,
            sentence: "proved: 1 checks of 1 hold".to_owned(),
            checks: vec![Check {
                what: "loop corrected p50".to_owned(),
                expected: "3,000 ns".to_owned(),
                found: "3,001 ns".to_owned(),
                held: true,
            }],
        },
        settings: SettingsReport {
            cpus: [0, 1],
            class: "fifo:80".to_owned(),
            repetitions: 15,
            period_ns: None,
            duration_ns: None,
            warm_up_ns: None,
            bucket_ns: None,
        },
        machine: MachineReport {
            load_before: vec![0.1, 0.2, 0.3],
            load_after: vec![0.4, 0.2, 0.3],
            steal_ms: [Some(0), Some(10)],
        },
        threshold: ThresholdReport {
            threshold_ns: None,
            hits: Vec::new(),
        },
        bounds_decide: false,
        host: serde_json::json!({ "cpu_model": "Fast CPU 9", "cpus": 2 }),
    }
}
