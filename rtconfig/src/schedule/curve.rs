//! Arrival curves: how many blocks can come in a window, wherever it begins.

use std::cmp::max;

/// Events every `period_ns`, each up to `jitter_ns` late, each of `blocks` blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Least time between the nominal instants of two events, ns; at least 1.
    pub period_ns: u64,
    /// Longest time between them, ns.
    pub longest_ns: u64,
    /// Latest an event comes after its nominal instant, ns.
    pub jitter_ns: u64,
    /// Most blocks of one event.
    pub blocks: u64,
    /// Fewest blocks of one event, at least 1.
    pub fewest: u64,
}

impl Curve {
    /// Every `period_ns`, one block each.
    pub fn every(period_ns: u64, jitter_ns: u64) -> Self {
        Curve {
            period_ns: period_ns.max(1),
            longest_ns: period_ns.max(1),
            jitter_ns,
            blocks: 1,
            fewest: 1,
        }
    }

    /// What comes out if `blocks` of every `per` that go in come out.
    pub fn thinned(self, blocks: u64, per: u64) -> Self {
        let most = self.blocks.saturating_mul(blocks);
        let fewest = self.fewest.saturating_mul(blocks).max(1);
        let apart = if most >= per { 1 } else { per / most };
        Curve {
            period_ns: self.period_ns.saturating_mul(apart),
            longest_ns: self.longest_ns.saturating_mul(per.div_ceil(fewest)),
            jitter_ns: self.jitter_ns,
            blocks: most.div_ceil(per),
            fewest: (fewest / per).max(1),
        }
    }

    /// The same events, up to `more_ns` later.
    pub fn delayed(self, more_ns: u64) -> Self {
        Curve {
            jitter_ns: self.jitter_ns.saturating_add(more_ns),
            ..self
        }
    }

    /// Most blocks in a window of `ns` that is open at its end.
    fn before(self, ns: u64) -> u64 {
        let events = match ns {
            0 => 0,
            _ => ns.saturating_add(self.jitter_ns).div_ceil(self.period_ns),
        };
        events.saturating_mul(self.blocks)
    }

    /// Most blocks in a window of `ns`, both ends in it.
    pub fn within(self, ns: u64) -> u64 {
        (ns.saturating_add(self.jitter_ns) / self.period_ns + 1).saturating_mul(self.blocks)
    }

    /// Nominal instant of the event with the n-th block, from 1, after that with the first, ns.
    pub fn nominal_ns(self, n: u64) -> u64 {
        ((n.max(1) - 1) / self.blocks.max(1)).saturating_mul(self.period_ns)
    }
}

/// What is known of the blocks of a stream; every curve holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Counted from the instants at which the source took them: jitter is worst minus best latency so far (Tindell and
    /// Clark). `None`: the latency has no bound.
    pub sampled: Option<Curve>,
    /// Further ones, say from the ticks of a maker.
    pub more: Vec<Curve>,
}

impl Arrivals {
    fn curves(&self) -> impl Iterator<Item = Curve> {
        self.sampled.into_iter().chain(self.more.iter().copied())
    }

    /// Most blocks in a window of `ns` that is open at its end; `None`: no bound.
    pub fn before(&self, ns: u64) -> Option<u64> {
        self.curves().map(|curve| curve.before(ns)).min()
    }

    /// Most blocks in a window of `ns`, both ends in it; `None`: no bound.
    pub fn within(&self, ns: u64) -> Option<u64> {
        self.curves().map(|curve| curve.within(ns)).min()
    }

    /// Least time from the first to the n-th block, from 1, ns.
    pub fn earliest_ns(&self, n: u64) -> u64 {
        let of = |curve: Curve| curve.nominal_ns(n).saturating_sub(curve.jitter_ns);
        self.curves().map(of).fold(0, max)
    }

    /// Instants within `from_ns..to_ns`, both excluded, at which [`Arrivals::within`] may rise.
    pub fn rises(&self, from_ns: u64, to_ns: u64) -> impl Iterator<Item = u64> {
        self.curves().flat_map(move |curve| {
            let first = from_ns.saturating_add(curve.jitter_ns) / curve.period_ns + 1;
            (first..)
                .map(move |n| {
                    n.saturating_mul(curve.period_ns)
                        .saturating_sub(curve.jitter_ns)
                })
                .take_while(move |at| *at < to_ns)
                .filter(move |at| *at > from_ns)
        })
    }

    /// What comes out if `blocks` of every `per` that go in come out.
    pub fn thinned(&self, blocks: u64, per: u64) -> Self {
        Arrivals {
            sampled: self.sampled.map(|curve| curve.thinned(blocks, per)),
            more: self.more.iter().map(|c| c.thinned(blocks, per)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_counts_what_a_late_and_an_early_run_of_events_bring() {
        let curve = Curve::every(100, 30);
        // One at 30 (late), then 100, 200 from where the window begins: at 0 late, 70, 170.
        let counts: Vec<u64> = [1, 70, 71, 170, 171].map(|ns| curve.before(ns)).to_vec();
        assert_eq!(counts, [1, 1, 2, 2, 3]);
        let closed: Vec<u64> = [0, 69, 70, 170].map(|ns| curve.within(ns)).to_vec();
        assert_eq!(closed, [1, 1, 2, 3]);
        let arrivals = Arrivals {
            sampled: Some(curve),
            more: Vec::new(),
        };
        let earliest: Vec<u64> = (1..4).map(|n| arrivals.earliest_ns(n)).collect();
        assert_eq!(earliest, [0, 70, 170]);
        assert_eq!(arrivals.rises(0, 270).collect::<Vec<_>>(), [70, 170]);
    }

    #[test]
    fn thinning_keeps_the_rate_and_never_undercounts() {
        for (blocks, per) in [(1, 1), (1, 5), (2, 5), (3, 2), (20, 33), (7, 1)] {
            let thin = Curve::every(100, 0).thinned(blocks, per);
            let (mut kept, mut out) = (0, Vec::new());
            for turn in 0..1000_u64 {
                kept += blocks;
                while kept >= per {
                    kept -= per;
                    out.push(turn * 100);
                }
            }
            for length in [0, 99, 100, 500, 5_000] {
                let most = (0..out.len())
                    .map(|i| {
                        out[i..]
                            .iter()
                            .take_while(|t| **t <= out[i] + length)
                            .count()
                    })
                    .max()
                    .unwrap_or(0);
                assert!(
                    thin.within(length) >= most as u64,
                    "{blocks}/{per} in {length}"
                );
            }
        }
    }
}
