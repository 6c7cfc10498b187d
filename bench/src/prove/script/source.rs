//! A source on its own clock: a block per tick, now and then so late that the next ones wait behind it.

use super::{BLOCK_FRAMES, Scripted, TICKS, Truth, deadline};
use crate::prove::draw::Draw;
use crate::prove::graph::SOURCE;
use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::outcome::HopKind;

pub(super) fn source() -> Scripted {
    let mut draw = Draw::new(2, []);
    let [mut wake, mut run, mut transport] =
        [HopKind::Wake, HopKind::Run, HopKind::Transport].map(|kind| Truth::new(SOURCE, kind));
    let mut records = Vec::new();
    let mut free_ns = 0;
    for block in 0..TICKS {
        let due_ns = deadline(block + 1);
        let late = if block % 50 == 49 { 7..8 } else { 3..7 };
        // Whoever is still busy with the block before is not waited for twice.
        let woke_ns = (due_ns + draw.decades(late)).max(free_ns);
        let run_ns = draw.decades(3..6);
        let committed_ns = woke_ns + run_ns;
        let way_ns = draw.decades(3..8);
        records.push(ActivationRecord {
            tick: block + 1,
            since_ns: due_ns,
            woke_ns,
            committed_ns,
            sampled_ns: woke_ns - way_ns,
            arrived_ns: woke_ns,
            origin_frame: (block + 1) * u64::from(BLOCK_FRAMES) - 1,
            now_ns: woke_ns,
            frames: BLOCK_FRAMES as u16,
            marks: 1,
            ..ActivationRecord::default()
        });
        wake.push(woke_ns - due_ns);
        run.push(run_ns);
        transport.push(way_ns);
        free_ns = committed_ns + 1_000;
    }
    Scripted {
        name: SOURCE.to_owned(),
        records,
        truths: vec![wake, run, transport],
    }
}
