//! The segments of version 1, as today's code makes them.

use crate::read::geometry;
use ephapse_engine::abi::{
    self, EventEntry, PAGE, ProducerWords, SeatWords, SegmentHeader, SessionWords, SlotHeader,
    TimerWords, end_reason, flag, segment, session_state, stage_state,
};
use ephapse_engine::abi::{ActivationRecord, BellWords, CollectorWords};
use ephapse_engine::launch::segment_name;
use ephapse_engine::ring::{HoldSeat, LapSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::runner::memory::{self, StageMemory, StateParts};
use ephapse_engine::runner::telemetry::{self, TelemetryWriter};
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_engine::text;
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, spike_layout};
use zerocopy::IntoBytes;

const OWNER: u64 = 1 << 32 | 4712;

/// What a launcher would put into the header, always the same.
fn header() -> SegmentHeader {
    SegmentHeader {
        session_id: core::array::from_fn(|i| i as u8 + 1),
        machine_id: core::array::from_fn(|i| 0xf0 - i as u8),
        launcher_pid: 4711,
        ..SegmentHeader::default()
    }
}

fn name(part: &str) -> String {
    segment_name(&format!("abi-v1.{}", std::process::id()), part)
}

fn opened(owned: &Owned, kind: u32) -> Segment {
    Segment::open(owned.name(), kind, Access::ReadWrite).unwrap()
}

fn put(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}

/// Different numbers, so that two fields taken for each other show.
fn numbered<'a>(from: u64, words: impl IntoIterator<Item = &'a AtomicU64>) {
    for (number, word) in (from..).zip(words) {
        put(word, number);
    }
}

fn session_image() -> Owned {
    let mut owned = Owned::create(&name("session"), 3 * PAGE).unwrap();
    owned.publish(SegmentHeader {
        kind: segment::SESSION,
        fixed_bytes: PAGE as u64,
        ..header()
    });
    let words: &SessionWords = owned.words(PAGE);
    put(&words.state, session_state::RUNNING);
    put(&words.start_ns, 1_000_000_007);
    put(&words.start_tick, 3);
    put(&words.stop_tick, abi::OPEN);
    put(&words.stop, 1);
    put(&words.run_ns, 10_000_000_000);
    put(&words.period_ns, 1_000_000);
    put(&words.off, 1);
    let timer: &TimerWords = owned.words(2 * PAGE);
    put(&timer.tick, 1234);
    put(&timer.tick_ns, 2_234_000_011);
    owned
}

fn block(number: u64) -> SlotHeader {
    SlotHeader {
        position: number,
        tick: 1000 + number,
        first_frame: 8 * number + 5,
        origin_stream: 1,
        flags: flag::GAP | flag::SYNTHETIC,
        origin_first: 8 * number,
        origin_frame: 8 * number + 7,
        cause: number + 11,
        part: 1,
        parts: 2,
        valid: 7,
        lost: 5,
        settling: 3,
        epoch: 9,
        sampled_ns: 1_000_000 * number + 1,
        arrived_ns: 1_000_000 * number + 2,
        committed_ns: 1_000_000 * number + 3,
        user: 0x0123_4567_89ab_cdef,
        reserved: [0; 2],
    }
}

fn frames_type() -> StreamType {
    let mut frames = StreamType::frames(Dtype::I32, 8, 3, Rate::new(60_000, 7), "count");
    frames.si_unit = "V".into();
    frames.scale = vec![5.96e-8, 1.0, -2.5];
    frames.offset = vec![0.25, 0.0, 1e300];
    frames.positions_um = vec![[0.0, 200.0, 1.0], [100.0, 200.0, 2.0], [-50.0, 0.0, 3.0]];
    frames.axes[1].labels = vec!["A1".into(), "B 2".into(), "μ3".into()];
    frames
}

/// Blocks 1 to 3 of a ring of four slots can be read: it has been round once.
fn frames_image() -> Owned {
    let seat = |kind, stage: &str, sleepless| SeatSpec {
        kind,
        stage: stage.into(),
        port: "frames".into(),
        sleepless,
    };
    let spec = RingSpec {
        stream_type: frames_type(),
        slots: 4,
        full: Full::DropNewest,
        seats: vec![
            seat(SeatKind::Hold, "filter", false),
            seat(SeatKind::Lap, "record", true),
        ],
        spare_seats: 1,
        stream: 2,
        origin: 1,
        sleepless: true,
    };
    let owned = spec.create(&name("raw"), header()).unwrap();
    let segment = opened(&owned, segment::RING);
    let mut producer = Producer::attach(&segment, &spec.stream_type, OWNER).unwrap();
    let mut hold = HoldSeat::attach(&segment, 0, &spec.stream_type, OWNER + 1).unwrap();
    let mut lap = LapSeat::attach(&segment, 1, &spec.stream_type, OWNER + 2).unwrap();
    for number in 0..5 {
        let (header, payload) = producer.slot(0);
        *header = block(number);
        for (index, value) in payload.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *value = (number as i32 * 1000 - index as i32 * 7).to_le_bytes();
        }
        producer.publish(1);
        if number == 0 {
            lap.take(&mut vec![0; lap.payload_bytes()]);
        }
        if number < 2 {
            hold.peek(0);
            hold.release(1);
        }
    }
    producer.end(end_reason::FINISHED, 17);
    let g = geometry(&segment);
    let words: &ProducerWords = owned.words(g.producer_at as usize);
    put(&words.start_time, 987);
    words.waiting.store(1, Ordering::Relaxed);
    let words: &SeatWords = owned.words(g.seats_at as usize + PAGE);
    numbered(21, [&words.start_time, &words.closed]);
    put(&words.joined, 1);
    words.waiting.store(1, Ordering::Relaxed);
    let bells: &BellWords = owned.words(g.bells_at as usize);
    bells.data.store(31, Ordering::Relaxed);
    bells.room.store(32, Ordering::Relaxed);
    owned
}

fn spikes_image() -> Owned {
    let spec = RingSpec {
        stream_type: StreamType::records(spike_layout("uV"), 4),
        slots: 2,
        full: Full::Fault,
        seats: Vec::new(),
        spare_seats: 0,
        stream: 3,
        origin: 1,
        sleepless: false,
    };
    let owned = spec.create(&name("spikes"), header()).unwrap();
    let segment = opened(&owned, segment::RING);
    let mut producer = Producer::attach(&segment, &spec.stream_type, OWNER).unwrap();
    let (header, payload) = producer.slot(0);
    *header = SlotHeader {
        valid: 2,
        ..block(0)
    };
    for (byte, value) in payload.iter_mut().zip(1..) {
        *byte = value;
    }
    producer.publish(1);
    owned
}

fn stage_image() -> Owned {
    let described = Described {
        state_bytes: 40,
        append_bytes: 24,
        ..Described::default()
    };
    let owned = memory::create(
        &name("stage.filter"),
        &described,
        r#"{"low_hz":300.0}"#,
        header(),
    )
    .unwrap();
    let mut stage =
        StageMemory::attach(&opened(&owned, segment::STAGE), Access::ReadWrite).unwrap();
    let words = &stage.words;
    numbered(
        101,
        [
            &words.owner,
            &words.asks_stop,
            &words.heartbeat_ns,
            &words.policy,
            &words.priority,
            &words.cpu,
            &words.locked_bytes,
            &words.allocations,
            &words.minor_faults,
            &words.major_faults,
            &words.voluntary,
            &words.involuntary,
            &words.spurious,
            &words.over_budget,
            &words.worst_ns,
        ],
    );
    put(&words.state, stage_state::RUNNING);
    put(&words.epoch, 2);
    text::store(&words.reason, "asked to");
    text::store(&words.rt_why, "no permission for SCHED_FIFO");
    let StateParts { state, append, .. } = stage.next_state();
    state.iter_mut().zip(50..).for_each(|(b, v)| *b = v);
    append.iter_mut().zip(150..).for_each(|(b, v)| *b = v);
    let bank = stage.next_bank();
    numbered(
        201,
        [
            &bank.ran,
            &bank.records,
            &bank.run,
            &bank.late_wake,
            &bank.long_run,
            &bank.no_room,
            &bank.dead,
            &bank.settle_left,
            &bank.append_used,
            &bank.started,
            &bank.activations,
        ],
    );
    for (port, (i, o)) in (3..).zip(bank.inputs.iter().zip(&bank.outputs)) {
        numbered(
            100 * port,
            [
                &i.position,
                &i.consumed,
                &i.jumped,
                &i.lapped,
                &i.gaps,
                &i.lost_frames,
                &i.faults,
            ],
        );
        numbered(
            100 * port + 50,
            [
                &o.published,
                &o.offered,
                &o.dropped,
                &o.next_frame,
                &o.counted,
                &o.valid,
                &o.lost,
                &o.owed,
            ],
        );
    }
    stage.flip();
    let orders: &abi::StageOrders = owned.words(2 * PAGE);
    numbered(41, [&orders.start_time, &orders.generation]);
    put(&orders.epoch, 2);
    put(&orders.poison, 45);
    owned
}

fn record(number: u64) -> ActivationRecord {
    ActivationRecord {
        tick: number,
        since_ns: 1000 * number + 1,
        woke_ns: 1000 * number + 2,
        committed_ns: 1000 * number + 3,
        sampled_ns: 1000 * number + 4,
        arrived_ns: 1000 * number + 5,
        origin_frame: 1000 * number + 6,
        now_ns: 1000 * number + 7,
        consumed: core::array::from_fn(|i| 256 + i as u16),
        produced: core::array::from_fn(|i| 512 + i as u16),
        epoch: 71,
        skipped: [1, 2, 3, 255],
        usage: [4, 5, 6, 7],
        cpu: 2,
        frames: 20,
        lost: 9,
        ports: 0x21,
        marks: 3,
        circumstances: 0,
        blocks: 0,
        reserved: [0; 4],
    }
}

fn telemetry_image() -> Owned {
    telemetry_of(record)
}

/// With what 1.1 has added.
fn activations_image() -> Owned {
    telemetry_of(|number| ActivationRecord {
        circumstances: 0x81,
        blocks: 0x8765_4321,
        ..record(number)
    })
}

fn telemetry_of(record: impl Fn(u64) -> ActivationRecord) -> Owned {
    let owned = telemetry::create(&name("telemetry.filter"), 4, header()).unwrap();
    let mut writer = TelemetryWriter::attach(&opened(&owned, segment::TELEMETRY)).unwrap();
    for number in 0..6 {
        writer.push(&record(number));
    }
    let collector: &CollectorWords = owned.words(2 * PAGE);
    put(&collector.taken, 2);
    owned
}

/// By the words, for only a launcher writes events, and by its own clock.
fn events_image() -> Owned {
    let mut owned = Owned::create(&name("events"), PAGE + 256 * size_of::<EventEntry>()).unwrap();
    owned.publish(SegmentHeader {
        kind: segment::EVENTS,
        fixed_bytes: PAGE as u64,
        ..header()
    });
    // The segment has been round once: event 257 stands where 1 stood.
    for (slot, number) in [257, 2, 3].into_iter().enumerate() {
        let entry = EventEntry {
            number,
            at_ns: 5_000_000 + number,
            tick: number * 10,
            who: text::fixed("session"),
            what: text::fixed(&format!("event {number}")),
        };
        let words: &[AtomicU64; 32] = owned.words(PAGE + slot * size_of::<EventEntry>());
        for (word, bytes) in words.iter().zip(entry.as_bytes().as_chunks::<8>().0) {
            put(word, u64::from_le_bytes(*bytes));
        }
    }
    owned
}

/// Every image, as today's code makes it: name, kind, maker.
pub type Made = (&'static str, u32, fn() -> Owned);
pub const IMAGES: [Made; 7] = [
    ("session", segment::SESSION, session_image),
    ("frames", segment::RING, frames_image),
    ("spikes", segment::RING, spikes_image),
    ("stage", segment::STAGE, stage_image),
    ("telemetry", segment::TELEMETRY, telemetry_image),
    ("activations_1_1", segment::TELEMETRY, activations_image),
    ("events", segment::EVENTS, events_image),
];
