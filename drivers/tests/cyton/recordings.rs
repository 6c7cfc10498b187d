//! Recordings and captures of real boards through the driver's parser.

use ephapse_drivers::acquire::cyton::frames::{Assembler, Frame, PACKET_NS};
use ephapse_drivers::acquire::cyton::parser::{ByteCounts, Found, Parser};
use ephapse_drivers::acquire::cyton::record::uv_per_count;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The file and what is known of it; `None`, said aloud, where the recordings are not.
fn recording(name: &str) -> Option<(PathBuf, Option<Value>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/openbci");
    let path = Path::new(folder).join(name);
    if !path.exists() {
        println!("SKIPPED: {}: no such recording", path.display());
        return None;
    }
    let reference = std::fs::read_to_string(format!("{}.ref.json", path.display())).ok();
    let reference = reference.map(|text| serde_json::from_str(&text).unwrap());
    Some((path, reference))
}

/// All frames and answers, the bytes coming `piece` at a time, one packet per 4 ms.
fn parse(bytes: &[u8], piece: usize) -> (Vec<Frame>, Vec<String>, ByteCounts, Assembler) {
    let mut parser = Parser::default();
    let mut assembler = Assembler::new(false);
    let (mut frames, mut answers) = (Vec::new(), Vec::new());
    let mut pushed = 0;
    for piece in bytes.chunks(piece) {
        parser.push(piece);
        pushed += piece.len() as u64;
        while let Some(found) = parser.next_found() {
            match found {
                Found::Packet(packet) => {
                    frames.extend(assembler.take(&packet, pushed * PACKET_NS / 33));
                }
                Found::Answer(text) => answers.push(text),
            }
        }
    }
    (frames, answers, parser.counts(), assembler)
}

#[test]
fn a_serial_capture_of_a_real_board_comes_out_value_for_value() {
    let Some((path, Some(reference))) = recording("cyton_serial_16samples.raw") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    for piece in [1, 33, 62, 528] {
        let (frames, answers, counts, assembler) = parse(&bytes, piece);
        let rows: Vec<Value> = (0..)
            .zip(&frames)
            .map(|(number, frame): (u64, _)| {
                assert_eq!(frame.index, number);
                let footer = i32::from(frame.beside.footer);
                let counts = frame.counts[..8].iter().copied();
                let accel = frame.beside.accel.map(i32::from);
                let row = std::iter::once(number as i32)
                    .chain(counts)
                    .chain(accel)
                    .chain([footer]);
                Value::from(row.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            Value::from(rows),
            reference["frames"],
            "pieces of {piece} bytes"
        );
        assert!(answers.is_empty());
        assert_eq!((counts.discarded, counts.packets), (0, 16));
        assert_eq!(assembler.lost_packets(), 0);
    }
    assert_eq!(reference["uV_per_count"], Value::from(uv_per_count(24)));
}

#[test]
fn a_real_boards_answer_to_a_reset_is_taken_out_of_a_stream_that_goes_on() {
    let Some((path, _)) = recording("cyton_reset_response.raw") else {
        return;
    };
    let Some((stream, _)) = recording("cyton_serial_16samples.raw") else {
        return;
    };
    let (answer, stream) = (std::fs::read(path).unwrap(), std::fs::read(stream).unwrap());
    let mut bytes = stream[..8 * 33].to_vec();
    bytes.extend(&answer);
    bytes.extend(&stream[8 * 33..]);
    for piece in [1, 62, 1024] {
        let (frames, answers, counts, _) = parse(&bytes, piece);
        assert_eq!((frames.len(), counts.discarded), (16, 0));
        assert_eq!(answers.len(), 1);
        assert!(
            answers[0].starts_with("OpenBCI V3 32bit Board\nSetting ADS1299"),
            "{answers:?}"
        );
        assert!(
            answers[0].ends_with("LIS3DH Device ID: 0x33"),
            "{answers:?}"
        );
    }
}

/// A row of OpenBCI's software: sample number, eight channels in uV, accelerometer in g.
struct Row {
    number: u8,
    uv: Vec<f64>,
}

fn rows(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('%') && !l.starts_with("Sample"));
    let rows = lines.map(|line| {
        let columns: Vec<f64> = line
            .split(',')
            .take(9)
            .map(|c| c.trim().parse().unwrap())
            .collect();
        Row {
            number: columns[0] as u8,
            uv: columns[1..].to_vec(),
        }
    });
    rows.collect()
}

/// The bytes that the board must have sent for these rows.
fn bytes_of(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in rows {
        bytes.extend([0xA0, row.number]);
        for uv in &row.uv {
            let count = (uv / uv_per_count(24)).round() as i32;
            bytes.extend(&count.to_be_bytes()[1..]);
        }
        bytes.extend([0, 0, 0, 0, 0, 0, 0xC0]);
    }
    bytes
}

fn same_values(name: &str) -> Option<(Vec<Frame>, Assembler, Value)> {
    let (path, reference) = recording(name)?;
    let reference = reference?;
    let rows = rows(&path);
    // In what an adapter hands over at once.
    let (frames, _, counts, assembler) = parse(&bytes_of(&rows), 62);
    assert_eq!(frames.len() as u64, reference["rows"].as_u64().unwrap());
    assert_eq!(counts.discarded, 0);
    let mut sums = [0.0; 8];
    for (frame, row) in frames.iter().zip(&rows) {
        for ((sum, count), uv) in sums.iter_mut().zip(frame.counts).zip(&row.uv) {
            let found = f64::from(count) * uv_per_count(24);
            // Half a count: the text has two decimals, and went through f32.
            assert!((found - uv).abs() < 0.012, "{found} for {uv}");
            *sum += uv;
        }
    }
    for (sum, known) in sums.iter().zip(reference["sum_uV"].as_array().unwrap()) {
        assert!((sum - known.as_f64().unwrap()).abs() < 1.0);
    }
    for (frame, known) in frames
        .iter()
        .zip(reference["counts_first2"].as_array().unwrap())
    {
        assert_eq!(Value::from(frame.counts[..8].to_vec()), *known);
    }
    Some((frames, assembler, reference))
}

#[test]
fn an_eeg_of_90_s_comes_out_with_every_value_and_no_packet_lost() {
    let Some((frames, assembler, _)) = same_values("OpenBCI_GUI-v6-blinks-jawClench-alpha.txt")
    else {
        return;
    };
    assert_eq!((assembler.lost_packets(), assembler.gaps()), (0, 0));
    assert_eq!(
        frames.last().map(|f| f.index),
        Some(frames.len() as u64 - 1)
    );
}

#[test]
fn an_eeg_with_bad_radio_comes_out_with_every_value_and_every_gap_of_its_length() {
    let Some((frames, assembler, reference)) = same_values("OpenBCI-RAW-2016-06-16_13-19-54.txt")
    else {
        return;
    };
    let jumps = frames.windows(2).enumerate().filter_map(|(at, pair)| {
        let lost = pair[1].index - pair[0].index - 1;
        (lost > 0).then_some((at as u64 + 1, lost))
    });
    let (rows, lost): (Vec<u64>, Vec<u64>) = jumps.unzip();
    assert_eq!(Value::from(rows), reference["gap_rows"]);
    assert_eq!(Value::from(lost.clone()), reference["lost_per_gap_mod256"]);
    assert_eq!(assembler.lost_packets(), lost.iter().sum::<u64>());
    assert_eq!((assembler.lost_packets(), assembler.gaps()), (750, 9));
}
