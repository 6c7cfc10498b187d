//! What the timer begins: when a ticked task is rung, and which tick takes a block.

use super::busy_period::Counted;
use super::demand::{Knowledge, Known};
use super::incoming::{ends_later_ns, of_ring};
use super::run_time::Span;
use super::tasks::{Begins, Takes, Task};

/// From the tick to the ring. A task that is awake sees the tick as soon as it is published.
pub fn ring_span(knowledge: &Knowledge<'_>, task: usize) -> Option<Span> {
    let timer = knowledge.set.timer()?;
    let its = &knowledge.set.tasks[timer];
    let before = knowledge.set.tasks[..=task].iter();
    let ticked = |other: &&Task| matches!(other.begins, Begins::Tick { .. });
    let place = before.filter(ticked).count();
    let whole_ns = knowledge.timer_cost_ns(its, knowledge.rung())?;
    let part_ns = knowledge.timer_cost_ns(its, place)?;
    let jobs = knowledge.jobs(timer);
    let worst_ns = knowledge.response_ns(timer, &Counted::Nominal(&jobs), |n| {
        Some((n - 1).saturating_mul(whole_ns).saturating_add(part_ns))
    })?;
    Some(Span {
        // A tick that falls due while the timer is still busy with the one before may be published at once.
        best_ns: if knowledge.chains(timer) {
            0
        } else {
            its.wake.best_ns()
        },
        worst_ns,
    })
}

/// From the sampling of a block to the tick at which a ticked task takes it, worst, ns.
pub fn pickup_ns(knowledge: &Knowledge<'_>, task: usize, known: &Known) -> Option<u64> {
    let its = &knowledge.set.tasks[task];
    let turn_ns = knowledge.set.turn_ns(task)?;
    if known.response_ns? > turn_ns {
        // It skips ticks, and nobody says how many in a row.
        return None;
    }
    let more_ns = further_ticks(knowledge, task)?.saturating_mul(turn_ns);
    let mut worst_ns = 0;
    for input in its.inputs.iter().filter(|i| i.takes != Takes::Arrived) {
        let (latency_ns, _, arrivals) = of_ring(knowledge, input.ring);
        let later_ns = match input.takes {
            Takes::Same => ends_later_ns(&known.arrivals, &arrivals),
            _ => 0,
        };
        let maker = knowledge.set.rings[input.ring].maker;
        let wait_ns = if same_tick(knowledge, maker, task) {
            let lag_ns = latency_ns?.saturating_sub(knowledge.known[maker].latency_ns?);
            knowledge.known[maker].pickup_ns?.saturating_add(lag_ns)
        } else {
            latency_ns?.saturating_add(turn_ns)
        };
        worst_ns = worst_ns.max(wait_ns.saturating_add(later_ns).saturating_add(more_ns));
    }
    Some(worst_ns)
}

/// Ticks that a block waits for because others are before it.
pub fn further_ticks(knowledge: &Knowledge<'_>, task: usize) -> Option<u64> {
    let burst = u64::from(knowledge.set.tasks[task].burst).max(1);
    Some(knowledge.pending(task)?.div_ceil(burst).max(1) - 1)
}

/// A block that `maker` makes in a tick is taken by `reader` in the same tick: both wait for that tick when it comes, the
/// maker is released first, and the reader does not run before it.
fn same_tick(knowledge: &Knowledge<'_>, maker: usize, reader: usize) -> bool {
    let (first, then) = (&knowledge.set.tasks[maker], &knowledge.set.tasks[reader]);
    matches!(first.begins, Begins::Tick { .. })
        && first.begins == then.begins
        && first.cpu == then.cpu
        && maker < reader
        && first.priority >= then.priority
        && !knowledge.chains(maker)
        && !knowledge.chains(reader)
}
