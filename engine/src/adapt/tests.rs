//! Chains as a stage's process runs them, block by block, in memory that flips as the stage's does.

use super::buffer::Buffer;
use super::{Adapted, Chain, Kept};
use crate::abi::{SlotHeader, flag};
use ephapse_rtconfig::adapter::behind;
use ephapse_rtconfig::plan::Adapter;
use ephapse_rtconfig::stream_type::{Axis, Dtype, Rate, StreamType};
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};
use zerocopy::IntoBytes;

const FRAMES: u32 = 32;

fn numbers(channels: u32) -> StreamType {
    StreamType::frames(Dtype::F64, FRAMES, channels, Rate::hz(1000), "uV")
}

/// A chain in memory of its own: two banks of words, and what is held once.
struct Rack {
    chain: Chain,
    banks: [Buffer; 2],
    current: usize,
    held: Buffer,
    row: usize,
    words: usize,
}

/// A block that came out.
#[derive(Clone, Debug, PartialEq)]
struct Out {
    header: SlotHeader,
    payload: Vec<u8>,
}

impl Out {
    fn numbers(&self) -> Vec<f64> {
        let (numbers, rest) = self.payload.as_chunks();
        assert!(rest.is_empty());
        numbers.iter().map(|n| f64::from_le_bytes(*n)).collect()
    }
}

impl Rack {
    fn new(adapters: &[Adapter], stream_type: &StreamType) -> Self {
        let chain = Chain::new(adapters, stream_type).unwrap();
        let space = chain.space();
        Rack {
            chain,
            banks: [Buffer::new(space.words), Buffer::new(space.words)],
            current: 0,
            held: Buffer::new(space.held),
            row: stream_type.row_bytes(),
            words: space.words,
        }
    }

    /// One turn; with `flips` what it did becomes current, else it was killed before that.
    fn turn(&mut self, header: &SlotHeader, payload: &[u8], flips: bool) -> Vec<Out> {
        let (low, high) = self.banks.split_at_mut(1);
        let (from, to) = match self.current {
            0 => (&low[0], &mut high[0]),
            _ => (&high[0], &mut low[0]),
        };
        to.bytes_mut().copy_from_slice(from.bytes());
        let mut kept = Kept {
            words: &mut to.bytes_mut()[..self.words],
            held: self.held.bytes_mut(),
        };
        self.chain.feed(&mut kept, header, payload);
        let mut out = Vec::new();
        while let Some(Adapted { header, payload }) = self.chain.next(&mut kept, payload) {
            out.push(Out {
                header,
                payload: payload.to_vec(),
            });
        }
        if flips {
            self.current ^= 1;
        }
        out
    }

    /// Another process goes on with the memory of this one.
    fn continued(self, adapters: &[Adapter], stream_type: &StreamType) -> Self {
        Rack {
            chain: Chain::new(adapters, stream_type).unwrap(),
            ..self
        }
    }

    /// Feeds the frames of a signal in blocks of these lengths, each with its flags.
    fn play(&mut self, signal: &[u8], blocks: &[(u32, u32)]) -> Vec<Out> {
        let mut out = Vec::new();
        let mut first = 0;
        for (valid, flags) in blocks {
            let at = first as usize * self.row;
            let payload = &signal[at..at + *valid as usize * self.row];
            out.extend(self.turn(&header(first, *valid, *flags), payload, true));
            first += u64::from(*valid);
        }
        out
    }
}

fn header(first: u64, valid: u32, flags: u32) -> SlotHeader {
    SlotHeader {
        first_frame: first,
        valid,
        flags,
        origin_first: first,
        origin_frame: (first + u64::from(valid)).wrapping_sub(1),
        sampled_ns: (first + u64::from(valid)) * 1_000_000,
        ..SlotHeader::default()
    }
}

/// A signal without structure, the same every time.
fn noise(count: usize) -> Vec<f64> {
    let mut state = 7_u64;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
        .collect()
}

fn one(adapters: &[Adapter], stream_type: &StreamType, payload: &[u8], rows: u32) -> Vec<u8> {
    let out = Rack::new(adapters, stream_type).play(payload, &[(rows, 0)]);
    assert_eq!(out.len(), 1);
    out[0].payload.clone()
}

#[test]
fn a_selection_gathers_channels_in_the_order_of_the_plan() {
    let frames = StreamType::frames(Dtype::I16, FRAMES, 4, Rate::hz(1000), "count");
    let payload: Vec<i16> = (0..8).collect();
    let chosen = one(
        &[Adapter::Select(vec![3, 0])],
        &frames,
        payload.as_bytes(),
        2,
    );
    assert_eq!(chosen, [3_i16, 0, 7, 4].as_bytes());
}

#[test]
fn a_selection_takes_digital_lines_bit_by_bit() {
    let lines = StreamType::frames(Dtype::Bits, FRAMES, 10, Rate::hz(1000), "");
    let payload = [0b1000_0001, 0b10, 0b0000_0010, 0b01];
    let channels = vec![9, 7, 0, 1, 2, 3, 4, 5, 8];
    let chosen = one(&[Adapter::Select(channels)], &lines, &payload, 2);
    assert_eq!(chosen, [0b0000_0111, 0, 0b0000_1000, 1]);
}

#[test]
fn a_selection_takes_all_of_a_channel_and_of_every_row_before_it() {
    let mut frames = StreamType::frames(Dtype::U8, FRAMES, 2, Rate::hz(1000), "");
    frames.axes.insert(1, Axis::new("row", 2));
    frames.axes.push(Axis::new("frequency", 3));
    let payload: Vec<u8> = (0..12).collect();
    let chosen = one(&[Adapter::Select(vec![1])], &frames, &payload, 1);
    assert_eq!(chosen, [3, 4, 5, 9, 10, 11]);
}

#[test]
fn a_scale_gives_physical_numbers_channel_by_channel() {
    let mut frames = StreamType::frames(Dtype::I32, FRAMES, 2, Rate::hz(1000), "count");
    frames.si_unit = "V".to_owned();
    frames.scale = vec![1e-6, 2e-6];
    frames.offset = vec![0.0, 1.0];
    let payload = [5_i32, 5, -1, -1];
    let volts = one(
        &[Adapter::Scale("V".to_owned())],
        &frames,
        payload.as_bytes(),
        2,
    );
    assert_eq!(
        volts,
        [5.0 * 1e-6, 5.0 * 2e-6 + 1.0, -1e-6, 1.0 - 2e-6].as_bytes()
    );
    let micro = [Adapter::Scale("uV".to_owned()), Adapter::Cast(Dtype::F32)];
    let micro = one(&micro, &frames, payload.as_bytes(), 1);
    assert_eq!(micro, [5.0_f32, 1_000_010.0].as_bytes());
}

/// What decimation is: the whole signal filtered, and every `factor`-th frame of that kept.
fn direct(signal: &[f64], taps: &[f64], factor: usize) -> Vec<f64> {
    (factor - 1..signal.len())
        .step_by(factor)
        .map(|n| {
            let seen = taps.iter().enumerate().take(n + 1);
            seen.map(|(k, tap)| tap * signal[n - k]).sum()
        })
        .collect()
}

#[test]
fn decimation_is_a_convolution_of_which_every_nth_frame_is_kept() {
    for factor in [2_u32, 3, 7] {
        let signal = noise(900);
        let blocks = vec![(30, 0); 30];
        let out =
            Rack::new(&[Adapter::Decimate(factor)], &numbers(1)).play(signal.as_bytes(), &blocks);
        let made: Vec<f64> = out.iter().flat_map(Out::numbers).collect();
        let expected = direct(&signal, &super::fir::low_pass(factor), factor as usize);
        assert_eq!(made.len(), expected.len());
        for (made, expected) in made.iter().zip(&expected) {
            assert!(
                (made - expected).abs() < 1e-14,
                "{factor}: {made} {expected}"
            );
        }
    }
}

#[test]
fn decimation_equals_scipys() {
    let signal = noise(1200);
    // SciPy keeps frames 0, factor, 2 factor, ...; here the last of each group is kept, so a zero stands before the signal.
    let script = "import sys, json
import numpy as np
from scipy import signal
ask = json.load(sys.stdin)
x = np.array(ask['x'])
out = {}
for q in ask['factors']:
    taps = signal.firwin(20 * q + 1, 1 / q, window='hamming')
    y = signal.decimate(np.concatenate([[0.0], x]), q, ftype='fir', zero_phase=False)[1:]
    out[q] = dict(taps=list(taps), y=list(y))
json.dump(out, sys.stdout)";
    let spawned = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut python) = spawned else {
        println!("SKIPPED: there is no python3 to ask");
        return;
    };
    let ask = serde_json::json!({ "x": signal, "factors": [2, 4, 5] }).to_string();
    let mut stdin = python.stdin.take().unwrap();
    // Without SciPy it ends before it has read everything.
    let _ = stdin.write_all(ask.as_bytes());
    drop(stdin);
    let answer = python.wait_with_output().unwrap();
    if !answer.status.success() {
        println!("SKIPPED: python3 has no scipy");
        return;
    }
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect()
    };
    for factor in [2_u32, 4, 5] {
        let told = &answer[factor.to_string()];
        let taps = super::fir::low_pass(factor);
        for (ours, theirs) in taps.iter().zip(list(&told["taps"])) {
            assert!((ours - theirs).abs() < 1e-15, "{factor}");
        }
        let out = Rack::new(&[Adapter::Decimate(factor)], &numbers(1))
            .play(signal.as_bytes(), &vec![(24, 0); 50]);
        let made: Vec<f64> = out.iter().flat_map(Out::numbers).collect();
        let expected = list(&told["y"]);
        assert_eq!(made.len(), expected.len());
        for (made, expected) in made.iter().zip(expected) {
            assert!(
                (made - expected).abs() < 1e-14,
                "{factor}: {made} {expected}"
            );
        }
    }
}

#[test]
fn decimated_frames_say_which_frames_they_stand_for_and_until_when_they_settle() {
    let signal = noise(400);
    let out = Rack::new(&[Adapter::Decimate(4)], &numbers(1)).play(
        signal.as_bytes(),
        &[(10, 0), (10, 0), (1, 0), (1, 0), (30, 0), (32, 0)],
    );
    let told: Vec<_> = out
        .iter()
        .map(|o| {
            let h = &o.header;
            (
                h.first_frame,
                h.valid,
                h.origin_first,
                h.origin_frame,
                h.sampled_ns,
                h.settling,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, 2, 0, 7, 8_000_000, 2),
            (2, 3, 8, 19, 20_000_000, 3),
            (5, 8, 20, 51, 52_000_000, 8),
            (13, 8, 52, 83, 84_000_000, 7),
        ]
    );
}

#[test]
fn a_gap_resets_the_filter_and_settles_again() {
    let signal = noise(300);
    let taps = super::fir::low_pass(2);
    let mut rack = Rack::new(&[Adapter::Decimate(2)], &numbers(1));
    let mut play = |first: u64, valid: u32, flags: u32, lost: u64| {
        let at = first as usize;
        let header = SlotHeader {
            lost,
            ..header(first, valid, flags)
        };
        rack.turn(&header, signal[at..at + valid as usize].as_bytes(), true)
    };
    for block in 0..4 {
        play(block * 30, 30, 0, 0);
    }
    // 120 frames have come; seven are lost.
    let behind = play(127, 31, flag::GAP, 7);
    let header = behind[0].header;
    assert_eq!((header.first_frame, header.valid), (63, 16));
    assert_eq!((header.flags & flag::GAP, header.lost), (flag::GAP, 3));
    assert_eq!(header.settling, 16);
    // The first of them is computed from frame 127 alone, the next from three.
    let made = behind[0].numbers();
    assert!((made[0] - taps[0] * signal[127]).abs() < 1e-15);
    let second: f64 = (0..3).map(|k| taps[k] * signal[129 - k]).sum();
    assert!((made[1] - second).abs() < 1e-15);
    let later = play(158, 30, 0, 0);
    assert_eq!((later[0].header.settling, later[0].header.lost), (4, 0));
    assert_eq!(later[0].header.flags & flag::GAP, 0);
}

#[test]
fn frames_that_were_jumped_over_are_a_gap_though_no_flag_says_so() {
    let signal = noise(200);
    for adapter in [Adapter::Decimate(2), Adapter::Window { n: 8, step: 8 }] {
        let mut rack = Rack::new(core::slice::from_ref(&adapter), &numbers(1));
        rack.turn(&header(0, 16, 0), signal[..16].as_bytes(), true);
        let out = rack.turn(&header(48, 16, 0), signal[48..64].as_bytes(), true);
        assert_eq!(out[0].header.flags & flag::GAP, flag::GAP, "{adapter:?}");
        assert!(out[0].header.lost > 0, "{adapter:?}");
    }
}

#[test]
fn a_damaged_block_is_a_gap_and_nothing_of_its_header_counts() {
    let signal = noise(64);
    for adapter in [Adapter::Decimate(2), Adapter::Window { n: 8, step: 8 }] {
        let mut rack = Rack::new(core::slice::from_ref(&adapter), &numbers(1));
        rack.turn(&header(0, 16, 0), signal[..16].as_bytes(), true);
        let damaged = SlotHeader {
            first_frame: u64::MAX,
            valid: 0,
            flags: flag::GAP,
            settling: u32::MAX,
            ..SlotHeader::default()
        };
        assert_eq!(rack.turn(&damaged, &[], true), []);
        let out = rack.turn(&header(16, 16, 0), signal[16..32].as_bytes(), true);
        let behind = out[0].header;
        assert_eq!(
            (behind.flags & flag::GAP, behind.lost),
            (flag::GAP, 0),
            "{adapter:?}"
        );
        // What a producer writes in error must not stop its reader.
        let wrong = SlotHeader {
            first_frame: u64::MAX,
            origin_first: u64::MAX,
            origin_frame: u64::MAX,
            ..header(0, 16, 0)
        };
        rack.turn(&wrong, signal[16..32].as_bytes(), true);
    }
}

#[test]
fn windows_are_slices_of_the_signal_one_every_step_frames() {
    let signal: Vec<f64> = (0..128_u32).map(f64::from).collect();
    for (n, step) in [(5, 5), (8, 3), (3, 7), (1, 1), (40, 40)] {
        let out = Rack::new(&[Adapter::Window { n, step }], &numbers(1))
            .play(signal.as_bytes(), &[(32, 0); 4]);
        assert_eq!(out.len() as u32, (128 - n) / step + 1, "{n}/{step}");
        for (place, out) in out.iter().enumerate() {
            let at = place * step as usize;
            assert_eq!(out.header.first_frame, at as u64);
            assert_eq!(out.numbers(), signal[at..at + n as usize]);
        }
    }
}

#[test]
fn no_window_spans_a_gap_and_the_first_behind_it_says_what_is_in_none() {
    let signal = noise(64);
    let window = Adapter::Window { n: 4, step: 4 };
    let out = Rack::new(&[window], &numbers(1))
        .play(signal.as_bytes(), &[(6, 0), (6, flag::GAP), (4, 0)]);
    let told: Vec<(u64, u32, u64)> = out
        .iter()
        .map(|o| {
            (
                o.header.first_frame,
                o.header.flags & flag::GAP,
                o.header.lost,
            )
        })
        .collect();
    assert_eq!(told, [(0, 0, 0), (6, flag::GAP, 2), (10, 0, 0)]);
}

#[test]
fn frames_over_a_window_know_their_origin_though_the_source_is_faster() {
    let signal = noise(256);
    let chain = [Adapter::Decimate(4), Adapter::Window { n: 5, step: 2 }];
    let out = Rack::new(&chain, &numbers(1)).play(signal.as_bytes(), &[(32, 0); 8]);
    assert_eq!(out.len(), (64 - 5) / 2 + 1);
    for (place, out) in (0_u64..).zip(&out) {
        let header = &out.header;
        assert_eq!((header.first_frame, header.valid), (2 * place, 5));
        assert_eq!(header.origin_first, 8 * place);
        assert_eq!(header.origin_frame, 8 * place + 19);
        assert_eq!(header.sampled_ns, (8 * place + 20) * 1_000_000);
    }
}

/// Chains that keep something, over four channels of `i16`.
fn keeping() -> Vec<Vec<Adapter>> {
    let decimate = Adapter::Decimate(3);
    let window = Adapter::Window { n: 7, step: 4 };
    vec![
        vec![decimate.clone()],
        vec![window.clone()],
        vec![Adapter::Window { n: 3, step: 8 }],
        vec![
            Adapter::Select(vec![3, 1]),
            Adapter::Scale("mV".to_owned()),
            decimate.clone(),
            Adapter::Cast(Dtype::F32),
            window.clone(),
        ],
        vec![decimate, window],
    ]
}

fn array() -> StreamType {
    let mut array = StreamType::frames(Dtype::I16, FRAMES, 4, Rate::hz(1000), "count");
    array.si_unit = "V".to_owned();
    array.scale = vec![1e-6, 2e-6, 3e-6, 4e-6];
    array
}

fn counts(frames: u32) -> Vec<u8> {
    let signal = noise(frames as usize * 4);
    signal
        .iter()
        .flat_map(|v| ((v * 60_000.0) as i16).to_le_bytes())
        .collect()
}

/// Lengths of blocks, some behind a gap.
fn blocks() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let gap = prop_oneof![6 => Just(0), 1 => Just(flag::GAP)];
    prop::collection::vec((1..=FRAMES, gap), 1..30)
}

/// Every block that came out as its frames, with what the header says of each.
fn frames(out: &[Out], row: usize) -> Vec<(u64, bool, bool, Vec<u8>)> {
    out.iter()
        .flat_map(|out| {
            let header = out.header;
            let rows = out.payload.chunks_exact(row).zip(0_u32..);
            rows.map(move |(bytes, place)| {
                let gap = place == 0 && header.flags & flag::GAP != 0;
                let settling = place < header.settling;
                (
                    header.first_frame + u64::from(place),
                    gap,
                    settling,
                    bytes.to_vec(),
                )
            })
            .collect::<Vec<_>>()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_of_any_length_give_the_same_frames_to_the_last_bit(blocks in blocks()) {
        let array = array();
        let total: u32 = blocks.iter().map(|(valid, _)| valid).sum();
        let signal = counts(total);
        // The same frames one by one: a gap falls where it fell.
        let single: Vec<(u32, u32)> = blocks
            .iter()
            .flat_map(|(valid, flags)| (0..*valid).map(move |place| (1, if place == 0 { *flags } else { 0 })))
            .collect();
        for chain in keeping() {
            let behind = chain.iter().fold(array.clone(), |t, a| behind(a, t).unwrap());
            let row = behind.row_bytes();
            let out = Rack::new(&chain, &array).play(&signal, &blocks);
            prop_assert!(out.iter().all(|o| o.header.valid <= behind.frames_per_block()));
            let other = Rack::new(&chain, &array).play(&signal, &single);
            prop_assert_eq!(frames(&out, row), frames(&other, row), "{:?}", chain);
        }
    }

    #[test]
    fn a_process_that_takes_over_in_the_middle_goes_on_with_the_same_bits(
        blocks in blocks(), cut in 0_usize..30, other in 1..=FRAMES,
    ) {
        let array = array();
        let total: u32 = blocks.iter().map(|(valid, _)| valid).sum();
        let signal = counts(total + FRAMES);
        let cut = cut.min(blocks.len() - 1);
        let row = array.row_bytes();
        for chain in keeping() {
            let expected = Rack::new(&chain, &array).play(&signal, &blocks);
            let mut rack = Rack::new(&chain, &array);
            let mut out = Vec::new();
            let mut first = 0_u64;
            for (index, (valid, flags)) in blocks.iter().enumerate() {
                let at = first as usize * row;
                let payload = &signal[at..at + *valid as usize * row];
                if index == cut {
                    // Killed in a turn, before what it did became current: on this block, and on another one.
                    rack.turn(&header(first, *valid, *flags), payload, false);
                    let length = other as usize * row;
                    rack.turn(&header(first, other, flag::GAP), &signal[at..at + length], false);
                    rack = rack.continued(&chain, &array);
                }
                out.extend(rack.turn(&header(first, *valid, *flags), payload, true));
                first += u64::from(*valid);
            }
            prop_assert_eq!(&out, &expected, "{:?}", chain);
        }
    }
}
