//! Ends of rings that two processes share.

use crate::mixed::mixed;
use ephapse_engine::abi::{PAGE, SlotHeader, segment};
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::Segment;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use std::fs::File;

/// Blocks of so many numbers.
pub fn numbers(per_block: u32) -> StreamType {
    StreamType::frames(Dtype::U64, per_block, 1, Rate::hz(1000), "count")
}

/// A ring with one `hold` seat, in an unnamed segment.
pub fn ring(slots: u32, per_block: u32, full: Full) -> File {
    let spec = RingSpec {
        stream_type: numbers(per_block),
        slots,
        full,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "reader".into(),
            port: "in".into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    };
    assert_eq!(spec.bytes() % PAGE, 0);
    spec.create_anonymous().unwrap()
}

pub fn segment(file: &File) -> Segment {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("ring", copy(), Some(copy()), segment::RING).unwrap()
}

/// Generation 1 of this process.
fn owner() -> u64 {
    1 << 32 | u64::from(std::process::id())
}

pub fn producer(file: &File, per_block: u32) -> Producer {
    Producer::attach(&segment(file), &numbers(per_block), owner()).unwrap()
}

pub fn seat(file: &File, per_block: u32) -> HoldSeat {
    HoldSeat::attach(&segment(file), 0, &numbers(per_block), owner()).unwrap()
}

pub fn header(position: u64) -> SlotHeader {
    SlotHeader {
        position,
        user: mixed(position),
        valid: 1,
        ..SlotHeader::default()
    }
}
