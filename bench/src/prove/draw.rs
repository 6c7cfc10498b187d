//! Delays drawn from a seed: the same on every machine.

use super::resolution::cell;
use std::collections::BTreeSet;
use std::ops::Range;

/// Draws delays. None falls into a cell that is kept for something else.
pub(super) struct Draw {
    state: u64,
    kept: BTreeSet<u64>,
}

impl Draw {
    /// From a seed; no value may fall into a histogram cell of one of `kept_ns`.
    pub fn new(seed: u64, kept_ns: impl IntoIterator<Item = u64>) -> Self {
        Draw {
            state: seed,
            kept: kept_ns.into_iter().map(cell).collect(),
        }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// As many from each decade: `3..5` means 1 us to 100 us, in ns.
    pub fn decades(&mut self, decades: Range<u32>) -> u64 {
        loop {
            let width = u64::from(decades.end - decades.start);
            let decade = 10_u64.pow(decades.start + (self.next() % width) as u32);
            let value = decade + self.next() % (9 * decade);
            if !self.kept.contains(&cell(value)) {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decade_gets_its_share_and_kept_cells_get_none() {
        let mut draw = Draw::new(1, [5_000]);
        let values: Vec<u64> = (0..50_000).map(|_| draw.decades(3..8)).collect();
        for decade in 3..8 {
            let (from, to) = (10_u64.pow(decade), 10_u64.pow(decade + 1));
            let share = values.iter().filter(|v| (from..to).contains(v)).count();
            assert!((9_000..11_000).contains(&share), "decade {decade}: {share}");
        }
        assert!(values.iter().all(|v| cell(*v) != cell(5_000)));
    }
}
