//! The stored segments, as today's code reads them.

use crate::stored;
use core::fmt::{Display, Write};
use ephapse_engine::abi::{
    AxisEntry, PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SEAT_TABLE_AT,
    STAGE_GEOMETRY_AT, SeatEntry, SeatWords, StageGeometry, TYPE_AT, TypeBlock, segment,
};
use ephapse_engine::abi::{BellWords, CollectorWords, TelemetryWords};
use ephapse_engine::launch::{read_events, segment_name};
use ephapse_engine::ring::Observer;
use ephapse_engine::runner::memory::{SessionView, StageMemory, StateParts};
use ephapse_engine::runner::telemetry::TelemetryReader;
use ephapse_engine::shm::{self, Access, Owned, Segment};
use ephapse_engine::sync::Ordering;
use ephapse_engine::text;
use ephapse_rtconfig::stream_type::{Dtype, StreamType};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use zerocopy::FromBytes;
use zerocopy::IntoBytes;

/// A stored image at its full length, in an unnamed segment.
pub fn restored(image: &str) -> File {
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

pub fn geometry(segment: &Segment) -> RingGeometry {
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

/// Everything that stands in a stored image, one value per line, as today's code reads it.
pub fn read(image: &str, kind: u32) -> String {
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
