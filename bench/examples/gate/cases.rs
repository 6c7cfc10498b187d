//! What is counted: each case sets up, then does its operations inside [`measured`].
#![allow(unsafe_code, reason = "calls what a C program calls")]

use crate::measured::measured;
use anyhow::{Context, ensure};
use ephapse::ends::{
    Producer as CProducer, Reader as CReader, ephapse_producer_claim, ephapse_producer_close,
    ephapse_producer_commit, ephapse_producer_open, ephapse_reader_close, ephapse_reader_open,
    ephapse_reader_peek, ephapse_reader_release,
};
use ephapse::outcome::{EPHAPSE_OK, ephapse_last_error};
use ephapse::ring::{ephapse_ring_close, ephapse_ring_create};
use ephapse::stream_type::{EPHAPSE_F64, ephapse_frames};
use ephapse_bench::pass::Pass;
use ephapse_engine::abi::{SlotHeader, segment};
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::Segment;
use ephapse_engine::stage::Rig;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use ephapse_stages::filter::cascade::Cascade;
use ephapse_stages::filter::design::{Band, butterworth};
use ephapse_stages::vectors::Vectors;
use std::ffi::CStr;
use std::hint::black_box;
use std::ptr::{null, null_mut};
use zerocopy::IntoBytes;

/// A hot path.
pub struct Case {
    /// What it is called in the baseline.
    pub name: &'static str,
    /// Operations of one run.
    pub operations: u64,
    /// Does so many.
    pub run: fn(u64) -> anyhow::Result<()>,
}

/// A turn with its activation record.
pub const TURN: &str = "turn";
/// The same turn without.
pub const TURN_UNRECORDED: &str = "turn without record";

const CLAIM: &str = "claim, commit";
const CLAIM_C: &str = "claim, commit in C";
const PEEK: &str = "peek, release";
const PEEK_C: &str = "peek, release in C";

/// The verbs through the C binding, each beside the same verbs in Rust, of which it may need [`MOST_TIMES`] as many.
pub const BINDINGS: [(&str, &str); 2] = [(CLAIM_C, CLAIM), (PEEK_C, PEEK)];
/// See [`BINDINGS`].
pub const MOST_TIMES: f64 = 1.1;

/// All of them, in the order in which a block meets them.
pub const CASES: [Case; 8] = [
    Case {
        name: CLAIM,
        operations: 100 * SLOTS as u64,
        run: claim_commit,
    },
    Case {
        name: CLAIM_C,
        operations: 100 * SLOTS as u64,
        run: c_claim_commit,
    },
    Case {
        name: PEEK,
        operations: 100 * SLOTS as u64,
        run: peek_release,
    },
    Case {
        name: PEEK_C,
        operations: 100 * SLOTS as u64,
        run: c_peek_release,
    },
    Case {
        name: TURN,
        operations: 2_000,
        run: |turns| run_turns(Some(RECORDS), turns),
    },
    Case {
        name: TURN_UNRECORDED,
        operations: 2_000,
        run: |turns| run_turns(None, turns),
    },
    // The filter looks its state over once in 256 frames: whole multiples of that.
    Case {
        name: "filter 60 x 20",
        operations: 64,
        run: |blocks| filter(60, 20, blocks),
    },
    Case {
        name: "filter 1024 x 30",
        operations: 128,
        run: |blocks| filter(1024, 30, blocks),
    },
];

const SLOTS: u32 = 64;
/// Slots of the telemetry ring.
const RECORDS: u64 = 1024;

fn frames() -> StreamType {
    StreamType::frames(Dtype::F64, 4, 1, Rate::hz(1000), "uV")
}

/// A ring in this process with one `hold` seat, and both its ends.
fn ring() -> anyhow::Result<(Producer, HoldSeat)> {
    let spec = RingSpec {
        stream_type: frames(),
        slots: SLOTS,
        full: Full::Wait,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "gate".into(),
            port: "frames".into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    };
    let file = spec.create_anonymous().context("no memory for a ring")?;
    let segment = Segment::from_files("ring", file.try_clone()?, Some(file), segment::RING)?;
    Ok((
        Producer::attach(&segment, &frames(), 1)?,
        HoldSeat::attach(&segment, 0, &frames(), 2)?,
    ))
}

fn fill(producer: &mut Producer) {
    for _ in 0..SLOTS {
        let position = producer.published();
        *producer.slot(0).0 = SlotHeader {
            position,
            valid: 4,
            ..SlotHeader::default()
        };
        producer.publish(1);
    }
}

/// Room asked for, a header written in place, published; the reader has taken the whole ring in between, so the producer
/// looks at its seat once in [`SLOTS`] blocks.
fn claim_commit(blocks: u64) -> anyhow::Result<()> {
    let (mut producer, mut seat) = ring()?;
    for _ in 0..blocks / u64::from(SLOTS) {
        measured(|| fill(&mut producer));
        seat.refresh();
        seat.release(u64::from(SLOTS));
    }
    ensure!(producer.published() == blocks, "blocks were lost");
    Ok(())
}

/// A block looked at in place and given back; there are [`SLOTS`] of them, then one look finds nothing.
fn peek_release(blocks: u64) -> anyhow::Result<()> {
    let (mut producer, mut seat) = ring()?;
    for _ in 0..blocks / u64::from(SLOTS) {
        fill(&mut producer);
        measured(|| {
            while let Some(block) = seat.peek(0) {
                // All of the header, or the compiler leaves out copying what nobody looks at.
                black_box((&block.header, block.payload));
                seat.release(1);
            }
        });
    }
    ensure!(seat.position() == blocks, "blocks were lost");
    Ok(())
}

/// The same ring as [`ring`], with both its ends as a C program has them.
fn c_ring() -> anyhow::Result<(*mut CProducer, *mut CReader)> {
    let wanted = ephapse_frames(EPHAPSE_F64, 4, 1, 1000.0, c"uV".as_ptr());
    let (mut ring, mut producer, mut reader) = (null_mut(), null_mut(), null_mut());
    // SAFETY: every pointer is valid for its call, the names may be null, and the ring is closed once.
    let opened = unsafe {
        let made = ephapse_ring_create(null(), null(), &raw const wanted, SLOTS, 1, &raw mut ring);
        ensure!(made == EPHAPSE_OK, "{}", c_error());
        let opened = ephapse_producer_open(ring, null(), &raw mut producer) == EPHAPSE_OK
            && ephapse_reader_open(ring, 0, null(), &raw mut reader) == EPHAPSE_OK;
        ephapse_ring_close(ring);
        opened
    };
    ensure!(opened, "{}", c_error());
    Ok((producer, reader))
}

fn c_error() -> String {
    // SAFETY: never null, and valid until this thread's next error.
    let line = unsafe { CStr::from_ptr(ephapse_last_error()) };
    line.to_string_lossy().into_owned()
}

/// # Safety
/// `producer` is open.
unsafe fn c_fill(producer: *mut CProducer) {
    for _ in 0..SLOTS {
        // SAFETY: the caller's obligation.
        unsafe {
            black_box(ephapse_producer_claim(producer));
            ephapse_producer_commit(producer, 4);
        }
    }
}

/// As [`claim_commit`].
fn c_claim_commit(blocks: u64) -> anyhow::Result<()> {
    let (producer, reader) = c_ring()?;
    let mut taken = 0;
    // SAFETY: both are open and closed once, behind everything else.
    unsafe {
        for _ in 0..blocks / u64::from(SLOTS) {
            measured(|| c_fill(producer));
            while !ephapse_reader_peek(reader).is_null() {
                ephapse_reader_release(reader);
                taken += 1;
            }
        }
        ephapse_producer_close(producer);
        ephapse_reader_close(reader);
    }
    ensure!(taken == blocks, "blocks were lost");
    Ok(())
}

/// As [`peek_release`].
fn c_peek_release(blocks: u64) -> anyhow::Result<()> {
    let (producer, reader) = c_ring()?;
    let mut taken = 0;
    // SAFETY: both are open and closed once, behind everything else; a block is looked at before it is released.
    unsafe {
        for _ in 0..blocks / u64::from(SLOTS) {
            c_fill(producer);
            measured(|| {
                while let Some(block) = ephapse_reader_peek(reader).as_ref() {
                    black_box(block);
                    ephapse_reader_release(reader);
                    taken += 1;
                }
            });
        }
        ephapse_producer_close(producer);
        ephapse_reader_close(reader);
    }
    ensure!(taken == blocks, "blocks were lost");
    Ok(())
}

/// A turn, and the look that finds no block for another.
fn run_turns(records: Option<u64>, turns: u64) -> anyhow::Result<()> {
    let mut rig = Rig::<Pass>::with_telemetry(serde_json::json!({}), &[frames()], records)?;
    let payload = [0; 32];
    let mut taken = 0;
    for turn in 0..turns {
        let header = SlotHeader {
            first_frame: turn * 4,
            origin_first: turn * 4,
            origin_frame: turn * 4 + 3,
            valid: 4,
            sampled_ns: turn * 4_000_000,
            ..SlotHeader::default()
        };
        rig.feed(0, header, &payload);
        measured(|| rig.run());
        taken += rig.take(0).len() as u64;
    }
    ensure!(taken == turns, "{taken} blocks of {turns} turns");
    Ok(())
}

/// A block through the band-pass of the demo graph.
fn filter(channels: usize, frames: usize, blocks: u64) -> anyhow::Result<()> {
    let sections = butterworth(Band::Pass, 2, 300.0, 3000.0, 20_000.0)?;
    // What every CPU has: the count must not depend on the machine.
    let cascade = Cascade::with_vectors(sections, channels, Vectors::PORTABLE);
    let mut state = vec![0_u64; cascade.state_bytes() / 8];
    let mut block = vec![1.0; channels * frames];
    for _ in 0..blocks {
        measured(|| cascade.run(state.as_mut_bytes(), &mut block));
    }
    ensure!(
        block.iter().all(|y| y.is_finite()),
        "the filter is unstable"
    );
    Ok(())
}
