//! `feature.heart_rate` on rings, fed with the plateaus of a pulse sensor.

use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{Next, Rig};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::feature::HeartRate;
use serde_json::json;
use zerocopy::IntoBytes;

const RATE_HZ: u64 = 250;

/// Two channels of ten-bit values: at every beat the signal runs into 1023 and stays there; the second lies on the table.
fn pulse(beats_per_minute: f64, seconds: u64) -> Vec<i16> {
    let frames = 0..seconds * RATE_HZ;
    let both = frames.flat_map(|i| {
        let beat = i as f64 / RATE_HZ as f64 * beats_per_minute / 60.0;
        let since_s = beat.fract() * 60.0 / beats_per_minute;
        let bump = |at: f64, width: f64| (-((since_s - at) / width).powi(2)).exp();
        let wave = 500.0 + 1500.0 * bump(0.1, 0.05) + 120.0 * bump(0.24, 0.03);
        let still = 512 + (i * 7919 % 5) as i16;
        [
            wave.min(1023.0) as i16 + (i * 104_729 % 7) as i16 - 6,
            still,
        ]
    });
    both.collect()
}

/// Rows of the stage, fed with blocks of `block` frames; the first frame of `gap` stands behind a gap.
fn rates(signal: &[i16], block: usize, gap: Option<usize>) -> Vec<[f64; 2]> {
    let input = StreamType::frames(Dtype::I16, block as u32, 2, Rate::hz(RATE_HZ), "count");
    let mut rig = Rig::<HeartRate>::new(json!({}), &[input]).unwrap();
    let mut rows = Vec::new();
    for (number, part) in signal.chunks(2 * block).enumerate() {
        let first_frame = number * block;
        let header = SlotHeader {
            first_frame: first_frame as u64,
            valid: (part.len() / 2) as u32,
            flags: if gap == Some(first_frame) {
                flag::GAP
            } else {
                0
            },
            ..SlotHeader::default()
        };
        assert_eq!(rig.push(0, header, part.as_bytes()), Next::Continue);
        for made in rig.take(0) {
            rows.extend(made.rows::<f64>().chunks(2).map(|row| [row[0], row[1]]));
        }
    }
    rows
}

#[test]
fn plateaus_at_40_72_and_180_a_minute_are_told_within_one_and_a_still_sensor_has_none() {
    for expected in [40.0, 72.0, 180.0] {
        let rows = rates(&pulse(expected, 30), 25, None);
        assert_eq!(rows.len(), 30);
        for row in &rows[10..] {
            assert!(
                (row[0] - expected).abs() < 1.0,
                "{} instead of {expected}",
                row[0]
            );
            assert!(row[1].is_nan());
        }
    }
}

#[test]
fn any_blocks_give_the_same_bits() {
    let signal = pulse(72.0, 20);
    let bits = |block| -> Vec<u64> {
        let rows = rates(&signal, block, None);
        rows.concat().iter().map(|rate| rate.to_bits()).collect()
    };
    for block in [1, 7, 250, 333] {
        assert_eq!(bits(block), bits(25), "blocks of {block}");
    }
}

#[test]
fn behind_a_gap_the_beats_before_it_do_not_count() {
    let rows = rates(&pulse(72.0, 30), 250, Some(15 * 250));
    assert!((rows[14][0] - 72.0).abs() < 1.0);
    // One second holds one beat or two: no rate yet.
    assert!(rows[15][0].is_nan());
    assert!((rows[25][0] - 72.0).abs() < 1.0);
}
