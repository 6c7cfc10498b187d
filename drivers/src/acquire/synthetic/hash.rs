//! Random numbers by counting: every number follows from a key and an index alone, so any sample can be made at any
//! time, in blocks of any size.

/// The odd constant of Weyl sequences: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input changes half of the output's.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One of many independent sequences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64);

impl Key {
    /// Sequence number `which` of a seed; `purpose` keeps noise and spikes of one channel apart.
    pub(super) const fn new(seed: u64, purpose: u64, which: u64) -> Self {
        Key(mix(
            mix(seed ^ mix(purpose.wrapping_mul(GOLDEN))) ^ which.wrapping_mul(GOLDEN)
        ))
    }

    /// 64 random bits at `index`.
    pub(super) const fn bits(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_mul(GOLDEN)))
    }

    /// A number in [0, 1) at `index`.
    pub(super) fn uniform(self, index: u64) -> f64 {
        (self.bits(index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of mean 0 and standard deviation 1, nearly Gaussian: the sum of eight uniform bytes (excess kurtosis
    /// -0.15, never beyond 4.9).
    pub(super) fn gaussian(self, index: u64) -> f32 {
        const LANES: u64 = 0x00ff_00ff_00ff_00ff;
        let bits = self.bits(index);
        let pairs = (bits & LANES) + ((bits >> 8) & LANES);
        let sum = pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48;
        // Eight bytes of mean 127.5 and variance (256^2 - 1) / 12.
        (sum as f32 - 1020.0) * (1.0 / 209.020_73)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_0_and_standard_deviation_1_and_no_memory() {
        let key = Key::new(7, 0, 3);
        let x: Vec<f64> = (0..200_000).map(|i| f64::from(key.gaussian(i))).collect();
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|v| v * v).sum::<f64>() / n;
        let neighbours = x.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n;
        assert!(
            mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02,
            "{mean} {variance}"
        );
        assert!(neighbours.abs() < 0.01, "{neighbours}");
    }

    #[test]
    fn sequences_of_other_channels_seeds_and_purposes_differ() {
        let of = |seed, purpose, which| Key::new(seed, purpose, which).bits(5);
        let all = [
            of(1, 0, 0),
            of(2, 0, 0),
            of(1, 1, 0),
            of(1, 0, 1),
            of(1, 1, 1),
            of(0, 0, 0),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }
}
