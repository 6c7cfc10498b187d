//! A cascade whose coefficients may change while it runs, without a leap in what comes out.
//!
//! A change begins with the first frame of the block before which it was told. From there the new filter runs beside the old
//! one, unheard, until its own start has died away ([`settle_frames`], at most a second): it
//! begins where it would stand if the signal had always been that first frame, so that an offset starts nothing. Then, over
//! [`FADE_S`], the output passes in a straight line from the one to the other. A further change waits until this one is
//! through. All of it is counted in frames and stands in the state: neither the size of blocks nor a restart shows.

use super::cascade::Cascade;
use super::design::{Section, settle_frames};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How long the output takes to pass from the old filter to the new one, seconds.
pub const FADE_S: f64 = 0.1;

/// State. Behind it the sections of the old filter and of the new one, and what both cascades keep. All zero is the initial
/// state.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    /// 1 once a frame was filtered.
    begun: u64,
    /// Frames of the change in progress that have passed, plus 1; 0: there is none.
    change: u64,
    /// Frames after a reset in which the output does not yet mean what it should.
    settling: u64,
}

/// A cascade, and the one that follows it.
#[derive(Debug)]
pub struct Crossfade {
    heard: Cascade,
    coming: Cascade,
    wanted: Vec<Section>,
    rate_hz: f64,
    channels: usize,
    fade: u64,
    other: Vec<f64>,
}

impl Crossfade {
    /// For frames of `channels` channels at `rate_hz`, at most `frames` at a time.
    pub fn new(sections: &[Section], channels: usize, rate_hz: f64, frames: usize) -> Self {
        let cascade = Cascade::new(sections.to_vec(), channels);
        Crossfade {
            heard: cascade.clone(),
            coming: cascade,
            wanted: sections.to_vec(),
            rate_hz,
            channels,
            fade: (FADE_S * rate_hz).round().max(1.0) as u64,
            other: vec![0.0; frames * channels],
        }
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> usize {
        let sections = 2 * size_of_val(self.wanted.as_slice());
        size_of::<Head>() + sections + 2 * self.heard.state_bytes()
    }

    /// The sections asked for, to be changed.
    pub fn wanted(&mut self) -> &mut [Section] {
        &mut self.wanted
    }

    /// Filters whole frames (`time x channel`) in place; the first `input_settling` do not mean what they should. Returns how
    /// many of them do not mean it behind the filter.
    ///
    /// # Panics
    /// If `state` is not [`Crossfade::state_bytes`] long and 8-byte aligned, or there are more frames than was said.
    pub fn run(&mut self, state: &mut [u8], frames: &mut [f64], input_settling: u32) -> u32 {
        let fits = "state_bytes of this crossfade, 8-byte aligned";
        let (head, rest) = Head::mut_from_prefix(state).expect(fits);
        let (sections, rest) = rest.split_at_mut(2 * size_of_val(self.wanted.as_slice()));
        let sections = <[Section]>::mut_from_bytes(sections).expect(fits);
        let (old, new) = sections.split_at_mut(self.wanted.len());
        let (heard_state, coming_state) = rest.split_at_mut(self.heard.state_bytes());
        if head.begun == 0 {
            head.begun = 1;
            old.copy_from_slice(&self.wanted);
            head.settling = settle_frames(old, self.rate_hz);
        }
        // A predecessor may have left both in the middle of a change.
        self.heard.set_sections(old);
        self.coming.set_sections(new);
        let count = (frames.len() / self.channels) as u64;
        let settling = self.settle(head, old, input_settling, count);
        let mut rest = frames;
        while !rest.is_empty() {
            if head.change == 0 && *old == self.wanted[..] {
                self.heard.run(heard_state, rest);
                break;
            }
            if head.change == 0 {
                new.copy_from_slice(&self.wanted);
                self.coming.set_sections(new);
                self.coming.stand(coming_state, &rest[..self.channels]);
                head.change = 1;
            }
            let warm = settle_frames(new, self.rate_hz);
            let passed = head.change - 1;
            let left = (warm + self.fade - passed) as usize;
            let (now, later) = rest.split_at_mut((left * self.channels).min(rest.len()));
            let other = &mut self.other[..now.len()];
            other.copy_from_slice(now);
            self.heard.run(heard_state, now);
            self.coming.run(coming_state, other);
            let both = now
                .chunks_exact_mut(self.channels)
                .zip(other.chunks_exact(self.channels));
            for (at, (heard, coming)) in (passed..).zip(both) {
                // 0 while the new one is unheard, 1 with the last frame of the change.
                let part = (at + 1).saturating_sub(warm) as f64 / self.fade as f64;
                if part > 0.0 {
                    for (y, new) in heard.iter_mut().zip(coming) {
                        *y += part * (new - *y);
                    }
                }
            }
            head.change += (now.len() / self.channels) as u64;
            if head.change > warm + self.fade {
                head.change = 0;
                old.copy_from_slice(new);
                self.heard.set_sections(old);
                heard_state.copy_from_slice(coming_state);
            }
            rest = later;
        }
        settling
    }

    /// Frames of a block that do not mean what they should, by the filter in use.
    fn settle(&self, head: &mut Head, old: &[Section], input_settling: u32, count: u64) -> u32 {
        if input_settling > 0 {
            let own = settle_frames(old, self.rate_hz);
            head.settling = head.settling.max(u64::from(input_settling) + own);
        }
        let settling = head.settling.min(count);
        head.settling -= settling;
        settling as u32
    }
}

#[cfg(test)]
mod tests {
    use super::super::design::{Band, butterworth};
    use super::*;
    use proptest::prelude::*;

    const RATE_HZ: f64 = 250.0;
    const CHANNELS: usize = 3;

    fn sections(low_hz: f64, high_hz: f64) -> Vec<Section> {
        butterworth(Band::Pass, 2, low_hz, high_hz, RATE_HZ).unwrap()
    }

    fn crossfade() -> Crossfade {
        Crossfade::new(&sections(1.0, 60.0), CHANNELS, RATE_HZ, 1000)
    }

    fn state(crossfade: &Crossfade) -> Vec<u64> {
        vec![0; crossfade.state_bytes() / 8]
    }

    /// A wave of 10 Hz and 100 uV on an offset of 60 mV, as from a wet electrode, each channel a little different.
    fn eeg(frames: usize) -> Vec<f64> {
        (0..frames * CHANNELS)
            .map(|i| {
                let t = (i / CHANNELS) as f64 / RATE_HZ;
                60_000.0 + (i % CHANNELS) as f64 + 100.0 * (t * 20.0 * std::f64::consts::PI).sin()
            })
            .collect()
    }

    /// Largest step from one frame to the next, of all channels.
    fn steepest(frames: &[f64]) -> f64 {
        let later = frames[CHANNELS..].iter();
        let steps = frames.iter().zip(later).map(|(a, b)| (a - b).abs());
        steps.fold(0.0, f64::max)
    }

    #[test]
    fn without_a_change_it_is_the_cascade() {
        let mut crossfade = crossfade();
        let cascade = Cascade::new(sections(1.0, 60.0), CHANNELS);
        let (mut a, mut b) = (eeg(700), eeg(700));
        crossfade.run(state(&crossfade).as_mut_bytes(), &mut a, 0);
        cascade.run(vec![0u64; cascade.state_bytes() / 8].as_mut_bytes(), &mut b);
        assert_eq!(a, b);
    }

    #[test]
    fn a_change_makes_no_leap_and_ends_in_the_new_filter_alone() {
        let mut crossfade = crossfade();
        let mut state = state(&crossfade);
        let mut x = eeg(4000);
        let (first, second) = x.split_at_mut(2000 * CHANNELS);
        for block in first.chunks_mut(25 * CHANNELS) {
            crossfade.run(state.as_mut_bytes(), block, 0);
        }
        let before = steepest(&first[1500 * CHANNELS..]);
        crossfade.wanted().copy_from_slice(&sections(5.0, 40.0));
        for block in second.chunks_mut(25 * CHANNELS) {
            crossfade.run(state.as_mut_bytes(), block, 0);
        }
        // A start from nothing would leap by the offset of 60 mV; here no step is longer than those of the wave.
        let change = steepest(&x[1990 * CHANNELS..]);
        assert!(change < 1.1 * before, "{change} against {before}");
        // The new filter, run from the start.
        let cascade = Cascade::new(sections(5.0, 40.0), CHANNELS);
        let mut alone = eeg(4000);
        cascade.run(
            vec![0u64; cascade.state_bytes() / 8].as_mut_bytes(),
            &mut alone,
        );
        let end = 3500 * CHANNELS;
        let off = x[end..]
            .iter()
            .zip(&alone[end..])
            .map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-9);
    }

    #[test]
    fn a_standing_filter_gives_a_constant_for_a_constant_from_its_first_frame_on() {
        for band in [Band::Pass, Band::Stop] {
            let sections = butterworth(band, 2, 59.0, 61.0, RATE_HZ).unwrap();
            let cascade = Cascade::new(sections, 2);
            let mut state = vec![0u64; cascade.state_bytes() / 8];
            cascade.stand(state.as_mut_bytes(), &[1000.0, f64::NAN]);
            let mut x = [1000.0, 0.0].repeat(300);
            cascade.run(state.as_mut_bytes(), &mut x);
            let expected = if band == Band::Pass { 0.0 } else { 1000.0 };
            for frame in x.chunks(2) {
                assert!((frame[0] - expected).abs() < 1e-9, "{band:?}: {frame:?}");
                assert_eq!(frame[1], 0.0);
            }
        }
    }

    #[test]
    fn a_successor_goes_on_in_the_middle_of_a_change() {
        let run = |killed: bool| {
            let mut crossfade = crossfade();
            let mut state = state(&crossfade);
            let mut x = eeg(1000);
            for (number, block) in x.chunks_mut(25 * CHANNELS).enumerate() {
                if number == 10 {
                    crossfade.wanted().copy_from_slice(&sections(5.0, 40.0));
                }
                // Its parameters are the new ones; what it had in hand stands in the state.
                if killed && number >= 10 {
                    crossfade = Crossfade::new(&sections(5.0, 40.0), CHANNELS, RATE_HZ, 1000);
                }
                crossfade.run(state.as_mut_bytes(), block, 0);
            }
            (x, state)
        };
        assert!(run(false) == run(true));
    }

    #[test]
    fn the_filter_in_use_says_how_long_it_settles() {
        let mut crossfade = crossfade();
        let own = settle_frames(&sections(1.0, 60.0), RATE_HZ) as u32;
        let mut state = state(&crossfade);
        let mut told = 0;
        for (number, block) in eeg(1000).chunks_mut(25 * CHANNELS).enumerate() {
            told += crossfade.run(
                state.as_mut_bytes(),
                block,
                if number == 20 { 5 } else { 0 },
            );
        }
        assert_eq!(told, own + 5 + own);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_chunking_gives_the_same_bits_changes_included(
            first in 1usize..400,
            second in 1usize..400,
            cuts in prop::collection::vec(1usize..300, 1..12),
        ) {
            let x = eeg(1500);
            let run = |cuts: &[usize]| {
                let mut crossfade = crossfade();
                let mut state = state(&crossfade);
                let mut y = x.clone();
                let mut told = 0;
                let mut cuts = cuts.iter().cycle();
                let (a, rest) = y.split_at_mut(first * CHANNELS);
                let (b, c) = rest.split_at_mut(second * CHANNELS);
                for (number, mut part) in [a, b, c].into_iter().enumerate() {
                    match number {
                        0 => {}
                        // The second comes while the first is in progress, or behind it.
                        1 => crossfade.wanted().copy_from_slice(&sections(5.0, 40.0)),
                        _ => crossfade.wanted().copy_from_slice(&sections(0.5, 30.0)),
                    }
                    while !part.is_empty() {
                        let cut = (cuts.next().unwrap() * CHANNELS).min(part.len());
                        let (now, later) = part.split_at_mut(cut);
                        told += crossfade.run(state.as_mut_bytes(), now, 0);
                        part = later;
                    }
                }
                (y, told, state)
            };
            prop_assert!(run(&[1000]) == run(&cuts));
        }
    }
}
