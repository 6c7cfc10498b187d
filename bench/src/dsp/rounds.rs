//! Rounds: a kernel for so long, block after block.

use super::kernel::Prepared;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Longest block that is told from a longer one, ns: ten seconds.
const LONGEST_NS: u64 = 10_000_000_000;

/// What a round has shown.
#[derive(Clone, Debug)]
pub struct RoundRate {
    /// Frames per second, from the round's beginning to its end.
    pub frames_per_s: f64,
    /// ns of each block, from the end of the block before. Reading the clock and counting is inside (30 ns a block).
    pub block_ns: Histogram<u64>,
}

/// One round.
pub fn run_round(kernel: &mut Prepared, round: Duration) -> RoundRate {
    let mut block_ns =
        Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds a histogram can have");
    let frames = kernel.block_frames() as f64;
    let began = Instant::now();
    let mut before = began;
    loop {
        kernel.run_block();
        let now = Instant::now();
        block_ns.saturating_record((now - before).as_nanos() as u64);
        before = now;
        let elapsed = now - began;
        if elapsed >= round {
            return RoundRate {
                frames_per_s: block_ns.len() as f64 * frames / elapsed.as_secs_f64(),
                block_ns,
            };
        }
    }
}
