//! What spectra and band powers do on rings: live changes, gaps, settling frames, and channels that are broken.

use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{Next, Prepared, Rig, Stage, Taken};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::rows::window_of_row;
use ephapse_stages::spectrum::{Bandpower, Spectrum};
use proptest::prelude::*;
use serde_json::{Value, json};
use zerocopy::IntoBytes;

const RATE_HZ: u64 = 250;
const CHANNELS: usize = 3;

/// The whole of a stage's output, however it was cut into blocks.
#[derive(Debug, Default, PartialEq)]
struct Made {
    /// Of each row, by its bits.
    rows: Vec<Vec<u64>>,
    /// First and last source frame of each row.
    windows: Vec<(u64, u64)>,
}

impl Made {
    fn take(&mut self, taken: Vec<Taken>, width: usize) {
        for block in taken {
            assert_eq!(block.header.first_frame, self.rows.len() as u64);
            let numbers = block.rows::<f64>();
            for (number, row) in numbers.chunks(width).enumerate() {
                self.rows.push(row.iter().map(|x| x.to_bits()).collect());
                self.windows.push(window_of_row(&block.header, number));
            }
        }
    }

    fn row(&self, number: usize) -> Vec<f64> {
        self.rows[number]
            .iter()
            .map(|b| f64::from_bits(*b))
            .collect()
    }
}

/// A stage with what it has made so far.
struct Played<S: Stage> {
    rig: Rig<S>,
    width: usize,
    next_frame: u64,
    made: Made,
}

impl<S: Stage + Prepared> Played<S> {
    fn new(params: Value, block: usize) -> Self {
        let input = StreamType::frames(
            Dtype::F64,
            block as u32,
            CHANNELS as u32,
            Rate::hz(RATE_HZ),
            "uV",
        );
        let rig = Rig::<S>::new(params, &[input]).unwrap();
        Played {
            width: rig.output_type(0).elements_per_frame(),
            rig,
            next_frame: 0,
            made: Made::default(),
        }
    }

    fn push(&mut self, frames: &[f64], flags: u32, settling: u32) {
        let valid = (frames.len() / CHANNELS) as u64;
        let header = SlotHeader {
            first_frame: self.next_frame,
            origin_first: self.next_frame,
            origin_frame: (self.next_frame + valid).saturating_sub(1),
            valid: valid as u32,
            flags,
            settling,
            ..SlotHeader::default()
        };
        self.next_frame += valid;
        assert_eq!(self.rig.push(0, header, frames.as_bytes()), Next::Continue);
        self.made.take(self.rig.take(0), self.width);
    }
}

fn noise(frames: usize) -> Vec<f64> {
    let mut x = 88_172_645_463_325_252u64;
    (0..frames * CHANNELS)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as f64 / u64::MAX as f64 * 200.0 - 100.0
        })
        .collect()
}

/// Plays `cuts` frames at a time; behind `changed` frames, at which all of them are cut, other parameters count.
fn in_blocks<S: Stage + Prepared>(
    [before, after]: &[Value; 2],
    x: &[f64],
    changed: usize,
    cuts: &[usize],
) -> Made {
    let mut played = Played::<S>::new(before.clone(), 300);
    let mut cuts = cuts.iter().cycle();
    let (first, second) = x.split_at(changed * CHANNELS);
    for (number, mut part) in [first, second].into_iter().enumerate() {
        if number == 1 {
            played.rig.tune(after);
        }
        while !part.is_empty() {
            let cut = (cuts.next().unwrap() * CHANNELS).min(part.len());
            let (now, later) = part.split_at(cut);
            played.push(now, 0, 0);
            part = later;
        }
    }
    played.made
}

fn fft() -> [Value; 2] {
    [
        json!({"max_window_s": 1.0, "overlap": 0.5, "max_rows_per_block": 20}),
        json!({"max_window_s": 1.0, "overlap": 0.8, "max_rows_per_block": 20, "window_s": 0.4}),
    ]
}

fn bandpower() -> [Value; 2] {
    let bands = |high: f64| json!([{"name": "a", "low_hz": 8, "high_hz": high}, {"name": "b", "low_hz": 20, "high_hz": 40}]);
    [
        json!({"max_window_s": 1.0, "step_s": 0.2, "bands": bands(13.0)}),
        json!({"max_window_s": 1.0, "step_s": 0.2, "bands": bands(16.0), "window_s": 0.5}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn rows_do_not_depend_on_blocks_live_changes_included(
        changed in 1usize..900,
        cuts in prop::collection::vec(1usize..300, 1..10),
    ) {
        let x = noise(1000);
        for (one, other) in [
            (in_blocks::<Spectrum>(&fft(), &x, changed, &[300]), in_blocks::<Spectrum>(&fft(), &x, changed, &cuts)),
            (in_blocks::<Bandpower>(&bandpower(), &x, changed, &[300]), in_blocks::<Bandpower>(&bandpower(), &x, changed, &cuts)),
        ] {
            prop_assert!(one.rows.len() > 5);
            prop_assert_eq!(one, other);
        }
    }
}

#[test]
fn a_window_says_which_frames_it_was_computed_from() {
    let made = in_blocks::<Spectrum>(&fft(), &noise(1000), 999, &[300]);
    assert_eq!(made.windows[..3], [(0, 249), (125, 374), (250, 499)]);
}

#[test]
fn a_shorter_window_set_while_it_runs_is_what_it_would_have_been_from_the_start() {
    let x = noise(1000);
    let changed = in_blocks::<Spectrum>(&fft(), &x, 500, &[100]);
    let [_, after] = fft();
    let from_the_start = in_blocks::<Spectrum>(&[after.clone(), after], &x, 999, &[100]);
    let last = changed.windows.last().unwrap();
    assert_eq!(last.1 - last.0 + 1, 100);
    let same = from_the_start.windows.iter().position(|w| w == last);
    // Steps of 20 from frame 499 on against steps of 20 from frame 99 on.
    let same = same.expect("the same window");
    assert_eq!(changed.rows.last(), Some(&from_the_start.rows[same]));
}

#[test]
fn behind_a_gap_and_settling_frames_a_row_waits_for_a_full_window() {
    let x = noise(1000);
    let mut played = Played::<Spectrum>::new(fft()[0].clone(), 300);
    played.push(&x[..300 * CHANNELS], 0, 0);
    assert_eq!(played.made.windows, [(0, 249)]);
    played.push(&x[300 * CHANNELS..500 * CHANNELS], flag::GAP, 0);
    assert_eq!(played.made.windows.len(), 1);
    played.push(&x[500 * CHANNELS..600 * CHANNELS], 0, 0);
    assert_eq!(played.made.windows[1..], [(300, 549)]);
    // The filter before it starts over: 30 of these frames do not mean what they should.
    played.push(&x[600 * CHANNELS..900 * CHANNELS], 0, 30);
    assert_eq!(played.made.windows[2..], [(630, 879)]);
    let mut alone = Played::<Spectrum>::new(fft()[0].clone(), 300);
    alone.push(&x[630 * CHANNELS..880 * CHANNELS], 0, 0);
    assert_eq!(alone.made.rows[0], played.made.rows[2]);
}

#[test]
fn what_is_broken_in_one_channel_stays_there_and_passes() {
    let clean = noise(1000);
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut hurt = clean.clone();
        hurt[100 * CHANNELS + 1] = broken;
        // A channel at the rail.
        hurt.iter_mut()
            .skip(2)
            .step_by(CHANNELS)
            .for_each(|x| *x = 187_500.0);
        let one = in_blocks::<Bandpower>(&bandpower(), &clean, 999, &[40]);
        let other = in_blocks::<Bandpower>(&bandpower(), &hurt, 999, &[40]);
        assert_eq!(one.windows, other.windows);
        for (number, (first, _)) in one.windows.iter().enumerate() {
            let (clean, hurt) = (one.row(number), other.row(number));
            assert_eq!(clean[..2], hurt[..2]);
            assert_eq!(hurt[2..4].iter().all(|p| p.is_nan()), *first <= 100);
            if *first > 100 {
                assert_eq!(clean[2..4], hurt[2..4]);
            }
            assert_eq!(hurt[4..], [0.0, 0.0]);
        }
    }
}

#[test]
fn empty_blocks_and_blocks_of_one_frame_are_blocks() {
    let x = noise(300);
    let mut played = Played::<Spectrum>::new(fft()[0].clone(), 300);
    for frame in x.chunks(CHANNELS) {
        played.push(&[], 0, 0);
        played.push(frame, 0, 0);
    }
    assert_eq!(played.made.windows, [(0, 249)]);
}
