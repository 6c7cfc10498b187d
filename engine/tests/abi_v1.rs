//! Segments of ABI version 1 as they were when it was frozen (`tests/abi_v1/*.bin`), and what stands in them (`*.txt`).
//!
//! Today's code must still write the same bytes, and read from them what they say; a reader in C, which knows `ABI.md`
//! alone, must read the same. Images are stored without the zeros at their end. `EPHAPSE_REGENERATE=1` writes the files
//! anew: only for what the document allows a minor version to do, and beside the old ones then.

use core::fmt::{Display, Write};
use ephapse_engine::abi::{
    self, AxisEntry, EventEntry, PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry,
    SEAT_TABLE_AT, STAGE_GEOMETRY_AT, SeatEntry, SeatWords, SegmentHeader, SessionWords,
    SlotHeader, StageGeometry, TYPE_AT, TimerWords, TypeBlock, end_reason, flag, segment,
    session_state, stage_state,
};
use ephapse_engine::abi::{ActivationRecord, BellWords, CollectorWords, TelemetryWords};
use ephapse_engine::launch::{read_events, segment_name};
use ephapse_engine::ring::{HoldSeat, LapSeat, Observer, Producer, RingSpec, SeatSpec};
use ephapse_engine::runner::memory::{self, SessionView, StageMemory, StateParts};
use ephapse_engine::runner::telemetry::{self, TelemetryReader, TelemetryWriter};
use ephapse_engine::shm::{self, Access, Owned, Segment};
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_engine::text;
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, spike_layout};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use zerocopy::{FromBytes, IntoBytes};

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
type Made = (&'static str, u32, fn() -> Owned);
const IMAGES: [Made; 7] = [
    ("session", segment::SESSION, session_image),
    ("frames", segment::RING, frames_image),
    ("spikes", segment::RING, spikes_image),
    ("stage", segment::STAGE, stage_image),
    ("telemetry", segment::TELEMETRY, telemetry_image),
    ("activations_1_1", segment::TELEMETRY, activations_image),
    ("events", segment::EVENTS, events_image),
];

fn stored(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/abi_v1")
        .join(file)
}

fn regenerate() -> bool {
    std::env::var_os("EPHAPSE_REGENERATE").is_some_and(|v| v == "1")
}

#[test]
fn todays_code_writes_the_segments_of_version_1_byte_for_byte() {
    for (image, _, make) in IMAGES {
        let owned = make();
        let mut made = fs::read(shm::path_of(owned.name())).unwrap();
        made.truncate(made.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1));
        let path = stored(&format!("{image}.bin"));
        if regenerate() && !path.exists() {
            fs::write(&path, &made).unwrap();
        }
        let kept = fs::read(&path).unwrap();
        // A later minor version says so, and uses bytes that were reserved, which these images leave zero.
        let minor = |image: &[u8]| u32::from_le_bytes(image[8..12].try_into().unwrap());
        assert!(minor(&made) >= minor(&kept), "{image}");
        made[8..12].copy_from_slice(&kept[8..12]);
        let differs = kept.iter().zip(&made).position(|(kept, made)| kept != made);
        assert_eq!(differs, None, "{image}: first byte that differs");
        assert_eq!(kept.len(), made.len(), "{image}");
    }
}

/// A stored image at its full length, in an unnamed segment.
fn restored(image: &str) -> File {
    let bytes = fs::read(stored(&format!("{image}.bin"))).unwrap();
    let full = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
    let file = shm::anonymous(full as usize).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file
}

fn segment_of(file: &File, kind: u32) -> Segment {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("image", copy(), Some(copy()), kind).unwrap()
}

fn geometry(segment: &Segment) -> RingGeometry {
    fixed(segment, RING_GEOMETRY_AT)
}

fn fixed<T: FromBytes>(segment: &Segment, at: usize) -> T {
    T::read_from_bytes(&segment.fixed()[at..at + size_of::<T>()]).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").unwrap();
        all
    })
}

/// What was read, one "name value" per line.
struct Reading(String);

impl Reading {
    fn line(&mut self, place: impl Display, field: &str, value: impl Display) {
        writeln!(self.0, "{place}.{field} {value}").unwrap();
    }
}

macro_rules! plain {
    ($reading:ident, $place:expr, $from:expr, $($field:ident)*) => {
        $( $reading.line($place, stringify!($field), $from.$field); )*
    };
}
macro_rules! live {
    ($reading:ident, $place:expr, $from:expr, $($field:ident)*) => {
        $( $reading.line($place, stringify!($field), $from.$field.load(Ordering::Relaxed)); )*
    };
}
macro_rules! texts {
    ($reading:ident, $place:expr, $from:expr, $($field:ident)*) => {
        $( $reading.line($place, stringify!($field), text::of(&$from.$field)); )*
    };
}

fn read(image: &str, kind: u32) -> String {
    let file = restored(image);
    let segment = segment_of(&file, kind);
    let mut r = Reading(String::new());
    let h = segment.header();
    plain!(r, "header", h, kind segment_bytes fixed_bytes);
    r.line("header", "session_id", hex(&h.session_id));
    r.line("header", "machine_id", hex(&h.machine_id));
    plain!(r, "header", h, launcher_pid);
    match kind {
        segment::SESSION => read_session(&segment, &mut r),
        segment::RING => read_ring(&segment, &mut r),
        segment::STAGE => read_stage(&file, &segment, &mut r),
        segment::TELEMETRY => read_telemetry(&segment, &mut r),
        _ => read_events_of(&file, &mut r),
    }
    r.0
}

fn read_session(segment: &Segment, r: &mut Reading) {
    let view = SessionView::attach(segment, Access::ReadOnly).unwrap();
    live!(r, "session", view.words, state start_ns start_tick stop_tick stop run_ns period_ns off);
    live!(r, "timer", view.timer, tick tick_ns);
}

fn read_type(segment: &Segment, found: &StreamType, r: &mut Reading) {
    let b: TypeBlock = fixed(segment, TYPE_AT);
    plain!(r, "type", b, kind dtype rank memory_order frames_per_block fields record_bytes row_stride rate_numerator
        rate_denominator);
    texts!(r, "type", b, unit si_unit record_name);
    for (i, value) in found.scale.iter().enumerate() {
        r.line(format!("type.{i}"), "scale", hex(&value.to_le_bytes()));
    }
    for (i, value) in found.offset.iter().enumerate() {
        r.line(format!("type.{i}"), "offset", hex(&value.to_le_bytes()));
    }
    for (i, position) in found.positions_um.iter().enumerate() {
        for (name, value) in ["x", "y", "z"].iter().zip(position) {
            r.line(format!("type.{i}"), name, hex(&value.to_le_bytes()));
        }
    }
    for (i, f) in found.record.iter().flat_map(|l| &l.fields).enumerate() {
        let place = format!("field.{i}");
        r.line(&place, "name", &f.name);
        let dtype = Dtype::ALL.iter().position(|d| *d == f.dtype).unwrap() + 1;
        r.line(&place, "dtype", dtype);
        plain!(r, &place, f, count offset);
        r.line(&place, "unit", &f.unit);
    }
    for (i, (axis, entry)) in found.axes.iter().zip(&b.axes).enumerate() {
        let place = format!("axis.{i}");
        let entry: &AxisEntry = entry;
        plain!(r, &place, entry, length labels);
        r.line(&place, "name", &axis.name);
        r.line(&place, "unit", &axis.unit);
        for label in &axis.labels {
            r.line(&place, "label", label);
        }
    }
}

fn read_ring(segment: &Segment, r: &mut Reading) {
    let observer = Observer::attach(segment).unwrap();
    let g = geometry(segment);
    plain!(r, "ring", g, slots seats spare_seats full slot_stride payload_bytes stream origin sleepless);
    read_type(segment, observer.stream_type(), r);
    let page = |at: u64| segment.map(at as usize, PAGE, Access::ReadOnly).unwrap();
    let producer = page(g.producer_at).words::<ProducerWords>(0);
    live!(r, "producer", producer, owner start_time published end end_reason end_lost waiting);
    for i in 0..u64::from(g.seats) {
        let place = format!("seat.{i}");
        let at = SEAT_TABLE_AT + i as usize * size_of::<SeatEntry>();
        let entry: SeatEntry = fixed(segment, at);
        plain!(r, &place, entry, kind spare);
        texts!(r, &place, entry, stage port);
        plain!(r, &place, entry, sleepless);
        let words = page(g.seats_at + i * PAGE as u64).words::<SeatWords>(0);
        live!(r, &place, words, owner start_time closed position joined waiting);
    }
    let bells = page(g.bells_at).words::<BellWords>(0);
    live!(r, "bells", bells, data room);
    let mut payload = vec![0; observer.stream_type().block_bytes()];
    for position in observer.oldest()..observer.published() {
        let h = observer.copy(position, &mut payload).unwrap();
        let place = format!("block.{position}");
        plain!(r, &place, h, position tick first_frame origin_stream flags origin_first origin_frame cause part parts valid
            lost settling epoch sampled_ns arrived_ns committed_ns user);
        let bytes = h.valid as usize * observer.stream_type().row_bytes();
        let crc = crc32c::crc32c(&payload[..bytes]);
        r.line(&place, "payload", format_args!("{crc:08x}"));
    }
}

fn read_stage(file: &File, segment: &Segment, r: &mut Reading) {
    let mut stage = StageMemory::attach(segment, Access::ReadWrite).unwrap();
    let w = &stage.words;
    live!(r, "stage", w, owner state asks_stop heartbeat_ns flip policy priority cpu locked_bytes allocations minor_faults
        major_faults voluntary involuntary spurious over_budget worst_ns epoch);
    r.line("stage", "reason", text::load(&w.reason));
    r.line("stage", "rt_why", text::load(&w.rt_why));
    live!(r, "orders", stage.orders, start_time generation epoch poison);
    let g: StageGeometry = fixed(segment, STAGE_GEOMETRY_AT);
    let mut params = [0; 64];
    file.read_exact_at(&mut params, g.params_at).unwrap();
    r.line("stage", "params", text::of(&params));
    let bank = stage.bank();
    live!(r, "bank", bank, ran records run late_wake long_run no_room dead settle_left append_used started activations);
    for (i, (input, output)) in bank.inputs.iter().zip(&bank.outputs).enumerate() {
        let place = format!("input.{i}");
        live!(r, &place, input, position consumed jumped lapped gaps lost_frames faults);
        let place = format!("output.{i}");
        live!(r, &place, output, published offered dropped next_frame counted valid lost owed);
    }
    // What the next activation would compute on is a copy of the current state.
    stage.carry();
    let StateParts { state, append, .. } = stage.next_state();
    let (state, append) = (crc32c::crc32c(state), crc32c::crc32c(append));
    r.line("bank", "state", format_args!("{state:08x}"));
    r.line("stage", "append", format_args!("{append:08x}"));
    plain!(r, "stage", g, layout_hash);
}

fn read_telemetry(segment: &Segment, r: &mut Reading) {
    let page = |at: usize| segment.map(at, PAGE, Access::ReadOnly).unwrap();
    live!(
        r,
        "telemetry",
        page(PAGE).words::<TelemetryWords>(0),
        published
    );
    live!(
        r,
        "collector",
        page(2 * PAGE).words::<CollectorWords>(0),
        taken
    );
    let mut reader = TelemetryReader::attach(segment).unwrap();
    while let Some(record) = reader.take() {
        // Numbered by the tick here.
        let place = format!("record.{}", record.tick);
        plain!(r, &place, record, tick since_ns woke_ns committed_ns sampled_ns arrived_ns origin_frame now_ns);
        r.line(&place, "consumed", hex(record.consumed.as_bytes()));
        r.line(&place, "produced", hex(record.produced.as_bytes()));
        plain!(r, &place, record, epoch);
        r.line(&place, "skipped", hex(&record.skipped));
        r.line(&place, "usage", hex(&record.usage));
        plain!(r, &place, record, cpu frames lost ports marks);
        if segment.header().version & 0xffff_ffff > 0 {
            plain!(r, &place, record, circumstances blocks);
        }
    }
    assert_eq!(reader.missing(), 3, "records 0 to 2 were overwritten");
}

/// Events are read by the name of their session, as `ephapse status` does it.
fn read_events_of(file: &File, r: &mut Reading) {
    let session = format!("abi-v1-stored.{}", std::process::id());
    let bytes = file.metadata().unwrap().len() as usize;
    let mut owned = Owned::create(&segment_name(&session, "events"), bytes).unwrap();
    file.read_exact_at(owned.bytes_mut(), 0).unwrap();
    let mut events = read_events(&session).unwrap();
    // Oldest first; in the segment 257 stands first.
    events.rotate_right(1);
    for (event, number) in events.iter().zip([257, 2, 3]) {
        let place = format!("event.{number}");
        plain!(r, &place, event, at_ns tick);
        r.line(&place, "who", &event.who);
        r.line(&place, "what", &event.what);
    }
}

fn same_lines(image: &str, read: &str, kept: &str, by: &str) {
    for (read, kept) in read.lines().zip(kept.lines()) {
        assert_eq!(read, kept, "{image}, {by}");
    }
    assert_eq!(read.lines().count(), kept.lines().count(), "{image}, {by}");
}

#[test]
fn todays_code_reads_every_value_of_the_segments_of_version_1() {
    for (image, kind, _) in IMAGES {
        let read = read(image, kind);
        let path = stored(&format!("{image}.txt"));
        if regenerate() {
            fs::write(&path, &read).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        same_lines(image, &read, &kept, "read by the engine");
    }
}

/// Runs the C reader on bytes: what it printed, and what it complained of.
fn by_the_reader(program: &Path, folder: &Path, bytes: &[u8]) -> Result<String, String> {
    let file = folder.join("image");
    fs::write(&file, bytes).unwrap();
    let ran = Command::new(program).arg(&file).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(
        ran.status.code().is_some(),
        "the reader died: {:?}",
        ran.status
    );
    match ran.status.success() {
        true => Ok(text(ran.stdout)),
        false => Err(text(ran.stderr)),
    }
}

#[test]
fn a_reader_that_knows_the_document_alone_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("reader");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"])
        .args([&program, &stored("reader.c")])
        .output();
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            eprintln!("NOT TESTED: the C reader of ABI.md, for there is no `cc` here ({error})");
            return;
        }
    };
    let complaint = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaint}");
    for (image, ..) in IMAGES {
        let file = restored(image);
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let kept = fs::read_to_string(stored(&format!("{image}.txt"))).unwrap();
        let read = by_the_reader(&program, folder.path(), &bytes).unwrap();
        same_lines(image, &read, &kept, "read in C");
        // It judges for itself.
        for (at, why) in [
            (0, "not a segment"),
            (12, "version 1"),
            (90, "checksum"),
            (300, "checksum"),
        ] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            let refused = by_the_reader(&program, folder.path(), &damaged).unwrap_err();
            assert!(refused.contains(why), "{image}, byte {at}: {refused}");
        }
    }
}
