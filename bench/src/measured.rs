//! What a measurement leaves behind: histograms by round, and which of them are to be compared.
//!
//! Nothing here is a figure yet: every figure that is printed is computed from these histograms, which go into the
//! `.hlog`, so that it can be computed again from there.

use hdrhistogram::Histogram;

/// How far the two CPUs of a measurement were from each other.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// They share a cache.
    Near,
    /// A line crosses the chip, or more.
    Far,
    /// Not the same before and after.
    Unsettled,
    /// All happens on one CPU.
    OneCpu,
}

/// One round's values.
#[derive(Clone)]
pub struct Round {
    /// Start after the start of the whole run, ns.
    pub from_ns: u64,
    /// Length, ns.
    pub length_ns: u64,
    /// Values, ns.
    pub histogram: Histogram<u64>,
    /// Placement of the CPUs around this round.
    pub distance: Distance,
    /// Values that were measured and did not reach the histogram: more than 0 makes it incomplete.
    pub missing: u64,
}

/// What a series of values is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A value is one operation's latency, ns.
    Latency,
    /// A value is the time of `per` operations, ns; shown as operations per second.
    Rate {
        /// Operations of one value.
        per: u64,
    },
    /// A value is the time of `per` operations, ns; shown as time per operation.
    Cost {
        /// Operations of one value.
        per: u64,
    },
}

/// Values of one kind, round by round.
#[derive(Clone)]
pub struct Series {
    /// Tag in the `.hlog` and key in the result: letters, digits, dots, dashes.
    pub tag: String,
    /// Heading under which it stands.
    pub group: String,
    /// In words.
    pub what: String,
    /// What the values are.
    pub measure: Measure,
    /// What a rate counts (`blocks`, `frames`); empty otherwise.
    pub unit: String,
    /// Frames per second that would be real time, for a rate in frames; 0 if it has none.
    pub real_time_hz: f64,
    /// What the median over all rounds must not exceed, ns, if the project promises something.
    pub bound_p50_ns: Option<u64>,
    /// Rounds, in order of their start.
    pub rounds: Vec<Round>,
}

impl Series {
    /// An empty series of latencies or costs.
    pub fn new(tag: &str, group: &str, what: &str, measure: Measure) -> Self {
        Series {
            tag: tag.to_owned(),
            group: group.to_owned(),
            what: what.to_owned(),
            measure,
            unit: String::new(),
            real_time_hz: 0.0,
            bound_p50_ns: None,
            rounds: Vec::new(),
        }
    }

    /// An empty series of rates in `unit` per second.
    pub fn rate(tag: &str, group: &str, what: &str, per: u64, unit: &str) -> Self {
        Series {
            unit: unit.to_owned(),
            ..Self::new(tag, group, what, Measure::Rate { per })
        }
    }
}

/// Which figure of a round is compared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Median of the round's values.
    P50,
    /// 99 %.
    P99,
    /// Operations per second over the round.
    Rate,
}

/// What a comparison should come to.
#[derive(
    Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The median ratio is at most this.
    MedianAtMost(f64),
    /// The median ratio is at least this.
    MedianAtLeast(f64),
    /// The whole interval lies below this.
    WholeBelow(f64),
    /// The whole interval lies above this.
    WholeAbove(f64),
    /// The interval reaches below this.
    ReachesBelow(f64),
}

/// Two series that were measured in turns: round `i` of one is paired with round `i` of the other.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// Tag of the series in question.
    pub of: String,
    /// Tag of the yardstick.
    pub to: String,
    /// Figure of each round.
    pub statistic: Statistic,
    /// What it should come to, if the project promises something.
    pub bound: Option<Bound>,
}

/// Everything that a measurement leaves.
#[derive(Clone, Default)]
pub struct Measured {
    /// Series.
    pub series: Vec<Series>,
    /// Comparisons among them.
    pub comparisons: Vec<Comparison>,
    /// What a reader must know of how it was measured.
    pub notes: Vec<String>,
    /// What was not measured here, and what to do about it.
    pub skipped: Vec<String>,
    /// False if something that should run under SCHED_FIFO did not.
    pub without_fifo: Vec<String>,
}

impl Measured {
    /// Takes over all of another measurement.
    pub fn append(&mut self, mut other: Measured) {
        self.series.append(&mut other.series);
        self.comparisons.append(&mut other.comparisons);
        self.notes.append(&mut other.notes);
        self.skipped.append(&mut other.skipped);
        self.without_fifo.append(&mut other.without_fifo);
    }
}

/// A histogram of raw values, ns: from 1 ns to an hour at three digits.
pub fn histogram_of(values: &[u64]) -> Histogram<u64> {
    const HIGHEST_NS: u64 = 3_600_000_000_000;
    // The bounds are constants that the crate accepts.
    let mut histogram = Histogram::new_with_bounds(1, HIGHEST_NS, 3)
        .unwrap_or_else(|e| unreachable!("histogram bounds: {e}"));
    for value in values {
        histogram.saturating_record((*value).max(1));
    }
    histogram
}
