//! What comes in at a task: how late, and how often.

use super::curve::{Arrivals, Curve};
use super::demand::Knowledge;
use super::tasks::Takes;

/// What comes in at a task.
pub struct Incoming {
    /// From sampling to when the block, and those that must go with it, are there, worst, ns.
    pub latency_ns: Option<u64>,
    /// The same, best, ns.
    pub best_ns: u64,
    /// How they come.
    pub arrivals: Arrivals,
}

/// What comes in at a task: the blocks that pace it, once those are there that must go with them.
pub fn incoming(knowledge: &Knowledge<'_>, task: usize) -> Incoming {
    let mut come = Incoming {
        latency_ns: None,
        best_ns: 0,
        arrivals: Arrivals::default(),
    };
    let inputs = knowledge.set.tasks[task].inputs.iter();
    for input in inputs.filter(|input| input.takes != Takes::Arrived) {
        let (latency_ns, best_ns, arrivals) = of_ring(knowledge, input.ring);
        if input.takes == Takes::Next {
            come = Incoming {
                latency_ns,
                best_ns,
                arrivals,
            };
        } else {
            // The turn waits for both; what has waited may then come all at once, whatever its maker's rhythm.
            let more_ns = ends_later_ns(&come.arrivals, &arrivals);
            come.latency_ns = come
                .latency_ns
                .zip(latency_ns)
                .map(|(a, b)| a.max(b.saturating_add(more_ns)));
            come.best_ns = come.best_ns.max(best_ns);
            come.arrivals.more.clear();
        }
    }
    let jitter_ns = come.latency_ns.map(|ns| ns.saturating_sub(come.best_ns));
    come.arrivals.sampled = come
        .arrivals
        .sampled
        .zip(jitter_ns)
        .map(|(curve, jitter_ns)| Curve { jitter_ns, ..curve });
    come
}

/// A block that must cover what another one does may be the next one and end later than that, ns: unless both come one by one
/// in the same regular rhythm.
pub fn ends_later_ns(covered: &Arrivals, covering: &Arrivals) -> u64 {
    let rhythm = |curve: Curve| {
        let regular = curve.period_ns == curve.longest_ns && curve.blocks == 1;
        regular.then_some(curve.period_ns)
    };
    let of = |arrivals: &Arrivals| arrivals.sampled.and_then(rhythm);
    match (of(covered), of(covering)) {
        (Some(a), Some(b)) if a == b => 0,
        _ => covering.sampled.map_or(0, |curve| curve.longest_ns),
    }
}

/// Latency of a ring's blocks, worst and best, ns, and how they come.
pub fn of_ring(knowledge: &Knowledge<'_>, ring: usize) -> (Option<u64>, u64, Arrivals) {
    let maker = knowledge.set.rings[ring].maker;
    let known = &knowledge.known[maker];
    let mut outputs = knowledge.set.tasks[maker].outputs.iter();
    let output = outputs.find(|output| output.ring == ring);
    let Some(output) = output else {
        return (None, 0, Arrivals::default());
    };
    let lag_ns = output.lag_ns();
    let mut arrivals = known.turns.thinned(output.blocks, output.per);
    arrivals.sampled = arrivals.sampled.map(|curve| curve.delayed(lag_ns));
    (
        known.latency_ns.map(|ns| ns.saturating_add(lag_ns)),
        known.best_latency_ns,
        arrivals,
    )
}
