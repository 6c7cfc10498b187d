//! Memory bandwidth of one CPU: what a copy of a block costs, for comparison with moving it without one.

use super::round::{Receive, Send};
use crate::ends::Round;
use ephapse_engine::os::monotonic_ns;

/// Blocks copied for one value.
const BATCH: u32 = 64;

/// Blocks copied for one value.
pub const fn copy_batch() -> u32 {
    BATCH
}

/// A link that moves nothing: its receiver copies blocks between two buffers of its own that walk over as many blocks as a
/// ring has slots. A value is the time of [`copy_batch`] copies, ns.
pub struct Copying {
    from: Vec<u8>,
    to: Vec<u8>,
    payload: usize,
}

impl Copying {
    /// Buffers for `slots` blocks of `payload` bytes.
    pub fn new(payload: usize, slots: u32) -> Self {
        Copying {
            from: vec![1; payload * slots as usize],
            to: vec![0; payload * slots as usize],
            payload,
        }
    }
}

impl Send for Copying {
    fn run(&mut self, _: &Round) -> Result<Vec<u64>, String> {
        Ok(Vec::new())
    }
}

impl Receive for Copying {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let mut values = Vec::with_capacity(round.blocks as usize);
        let mut at = 0;
        for _ in 0..round.blocks {
            let began_ns = monotonic_ns();
            for _ in 0..BATCH {
                let block = at..at + self.payload;
                self.to[block.clone()].copy_from_slice(&self.from[block]);
                core::hint::black_box(&mut self.to[at]);
                at = (at + self.payload) % self.from.len();
            }
            values.push(monotonic_ns() - began_ns);
        }
        Ok(values)
    }
}
