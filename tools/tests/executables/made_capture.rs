//! A capture as a recorder leaves it, made by the engine's own appender.

use ephapse_engine::abi::{EventEntry, SlotHeader, flag};
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{
    AppendOptions, Appender, EndNote, Entry, FileNote, GapNote, GapOf, Meta, seal_why,
};
use ephapse_engine::records::Spike;
use ephapse_engine::text;
use ephapse_rtconfig::stream_type::{
    Dtype, Rate, StreamType, command_layout, mark_layout, spike_layout,
};
use serde_json::json;
use std::ops::Range;
use std::path::Path;
use zerocopy::IntoBytes;

/// Streams, in their order.
pub const RAW: u32 = 0;
const SPIKES: u32 = 1;
const MARKS: u32 = 4;
/// Frames in a block of `raw`.
pub const FRAMES: u64 = 20;
/// Blocks of `raw` that the recorder lost.
pub const MISSING: Range<u64> = 70..73;
/// Before this block the device lost so many frames.
pub const LOST_BEFORE: (u64, u64) = (50, 40);

/// `raw` 20 kHz, 3 channels of counts; `spikes`; `fast` 30 kHz; `commands`; `marks`.
pub fn types() -> Vec<(&'static str, StreamType)> {
    let mut raw = StreamType::frames(Dtype::I16, FRAMES as u32, 3, Rate::hz(20_000), "count");
    "V".clone_into(&mut raw.si_unit);
    raw.scale = vec![0.195e-6; 3];
    raw.axes[1].labels = ["A1", "A2", "B1"].map(str::to_owned).to_vec();
    let mut spikes = StreamType::records(spike_layout("uV"), 8);
    spikes.rate = Rate::hz(20_000);
    spikes.axes.push(raw.axes[1].clone());
    let mut fast = StreamType::frames(Dtype::F32, 30, 2, Rate::hz(30_000), "uV");
    fast.axes[1].labels.clear();
    let mut marks = StreamType::records(mark_layout(), 4);
    marks.rate = Rate::hz(20_000);
    vec![
        ("raw", raw),
        ("spikes", spikes),
        ("fast", fast),
        ("commands", StreamType::records(command_layout(), 4)),
        ("marks", marks),
    ]
}

pub fn meta() -> Meta {
    let types = types();
    let streams = types.iter().map(|(name, of)| {
        json!({
            "name": name, "maker": 0, "stream_type": of, "slots": 8, "full": "wait", "seats": [],
            "spare_seats": 0, "origin": 0,
        })
    });
    let plan = json!({
        "session": "made", "experiment": { "culture_id": "culture 7", "title": "a test" }, "timer": null,
        "tick_ns": 1_000_000, "stages": [], "streams": streams.collect::<Vec<_>>(),
        "resolved_toml": "name = \"made\"", "graph_path": null,
    });
    Meta {
        version: "0.1.0".into(),
        capture_id: "00112233445566778899aabbccddeeff".into(),
        session_id: "0f".repeat(16),
        machine_id: "a0".repeat(16),
        created_realtime_ns: 1_767_225_600_000_000_000,
        created_monotonic_ns: 4,
        plan: serde_json::from_value(plan).unwrap(),
        processes: vec!["timer".into()],
        streams: (0..types.len() as u32).collect(),
        host: json!({}),
    }
}

/// Number of the first frame of a block of `raw`.
pub fn first_frame(position: u64) -> u64 {
    let (before, lost) = LOST_BEFORE;
    position * FRAMES + if position >= before { lost } else { 0 }
}

/// The sample of a channel at a frame of `raw`.
pub fn sample(frame: u64, channel: u64) -> i16 {
    (frame * 7919 + channel * 31) as i16
}

fn append(appender: &mut Appender, stream: u32, header: SlotHeader, rows: &[u8]) {
    let header = SlotHeader {
        committed_ns: (header.position + 1) * 1_000_000,
        sampled_ns: (header.position + 1) * 1_000_000,
        ..header
    };
    let entry = Entry {
        source: stream,
        position: header.position,
        at_ns: header.committed_ns,
        ..Entry::note(kind::BLOCKS)
    };
    appender.append(entry, &[header.as_bytes(), rows]).unwrap();
}

/// One block of `raw`.
pub fn append_raw(appender: &mut Appender, position: u64) {
    let first = first_frame(position);
    let rows = (first..first + FRAMES).flat_map(|f| (0..3).map(move |c| sample(f, c)));
    let rows: Vec<u8> = rows.flat_map(i16::to_le_bytes).collect();
    let (before, lost) = LOST_BEFORE;
    let gap = position == before;
    let header = SlotHeader {
        position,
        first_frame: first,
        valid: FRAMES as u32,
        lost: if gap { lost } else { 0 },
        flags: if gap { flag::GAP } else { 0 },
        ..SlotHeader::default()
    };
    append(appender, RAW, header, &rows);
}

/// 100 ms of every stream. Not sealed: the appender is given back.
pub fn begin(path: &Path) -> Appender {
    let options = AppendOptions {
        ahead_bytes: 4096,
        ..AppendOptions::default()
    };
    let mut appender = Appender::create(path, &meta(), options).unwrap();
    let event = EventEntry {
        number: 1,
        at_ns: 9,
        tick: 3,
        who: [b'w'; 40],
        what: [b'!'; 192],
    };
    let entry = Entry::note(kind::EVENTS);
    appender.append(entry, &[event.as_bytes()]).unwrap();
    for position in 0..100 {
        if position == MISSING.start {
            let note = GapNote {
                of: GapOf::Stream(RAW),
                from: MISSING.start,
                count: MISSING.end - MISSING.start,
                why: "spool full".into(),
            };
            let entry = Entry {
                source: RAW,
                position,
                at_ns: (position + 1) * 1_000_000,
                ..Entry::note(kind::GAP)
            };
            appender.append_note(entry, &note).unwrap();
        }
        if !MISSING.contains(&position) {
            append_raw(&mut appender, position);
        }
        let spike = Spike {
            frame: first_frame(position) + 3,
            channel: 1,
            width: 4,
            amplitude: -60.5,
        };
        let header = SlotHeader {
            position,
            first_frame: position.div_ceil(2),
            valid: u32::from(position % 2 == 0),
            ..SlotHeader::default()
        };
        let rows = if header.valid == 1 {
            spike.as_bytes()
        } else {
            &[]
        };
        append(&mut appender, SPIKES, header, rows);
        let values: Vec<u8> = (0..60)
            .flat_map(|n| (n as f32 * 0.1).to_le_bytes())
            .collect();
        let header = SlotHeader {
            position,
            first_frame: position * 30,
            valid: 30,
            ..SlotHeader::default()
        };
        append(&mut appender, 2, header, &values);
        append(
            &mut appender,
            3,
            SlotHeader {
                position,
                ..SlotHeader::default()
            },
            &[],
        );
    }
    let mut mark = vec![0; 80];
    mark[..8].copy_from_slice(&100_u64.to_le_bytes());
    mark[8] = 7;
    mark[16..18].copy_from_slice(b"go");
    let header = SlotHeader {
        valid: 1,
        ..SlotHeader::default()
    };
    append(&mut appender, MARKS, header, &mark);
    let said = EventEntry {
        number: 1,
        at_ns: 1,
        tick: 3,
        who: text::fixed("mark"),
        what: text::fixed("the culture was fed"),
    };
    let entry = Entry::note(kind::EVENTS);
    appender.append(entry, &[said.as_bytes()]).unwrap();
    let file = FileNote {
        role: "stage".into(),
        path: "/usr/bin/ephapse-stage".into(),
        bytes: 12,
        sha256: "ab".repeat(32),
        version: "0.1.0".into(),
    };
    appender
        .append_note(Entry::note(kind::FILES), &[file])
        .unwrap();
    appender
}

/// The same, sealed.
pub fn made(path: &Path) {
    let mut appender = begin(path);
    let end = EndNote {
        streams: Vec::new(),
        activations: vec![0],
    };
    appender.append_note(Entry::note(kind::END), &end).unwrap();
    appender.seal(seal_why::CLOSED).unwrap();
}
