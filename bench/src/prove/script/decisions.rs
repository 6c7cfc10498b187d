//! The stage that hands commands over, and its log: decisions that come, decisions that never do, and some in two parts.

use super::stalls::{SLEPT, kept, passed_over};
use super::{
    BLOCK_FRAMES, BLOCKS_PER_DECISION, Decision, PERIOD_NS, Scripted, TICKS, Truth, deadline,
};
use crate::prove::draw::Draw;
use crate::prove::graph::{ACT, LOG};
use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::outcome::HopKind;

/// From one decision to the next.
const STEP_NS: u64 = BLOCKS_PER_DECISION * PERIOD_NS;
const STEP_FRAMES: u64 = BLOCKS_PER_DECISION * BLOCK_FRAMES as u64;
/// Decisions from one stall to the next.
const APART: u64 = 2_000;

pub(super) fn act() -> (Scripted, Vec<Decision>) {
    let [mut wake, mut run, mut whole, mut host] = [
        HopKind::Wake,
        HopKind::Run,
        HopKind::Loop,
        HopKind::HostLoop,
    ]
    .map(|kind| Truth::new(ACT, kind));
    whole.stalls = SLEPT
        .map(|stall| passed_over("decisions due for one that came", stall, STEP_NS))
        .to_vec();
    let mut draw = Draw::new(4, kept(&whole.stalls));
    let mut records = Vec::new();
    let mut decisions = Vec::new();
    let mut answered = 0;
    let mut number = 0;
    while number < TICKS / BLOCKS_PER_DECISION {
        let stalled = (number % APART == APART - 1)
            .then(|| whole.stalls.get((number / APART) as usize))
            .flatten();
        number += stalled.map_or(0, |stall| stall.each_ns.len() as u64 - 1);
        let first_age_ns = stalled.map(|stall| stall.once_ns);
        let due_ns = deadline((number + 1) * BLOCKS_PER_DECISION);
        let mut upstream_ns = due_ns;
        for part in 0..if number % 997 == 996 { 2 } else { 1 } {
            let (wake_ns, run_ns) = (draw.decades(3..6), draw.decades(3..6));
            let age_ns = match first_age_ns {
                Some(age_ns) if part == 0 => age_ns,
                _ => draw.decades(3..8),
            };
            let woke_ns = upstream_ns + wake_ns;
            let committed_ns = woke_ns + run_ns;
            let host_ns = age_ns - age_ns / 3;
            records.push(ActivationRecord {
                tick: committed_ns.saturating_sub(deadline(0)) / PERIOD_NS,
                since_ns: upstream_ns,
                woke_ns,
                committed_ns,
                sampled_ns: committed_ns - age_ns,
                arrived_ns: committed_ns - host_ns,
                origin_frame: (number + 1) * STEP_FRAMES - 1,
                now_ns: woke_ns,
                marks: 1,
                ..ActivationRecord::default()
            });
            decisions.push(Decision {
                handed_ns: committed_ns,
                age_ns,
            });
            wake.push(wake_ns);
            run.push(run_ns);
            host.push(host_ns);
            whole.uncorrected.push(age_ns);
            // Each decision that was due and had no answer yet has this one; its own data were older.
            let waited = (answered..number).map(|due| age_ns + (number - due) * STEP_NS);
            whole.corrected.extend(waited.chain([age_ns]));
            answered = number + 1;
            upstream_ns = committed_ns;
        }
        number += 1;
    }
    let act = Scripted {
        name: ACT.to_owned(),
        records,
        truths: vec![wake, run, whole, host],
    };
    (act, decisions)
}

/// A helper works at normal priority beside the loop: only how long it ran is kept of it.
pub(super) fn log() -> Scripted {
    let mut draw = Draw::new(5, []);
    let mut run = Truth::new(LOG, HopKind::Run);
    let mut records = Vec::new();
    for tick in (10..TICKS).step_by(10) {
        let (woke_ns, run_ns) = (deadline(tick), draw.decades(3..8));
        records.push(ActivationRecord {
            tick,
            since_ns: woke_ns - 5_000,
            woke_ns,
            committed_ns: woke_ns + run_ns,
            sampled_ns: woke_ns - 6_000,
            arrived_ns: woke_ns - 6_000,
            marks: 1,
            ..ActivationRecord::default()
        });
        run.push(run_ns);
    }
    Scripted {
        name: LOG.to_owned(),
        records,
        truths: vec![run],
    }
}
