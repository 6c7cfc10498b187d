//! A rational change of rate: up by one whole number, through a low-pass filter, down by another.
//!
//! The filter is that of `scipy.signal.resample_poly`: a sinc with its half-amplitude point at half the lower of the two rates,
//! in a Kaiser window of `beta = 5`, ten zero crossings to either side. Of its products with the zeros between the frames of the
//! input none is computed. Unlike that function it looks only back: frame `m` of the output is computed when frame
//! `m * down / up` (rounded down) of the input has come, and is the input as it was half the filter's length before.

use std::f64::consts::PI;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Zero crossings of the sinc to either side, in periods of the lower rate.
const CROSSINGS: usize = 10;
/// Shape of the Kaiser window.
const BETA: f64 = 5.0;
/// Most that the rate may be multiplied or divided by.
pub const MOST_FACTOR: u64 = 1000;

/// State; behind it, channel after channel, the ring of the newest frames.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// 1 once a frame was seen.
    begun: u64,
    /// First frame after the start, a gap or a seam.
    base: u64,
    /// Next frame of the output that nobody has accounted for.
    next_out: u64,
}

/// What a block has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Frames written.
    pub frames: usize,
    /// Number of the first of them.
    pub first: u64,
    /// Frames that are missing before it.
    pub lost: u64,
    /// Of those written, the first so many reach back before what is known.
    pub settling: usize,
}

/// The filter, for a fixed number of channels.
#[derive(Debug)]
pub struct Polyphase {
    up: u64,
    down: u64,
    channels: usize,
    /// Taps, phase after phase, each from the newest frame backwards.
    phases: Vec<f64>,
    /// Taps of a phase, and frames held.
    reach: usize,
}

impl Polyphase {
    /// `up / down` times the rate; both have no common factor.
    pub fn new(up: u64, down: u64, channels: usize) -> Self {
        let taps = taps(up as usize, down as usize);
        let reach = taps.len().div_ceil(up as usize);
        let phase = |p: usize| {
            let taps = &taps;
            (0..reach).map(move |k| taps.get(k * up as usize + p).copied().unwrap_or(0.0))
        };
        Polyphase {
            up,
            down,
            channels,
            phases: (0..up as usize).flat_map(phase).collect(),
            reach,
        }
    }

    /// Delay, frames of the input.
    pub fn delay_frames(&self) -> f64 {
        (CROSSINGS as u64 * self.up.max(self.down)) as f64 / self.up as f64
    }

    /// Frames of the input that an output frame looks back to, itself included.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Most frames that `frames` frames of the input can bring.
    pub fn most(&self, frames: u64) -> u64 {
        let most = (u128::from(frames) * u128::from(self.up)).div_ceil(u128::from(self.down));
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    /// Bytes of state; all zero is the initial state.
    pub fn state_bytes(&self) -> usize {
        size_of::<Head>() + self.channels * self.reach * 8
    }

    /// Forgets the signal, but not how far the output is.
    ///
    /// # Panics
    /// If `state` is not [`Polyphase::state_bytes`] long and 8-byte aligned.
    pub fn forget(&self, state: &mut [u8]) {
        let (head, ring) = Head::mut_from_prefix(state).expect("state_bytes of this filter");
        head.begun = 0;
        ring.fill(0);
    }

    /// Takes frames (`time x channel`) in, of which the first has the number `first_frame` and the first `settling` do not mean
    /// what they should, and writes what they bring to `out`.
    ///
    /// # Panics
    /// If `state` is not [`Polyphase::state_bytes`] long and 8-byte aligned, or `out` has no room for [`Polyphase::most`].
    pub fn run(
        &self,
        state: &mut [u8],
        (first_frame, settling): (u64, u64),
        frames: &[f64],
        out: &mut [f64],
    ) -> Brought {
        let fits = "state_bytes of this filter, 8-byte aligned";
        let (head, ring) = Head::mut_from_prefix(state).expect(fits);
        let ring = <[f64]>::mut_from_bytes(ring).expect(fits);
        if head.begun == 0 {
            (head.begun, head.base) = (1, first_frame);
        }
        let mut number = first_frame;
        if settling > 0 {
            head.base = head.base.max(first_frame.saturating_add(settling));
        }
        let mut brought = Brought {
            // The first output frame of which the newest input frame is not before this block.
            first: self.most(first_frame),
            ..Brought::default()
        };
        let mut out = out.chunks_exact_mut(self.channels);
        for frame in frames.chunks_exact(self.channels) {
            let place = (number % self.reach as u64) as usize;
            for (held, x) in ring.chunks_exact_mut(self.reach).zip(frame) {
                held[place] = *x;
            }
            // Output frames with floor(m * down / up) equal to this frame.
            let until = self.most(number.saturating_add(1));
            while brought.first.saturating_add(brought.frames as u64) < until {
                let m = brought.first + brought.frames as u64;
                let phase =
                    ((u128::from(m) * u128::from(self.down)) % u128::from(self.up)) as usize;
                let taps = &self.phases[phase * self.reach..][..self.reach];
                let out = out.next().expect("room for what the frames bring");
                for (y, held) in out.iter_mut().zip(ring.chunks_exact(self.reach)) {
                    // From the newest frame backwards, around the ring.
                    let (before, behind) = held.split_at(place + 1);
                    let newest_first = before.iter().rev().chain(behind.iter().rev());
                    *y = newest_first.zip(taps).map(|(x, tap)| x * tap).sum();
                }
                if number < head.base.saturating_add(self.reach as u64 - 1) {
                    brought.settling += 1;
                }
                brought.frames += 1;
            }
            number = number.saturating_add(1);
        }
        if brought.frames > 0 {
            brought.lost = brought.first.saturating_sub(head.next_out);
            head.next_out = brought.first.saturating_add(brought.frames as u64);
        }
        brought
    }
}

/// `up * firwin(2 * 10 * max(up, down) + 1, 1 / max(up, down), window=("kaiser", 5.0))`.
fn taps(up: usize, down: usize) -> Vec<f64> {
    let slower = up.max(down);
    let half = CROSSINGS * slower;
    let cutoff = 1.0 / slower as f64;
    // From the middle outwards, so that both sides are the same to the last bit.
    let side: Vec<f64> = (0..=half)
        .map(|k| {
            let x = PI * cutoff * k as f64;
            let sinc = if k == 0 { 1.0 } else { x.sin() / x };
            let part = k as f64 / half as f64;
            cutoff * sinc * bessel_i0(BETA * (1.0 - part * part).sqrt()) / bessel_i0(BETA)
        })
        .collect();
    let sum = side[0] + 2.0 * side[1..].iter().sum::<f64>();
    let mirrored = side[1..].iter().rev().chain(&side);
    mirrored.map(|tap| tap / sum * up as f64).collect()
}

/// The modified Bessel function of order 0, by its power series: all terms are positive, and 40 of them are enough to the last bit
/// below 10.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signal(frames: usize, channels: usize) -> Vec<f64> {
        (0..frames * channels)
            .map(|i| ((i * i) % 13) as f64)
            .collect()
    }

    fn run(filter: &Polyphase, x: &[f64], cuts: &[usize]) -> (Vec<f64>, Vec<Brought>) {
        let mut state = vec![0u64; filter.state_bytes() / 8];
        let (mut y, mut told) = (Vec::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        let (mut rest, mut first) = (x, 0);
        while !rest.is_empty() {
            let cut = (cuts.next().unwrap() * filter.channels).min(rest.len());
            let (now, later) = rest.split_at(cut);
            let frames = (cut / filter.channels) as u64;
            let mut out = vec![0.0; filter.most(frames) as usize * filter.channels];
            let brought = filter.run(state.as_mut_bytes(), (first, 0), now, &mut out);
            y.extend_from_slice(&out[..brought.frames * filter.channels]);
            told.push(brought);
            first += frames;
            rest = later;
        }
        (y, told)
    }

    #[test]
    fn what_comes_out_is_scipy_s_upfirdn_with_the_taps_of_resample_poly() {
        // SciPy 1.17.1: upfirdn(up * firwin(20 * max(up, down) + 1, 1 / max(up, down), window=("kaiser", 5.0)),
        // (arange(60)**2 % 13).astype(float), up, down)[k], k as named.
        let check = |(up, down): (u64, u64), theirs: &[(usize, f64)]| {
            let (ours, _) = run(&Polyphase::new(up, down, 1), &signal(60, 1), &[7]);
            assert_eq!(ours.len() as u64, (60 * up).div_ceil(down));
            for (k, theirs) in theirs {
                assert!(
                    (ours[*k] - theirs).abs() < 1e-12,
                    "{up}/{down}, {k}: {} against {theirs}",
                    ours[*k]
                );
            }
        };
        check(
            (1, 4),
            &[
                (1, -0.0051224293986061094),
                (5, -0.002891004261022973),
                (7, -0.006012440574888641),
                (14, 5.4227961099461615),
            ],
        );
        check(
            (3, 2),
            &[
                (1, 0.0),
                (30, 9.005455561983995),
                (45, 10.006061735537772),
                (89, 8.86340867248561),
            ],
        );
        check(
            (4, 5),
            &[
                (1, -0.0007087557064621924),
                (16, 11.710624390080746),
                (24, 7.382493141029838),
                (47, 11.255331882721162),
            ],
        );
    }

    #[test]
    fn a_constant_stays_one_and_a_wave_comes_late_by_the_delay() {
        for (up, down) in [(1, 4), (3, 2), (25, 32), (128, 125)] {
            let filter = Polyphase::new(up, down, 1);
            let n = 40 * filter.reach();
            let hz = 0.02 * (up as f64 / down as f64).min(1.0);
            let x: Vec<f64> = (0..n)
                .map(|i| 5.0 + (std::f64::consts::TAU * hz * i as f64).sin())
                .collect();
            let (y, told) = run(&filter, &x, &[n]);
            let settled = told[0].settling;
            assert!(settled > 0 && settled < y.len() / 4);
            for (m, y) in y.iter().enumerate().skip(settled) {
                let at = m as f64 * down as f64 / up as f64 - filter.delay_frames();
                let expected = 5.0 + (std::f64::consts::TAU * hz * at).sin();
                assert!(
                    (y - expected).abs() < 0.01,
                    "{up}/{down}, {m}: {y} against {expected}"
                );
            }
        }
    }

    #[test]
    fn behind_a_gap_frames_keep_their_places_and_those_that_are_missing_are_counted() {
        let filter = Polyphase::new(2, 5, 1);
        let mut state = vec![0u64; filter.state_bytes() / 8];
        let mut out = [0.0; 100];
        let x = signal(100, 1);
        let before = filter.run(state.as_mut_bytes(), (0, 0), &x, &mut out);
        assert_eq!((before.first, before.frames, before.lost), (0, 40, 0));
        filter.forget(state.as_mut_bytes());
        let behind = filter.run(state.as_mut_bytes(), (150, 0), &x, &mut out);
        // Frames 100 to 149 would have given 40 to 59.
        assert_eq!((behind.first, behind.frames, behind.lost), (60, 40, 20));
        assert_eq!(behind.settling, before.settling);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_chunking_gives_the_bits_of_one_block(
            up in 1u64..8,
            down in 1u64..8,
            cuts in prop::collection::vec(1usize..70, 1..8),
        ) {
            let filter = Polyphase::new(up, down, 2);
            let x = signal(300, 2);
            let (whole, told) = run(&filter, &x, &[300]);
            let (pieces, in_pieces) = run(&filter, &x, &cuts);
            prop_assert!(whole.iter().zip(&pieces).all(|(a, b)| a.to_bits() == b.to_bits()));
            prop_assert_eq!(whole.len(), pieces.len());
            let settling: usize = in_pieces.iter().map(|b| b.settling).sum();
            prop_assert_eq!(settling, told[0].settling);
            prop_assert!(in_pieces.iter().all(|b| b.lost == 0));
        }
    }
}
