//! Helper and source between their rings.

use crate::boards::{rows, twin};
use ephapse_drivers::acquire::cyton::record::FrameRecord;
use ephapse_drivers::acquire::cyton::{CytonReader, CytonSource};
use ephapse_drivers::twin::cyton::Faults;
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::stage::{Next, Rig, Stage};
use serde_json::json;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

#[test]
fn the_helper_hands_over_blocks_of_whole_frames_with_their_times() {
    let twin = twin(false, Faults::default());
    let params = json!({ "port": twin.path(), "block_frames": 5 });
    let mut rig = Rig::<CytonReader>::new(params, &[]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut blocks = Vec::new();
    while blocks.len() < 10 {
        assert!(Instant::now() < deadline, "{} blocks came", blocks.len());
        rig.run();
        blocks.extend(rig.take(0));
    }
    let rows = rows(5000, 16);
    for (number, block) in (0..).zip(&blocks) {
        let frames: Vec<FrameRecord> = block.rows();
        assert_eq!(frames.len(), 5);
        for (index, frame) in (number * 5..).zip(&frames) {
            assert_eq!(frame.index, index);
            assert_eq!(frame.eeg_uv[..8], rows[index as usize][..8]);
        }
        assert_eq!(block.header.sampled_ns, frames[4].sampled_ns);
        assert_eq!(block.header.arrived_ns, frames[4].arrived_ns);
    }
}

fn frame(index: u64) -> FrameRecord {
    let mut frame = FrameRecord {
        index,
        sampled_ns: 1000 + index * 10,
        arrived_ns: 2000 + index * 10,
        accel_g: [index as f64, 0.5, 1.0],
        ..FrameRecord::default()
    };
    frame.eeg_uv = core::array::from_fn(|channel| index as f64 + channel as f64 / 100.0);
    frame.aux[..5].copy_from_slice(&[index as u32, 2, 3, 4, 0xC1]);
    frame
}

#[test]
fn the_source_makes_three_streams_that_count_the_same_frames_and_the_same_gaps() {
    let twin = twin(false, Faults::default());
    let params = json!({ "port": twin.path(), "block_frames": 3, "board_mode": "analog" });
    let described =
        CytonSource::describe(&serde_json::from_value(params.clone()).unwrap(), &[]).unwrap();
    let feed = described.helpers[0].stream_type.clone();
    let mut rig = Rig::<CytonSource>::new(params, &[feed]).unwrap();
    for block in [vec![0, 1, 2], vec![3, 4], vec![9, 10, 11]] {
        let frames: Vec<FrameRecord> = block.into_iter().map(frame).collect();
        let header = SlotHeader {
            valid: frames.len() as u32,
            ..SlotHeader::default()
        };
        rig.feed(0, header, frames.as_slice().as_bytes());
        rig.run();
    }
    for port in 0..3 {
        let blocks = rig.take(port);
        let heads: Vec<_> = blocks
            .iter()
            .map(|b| {
                (
                    b.header.first_frame,
                    b.header.valid,
                    b.header.lost,
                    b.header.flags & flag::GAP != 0,
                )
            })
            .collect();
        assert_eq!(heads, [(0, 3, 0, false), (3, 2, 0, false), (9, 3, 4, true)]);
        assert_eq!(rig.source_account(port), (12, 8, 4));
        let last = &blocks[2];
        assert_eq!(
            (last.header.sampled_ns, last.header.arrived_ns),
            (1110, 2110)
        );
        match port {
            0 => assert_eq!(last.rows::<[f64; 8]>()[1][..3], [10.0, 10.01, 10.02]),
            1 => assert_eq!(last.rows::<[f64; 3]>()[1], [10.0, 0.5, 1.0]),
            _ => assert_eq!(last.rows::<[u32; 5]>()[1], [10, 2, 3, 4, 0xC1]),
        }
    }
}

#[test]
fn a_source_on_the_engines_clock_says_what_the_graph_must_say() {
    let twin = twin(false, Faults::default());
    let params = json!({ "port": twin.path() });
    let described =
        CytonSource::describe(&serde_json::from_value(params.clone()).unwrap(), &[]).unwrap();
    let feed = described.helpers[0].stream_type.clone();
    let mut rig = Rig::<CytonSource>::new(params, &[feed]).unwrap();
    let header = SlotHeader {
        valid: 1,
        sampled_ns: 1,
        ..SlotHeader::default()
    };
    rig.feed(0, header, [frame(0)].as_slice().as_bytes());
    let Next::Stop(why) = rig.run() else {
        panic!("it went on");
    };
    assert!(why.contains("pace = \"device\""), "{why}");
}
