//! Sessions with a board that a twin stands in for.

use ephapse_drivers::acquire::cyton::connection::{Connection, Event};
use ephapse_drivers::acquire::cyton::params::CytonParams;
use ephapse_drivers::acquire::cyton::parser::{Found, Parser};
use ephapse_drivers::acquire::cyton::record::{FrameRecord, uv_per_count};
use ephapse_drivers::acquire::cyton::session::{Session, SessionError};
use ephapse_drivers::twin::cyton::{CytonTwin, Faults, Signal, TwinOptions};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Microvolts that a converter at gain 24 can tell apart, other ones on every channel and frame.
pub fn rows(frames: usize, channels: usize) -> Vec<Vec<f64>> {
    let count = |frame: usize, channel: usize| {
        ((frame * 7919 + channel * 104_729) % 16_777_216) as i32 - 8_388_608
    };
    let row = |frame| {
        (0..channels)
            .map(|channel| f64::from(count(frame, channel)) * uv_per_count(24))
            .collect()
    };
    (0..frames).map(row).collect()
}

pub fn twin(daisy: bool, faults: Faults) -> CytonTwin {
    let signal = Signal::of_rows(rows(5000, 16));
    CytonTwin::start(TwinOptions {
        daisy,
        signal,
        faults,
        link: None,
    })
    .unwrap()
}

pub fn params(port: &Path, more: Value) -> CytonParams {
    let mut params = json!({ "port": port });
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    serde_json::from_value(params).unwrap()
}

fn open(twin: &CytonTwin, more: Value) -> Result<Session, SessionError> {
    Session::open(&params(twin.path(), more), Arc::new(AtomicBool::new(false)))
}

/// Reads frames until there are `count`, or ten seconds have passed. Returns them, and how often the connection was cut.
fn frames_of(connection: &Connection, count: usize) -> (Vec<FrameRecord>, usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut frames, mut cuts) = (Vec::new(), 0);
    while frames.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} frames came",
            frames.len()
        );
        match connection.next(Duration::from_millis(50)).unwrap() {
            Some(Event::Frames(more)) => frames.extend(more),
            Some(Event::Cut) => cuts += 1,
            None => {}
        }
    }
    (frames, cuts)
}

/// Every frame holds the row that its number says.
fn expect_rows(frames: &[FrameRecord], channels: usize) {
    let rows = rows(5000, 16);
    for frame in frames {
        let row = &rows[frame.index as usize % rows.len()];
        assert_eq!(
            frame.eeg_uv[..channels],
            row[..channels],
            "frame {}",
            frame.index
        );
    }
}

fn expect_times(frames: &[FrameRecord]) {
    for pair in frames.windows(2) {
        assert!(pair[0].sampled_ns < pair[1].sampled_ns, "time turned back");
        assert!(
            pair[1].sampled_ns <= pair[1].arrived_ns,
            "a frame of the future"
        );
    }
}

#[test]
fn microvolts_at_the_electrodes_come_out_as_they_went_in() {
    for daisy in [false, true] {
        let twin = twin(daisy, Faults::default());
        let session = open(&twin, json!({ "daisy": daisy })).unwrap();
        assert!(session.banner().starts_with("OpenBCI V3"));
        assert_eq!(session.firmware(), "v3.1.2");
        let parameters = params(twin.path(), json!({ "daisy": daisy }));
        let connection = Connection::start(session, &parameters, None);
        let (frames, _) = frames_of(&connection, 150);
        expect_rows(&frames, if daisy { 16 } else { 8 });
        expect_times(&frames);
        let indices: Vec<u64> = frames.iter().map(|f| f.index).collect();
        assert_eq!(indices, (0..frames.len() as u64).collect::<Vec<_>>());
        let arrivals = connection.stop().unwrap();
        assert_eq!((arrivals.lost_packets, arrivals.bytes.discarded), (0, 0));
        assert_eq!(twin.stop().starts, 1);
    }
}

#[test]
fn a_gain_that_was_set_is_the_gain_of_its_channel() {
    let twin = twin(false, Faults::default());
    let settings =
        json!({ "channels": [{ "channel": 2, "gain": 4 }, { "channel": 5, "on": false }] });
    let session = open(&twin, settings.clone()).unwrap();
    let connection = Connection::start(session, &params(twin.path(), settings), None);
    let (frames, _) = frames_of(&connection, 20);
    let rows = rows(5000, 16);
    for frame in frames {
        let row = &rows[frame.index as usize];
        assert!((frame.eeg_uv[1] - row[1]).abs() <= uv_per_count(4));
        assert_eq!((frame.eeg_uv[0], frame.eeg_uv[4]), (row[0], 0.0));
    }
}

#[test]
fn every_board_mode_and_the_boards_clock_come_out_of_aux_packets() {
    let cases = [
        ("accel", false, 0xC0),
        ("analog", false, 0xC1),
        ("digital", false, 0xC1),
        ("accel", true, 0xC4),
        ("analog", true, 0xC6),
    ];
    for (mode, times, footer) in cases {
        let twin = twin(false, Faults::default());
        let more = json!({ "board_mode": mode, "board_times": times });
        let session = open(&twin, more.clone()).unwrap();
        let connection = Connection::start(session, &params(twin.path(), more), None);
        let (frames, _) = frames_of(&connection, 40);
        let last = frames[30];
        let inputs: &[u32] = match (mode, times) {
            ("analog", false) => &[last.index as u32, 512, 1023],
            ("analog", true) => &[last.index as u32, 0, 0],
            ("digital", _) => &[(last.index % 2) as u32, 0, 1, 0, 1],
            _ => &[],
        };
        assert_eq!(last.aux[..inputs.len()], *inputs, "{mode}, times {times}");
        assert_eq!(last.aux[inputs.len() + 1], footer, "{mode}, times {times}");
        let ms = last.aux[inputs.len()];
        assert_eq!(ms, if times { last.index as u32 * 4 } else { 0 });
        if mode == "accel" {
            assert_eq!(last.accel_g[1..], [-320.0 * 0.000125, 1.0], "times {times}");
        }
    }
}

#[test]
fn what_goes_wrong_on_the_radio_is_counted_and_costs_nothing_else() {
    let faults = Faults {
        drop: 0.05,
        duplicate: 0.05,
        garbage: 0.03,
        chatter: 0.02,
        split: 20,
        seed: 11,
        ..Faults::default()
    };
    let twin = twin(false, faults);
    let session = open(&twin, Value::Null).unwrap();
    let connection = Connection::start(session, &params(twin.path(), Value::Null), None);
    let (frames, _) = frames_of(&connection, 700);
    expect_times(&frames);
    // A byte of garbage may be taken for a packet's only where its number fits: then one frame in thousands is wrong.
    let rows = rows(5000, 16);
    let right = frames
        .iter()
        .filter(|f| f.eeg_uv[..8] == rows[f.index as usize][..8])
        .count();
    assert!(
        right + 2 >= frames.len(),
        "{right} of {} are right",
        frames.len()
    );
    let arrivals = connection.stop().unwrap();
    let counts = twin.stop();
    assert!(counts.dropped > 10 && counts.duplicated > 10 && counts.garbage_bytes > 100);
    // Up to the end of the stream, which the host does not see.
    assert!(
        arrivals.lost_packets.abs_diff(counts.dropped) <= 6,
        "{arrivals:?}, {counts:?}"
    );
    assert!(
        arrivals.bytes.repeated.abs_diff(counts.duplicated) <= 6,
        "{arrivals:?}, {counts:?}"
    );
    assert!(
        arrivals.bytes.discarded.abs_diff(counts.garbage_bytes) <= 200,
        "{arrivals:?}, {counts:?}"
    );
}

#[test]
fn an_untuned_adapter_shows_in_the_spacing_and_loses_nothing() {
    let twin = twin(
        false,
        Faults {
            delivery: Duration::from_millis(16),
            ..Faults::default()
        },
    );
    let session = open(&twin, Value::Null).unwrap();
    let connection = Connection::start(session, &params(twin.path(), Value::Null), None);
    let (frames, _) = frames_of(&connection, 250);
    expect_rows(&frames, 8);
    expect_times(&frames);
    let arrivals = connection.stop().unwrap();
    assert_eq!((arrivals.lost_packets, arrivals.gaps), (0, 0));
    assert!(arrivals.most_packets >= 4, "{arrivals:?}");
    assert!(arrivals.far_apart * 2 > arrivals.deliveries, "{arrivals:?}");
}

#[test]
fn a_board_that_is_off_is_said_so_before_anything_starts() {
    let twin = twin(
        false,
        Faults {
            board_off: true,
            ..Faults::default()
        },
    );
    let Err(error) = open(&twin, Value::Null) else {
        panic!("a session with a board that is off");
    };
    assert!(matches!(error, SessionError::BoardOff { .. }), "{error}");
    assert!(error.to_string().contains("switch it on"), "{error}");
}

#[test]
fn a_daisy_that_is_not_there_is_said_so() {
    let twin = twin(false, Faults::default());
    let Err(error) = open(&twin, json!({ "daisy": true })) else {
        panic!("16 channels of 8");
    };
    assert!(
        error.to_string().contains("no daisy to attach!8"),
        "{error}"
    );
}

#[test]
fn a_port_that_is_no_boards_and_one_that_is_not_there_are_told_apart() {
    let (_master, slave) = serialport::TTYPort::pair().unwrap();
    let name = serialport::SerialPort::name(&slave).unwrap();
    drop(slave);
    let silent = params(Path::new(&name), Value::Null);
    let give_up = || Arc::new(AtomicBool::new(false));
    let error = Session::open(&silent, give_up()).err().unwrap();
    assert!(matches!(error, SessionError::NoAnswer { .. }), "{error}");
    let missing = params(Path::new("/dev/ttyNONE7"), Value::Null);
    let error = Session::open(&missing, give_up()).err().unwrap();
    assert!(error.to_string().contains("ephapse devices"), "{error}");
}

#[test]
fn a_stream_starts_and_stops_200_times_with_one_loop_and_no_stale_byte() {
    let rounds = std::env::var("EPHAPSE_STARTS")
        .ok()
        .and_then(|n| n.parse().ok());
    let rounds = rounds.unwrap_or(200_u64);
    let twin = twin(
        false,
        Faults {
            split: 50,
            ..Faults::default()
        },
    );
    let mut session = open(&twin, Value::Null).unwrap();
    let mut bytes = [0; 1024];
    for round in 0..rounds {
        session.start().unwrap();
        // Once more is not twice.
        session.start().unwrap();
        let mut parser = Parser::default();
        let mut numbers = Vec::new();
        while numbers.len() < 3 {
            let count = session.read(&mut bytes).unwrap();
            parser.push(&bytes[..count]);
            while let Some(found) = parser.next_found() {
                match found {
                    Found::Packet(packet) => numbers.push(packet.number),
                    Found::Answer(text) => panic!("round {round}: {text}"),
                }
            }
        }
        // Every start counts from 0: whatever an earlier one left would be another number, or a byte that fits nowhere.
        let expected: Vec<u8> = (0..numbers.len() as u8).collect();
        assert_eq!(numbers, expected, "round {round}");
        assert_eq!(parser.counts().discarded, 0, "round {round}");
        session.stop().unwrap();
        assert_eq!(
            session.read(&mut bytes).unwrap(),
            0,
            "round {round}: a stale byte"
        );
    }
    let counts = twin.stop();
    assert_eq!((counts.starts, counts.starts_in_vain), (rounds, 0));
}

#[test]
fn a_silent_board_holds_nobody_who_stops() {
    let faults = Faults {
        silent_after: Some(Duration::from_millis(200)),
        ..Faults::default()
    };
    let twin = twin(false, faults);
    let session = open(&twin, Value::Null).unwrap();
    let connection = Connection::start(session, &params(twin.path(), Value::Null), None);
    frames_of(&connection, 20);
    while connection
        .next(Duration::from_millis(100))
        .unwrap()
        .is_some()
    {}
    let stopped = Instant::now();
    connection.stop().unwrap();
    let took = stopped.elapsed();
    // 20 ms until the thread looks, 40 ms of silence that are waited for.
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_dongle_that_is_unplugged_and_comes_back_goes_on_in_the_same_stream() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("ttyTWIN");
    let faults = Faults {
        unplug_after: Some(Duration::from_millis(900)),
        back_after: Duration::from_millis(500),
        ..Faults::default()
    };
    let twin = CytonTwin::start(TwinOptions {
        signal: Signal::of_rows(rows(5000, 16)),
        faults,
        link: Some(link.clone()),
        ..TwinOptions::default()
    })
    .unwrap();
    let session = open(&twin, Value::Null).unwrap();
    let connection = Connection::start(session, &params(&link, Value::Null), None);
    let (mut frames, mut cuts) = frames_of(&connection, 50);
    while cuts == 0 {
        let (more, cut) = frames_of(&connection, 1);
        frames.extend(more);
        cuts += cut;
    }
    frames.extend(frames_of(&connection, 100).0);
    expect_times(&frames);
    let jumps: Vec<_> = frames
        .windows(2)
        .filter(|p| p[1].index != p[0].index + 1)
        .collect();
    assert_eq!(jumps.len(), 1, "one gap");
    let [before, after] = [jumps[0][0], jumps[0][1]];
    // The time says how many were lost.
    let lost = (after.index - before.index) as f64;
    let passed = (after.sampled_ns - before.sampled_ns) as f64 / 4e6;
    assert!(
        lost > 100.0 && (lost - passed).abs() < 2.0,
        "{lost} frames in {passed} periods"
    );
    let arrivals = connection.stop().unwrap();
    assert_eq!((arrivals.reconnects, arrivals.lost_packets), (1, 0));
    assert_eq!(arrivals.away_frames, after.index - before.index - 1);
    assert_eq!(twin.stop().starts, 2);
    assert!(!link.exists(), "the link is still there");
}

#[test]
fn a_board_that_falls_silent_is_started_again() {
    let faults = Faults {
        silent_after: Some(Duration::from_millis(400)),
        ..Faults::default()
    };
    let twin = twin(false, faults);
    let session = open(&twin, Value::Null).unwrap();
    let connection = Connection::start(session, &params(twin.path(), Value::Null), None);
    let (frames, cuts) = frames_of(&connection, 150);
    assert_eq!(cuts, 1);
    expect_times(&frames);
    let arrivals = connection.stop().unwrap();
    assert!(
        arrivals.reconnects >= 1 && arrivals.away_frames > 400,
        "{arrivals:?}"
    );
}
