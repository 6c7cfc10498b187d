//! How full a ring can get: blocks published while a reader has not yet released the oldest of them.

use super::demand::Knowledge;
use super::incoming::{ends_later_ns, of_ring};
use super::tasks::{Begins, Takes};
use super::ticked::further_ticks;
use crate::plan::Full;

/// One reader of one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Index into the set's rings.
    pub ring: usize,
    /// Index into its tasks.
    pub reader: usize,
    /// Most blocks that lie between the reader and the maker; `None`: no bound.
    pub most: Option<u64>,
    /// The maker cannot pass this reader, and the ring may become full.
    pub can_fill: bool,
}

/// All readers of all rings.
pub fn occupancies(knowledge: &Knowledge<'_>) -> Vec<Occupancy> {
    let set = knowledge.set;
    let mut all = Vec::new();
    for (ring, its) in set.rings.iter().enumerate() {
        let outputs = set.tasks[its.maker].outputs.iter();
        // A turn needs room for what it may publish, also when it then publishes less.
        let spare = outputs
            .filter(|output| output.ring == ring && its.full == Full::Wait)
            .map(|output| output.credit.saturating_sub(output.blocks / output.per))
            .max()
            .unwrap_or(0);
        for (reader, input) in set.readers(ring) {
            let most = most(
                knowledge,
                ring,
                reader,
                set.tasks[reader].inputs[input].takes,
            );
            let hold = set.tasks[reader].inputs[input].hold;
            all.push(Occupancy {
                ring,
                reader,
                most,
                can_fill: hold && most.is_none_or(|most| most + spare > its.slots),
            });
        }
    }
    all
}

fn most(knowledge: &Knowledge<'_>, ring: usize, reader: usize, takes: Takes) -> Option<u64> {
    let (_, best_ns, arrivals) = of_ring(knowledge, ring);
    let known = &knowledge.known[reader];
    let maker = knowledge.set.rings[ring].maker;
    let stays_ns = match (takes, knowledge.set.turn_ns(reader)) {
        (Takes::Next, Some(turn_ns)) => {
            let ticks = further_ticks(knowledge, reader)?.saturating_add(1);
            ticks
                .saturating_mul(turn_ns)
                .saturating_add(known.response_ns?)
        }
        (Takes::Next, None) => {
            // Whoever makes several blocks in one activation rings for all of them at its end.
            let rings_ns = match knowledge.set.tasks[maker].begins {
                Begins::Tick { .. } => knowledge.known[maker].response_ns?,
                _ => 0,
            };
            known.response_ns?.saturating_add(rings_ns)
        }
        (Takes::Same, _) => {
            // A slower pacing input passes over what lies between two of its blocks.
            let later_ns = ends_later_ns(&arrivals, &known.arrivals);
            let latency_ns = known.latency_ns?.saturating_add(later_ns);
            latency_ns.saturating_sub(best_ns)
        }
        (Takes::Arrived, _) => {
            // From turn to turn; at first from the first block to the first turn.
            let paced = known.arrivals.sampled?;
            let jitter_ns = known
                .latency_ns?
                .saturating_sub(known.best_latency_ns.min(best_ns));
            paced.longest_ns.saturating_add(jitter_ns)
        }
    };
    // A joined input may also keep the pacing one waiting.
    let stays_ns = match takes {
        Takes::Next if joined(knowledge, reader) => {
            stays_ns.max(known.latency_ns?.saturating_sub(best_ns))
        }
        _ => stays_ns,
    };
    arrivals.within(stays_ns)
}

fn joined(knowledge: &Knowledge<'_>, reader: usize) -> bool {
    let mut inputs = knowledge.set.tasks[reader].inputs.iter();
    inputs.any(|input| input.takes == Takes::Same)
}
