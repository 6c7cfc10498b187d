//! Faults on purpose of the tick that `ephapse why` was asked about.

use super::causes::many;
use super::units::thousands;
use ephapse_engine::hindsight::Asked;
use ephapse_rtconfig::chaos::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault that the graph's `[chaos]` asked for at the tick that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedReport {
    /// Tick.
    pub tick: u64,
    /// Who was to suffer it: a stage, `CPU 1`, `recorder`.
    pub who: String,
    /// What it is.
    pub what: String,
    /// It met the decision: it stands among the causes of its hops.
    pub met: bool,
    /// A full disk: blocks that the capture lacks; else null.
    pub lost_blocks: Option<u64>,
    /// The same of activation records.
    pub lost_records: Option<u64>,
    /// The same in words.
    pub says: String,
}

impl From<&Asked> for AskedReport {
    fn from(asked: &Asked) -> Self {
        AskedReport {
            tick: asked.tick,
            who: asked.who.clone(),
            what: asked.fault.words(),
            met: asked.met,
            lost_blocks: asked.lost.map(|lost| lost.blocks),
            lost_records: asked.lost.map(|lost| lost.records),
            says: in_words(asked),
        }
    }
}

fn in_words(asked: &Asked) -> String {
    let came_to = match (&asked.fault, asked.lost, asked.met) {
        (Fault::DiskFull { .. }, Some(lost), _) => format!(
            "no stage was touched; the capture lacks {} and {}",
            many(lost.blocks, "block"),
            many(lost.records, "activation record")
        ),
        (_, _, true) => "it met this decision".to_owned(),
        (_, _, false) => "no decision that was handed over is known to have met it".to_owned(),
    };
    format!(
        "on purpose in tick {}: {} {}; {came_to}",
        thousands(asked.tick),
        asked.who,
        asked.fault.words()
    )
}
