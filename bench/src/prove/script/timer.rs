//! The timer: late by little at most ticks, and by many periods at a few.

use super::stalls::{SLEPT, kept, slept};
use super::{PERIOD_NS, Scripted, TICKS, Truth, deadline, saturated};
use crate::prove::draw::Draw;
use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::outcome::HopKind;

/// Ticks from one stall to the next.
const APART: u64 = 4_000;

pub(super) fn timer() -> Scripted {
    let mut lateness = Truth::new("timer", HopKind::TimerLateness);
    lateness.stalls = SLEPT
        .map(|stall| slept("deadlines slept through", stall, PERIOD_NS))
        .to_vec();
    let mut draw = Draw::new(1, kept(&lateness.stalls));
    let mut records = Vec::new();
    let mut next = 1;
    while next <= TICKS {
        let stalled = (next % APART == 0)
            .then(|| lateness.stalls.get((next / APART - 1) as usize))
            .flatten();
        let late_ns = stalled.map_or_else(|| draw.decades(3..7), |stall| stall.once_ns);
        let woke_ns = deadline(next) + late_ns;
        let due = (next..).take_while(|tick| deadline(*tick) <= woke_ns);
        let waits: Vec<u64> = due.map(|tick| woke_ns - deadline(tick)).collect();
        let newest = next + waits.len() as u64 - 1;
        records.push(ActivationRecord {
            tick: newest,
            since_ns: deadline(next),
            woke_ns,
            committed_ns: woke_ns + 2_000,
            now_ns: woke_ns,
            skipped: [saturated(newest - next), 0, 0, 0],
            marks: 1,
            ..ActivationRecord::default()
        });
        lateness.uncorrected.push(late_ns);
        lateness.corrected.extend(waits);
        next = newest + 1;
    }
    Scripted {
        name: "timer".to_owned(),
        records,
        truths: vec![lateness],
    }
}
