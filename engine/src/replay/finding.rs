//! What comparing a stream has found.

use super::Difference;
use crate::capture::Meta;
use serde::{Deserialize, Serialize};

/// What comparing two recordings of a stream, or a recording with its replay, has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFinding {
    /// Stream.
    pub stream: String,
    /// Its maker.
    pub stage: String,
    /// Blocks that were compared.
    pub compared: u64,
    /// Those of them that differ.
    pub differing: u64,
    /// Blocks of the second that have no counterpart in the first.
    pub uncompared: u64,
    /// Blocks that the first says it does not have.
    pub missing: u64,
    /// Blocks that the first has behind the end of the second.
    pub beyond: u64,
    /// Tick of the first of them.
    pub beyond_tick: u64,
    /// Position at which the second ends.
    pub replayed: u64,
    /// Tick of its last block.
    pub last_tick: u64,
    /// The first difference.
    pub first: Option<Difference>,
}

impl StreamFinding {
    /// Nothing compared yet, of a stream of that capture.
    pub fn of(meta: &Meta, stream: u32) -> Self {
        let maker = meta.plan.streams.get(stream as usize).map(|s| s.maker);
        let stage = maker.and_then(|maker| meta.plan.stages.get(maker));
        StreamFinding {
            stream: meta.stream_name(stream).to_owned(),
            stage: stage.map(|s| s.name.clone()).unwrap_or_default(),
            ..StreamFinding::default()
        }
    }
}

/// The earliest of the first differences: by tick, and in one tick by the place of the maker in the graph's flow.
pub(super) fn earliest(
    findings: &[StreamFinding],
    place: impl Fn(&str) -> usize,
) -> Option<(&StreamFinding, &Difference)> {
    let differing = findings.iter().filter_map(|f| Some((f, f.first.as_ref()?)));
    differing.min_by_key(|(finding, first)| (first.tick, place(&finding.stage), first.position))
}
