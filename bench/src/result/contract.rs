//! `bench.json`: a contract. Its schema is checked in as `bench/schema/bench.json`.
//!
//! Keys may be added within `ephapse-bench 1`; none changes its meaning or goes.

use crate::measured::{Comparison, Distance, Measure};
use crate::prove::{Check, Proof};
use crate::report::{CurvePoint, Figures};
use crate::watch::Hit;
use ephapse_engine::outcome::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Value of [`BenchResult::format`].
pub const FORMAT: &str = "ephapse-bench 1";

/// Everything a benchmark reports. Times in ns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchResult {
    /// `ephapse-bench 1`.
    pub format: String,
    /// Version of the program.
    pub version: String,
    /// What was measured: `ring`, `wake`, `tick`, `dsp`, `prove`, `all`.
    pub what: String,
    /// `failed` before `threshold` before `passed`.
    #[schemars(with = "String", extend("enum" = ["passed", "failed", "threshold"]))]
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub why: String,
    /// Exit code of the command line: 0 passed, 1 failed, 2 threshold.
    pub exit_code: u8,
    /// Wall-clock start, RFC 3339, UTC.
    pub started: String,
    /// Length of the whole run, ns.
    pub duration_ns: u64,
    /// Name of the interval log beside this file that holds every histogram.
    pub hlog: String,
    /// Did the instrument prove itself before it measured?
    pub proof: ProofReport,
    /// Did everything that should run under SCHED_FIFO do so?
    pub rt: crate::report::RtReport,
    /// How it was set.
    pub settings: SettingsReport,
    /// What else went on on the machine.
    pub machine: MachineReport,
    /// Values above the threshold.
    pub threshold: ThresholdReport,
    /// A bound that does not hold counts as a threshold that was hit.
    pub bounds_decide: bool,
    /// Series, in the order of their groups.
    pub series: Vec<SeriesReport>,
    /// Histograms of the groups of latencies.
    pub histograms: Vec<HistogramReport>,
    /// Ratios.
    pub comparisons: Vec<ComparisonReport>,
    /// How it was measured.
    pub notes: Vec<String>,
    /// What was not measured here, and what to do about it.
    pub skipped: Vec<String>,
    /// Fingerprint of the host.
    pub host: serde_json::Value,
}

/// Outcome of the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProofReport {
    /// All checks held.
    pub passed: bool,
    /// In one sentence.
    pub sentence: String,
    /// What was computed beforehand and then measured.
    pub checks: Vec<Check>,
}

impl From<&Proof> for ProofReport {
    fn from(proof: &Proof) -> Self {
        ProofReport {
            passed: proof.passed(),
            sentence: proof.sentence.clone(),
            checks: proof.checks.clone(),
        }
    }
}

/// How a benchmark was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsReport {
    /// CPU of the sender (waker, timer), CPU of the receiver (waiters).
    pub cpus: [u32; 2],
    /// `fifo:80` or `other`.
    pub class: String,
    /// Repetitions wanted of each contest.
    pub repetitions: usize,
    /// Period, ns; null: each benchmark's own.
    pub period_ns: Option<u64>,
    /// Time for each series, ns; null: each benchmark's own.
    pub duration_ns: Option<u64>,
    /// Warm-up before each round, ns; null: each benchmark's own.
    pub warm_up_ns: Option<u64>,
    /// Bucket of the histograms, ns; null: what suits the values.
    pub bucket_ns: Option<u64>,
}

/// What else went on on the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineReport {
    /// Load averages before.
    pub load_before: Vec<f64>,
    /// Load averages after.
    pub load_after: Vec<f64>,
    /// Time the hypervisor took from each of the two CPUs, ms; null if the host does not say.
    pub steal_ms: [Option<u64>; 2],
}

/// Threshold and what went above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdReport {
    /// ns; null without one.
    pub threshold_ns: Option<u64>,
    /// Rounds with a value above it, each with its largest.
    pub hits: Vec<Hit>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesReport {
    /// Tag of its intervals in the `.hlog`.
    pub tag: String,
    /// Heading under which it stands.
    pub group: String,
    /// In words.
    pub what: String,
    /// What its values are.
    pub measure: Measure,
    /// What a rate counts; empty otherwise.
    pub unit: String,
    /// Rounds.
    pub rounds: usize,
    /// Placement of the CPUs around all of them.
    pub distance: Distance,
    /// No value was lost on the way into the histogram.
    pub complete: bool,
    /// Values that were lost.
    pub missing: u64,
    /// Figures over all rounds; of a rate or cost: of the time of `per` operations.
    pub figures: Figures,
    /// Distribution by percentile; empty for rates and costs.
    pub curve: Vec<CurvePoint>,
    /// Mean, ns.
    pub mean_ns: Option<f64>,
    /// Operations per second: median over rounds; null for latencies.
    pub per_second: Option<f64>,
    /// Time of one operation, ns: median over rounds; null for latencies.
    pub per_operation_ns: Option<f64>,
    /// Frames per second that are real time; null if it has none.
    pub real_time_hz: Option<f64>,
    /// Times faster than real time; null if it has none.
    pub real_time_factor: Option<f64>,
    /// What the median should be at most, ns.
    pub bound_p50_ns: Option<u64>,
    /// It is; null if nothing is promised.
    pub held: Option<bool>,
}

/// Histogram of a group of latencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramReport {
    /// The group.
    pub group: String,
    /// Length of a bucket, ns.
    pub bucket_ns: u64,
    /// Tags of the columns.
    pub series: Vec<String>,
    /// Buckets that hold something, ascending.
    pub rows: Vec<BucketRow>,
    /// Values above the last bucket, by column.
    pub over: Vec<u64>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BucketRow {
    /// Its lower edge, ns.
    pub from_ns: u64,
    /// Values in it, by column.
    pub counts: Vec<u64>,
}

/// A ratio of two series, pair by pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparisonReport {
    /// What was compared with what, and what it should come to.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// In words: the series in question.
    pub of_what: String,
    /// In words: the yardstick.
    pub to_what: String,
    /// Heading under which it stands.
    pub group: String,
    /// Pairs of rounds.
    pub pairs: usize,
    /// Placement of the CPUs around all of them.
    pub distance: Distance,
    /// Median over rounds of the figure in question: ns, or operations per second.
    pub of_median: f64,
    /// Of the yardstick's.
    pub to_median: f64,
    /// Median of the ratios pair by pair.
    pub ratio: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Probability that the interval covers the true median: at least 0.95 from six pairs on.
    pub coverage: f64,
    /// The bound holds; null if nothing is promised.
    pub held: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::super::samples::{circumstances, measured};
    use super::super::{reduce, text};
    use super::*;
    use crate::golden_files::same_as;

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let schema = schemars::schema_for!(BenchResult).to_value();
        let text = serde_json::to_string_pretty(&schema).unwrap();
        same_as("schema/bench.json", &(text + "\n"));
    }

    #[test]
    fn every_result_is_valid_by_the_schema_and_one_without_its_series_is_not() {
        let schema = schemars::schema_for!(BenchResult).to_value();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut json = serde_json::to_value(reduce(&measured(), circumstances())).unwrap();
        let errors = validator.iter_errors(&json).map(|e| e.to_string());
        assert_eq!(errors.collect::<Vec<_>>(), Vec::<String>::new());
        json.as_object_mut().unwrap().remove("series");
        assert!(!validator.is_valid(&json));
    }

    #[test]
    fn the_printed_result_is_the_golden_one() {
        let result = reduce(&measured(), circumstances());
        same_as("src/result/golden.txt", &text(&result));
    }
}
