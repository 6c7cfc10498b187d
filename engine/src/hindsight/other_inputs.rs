//! Inputs beside the pacing one: a turn begins when the blocks of the same frames are there, too.

use super::cause::Cause;
use super::evidence::{Found, Span};
use super::history::{Entry, History};
use super::route::{Companion, Route};
use super::walk::{Hop, made, way};

/// Blocks of an input that a turn saw, in [`ActivationRecord::blocks`](crate::abi::ActivationRecord).
fn seen(blocks: u32, input: usize) -> u32 {
    blocks >> (4 * input) & 0xf
}

/// Inputs that a hop had to wait for, and those that had nothing for it.
pub(super) fn other_inputs(
    route: &Route,
    history: &History,
    station: usize,
    entry: &Entry,
    hop: &Hop,
    found: &mut Found,
) {
    let record = &entry.record;
    for companion in &route.stations[station].companions {
        if seen(record.blocks, companion.made.input) == 0 {
            // An older program's record, or an empty block, tells nothing.
            if record.blocks != 0 && record.frames > 0 {
                let stream = companion.stream.clone();
                found.fact(Cause::WithoutInput { stream });
            }
            continue;
        }
        let Ok((maker, turn)) = made(route, history, companion.made, entry) else {
            continue;
        };
        let wait = Span(hop.due_ns, hop.woke_ns);
        let ns = Span(hop.due_ns, turn.record.committed_ns).shared_ns(wait);
        if !found.is_next_to_nothing(ns) {
            let cause = late(route, history, companion, (maker, turn), hop.from_ns, ns);
            found.cost(ns, cause);
        }
    }
}

/// Of the stages on that input's way, who was still to come when the pacing block was there, and cost most.
fn late(
    route: &Route,
    history: &History,
    companion: &Companion,
    (maker, turn): (usize, &Entry),
    since_ns: u64,
    ns: u64,
) -> Cause {
    let (hops, _) = way(route, history, maker, turn, true);
    let still = hops.into_iter().filter(|hop| hop.committed_ns > since_ns);
    let costliest = still.max_by_key(Hop::cost_ns);
    let by = costliest.as_ref().map(|hop| hop.stage.clone());
    Cause::OtherInput {
        stream: companion.stream.clone(),
        by: by.unwrap_or_else(|| route.name(maker).to_owned()),
        ns,
        causes: costliest.map(|hop| hop.causes).unwrap_or_default(),
    }
}
