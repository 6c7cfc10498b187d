//! Histograms to figures. The only place where a printed figure comes from, for the result and for its check alike.

use super::buckets;
use super::contract::*;
use crate::measured::{Bound, Comparison, Distance, Measure, Measured, Round, Series, Statistic};
use crate::report::{Figures, RtReport, curve};
use crate::stats::{Interval, median, paired_ratio};
use ephapse_engine::outcome::Verdict;
use hdrhistogram::Histogram;

/// What a result says beside its figures.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// What was measured.
    pub what: String,
    /// Wall-clock start, RFC 3339.
    pub started: String,
    /// Length of the run, ns.
    pub duration_ns: u64,
    /// Outcome of the proof.
    pub proof: ProofReport,
    /// Settings.
    pub settings: SettingsReport,
    /// Machine.
    pub machine: MachineReport,
    /// Threshold.
    pub threshold: ThresholdReport,
    /// Broken bounds count as a threshold that was hit.
    pub bounds_decide: bool,
    /// Host.
    pub host: serde_json::Value,
}

/// The result of a measurement.
pub fn reduce(measured: &Measured, circumstances: Circumstances) -> BenchResult {
    let all: Vec<(&Series, Histogram<u64>)> = measured
        .series
        .iter()
        .map(|series| (series, merged(&series.rounds)))
        .collect();
    let series = all.iter().map(|(s, all)| series_report(s, all)).collect();
    let histograms = buckets::tables(&all, circumstances.settings.bucket_ns);
    let comparisons: Vec<ComparisonReport> = measured
        .comparisons
        .iter()
        .filter_map(|c| comparison_report(measured, c))
        .collect();
    let Circumstances {
        what,
        started,
        duration_ns,
        proof,
        settings,
        machine,
        threshold,
        bounds_decide,
        host,
    } = circumstances;
    let mut result = BenchResult {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        what,
        verdict: Verdict::Passed,
        why: String::new(),
        exit_code: 0,
        started,
        duration_ns,
        hlog: "bench.hlog".to_owned(),
        proof,
        rt: RtReport {
            active: measured.without_fifo.is_empty(),
            why: measured.without_fifo.join("; "),
        },
        settings,
        machine,
        threshold,
        bounds_decide,
        series,
        histograms,
        comparisons,
        notes: measured.notes.clone(),
        skipped: measured.skipped.clone(),
        host,
    };
    let (verdict, why) = verdict(&result);
    result.verdict = verdict;
    result.why = why;
    result.exit_code = verdict.exit_code();
    result
}

fn verdict(result: &BenchResult) -> (Verdict, String) {
    if !result.proof.passed {
        return (
            Verdict::Failed,
            format!(
                "the instrument did not prove itself: {}",
                result.proof.sentence
            ),
        );
    }
    if let Some(series) = result.series.iter().find(|s| !s.complete) {
        return (
            Verdict::Failed,
            format!(
                "{} values of `{}` were lost on the way into its histogram",
                series.missing, series.tag
            ),
        );
    }
    if let Some(worst) = result.threshold.hits.iter().max_by_key(|h| h.value_ns) {
        let duration = crate::report::units::duration;
        return (
            Verdict::Threshold,
            format!(
                "{} in `{}`, above the threshold of {}",
                duration(worst.value_ns),
                worst.series,
                duration(result.threshold.threshold_ns.unwrap_or(0))
            ),
        );
    }
    let broken = broken_bounds(result);
    if result.bounds_decide && !broken.is_empty() {
        return (Verdict::Threshold, broken.join("; "));
    }
    let held = result.comparisons.iter().filter_map(|c| c.held);
    let held = held.chain(result.series.iter().filter_map(|s| s.held));
    let (all, kept) = held.fold((0, 0), |(all, kept), held| {
        (all + 1, kept + u32::from(held))
    });
    let bounds = match (all, broken.is_empty()) {
        (0, _) => String::new(),
        (_, true) => format!("; {kept} of {all} bounds hold"),
        (_, false) => format!("; {kept} of {all} bounds hold, not: {}", broken.join("; ")),
    };
    (
        Verdict::Passed,
        format!("{} series measured{bounds}", result.series.len()),
    )
}

/// One phrase for each bound that does not hold.
fn broken_bounds(result: &BenchResult) -> Vec<String> {
    let series = result.series.iter().filter(|s| s.held == Some(false));
    let series = series.map(|s| format!("median of `{}`", s.tag));
    let comparisons = result.comparisons.iter().filter(|c| c.held == Some(false));
    let comparisons = comparisons.map(|c| {
        format!(
            "`{}` against `{}` {:.2} ({:.2} to {:.2})",
            c.comparison.of, c.comparison.to, c.ratio, c.low, c.high
        )
    });
    series.chain(comparisons).collect()
}

fn merged(rounds: &[Round]) -> Histogram<u64> {
    let mut all = crate::measured::histogram_of(&[]);
    for round in rounds {
        // Same bounds and precision: adding cannot fail.
        let _ = all.add(&round.histogram);
    }
    all
}

fn series_report(series: &Series, all: &Histogram<u64>) -> SeriesReport {
    let rates = figures_of(series, Statistic::Rate);
    let per_second = match series.measure {
        Measure::Latency => None,
        Measure::Rate { .. } | Measure::Cost { .. } => median(&rates),
    };
    let real_time_hz = (series.real_time_hz > 0.0).then_some(series.real_time_hz);
    let figures = Figures::of(all);
    let missing = series.rounds.iter().map(|r| r.missing).sum();
    SeriesReport {
        tag: series.tag.clone(),
        group: series.group.clone(),
        what: series.what.clone(),
        measure: series.measure,
        unit: series.unit.clone(),
        rounds: series.rounds.len(),
        distance: common_distance(&series.rounds),
        complete: missing == 0,
        missing,
        held: series
            .bound_p50_ns
            .map(|most| figures.p50_ns.is_some_and(|p50| p50 <= most)),
        bound_p50_ns: series.bound_p50_ns,
        mean_ns: (!all.is_empty()).then(|| all.mean()),
        figures,
        curve: match series.measure {
            Measure::Latency => curve(all),
            Measure::Rate { .. } | Measure::Cost { .. } => Vec::new(),
        },
        per_second,
        per_operation_ns: per_second.map(|rate| 1e9 / rate),
        real_time_hz,
        real_time_factor: real_time_hz.and_then(|hz| Some(per_second? / hz)),
    }
}

fn common_distance(rounds: &[Round]) -> Distance {
    let first = rounds.first().map_or(Distance::Unsettled, |r| r.distance);
    if rounds.iter().all(|r| r.distance == first) {
        first
    } else {
        Distance::Unsettled
    }
}

/// The statistic of each round; a round without values has none and is NaN, so that pairs stay pairs.
fn figures_of(series: &Series, statistic: Statistic) -> Vec<f64> {
    let per = match series.measure {
        Measure::Latency => 1,
        Measure::Rate { per } | Measure::Cost { per } => per,
    };
    series
        .rounds
        .iter()
        .map(|round| {
            let histogram = &round.histogram;
            if histogram.is_empty() {
                return f64::NAN;
            }
            match statistic {
                Statistic::P50 => histogram.value_at_quantile(0.5) as f64,
                Statistic::P99 => histogram.value_at_quantile(0.99) as f64,
                // By the mean: what slowed some of them down has slowed the whole round down.
                Statistic::Rate => per as f64 * 1e9 / histogram.mean(),
            }
        })
        .collect()
}

/// `None` if a series is missing or there is no pair of rounds with values.
fn comparison_report(measured: &Measured, comparison: &Comparison) -> Option<ComparisonReport> {
    let find = |tag: &str| measured.series.iter().find(|s| s.tag == tag);
    let (of, to) = (find(&comparison.of)?, find(&comparison.to)?);
    let pairs: Vec<(f64, f64)> = figures_of(of, comparison.statistic)
        .into_iter()
        .zip(figures_of(to, comparison.statistic))
        .filter(|(a, b)| a.is_finite() && b.is_finite())
        .collect();
    let (of_values, to_values): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let ratio = paired_ratio(&of_values, &to_values)?;
    Some(ComparisonReport {
        comparison: comparison.clone(),
        of_what: of.what.clone(),
        to_what: to.what.clone(),
        group: of.group.clone(),
        pairs: of_values.len(),
        distance: if common_distance(&of.rounds) == common_distance(&to.rounds) {
            common_distance(&of.rounds)
        } else {
            Distance::Unsettled
        },
        of_median: median(&of_values)?,
        to_median: median(&to_values)?,
        ratio: ratio.median,
        low: ratio.low,
        high: ratio.high,
        coverage: ratio.coverage,
        held: comparison.bound.map(|bound| holds(bound, &ratio)),
    })
}

fn holds(bound: Bound, ratio: &Interval) -> bool {
    match bound {
        Bound::MedianAtMost(most) => ratio.median <= most,
        Bound::MedianAtLeast(least) => ratio.median >= least,
        Bound::WholeBelow(limit) => ratio.high < limit,
        Bound::WholeAbove(limit) => ratio.low > limit,
        Bound::ReachesBelow(limit) => ratio.low < limit,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{circumstances, measured};
    use super::*;

    #[test]
    fn a_ratio_is_the_median_over_pairs_with_its_interval() {
        let result = reduce(&measured(), circumstances());
        let ratio = &result.comparisons[0];
        assert_eq!((ratio.pairs, ratio.distance), (15, Distance::Near));
        assert!((ratio.ratio - 1.10).abs() < 0.01, "{ratio:?}");
        assert!(ratio.low <= ratio.ratio && ratio.ratio <= ratio.high);
        assert_eq!(ratio.held, Some(true));
    }

    #[test]
    fn each_kind_of_bound_looks_at_its_own_end_of_the_interval() {
        let ratio = Interval {
            median: 1.0,
            low: 0.8,
            high: 1.3,
            coverage: 0.95,
        };
        for (bound, held) in [
            (Bound::MedianAtMost(1.0), true),
            (Bound::MedianAtMost(0.99), false),
            (Bound::MedianAtLeast(1.0), true),
            (Bound::MedianAtLeast(1.01), false),
            (Bound::WholeBelow(1.31), true),
            (Bound::WholeBelow(1.3), false),
            (Bound::WholeAbove(0.79), true),
            (Bound::WholeAbove(0.8), false),
            (Bound::ReachesBelow(0.81), true),
            (Bound::ReachesBelow(0.8), false),
        ] {
            assert_eq!(holds(bound, &ratio), held, "{bound:?}");
        }
    }

    #[test]
    fn a_series_without_a_round_is_left_out_of_the_printed_histogram() {
        let mut measured = measured();
        measured.series[0].rounds.clear();
        let text = super::super::text(&reduce(&measured, circumstances()));
        assert!(
            text.contains("ring.b") && !text.contains("ring.a"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_bound_is_named_and_decides_only_when_told_to() {
        let mut measured = measured();
        measured.comparisons[0].bound = Some(Bound::MedianAtMost(1.05));
        let shown = reduce(&measured, circumstances());
        assert_eq!(shown.verdict, Verdict::Passed);
        assert!(
            shown.why.contains("not: `ring.a` against `ring.b`"),
            "{}",
            shown.why
        );
        let decided = reduce(
            &measured,
            Circumstances {
                bounds_decide: true,
                ..circumstances()
            },
        );
        assert_eq!(
            (decided.verdict, decided.exit_code),
            (Verdict::Threshold, 2)
        );
    }

    #[test]
    fn a_lost_value_or_a_failed_proof_fails_whatever_the_figures_say() {
        let mut incomplete = measured();
        incomplete.series[0].rounds[3].missing = 2;
        let result = reduce(&incomplete, circumstances());
        assert_eq!(result.verdict, Verdict::Failed);
        assert!(
            result.why.contains("2 values of `ring.a`"),
            "{}",
            result.why
        );
        let mut unproved = circumstances();
        unproved.proof.passed = false;
        assert_eq!(reduce(&measured(), unproved).exit_code, 1);
    }

    #[test]
    fn rates_are_per_second_and_against_real_time() {
        let result = reduce(&measured(), circumstances());
        let rate = result
            .series
            .iter()
            .find(|s| s.tag == "dsp.filter")
            .unwrap();
        let per_second = rate.per_second.unwrap();
        assert!((per_second / 300_000.0 - 1.0).abs() < 2e-3, "{per_second}");
        assert!((rate.real_time_factor.unwrap() / 10.0 - 1.0).abs() < 2e-3);
    }
}
