//! Memory bandwidth of one CPU: what a copy of a block costs, for comparison with moving it without one.

use ephapse_engine::os::monotonic_ns;

/// Blocks copied for one value.
pub const BATCH: u32 = 64;

/// Times of `values` batches of [`BATCH`] copies of `payload` bytes, from and to buffers that walk over `slots` blocks, ns.
pub fn copy_round(payload: usize, slots: usize, values: usize) -> Vec<u64> {
    let from = vec![1_u8; payload * slots];
    let mut to = vec![0_u8; payload * slots];
    let mut times = Vec::with_capacity(values);
    let mut block = 0;
    for _ in 0..values {
        let began_ns = monotonic_ns();
        for _ in 0..BATCH {
            let at = block * payload;
            to[at..at + payload].copy_from_slice(&from[at..at + payload]);
            core::hint::black_box(&mut to[at]);
            block = (block + 1) % slots;
        }
        times.push(monotonic_ns() - began_ns);
    }
    times
}
