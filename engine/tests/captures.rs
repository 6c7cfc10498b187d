//! What was appended to a capture is read again, whatever happened to the file meanwhile.

use ephapse_engine::abi::{ActivationRecord, EventEntry, SlotHeader};
use ephapse_engine::capture::layout::{RECORDS_AT, kind};
use ephapse_engine::capture::{
    AppendError, AppendOptions, Appender, Capture, EndNote, EndOf, Entry, GapNote, GapOf, Item,
    Meta, Recorded, RecordedActivation, seal_why,
};
use ephapse_engine::text;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, spike_layout};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use zerocopy::IntoBytes;

const RAW: u32 = 0;
const SPIKES: u32 = 1;

fn types() -> [StreamType; 2] {
    [
        StreamType::frames(Dtype::I16, 3, 4, Rate::hz(1_000), "count"),
        StreamType::records(spike_layout("uV"), 5),
    ]
}

fn meta() -> Meta {
    let streams = ["raw", "spikes"].iter().zip(types()).map(|(name, of)| {
        serde_json::json!({
            "name": name, "maker": 0, "stream_type": of, "slots": 8, "full": "wait", "seats": [],
            "spare_seats": 0, "origin": 0,
        })
    });
    let plan = serde_json::json!({
        "session": "made", "experiment": { "title": "a test" }, "timer": null, "tick_ns": 1_000_000,
        "stages": [], "streams": streams.collect::<Vec<_>>(), "resolved_toml": "name = \"made\"",
        "graph_path": null,
    });
    let plan: Plan = serde_json::from_value(plan).unwrap();
    Meta {
        version: "0.1.0".into(),
        capture_id: "00112233445566778899aabbccddeeff".into(),
        session_id: "0f".repeat(16),
        machine_id: "a0".repeat(16),
        created_realtime_ns: 5,
        created_monotonic_ns: 4,
        plan,
        processes: vec!["timer".into(), "source".into()],
        streams: vec![RAW, SPIKES],
        host: serde_json::Value::Null,
    }
}

fn entry(kind: u16, source: u32, count: u32, position: u64) -> Entry {
    Entry {
        kind,
        source,
        count,
        position,
        at_ns: 1_000 + position,
    }
}

/// Block `position` of `raw`: every sample tells where it belongs.
fn raw(position: u64) -> (SlotHeader, Vec<u8>) {
    let header = SlotHeader {
        position,
        first_frame: position * 3,
        valid: if position % 4 == 3 { 2 } else { 3 },
        lost: position % 2,
        ..SlotHeader::default()
    };
    let samples = (0..header.valid as usize * 4).map(|i| (position * 100) as i16 + i as i16);
    (header, samples.flat_map(i16::to_le_bytes).collect())
}

fn append_raw(
    appender: &mut Appender,
    positions: core::ops::Range<u64>,
) -> Result<u64, AppendError> {
    let mut body = Vec::new();
    for position in positions.clone() {
        let (header, payload) = raw(position);
        body.extend(header.as_bytes());
        body.extend(payload);
        body.resize(body.len().next_multiple_of(8), 0);
    }
    let count = (positions.end - positions.start) as u32;
    appender.append(entry(kind::BLOCKS, RAW, count, positions.start), &[&body])
}

fn append_activations(appender: &mut Appender, numbers: core::ops::Range<u64>) {
    let mut body = Vec::new();
    for number in numbers.clone() {
        let record = ActivationRecord {
            tick: number * 2,
            ..ActivationRecord::default()
        };
        body.extend(record.as_bytes());
    }
    let count = (numbers.end - numbers.start) as u32;
    let entry = entry(kind::ACTIVATIONS, 1, count, numbers.start);
    appender.append(entry, &[&body]).unwrap();
}

fn options() -> AppendOptions {
    AppendOptions {
        ahead_bytes: 4096,
        ..AppendOptions::default()
    }
}

/// Twelve blocks, activation records, a remark and the end, sealed.
fn made(path: &Path) {
    let mut appender = Appender::create(path, &meta(), options()).unwrap();
    append_raw(&mut appender, 0..1).unwrap();
    append_activations(&mut appender, 0..3);
    append_raw(&mut appender, 1..4).unwrap();
    let said = EventEntry {
        number: 1,
        at_ns: 1,
        tick: 3,
        who: text::fixed("mark"),
        what: text::fixed("the culture was fed"),
    };
    let entry = Entry::note(kind::EVENTS);
    appender.append(entry, &[said.as_bytes()]).unwrap();
    append_activations(&mut appender, 3..5);
    for position in 4..12 {
        append_raw(&mut appender, position..position + 1).unwrap();
    }
    let end = EndNote {
        streams: vec![EndOf {
            stream: RAW,
            position: Some(12),
            reason: 1,
            lost: 0,
        }],
        activations: vec![0, 5],
    };
    appender.append_note(Entry::note(kind::END), &end).unwrap();
    appender.seal(seal_why::CLOSED).unwrap();
}

fn blocks(capture: &Capture) -> Vec<Recorded> {
    let blocks = capture.blocks(RAW).unwrap();
    blocks.collect::<Result<_, _>>().unwrap()
}

/// Positions of the blocks that are there, each compared with what was appended.
fn right_positions(capture: &Capture) -> BTreeSet<u64> {
    let there = blocks(capture).into_iter().filter_map(|found| match found {
        Recorded::Block(header, payload) => {
            assert_eq!((header, payload), raw(header.position), "a wrong block");
            Some(header.position)
        }
        Recorded::Missing { .. } => None,
    });
    there.collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cap");
    (folder, path)
}

/// Bytes that are tried: every one that says something; of the zeros between the headers only some, unless
/// `EPHAPSE_EVERY_BYTE` is set.
fn tried(at: &usize) -> bool {
    let in_zeros = *at < RECORDS_AT as usize && at % 4096 >= 128;
    !in_zeros || at.is_multiple_of(61) || std::env::var_os("EPHAPSE_EVERY_BYTE").is_some()
}

#[test]
fn everything_appended_is_read_in_its_order() {
    let (_folder, path) = folder();
    made(&path);
    let capture = Capture::open(&path).unwrap();
    assert_eq!(capture.meta().plan.session, "made");
    assert_eq!(capture.meta().stream("spikes"), Some(SPIKES));
    assert_eq!(right_positions(&capture), (0..12).collect());
    let mut numbers = Vec::new();
    for found in capture.activations(1).unwrap() {
        match found.unwrap() {
            RecordedActivation::Record(number, record) => {
                assert_eq!(record.tick, number * 2);
                numbers.push(number);
            }
            RecordedActivation::Missing { from, .. } => panic!("{from} is missing"),
        }
    }
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    let mut cursor = capture.items().unwrap();
    let mut kinds = Vec::new();
    while let Some(item) = cursor.next_item().unwrap() {
        match item {
            Item::Mark(note) => assert_eq!(note.text, "the culture was fed"),
            Item::End(note) => assert_eq!(note.streams[0].position, Some(12)),
            Item::Seal(note) => kinds.push(note.why),
            _ => {}
        }
    }
    assert_eq!(kinds, [seal_why::CLOSED]);
    assert!(cursor.at_seal() && cursor.take_damages().is_empty());
    let summary = capture.summary().unwrap();
    assert!(summary.sealed);
    let of_raw = &summary.streams[0];
    assert_eq!((of_raw.blocks, of_raw.frames), (12, 33));
    assert_eq!((of_raw.missing_blocks, of_raw.lost_frames), (0, 6));
    let verified = capture.verify().unwrap();
    assert!(verified.is_whole() && verified.sealed, "{verified:?}");
    assert_eq!(verified.bytes, std::fs::metadata(&path).unwrap().len());
}

#[test]
fn a_capture_cut_off_anywhere_gives_everything_before_the_cut() {
    let (folder, path) = folder();
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    let cut = folder.path().join("cut.cap");
    // Where each record ends, and what blocks it holds.
    let mut ends: Vec<(usize, u64, u64)> = Vec::new();
    let (mut descriptions, mut sealed_at) = (Vec::new(), 0);
    let mut at = RECORDS_AT as usize;
    while at < whole.len() {
        let number = |from: usize, bytes: usize| {
            let mut word = [0; 8];
            word[..bytes].copy_from_slice(&whole[at + from..at + from + bytes]);
            u64::from_le_bytes(word)
        };
        let (kind, length) = (number(4, 2) as u16, number(24, 8) as usize);
        let end = at + 64 + length;
        match kind {
            kind::BLOCKS => ends.push((end, number(32, 8), number(52, 4))),
            kind::META => descriptions.push(end),
            kind::SEAL => sealed_at = end,
            _ => {}
        }
        at = end.next_multiple_of(64);
    }
    assert_eq!(ends.len(), 10);
    for length in (0..whole.len()).filter(tried) {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let opened = Capture::open(&cut);
        if length < descriptions[0] {
            let error = opened
                .err()
                .expect("nothing says what it holds")
                .to_string();
            assert!(error.contains("cut.cap"), "{error}");
            continue;
        }
        let capture = opened.unwrap();
        let expected: BTreeSet<u64> = ends
            .iter()
            .filter(|(end, ..)| *end <= length)
            .flat_map(|(_, first, count)| *first..first + count)
            .collect();
        assert_eq!(right_positions(&capture), expected, "cut at byte {length}");
        let verified = capture.verify().unwrap();
        assert_eq!(verified.sealed, length >= sealed_at, "cut at byte {length}");
        let clean = whole.get(length - length % 64..length).unwrap();
        let named = !verified.is_whole();
        // A cut between two records, or in padding, leaves nothing half.
        assert!(
            named || clean.iter().all(|b| *b == 0) || ends_at(&whole, length),
            "{length}"
        );
    }
}

/// True if a record ends there or only padding follows up to there.
fn ends_at(whole: &[u8], length: usize) -> bool {
    let mut at = RECORDS_AT as usize;
    while at < whole.len() {
        let mut word = [0; 8];
        word.copy_from_slice(&whole[at + 24..at + 32]);
        let end = at + 64 + u64::from_le_bytes(word) as usize;
        let next = end.next_multiple_of(64);
        if (end..=next).contains(&length) {
            return true;
        }
        at = next;
    }
    false
}

#[test]
fn any_one_flipped_byte_costs_at_most_its_own_record_and_is_named() {
    let (folder, path) = folder();
    made(&path);
    let whole = std::fs::read(&path).unwrap();
    let flipped = folder.path().join("flipped.cap");
    for at in (0..whole.len()).filter(tried) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&flipped, &bytes).unwrap();
        let capture = Capture::open(&flipped).unwrap_or_else(|e| panic!("byte {at}: {e}"));
        let there = right_positions(&capture);
        let missing = (0..12).filter(|p| !there.contains(p)).count();
        assert!(missing <= 3, "byte {at} cost {missing} blocks");
        let verified = capture.verify().unwrap();
        assert!(!verified.is_whole(), "byte {at} is not named");
        for damage in &verified.damages {
            let near = damage.at..=damage.at + damage.bytes;
            assert!(
                damage.bytes == 0 || near.contains(&(at as u64)),
                "byte {at}: {damage}"
            );
        }
    }
}

#[test]
fn a_writer_killed_in_the_middle_of_a_record_is_succeeded_at_the_last_whole_one() {
    let (_folder, path) = folder();
    let mut appender = Appender::create(&path, &meta(), options()).unwrap();
    append_raw(&mut appender, 0..2).unwrap();
    let whole = appender.sequence();
    append_raw(&mut appender, 2..5).unwrap();
    drop(appender);
    // Killed before the last record's end was written.
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.iter().rposition(|b| *b != 0).unwrap();
    let mut torn = bytes.clone();
    torn[last - 20..=last].fill(0);
    std::fs::write(&path, &torn).unwrap();
    let mut successor = Appender::reopen(&path, options(), None).unwrap();
    assert_eq!(successor.sequence(), whole);
    assert_eq!(successor.meta().unwrap().plan.session, "made");
    append_raw(&mut successor, 2..5).unwrap();
    successor.seal(seal_why::RECOVERED).unwrap();
    let capture = Capture::open(&path).unwrap();
    assert_eq!(right_positions(&capture), (0..5).collect());
    let verified = capture.verify().unwrap();
    assert!(verified.is_whole() && verified.sealed, "{verified:?}");
    let error = Appender::reopen(&path, options(), None).err().unwrap();
    assert!(error.to_string().contains("is sealed"), "{error}");
}

#[test]
fn a_successor_reads_nothing_again_that_its_predecessor_noted_as_whole() {
    let (_folder, path) = folder();
    let mut appender = Appender::create(&path, &meta(), options()).unwrap();
    for position in 0..20 {
        append_raw(&mut appender, position..position + 1).unwrap();
    }
    let reached = appender.reached();
    append_raw(&mut appender, 20..21).unwrap();
    let end = appender.reached();
    drop(appender);
    let mut bytes = std::fs::read(&path).unwrap();
    // All between the description and the noted place: whoever read it would find no record.
    let written = reached.end as usize;
    bytes[written - 2048..written].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let successor = Appender::reopen(&path, options(), Some(reached)).unwrap();
    assert_eq!(successor.reached(), end);
}

#[test]
fn a_capture_rolls_over_and_is_read_as_one() {
    let (_folder, path) = folder();
    let rolling = AppendOptions {
        roll_bytes: Some(16_384),
        ..options()
    };
    let mut appender = Appender::create(&path, &meta(), rolling).unwrap();
    for position in 0..300 {
        append_raw(&mut appender, position..position + 1).unwrap();
    }
    assert!(appender.path() != path && appender.first_path() == path);
    let last = appender.path().to_owned();
    drop(appender);
    // Its writer was killed in the last file.
    let mut appender = Appender::reopen(&path, rolling, None).unwrap();
    assert_eq!(appender.path(), last);
    append_raw(&mut appender, 300..301).unwrap();
    appender.seal(seal_why::CLOSED).unwrap();
    let capture = Capture::open(&last).unwrap();
    assert_eq!(capture.path(), path);
    assert!(capture.files().len() > 2);
    assert_eq!(right_positions(&capture), (0..301).collect());
    assert!(capture.verify().unwrap().is_whole());
    assert!(capture.summary().unwrap().sealed);

    let second = capture.files()[1].clone();
    std::fs::remove_file(&second).unwrap();
    let capture = Capture::open(&path).unwrap();
    let there = right_positions(&capture);
    assert!(there.contains(&0) && there.contains(&300) && there.len() < 301);
    let verified = capture.verify().unwrap();
    assert!(verified.sealed && !verified.is_whole(), "{verified:?}");
    std::fs::remove_file(capture.files().last().unwrap()).unwrap();
    let verified = Capture::open(&path).unwrap().verify().unwrap();
    assert!(!verified.sealed, "{verified:?}");
}

#[test]
fn what_is_missing_is_named_with_its_reason() {
    let (_folder, path) = folder();
    let mut appender = Appender::create(&path, &meta(), options()).unwrap();
    append_raw(&mut appender, 0..2).unwrap();
    let gap = GapNote {
        of: GapOf::Stream(RAW),
        from: 2,
        count: 5,
        why: "lapped".into(),
    };
    let about = entry(kind::GAP, RAW, 1, 2);
    appender.append_note(about, &gap).unwrap();
    append_raw(&mut appender, 7..8).unwrap();
    // A successor that did not know how far its predecessor had come appends once more.
    append_raw(&mut appender, 7..9).unwrap();
    append_raw(&mut appender, 11..12).unwrap();
    appender.seal(seal_why::CLOSED).unwrap();
    let capture = Capture::open(&path).unwrap();
    let found: Vec<String> = blocks(&capture)
        .into_iter()
        .map(|found| match found {
            Recorded::Block(header, _) => header.position.to_string(),
            Recorded::Missing { from, count, why } => format!("{from}+{count} {why}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            "0",
            "1",
            "2+5 lapped",
            "7",
            "8",
            "9+2 damaged or never written",
            "11"
        ]
    );
}

#[test]
fn a_capture_is_read_while_it_grows() {
    let (_folder, path) = folder();
    let mut appender = Appender::create(&path, &meta(), options()).unwrap();
    let capture = Capture::open(&path).unwrap();
    let mut reading = capture.blocks(RAW).unwrap();
    for position in 0..100 {
        assert!(reading.next().is_none());
        append_raw(&mut appender, position..position + 1).unwrap();
        match reading.next().unwrap().unwrap() {
            Recorded::Block(header, _) => assert_eq!(header.position, position),
            Recorded::Missing { from, .. } => panic!("{from} is missing"),
        }
    }
    assert!(!capture.summary().unwrap().sealed);
}

#[test]
fn no_recording_is_overwritten_and_what_is_no_capture_is_refused_by_name() {
    let (folder, path) = folder();
    made(&path);
    let error = Appender::create(&path, &meta(), options()).err().unwrap();
    assert!(error.to_string().contains("run.cap"), "{error}");
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Capture::open(&path).err().unwrap().to_string()
    };
    assert!(refused("empty.cap", b"").contains("too short"));
    assert!(refused("text.cap", &[b'x'; 9_000]).contains("is not a capture"));
    let mut newer = std::fs::read(&path).unwrap();
    for page in [0, 4096] {
        newer[page + 8] = 9;
        let crc = crc32c::crc32c(&newer[page..page + 124]);
        newer[page + 124..page + 128].copy_from_slice(&crc.to_le_bytes());
    }
    assert!(refused("newer.cap", &newer).contains("version 9.0"));
    let error = Capture::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("is a folder"), "{error}");
}

#[test]
fn a_full_disk_refuses_a_record_and_leaves_the_capture_as_it_was() {
    let (_folder, path) = folder();
    let mut appender = Appender::create(&path, &meta(), options()).unwrap();
    append_raw(&mut appender, 0..2).unwrap();
    let before = appender.sequence();
    let huge = vec![0; 1 << 20];
    let limited = limit::file_size(300_000, || {
        appender.append(entry(kind::BLOCKS, SPIKES, 0, 0), &[&huge])
    });
    assert!(
        matches!(limited, Err(AppendError::NoSpace { .. })),
        "{limited:?}"
    );
    assert_eq!(appender.sequence(), before);
    append_raw(&mut appender, 2..3).unwrap();
    appender.seal(seal_why::CLOSED).unwrap();
    let capture = Capture::open(&path).unwrap();
    assert_eq!(right_positions(&capture), (0..3).collect());
    assert!(capture.verify().unwrap().is_whole());
}

#[allow(unsafe_code, reason = "system calls")]
mod limit {
    /// Runs `work` while this process may write no file longer than `bytes`: a disk that is full, as far as the writer can
    /// tell. Other tests of this program write less than that.
    pub fn file_size<T>(bytes: u64, work: impl FnOnce() -> T) -> T {
        let mut was = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: structs of this function, and a signal's default exchanged for being ignored.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::getrlimit(libc::RLIMIT_FSIZE, &mut was);
            let now = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: was.rlim_max,
            };
            libc::setrlimit(libc::RLIMIT_FSIZE, &now);
        }
        let done = work();
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &was) };
        done
    }
}

#[test]
fn time_is_passed_over_by_halving_and_nothing_later_is_lost() {
    for roll_bytes in [None, Some(100_000)] {
        let (_folder, path) = folder();
        let options = AppendOptions {
            roll_bytes,
            ..options()
        };
        let mut appender = Appender::create(&path, &meta(), options).unwrap();
        for position in 0..4000 {
            let header = SlotHeader {
                position,
                ..SlotHeader::default()
            };
            let entry = entry(kind::BLOCKS, RAW, 1, position);
            appender.append(entry, &[header.as_bytes()]).unwrap();
        }
        // Not sealed: zeros that were allocated ahead stand behind the last record.
        let capture = Capture::open(&path).unwrap();
        assert_eq!(capture.files().len() > 3, roll_bytes.is_some());
        for wanted in [0, 1, 17, 1999, 2000, 3333, 3998, 3999, 4000, 100_000] {
            let mut cursor = capture.items().unwrap();
            cursor.pass_until(1_000 + wanted).unwrap();
            let mut positions = Vec::new();
            while let Some(item) = cursor.next_item().unwrap() {
                if let Item::Block { header, .. } = item {
                    positions.push(header.position);
                }
            }
            let first = positions.first().copied().unwrap_or(4000);
            assert!(first <= wanted, "{first} comes after {wanted}");
            assert_eq!(positions, (first..4000).collect::<Vec<_>>());
            // What is read in vain is no more than a last stretch that was not halved.
            assert!(first + 600 >= wanted.min(4000), "{first} for {wanted}");
        }
    }
}
