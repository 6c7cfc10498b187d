//! What an earlier run measured, out of its `report.json`.

use super::run_time::RunTime;
use serde::Deserialize;

/// Shares at which percentiles are reported, parts per million.
pub const SHARES_PPM: [u64; 6] = [0, 500_000, 990_000, 999_000, 999_900, 1_000_000];

/// The part of a report that a plan needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Measured {
    format: String,
    /// Name of the session.
    pub session: String,
    /// Hops of all processes.
    pub hops: Vec<Hop>,
    /// The loop; null without a stage that stimulates.
    #[serde(rename = "loop")]
    pub loop_latency: Option<Hop>,
    /// Tick accounts.
    pub ticks: Vec<Ticks>,
    /// Ring accounts.
    pub rings: Vec<Drops>,
}

/// One hop.
#[derive(Clone, Debug, Deserialize)]
pub struct Hop {
    /// Process.
    pub stage: String,
    /// What was measured: `run`, `age`, `timer_lateness`, ...
    pub kind: String,
    /// As it happened.
    pub uncorrected: Figures,
}

/// Percentiles, ns; null without values.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Figures {
    /// Values.
    pub count: u64,
    /// Smallest, ns.
    pub min_ns: Option<u64>,
    /// 50 %, ns.
    pub p50_ns: Option<u64>,
    /// 99 %, ns.
    pub p99_ns: Option<u64>,
    /// 99.9 %, ns.
    pub p999_ns: Option<u64>,
    /// 99.99 %, ns.
    pub p9999_ns: Option<u64>,
    /// Largest, ns.
    pub max_ns: Option<u64>,
}

/// A tick account.
#[derive(Clone, Debug, Deserialize)]
pub struct Ticks {
    /// Process.
    pub who: String,
    /// Skipped: woke too late.
    pub late_wake: u64,
    /// Skipped: still ran.
    pub long_run: u64,
    /// Skipped: no room.
    pub no_room: u64,
}

/// A ring account.
#[derive(Clone, Debug, Deserialize)]
pub struct Drops {
    /// Stream.
    pub stream: String,
    /// Blocks dropped.
    pub dropped: u64,
}

impl Measured {
    /// Reads a report.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let measured: Measured = serde_json::from_str(text).map_err(|error| {
            format!("is not the report of a run: {error}; name its report.json")
        })?;
        if measured.format != "ephapse-report 1" {
            return Err(format!(
                "is a report of format `{}`; this version reads `ephapse-report 1`",
                measured.format
            ));
        }
        Ok(measured)
    }

    /// A hop of a process.
    pub fn hop(&self, process: &str, kind: &str) -> Option<&Figures> {
        let mut hops = self.hops.iter();
        let hop = hops.find(|hop| hop.stage == process && hop.kind == kind);
        hop.map(|hop| &hop.uncorrected)
    }

    /// Run time of a stage's turns, preemption included; `None`: it did not run.
    pub fn run_time(&self, stage: &str) -> Option<RunTime> {
        self.hop(stage, "run").and_then(Figures::distribution)
    }
}

impl Figures {
    /// The percentiles at [`SHARES_PPM`], ns; `None` without values.
    pub fn points(&self) -> Option<[u64; SHARES_PPM.len()]> {
        Some([
            self.min_ns?,
            self.p50_ns?,
            self.p99_ns?,
            self.p999_ns?,
            self.p9999_ns?,
            self.max_ns?,
        ])
    }

    /// The percentiles as a distribution; `None` without values.
    pub fn distribution(&self) -> Option<RunTime> {
        Some(RunTime::measured(
            SHARES_PPM.into_iter().zip(self.points()?),
        ))
    }
}
