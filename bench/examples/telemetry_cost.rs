//! What an activation record costs a turn, in nanoseconds of this machine: the same turns with and without it, in pairs.
//!
//! `cargo run --profile demo -p ephapse-bench --example telemetry_cost`. The telemetry ring is as long as that of a stage
//! at 1 kHz, so that its slots are no more in the cache than in a session. The clock and the usage read are shown apart:
//! a turn reads the clock three times with or without a record, and the kernel's counts once, after the bells.

#[path = "gate/pass.rs"]
mod pass;

use ephapse_engine::abi::SlotHeader;
use ephapse_engine::os;
use ephapse_engine::runner::telemetry::slots_for;
use ephapse_engine::stage::Rig;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use pass::Pass;
use std::hint::black_box;

const ROUNDS: usize = 4_000;
/// Turns of one round: as many as the rig's rings have slots.
const TURNS: u64 = 64;

fn main() -> anyhow::Result<()> {
    let frames = StreamType::frames(Dtype::F64, 4, 1, Rate::hz(1000), "uV");
    let rig = |slots| {
        Rig::<Pass>::with_telemetry(serde_json::json!({}), std::slice::from_ref(&frames), slots)
    };
    let mut with = rig(Some(slots_for(1000.0)))?;
    let mut without = rig(None)?;
    let mut rounds: [Vec<f64>; 5] = Default::default();
    for round in 0..ROUNDS {
        // Whoever comes second finds warmer caches: they take turns.
        let (with_ns, without_ns) = if round % 2 == 0 {
            let first = turns_ns(&mut with);
            (first, turns_ns(&mut without))
        } else {
            let first = turns_ns(&mut without);
            (turns_ns(&mut with), first)
        };
        rounds[0].push(without_ns);
        rounds[1].push(with_ns);
        rounds[2].push(with_ns - without_ns);
        rounds[3].push(each_ns(os::monotonic_ns));
        rounds[4].push(each_ns(os::usage));
    }
    println!("ns, median of {ROUNDS} rounds (middle half)");
    for (what, values) in [
        "turn without record",
        "turn with record",
        "record, pair by pair",
        "clock read",
        "usage read",
    ]
    .into_iter()
    .zip(&mut rounds)
    {
        values.sort_by(f64::total_cmp);
        let [low, median, high] = [1, 2, 3].map(|quarter| values[values.len() * quarter / 4]);
        println!("{what:22} {median:8.1} ({low:.1} to {high:.1})");
    }
    Ok(())
}

/// Nanoseconds of one turn, over [`TURNS`] of them.
fn turns_ns(rig: &mut Rig<Pass>) -> f64 {
    for turn in 0..TURNS {
        let header = SlotHeader {
            origin_frame: turn,
            valid: 4,
            ..SlotHeader::default()
        };
        rig.feed(0, header, &[0; 32]);
    }
    let begun_ns = os::monotonic_ns();
    rig.run();
    let ended_ns = os::monotonic_ns();
    assert_eq!(rig.take(0).len() as u64, TURNS);
    (ended_ns - begun_ns) as f64 / TURNS as f64
}

/// Nanoseconds of one call, over [`TURNS`] of them.
fn each_ns<R>(call: fn() -> R) -> f64 {
    let begun_ns = os::monotonic_ns();
    for _ in 0..TURNS {
        black_box(call());
    }
    (os::monotonic_ns() - begun_ns) as f64 / TURNS as f64
}
