//! How long something takes: from best to worst, or as a measured distribution.

/// Whole of a distribution, in parts per million.
const ALL_PPM: u64 = 1_000_000;

/// Shortest and longest, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Shortest, ns.
    pub best_ns: u64,
    /// Longest, ns.
    pub worst_ns: u64,
}

impl Span {
    /// Always the same.
    pub fn always(ns: u64) -> Self {
        Span {
            best_ns: ns,
            worst_ns: ns,
        }
    }
}

/// Run time of one turn: its quantile function, as points between which it grows geometrically, as the tails of latencies do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTime {
    /// Share in parts per million and run time in ns, both never falling. Never empty.
    points: Vec<(u64, u64)>,
}

impl RunTime {
    /// Always the same: a budget, of which nothing is known but that it is the longest.
    pub fn always(ns: u64) -> Self {
        RunTime {
            points: vec![(0, ns)],
        }
    }

    /// Anything from best to worst, all alike.
    pub fn between(span: Span) -> Self {
        RunTime::measured([(0, span.best_ns), (ALL_PPM, span.worst_ns)])
    }

    /// From percentiles as they were measured: share in parts per million, ns. What falls is lifted to what stands before it.
    pub fn measured(points: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut rising: Vec<(u64, u64)> = Vec::new();
        for (ppm, ns) in points {
            let (last_ppm, last_ns) = rising.last().copied().unwrap_or_default();
            rising.push((ppm.clamp(last_ppm, ALL_PPM), ns.max(last_ns)));
        }
        if rising.is_empty() {
            rising.push((0, 0));
        }
        RunTime { points: rising }
    }

    /// Shortest, ns.
    pub fn best_ns(&self) -> u64 {
        self.points[0].1
    }

    /// Longest, ns.
    pub fn worst_ns(&self) -> u64 {
        self.points[self.points.len() - 1].1
    }

    /// The run time that a share of `ppm` parts per million does not exceed, ns.
    pub fn quantile_ns(&self, ppm: u64) -> u64 {
        let above = self.points.partition_point(|(at, _)| *at <= ppm);
        let Some((to_ppm, to_ns)) = self.points.get(above).copied() else {
            return self.worst_ns();
        };
        let Some((from_ppm, from_ns)) = above.checked_sub(1).map(|at| self.points[at]) else {
            return self.best_ns();
        };
        let (share, whole) = (ppm - from_ppm, to_ppm - from_ppm);
        let (from, to) = (logarithm(from_ns), logarithm(to_ns));
        let between = from + (to - from) * share / whole;
        power(between).clamp(from_ns, to_ns)
    }
}

/// Bits behind the point of a logarithm.
const FRACTION: u32 = 16;

/// Logarithm to base 2 in fixed point, a straight line between powers of two; of 0 as of 1.
fn logarithm(ns: u64) -> u64 {
    let whole = ns.max(1).ilog2();
    let rest = u128::from(ns.max(1) - (1 << whole)) << FRACTION >> whole;
    (u64::from(whole) << FRACTION) + u64::try_from(rest).unwrap_or(0)
}

/// What has that logarithm.
fn power(logarithm: u64) -> u64 {
    let whole = logarithm >> FRACTION;
    let rest = u128::from(logarithm & ((1 << FRACTION) - 1)) << whole >> FRACTION;
    (1 << whole) + u64::try_from(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_percentiles_a_run_time_grows_geometrically() {
        let measured =
            RunTime::measured([(0, 100), (500_000, 400), (990_000, 400), (ALL_PPM, 1600)]);
        assert_eq!((measured.best_ns(), measured.worst_ns()), (100, 1600));
        for (ppm, ns) in [(0, 100), (700_000, 400), (ALL_PPM, 1600)] {
            assert_eq!(measured.quantile_ns(ppm), ns, "{ppm}");
        }
        for (ppm, ns) in [(250_000, 200), (995_000, 800)] {
            assert!(measured.quantile_ns(ppm).abs_diff(ns) <= 1, "{ppm}");
        }
        let rises = |ppm: &u64| measured.quantile_ns(*ppm) <= measured.quantile_ns(ppm + 1_000);
        assert!((0..ALL_PPM).step_by(1_000).all(|ppm| rises(&ppm)));
    }

    #[test]
    fn percentiles_of_a_short_run_that_fall_are_lifted() {
        let measured = RunTime::measured([(0, 100), (500_000, 90), (ALL_PPM, 120)]);
        assert_eq!(measured.quantile_ns(500_000), 100);
        assert_eq!(RunTime::always(7).quantile_ns(3), 7);
    }
}
