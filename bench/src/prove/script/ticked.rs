//! A ticked stage: two blocks per activation, ticks slept through, ticks passed over by its own long runs, activations
//! that found nothing, and such that found no room.

use super::stalls::{RAN, SLEPT, kept, passed_over, rest_ns, slept};
use super::{BLOCK_FRAMES, PERIOD_NS, Scripted, TICKED_EVERY, TICKS, Truth, deadline, saturated};
use crate::prove::draw::Draw;
use crate::prove::graph::DECIDE;
use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::outcome::HopKind;

/// From one of its ticks to the next.
const STEP_NS: u64 = TICKED_EVERY * PERIOD_NS;
/// Activations from one stall to the next.
const APART: u64 = 1_000;
/// From its last commit to its next look at the tick.
const LOOK_NS: u64 = 1_000;

/// What is to happen at an activation.
#[derive(Clone, Copy)]
enum Plan {
    /// It sleeps so long past its deadline.
    Sleep(u64),
    /// It runs so long past its deadline.
    Run(u64),
    /// It runs so long past its deadline, and is then kept from running for so long.
    RunThenSleep(u64, u64),
}

pub(super) fn decide() -> Scripted {
    let [mut wake, mut run, mut age] =
        [HopKind::Wake, HopKind::Run, HopKind::Age].map(|kind| Truth::new(DECIDE, kind));
    let slept = SLEPT.map(|stall| slept("ticks slept through", stall, STEP_NS));
    let ran = RAN.map(|stall| passed_over("ticks passed over by a long run", stall, STEP_NS));
    let mut planned: Vec<Plan> = slept.iter().map(|s| Plan::Sleep(s.once_ns)).collect();
    // A run over `count` deadlines ends `count` steps and the rest after its own.
    planned
        .extend(RAN.map(|(count, percent)| Plan::Run(count * STEP_NS + rest_ns(percent, STEP_NS))));
    planned.push(Plan::RunThenSleep(
        3 * STEP_NS + rest_ns(71, STEP_NS),
        2 * STEP_NS + rest_ns(51, STEP_NS),
    ));
    wake.stalls = slept.into_iter().chain(ran).collect();
    let mut draw = Draw::new(3, kept(&wake.stalls));
    let mut records = Vec::new();
    let mut last = 0;
    let mut free_ns = deadline(0);
    let mut held_ns = 0;
    for activation in 1_u64.. {
        let next = last + TICKED_EVERY;
        if next > TICKS {
            break;
        }
        let plan = (activation % APART == 0)
            .then(|| planned.get((activation / APART - 1) as usize).copied())
            .flatten();
        let sleep_ns = match plan {
            Some(Plan::Sleep(ns)) => ns,
            _ => draw.decades(3..7),
        };
        // Whoever finds a tick due when it looks does not sleep, unless it is kept from looking.
        let looked_ns = free_ns + LOOK_NS;
        let woke_ns = if looked_ns > deadline(next) {
            looked_ns + core::mem::take(&mut held_ns)
        } else {
            deadline(next) + sleep_ns
        };
        let due: Vec<u64> = (next..)
            .step_by(TICKED_EVERY as usize)
            .take_while(|tick| deadline(*tick) <= woke_ns)
            .collect();
        let tick = due.last().copied().unwrap_or(next);
        let passed_over = |t: &u64| *t != tick && deadline(*t) < free_ns;
        let long = due.iter().filter(|t| passed_over(t)).count();
        let late = due.len() - 1 - long;
        // It slept since the first deadline that it was not busy at.
        wake.uncorrected.push(woke_ns - deadline(due[long]));
        wake.corrected
            .extend(due.iter().map(|t| woke_ns - deadline(*t)));
        let mut record = ActivationRecord {
            tick,
            since_ns: deadline(tick),
            woke_ns,
            now_ns: woke_ns,
            skipped: [saturated(late as u64), saturated(long as u64), 0, 0],
            frames: BLOCK_FRAMES as u16,
            marks: 1,
            ..ActivationRecord::default()
        };
        last = tick;
        free_ns = woke_ns;
        if activation % 101 == 0 || activation % 211 == 0 {
            // Nothing came; or its output was full, and the tick is skipped for that.
            record.skipped[2] = u8::from(activation % 211 == 0);
            records.push(record);
            continue;
        }
        for turn in 0..2 {
            let run_ns = match plan {
                Some(Plan::Run(ns)) if turn == 0 => deadline(tick) + ns - LOOK_NS - woke_ns,
                Some(Plan::RunThenSleep(ns, held)) if turn == 0 => {
                    held_ns = held;
                    deadline(tick) + ns - LOOK_NS - woke_ns
                }
                // The second turn of a long run would move its end.
                Some(_) if turn == 1 => break,
                _ => draw.decades(3..6),
            };
            let age_ns = draw.decades(3..8);
            record.committed_ns = record.woke_ns + run_ns;
            record.sampled_ns = record.committed_ns - age_ns;
            record.arrived_ns = record.committed_ns - age_ns / 2;
            records.push(record);
            run.push(run_ns);
            age.push(age_ns);
            free_ns = record.committed_ns;
            record.woke_ns = record.committed_ns + 100;
            record.skipped = [0; 4];
            record.marks = 0;
        }
    }
    Scripted {
        name: DECIDE.to_owned(),
        records,
        truths: vec![wake, run, age],
    }
}
