//! Decisions that the same thing kept waiting, as the report shows them.

use super::units::{duration, thousands};
use super::walks::WalkReport;
use ephapse_engine::hindsight::Incident;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Neighbouring decisions that the same thing kept waiting: the hop that cost most was late, or at work, at the same time and
/// stage; or the same witnessed stall or fault on purpose is on record of them; or, of two stages on one CPU, the shorter of
/// the two times lies by half or more in the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentReport {
    /// How many were handed over, of those that waited longer than the last entry that was listed then.
    pub decisions: u64,
    /// How many never came before one of them.
    pub lost: u64,
    /// Tick in which the first of them was handed over.
    pub first_tick: u64,
    /// Tick in which the last of them was.
    pub last_tick: u64,
    /// When the last frame of the first was sampled, after the start, ns.
    pub from_ns: i64,
    /// From then until the last was handed over, ns.
    pub length_ns: u64,
    /// The one that waited longest.
    pub worst: WalkReport,
}

impl IncidentReport {
    /// Of an incident; `start_ns` is the common start, CLOCK_MONOTONIC ns.
    pub fn new(incident: &Incident, start_ns: u64) -> Self {
        IncidentReport {
            decisions: incident.decisions,
            lost: incident.lost,
            first_tick: incident.first_tick,
            last_tick: incident.last_tick,
            from_ns: incident.from_ns.wrapping_sub(start_ns).cast_signed(),
            length_ns: incident.to_ns.saturating_sub(incident.from_ns),
            worst: WalkReport::new(&incident.worst, Some(start_ns)),
        }
    }

    /// `37 decisions in 81.2 ms, ticks 2,001 to 2,041`; `None`: it is one decision.
    pub fn span_in_words(&self) -> Option<String> {
        let (first, last) = (thousands(self.first_tick), thousands(self.last_tick));
        let ticks = if first == last {
            format!("tick {first}")
        } else {
            format!("ticks {first} to {last}")
        };
        (self.decisions > 1).then(|| {
            format!(
                "{} decisions in {}, {ticks}",
                thousands(self.decisions),
                duration(self.length_ns)
            )
        })
    }
}
