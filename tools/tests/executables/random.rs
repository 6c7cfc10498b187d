//! Numbers for tests that choose at random.

/// Seeded, so that a failure can be looked at again. The seed is not 0.
pub struct Random(pub u64);

impl Random {
    /// From 0 on, below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
