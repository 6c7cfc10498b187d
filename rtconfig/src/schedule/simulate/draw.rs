//! Random numbers, the same for the same seed: SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom
//! number generators, OOPSLA 2014).

use crate::schedule::run_time::RunTime;

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `most`, all alike.
    pub fn up_to(&mut self, most: u64) -> u64 {
        if most == 0 {
            return 0;
        }
        let product = u128::from(self.next()) * (u128::from(most) + 1);
        u64::try_from(product >> 64).unwrap_or(most)
    }

    /// A run time, ns.
    pub fn run(&mut self, run: &RunTime) -> u64 {
        if run.best_ns() == run.worst_ns() {
            return run.best_ns();
        }
        run.quantile_ns(self.up_to(1_000_000))
    }
}
