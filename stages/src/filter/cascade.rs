//! Second-order sections in cascade over many channels, state carried from block to block.
//!
//! Each section is a direct form II transposed biquad with the order of operations of SciPy's `sosfilt`:
//!
//! ```text
//! y  = b0 x + z0
//! z0 = b1 x - a1 y + z1
//! z1 = b2 x - a2 y
//! ```
//!
//! so that f64 results agree with SciPy's, and blocks of any size give the same bits as one block.

use super::design::Section;
use crate::vectors::{Kernel, Vectors};
use zerocopy::FromBytes;

/// State is looked over once in this many frames, counted from the last reset (so block size plays no part).
const LOOK_EVERY: u64 = 256;
/// State below this is set to zero: 140 decades below anything measurable, and 150 above the denormal numbers into
/// which silence would otherwise decay and in which arithmetic is a hundred times slower.
const TINY: f64 = 1e-150;
/// State above this (or infinite, or NaN) is set to zero: a channel recovers from a NaN in its input.
const HUGE: f64 = 1e150;
/// Channels filtered together. A section's next frame waits for its last one (four operations in a row), so there must be
/// enough channels to work on meanwhile; with more, their state does not stay in registers.
const TILE: usize = 16;
/// Tile for the channels left over.
const SMALL_TILE: usize = 4;
/// Sections run through in one pass over the data.
const FUSED: usize = 4;

/// A cascade for a fixed number of channels.
#[derive(Clone, Debug)]
pub struct Cascade {
    sections: Vec<Section>,
    channels: usize,
    vectors: Vectors,
}

impl Cascade {
    /// The cascade of `sections`, first to last, for frames of `channels` channels.
    pub fn new(sections: Vec<Section>, channels: usize) -> Self {
        Self::with_vectors(sections, channels, Vectors::widest())
    }

    /// The same in the vectors that are named, which every CPU that runs it must have: the results are the same bits.
    pub fn with_vectors(sections: Vec<Section>, channels: usize, vectors: Vectors) -> Self {
        Cascade {
            sections,
            channels,
            vectors,
        }
    }

    /// The sections, first to last.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Takes other sections, as many as there are. Allocates nothing.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn set_sections(&mut self, sections: &[Section]) {
        self.sections.copy_from_slice(sections);
    }

    /// The state of a cascade that has seen nothing but `frame`, for ever (SciPy's `sosfilt_zi`, times the frame). What is not
    /// finite counts as 0.
    ///
    /// # Panics
    /// As [`Cascade::run`].
    pub fn stand(&self, state: &mut [u8], frame: &[f64]) {
        let fits = "state_bytes of this cascade, 8-byte aligned";
        let (count, z) = u64::mut_from_prefix(state).expect(fits);
        let z = <[f64]>::mut_from_bytes(z).expect(fits);
        *count = 0;
        for (channel, x) in frame.iter().enumerate() {
            let mut x = if x.is_finite() { *x } else { 0.0 };
            for (section, z) in self
                .sections
                .iter()
                .zip(z.chunks_exact_mut(2 * self.channels))
            {
                let ([b0, b1, b2], [a1, a2]) = (section.b, section.a);
                let y = x * (b0 + b1 + b2) / (1.0 + a1 + a2);
                let z1 = b2 * x - a2 * y;
                z[channel] = b1 * x - a1 * y + z1;
                z[self.channels + channel] = z1;
                x = y;
            }
        }
    }

    /// Bytes of state: frames since the reset (u64), then per section z0 of every channel and z1 of every channel
    /// (f64). All zero is the initial state.
    pub fn state_bytes(&self) -> usize {
        8 + self.sections.len() * 2 * self.channels * 8
    }

    /// Filters whole frames (`time x channel`, channels contiguous) in place.
    ///
    /// # Panics
    /// If `state` is not [`Cascade::state_bytes`] long and 8-byte aligned.
    pub fn run(&self, state: &mut [u8], frames: &mut [f64]) {
        let fits = "state_bytes of this cascade, 8-byte aligned";
        let (count, z) = u64::mut_from_prefix(state).expect(fits);
        let z = <[f64]>::mut_from_bytes(z).expect(fits);
        assert_eq!(z.len(), self.sections.len() * 2 * self.channels, "{fits}");
        self.vectors.run(Run {
            sections: &self.sections,
            channels: self.channels,
            count,
            z,
            frames,
        });
    }
}

/// The work of [`Cascade::run`].
struct Run<'a> {
    sections: &'a [Section],
    channels: usize,
    count: &'a mut u64,
    z: &'a mut [f64],
    frames: &'a mut [f64],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run(self) {
        let mut rest = self.frames;
        while !rest.is_empty() {
            let until_look = (LOOK_EVERY - *self.count % LOOK_EVERY) as usize;
            let (now, later) = rest.split_at_mut(rest.len().min(until_look * self.channels));
            let pass = FUSED * 2 * self.channels;
            for (sections, z) in self.sections.chunks(FUSED).zip(self.z.chunks_mut(pass)) {
                match sections {
                    [a] => fused(&[*a], z, self.channels, now),
                    [a, b] => fused(&[*a, *b], z, self.channels, now),
                    [a, b, c] => fused(&[*a, *b, *c], z, self.channels, now),
                    [a, b, c, d] => fused(&[*a, *b, *c, *d], z, self.channels, now),
                    _ => unreachable!("chunks of {FUSED}"),
                }
            }
            *self.count += (now.len() / self.channels) as u64;
            if self.count.is_multiple_of(LOOK_EVERY) {
                for z in self.z.iter_mut() {
                    let usable = (TINY..=HUGE).contains(&z.abs());
                    *z = if usable { *z } else { 0.0 };
                }
            }
            rest = later;
        }
    }
}

/// `N` sections in one pass: tiles of channels, then smaller ones, then the channels left over.
#[inline(always)]
fn fused<const N: usize>(
    sections: &[Section; N],
    z: &mut [f64],
    channels: usize,
    frames: &mut [f64],
) {
    let tiled = channels - channels % TILE;
    let small = channels - channels % SMALL_TILE;
    for first in (0..tiled).step_by(TILE) {
        tile::<N, TILE>(sections, z, channels, first, frames);
    }
    for first in (tiled..small).step_by(SMALL_TILE) {
        tile::<N, SMALL_TILE>(sections, z, channels, first, frames);
    }
    for first in small..channels {
        tile::<N, 1>(sections, z, channels, first, frames);
    }
}

/// `N` sections over `W` neighbouring channels, their state held in local arrays.
#[inline(always)]
fn tile<const N: usize, const W: usize>(
    sections: &[Section; N],
    z: &mut [f64],
    channels: usize,
    first: usize,
    frames: &mut [f64],
) {
    let mut local = [[[0.0f64; W]; 2]; N];
    let place = |s: usize, k: usize| (s * 2 + k) * channels + first;
    for (s, pair) in local.iter_mut().enumerate() {
        for (k, values) in pair.iter_mut().enumerate() {
            values.copy_from_slice(&z[place(s, k)..][..W]);
        }
    }
    for frame in frames.chunks_exact_mut(channels) {
        let frame: &mut [f64; W] = (&mut frame[first..first + W])
            .try_into()
            .unwrap_or_else(|_| unreachable!("sliced to W"));
        let mut x = *frame;
        for (section, [z0, z1]) in sections.iter().zip(local.iter_mut()) {
            let [b0, b1, b2] = section.b;
            let [a1, a2] = section.a;
            for c in 0..W {
                let y = b0 * x[c] + z0[c];
                z0[c] = b1 * x[c] - a1 * y + z1[c];
                z1[c] = b2 * x[c] - a2 * y;
                x[c] = y;
            }
        }
        *frame = x;
    }
    for (s, pair) in local.iter().enumerate() {
        for (k, values) in pair.iter().enumerate() {
            z[place(s, k)..][..W].copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::design::{Band, butterworth};
    use super::*;
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    fn noise(frames: usize, channels: usize) -> Vec<f64> {
        let mut x = 88_172_645_463_325_252u64;
        (0..frames * channels)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                x as f64 / u64::MAX as f64 * 200.0 - 100.0
            })
            .collect()
    }

    fn cascade(order: u32, channels: usize) -> Cascade {
        let sections = butterworth(Band::Pass, order, 300.0, 3000.0, 30_000.0).unwrap();
        Cascade::new(sections, channels)
    }

    fn state(cascade: &Cascade) -> Vec<u64> {
        vec![0; cascade.state_bytes() / 8]
    }

    /// SciPy's loop, word for word: one channel, one sample, section after section; and the look at the state.
    fn sosfilt(sections: &[Section], x: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut z = vec![[0.0f64; 2]; sections.len()];
        x.enumerate()
            .map(|(i, mut x)| {
                if i > 0 && (i as u64).is_multiple_of(LOOK_EVERY) {
                    for z in z.iter_mut().flatten() {
                        if !(TINY..=HUGE).contains(&z.abs()) {
                            *z = 0.0;
                        }
                    }
                }
                for (s, z) in sections.iter().zip(&mut z) {
                    let y = s.b[0] * x + z[0];
                    z[0] = s.b[1] * x - s.a[0] * y + z[1];
                    z[1] = s.b[2] * x - s.a[1] * y;
                    x = y;
                }
                x
            })
            .collect()
    }

    #[test]
    fn every_channel_gets_the_bits_of_a_plain_loop_whatever_the_vectors_channel_count_and_order() {
        if Vectors::widest() == Vectors::PORTABLE {
            eprintln!("SKIPPED: this CPU has no wider vectors to compare with");
        }
        for (order, channels) in [(1, 1), (2, 7), (2, 8), (3, 60), (4, 37), (8, 25)] {
            let mut input = noise(700, channels);
            // Denormal numbers, and what becomes NaN.
            input.iter_mut().step_by(3).for_each(|x| *x *= 1e-308);
            input[300 * channels] = f64::INFINITY;
            for vectors in [Vectors::PORTABLE, Vectors::widest()] {
                let cascade = Cascade {
                    vectors,
                    ..cascade(order, channels)
                };
                let mut output = input.clone();
                cascade.run(state(&cascade).as_mut_bytes(), &mut output);
                for c in 0..channels {
                    let x = input.iter().skip(c).step_by(channels).copied();
                    let y = output.iter().skip(c).step_by(channels).copied();
                    assert_eq!(
                        bits(y),
                        bits(sosfilt(&cascade.sections, x).into_iter()),
                        "order {order}, channel {c}, {vectors:?}"
                    );
                }
            }
        }
    }

    /// As they are compared: which NaN a NaN is has no meaning.
    fn bits(y: impl Iterator<Item = f64>) -> Vec<u64> {
        y.map(|y| if y.is_nan() { f64::NAN } else { y }.to_bits())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_chunking_gives_the_bits_of_one_block(
            channels in 1usize..20,
            order in 1u32..5,
            cuts in prop::collection::vec(1usize..300, 1..12),
        ) {
            let frames: usize = cuts.iter().sum();
            let cascade = cascade(order, channels);
            let mut whole = noise(frames, channels);
            let mut pieces = whole.clone();
            let (mut a, mut b) = (state(&cascade), state(&cascade));
            cascade.run(a.as_mut_bytes(), &mut whole);
            let mut rest = pieces.as_mut_slice();
            for cut in cuts {
                let (now, later) = rest.split_at_mut(cut * channels);
                cascade.run(b.as_mut_bytes(), now);
                rest = later;
            }
            prop_assert_eq!(whole, pieces);
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn silence_ends_in_zero_and_not_in_denormal_numbers() {
        let cascade = cascade(2, 1);
        let mut frames = noise(1000, 1);
        frames.resize(60_000, 0.0);
        let mut state = state(&cascade);
        cascade.run(state.as_mut_bytes(), &mut frames);
        assert!(frames.iter().all(|y| *y == 0.0 || y.is_normal()));
        assert!(state[1..].iter().all(|z| *z == 0));
    }

    #[test]
    fn a_nan_in_one_channel_spares_the_others_and_is_forgotten() {
        let cascade = cascade(2, 9);
        let clean = noise(2000, 9);
        let mut hurt = clean.clone();
        hurt[100 * 9 + 4] = f64::NAN;
        let mut clean = clean;
        cascade.run(state(&cascade).as_mut_bytes(), &mut clean);
        cascade.run(state(&cascade).as_mut_bytes(), &mut hurt);
        for (i, (a, b)) in clean.iter().zip(&hurt).enumerate() {
            if i % 9 != 4 || i / 9 < 100 {
                assert_eq!(a, b);
            } else if i / 9 >= 256 {
                assert!(b.is_finite());
            }
        }
        let late = 1999 * 9 + 4;
        assert!((clean[late] - hurt[late]).abs() < 1e-6);
    }
}
