//! What is written here in the hands of other software.
//!
//! One test, alone in its process: HDF5 holds a lock on a file it writes, and a child process started by another thread
//! meanwhile would inherit it.
#![cfg(feature = "hdf5")]

#[path = "sources/made.rs"]
mod made;
#[path = "sources/mcs_file.rs"]
#[allow(dead_code, reason = "the sources' tests need more of it")]
mod mcs_file;

use ephapse_drivers::acquire::file_source::open_playback;
use ephapse_drivers::acquire::mcs_h5::McsH5;
use ephapse_drivers::acquire::playback::Cursor;
use ephapse_drivers::demo_recording::write_demo_recording;
use ephapse_drivers::export::mcs_h5::{McsFile, McsHeader};
use ephapse_drivers::export::{Gap, Stretch};
use ephapse_engine::records::{Event, Spike};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, event_layout, spike_layout};
use made::source;
use std::path::{Path, PathBuf};
use std::process::Command;
use zerocopy::IntoBytes;

/// Prints what h5py finds: shape, sums of three channels, the attributes that the vendor's library wants.
const LOOK: &str = r#"
import sys, h5py
f = h5py.File(sys.argv[1])
s = f["Data/Recording_0/AnalogStream/Stream_0"]
d = s["ChannelData"]
print(*d.shape, *(int(d[c].sum()) for c in (0, 14, 59)))
print(f.attrs["McsHdf5ProtocolType"].decode(), f.attrs["McsHdf5ProtocolVersion"], s.attrs["StreamInfoVersion"],
      s["InfoChannel"].attrs["InfoVersion"], s["InfoChannel"][14]["Label"].decode(), s["InfoChannel"][0]["Tick"])
"#;

fn python(script: &str, file: &Path) -> Option<String> {
    let python = std::env::var_os("EPHAPSE_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .args(["-c", script])
        .arg(file)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Some(text);
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("No module named"), "{error}");
    None
}

/// Opens the file as an analysis script would.
const OPEN: &str = r#"
import sys, McsPy.McsData as m
m.VERBOSE = False
r = m.RawData(sys.argv[1])
s = r.recordings[0].analog_streams[0]
v, unit = s.get_channel(59)
print(len(s.channel_infos), len(v), float(v[99]), unit)
"#;

/// Prints of an exported file what h5py and the vendor's library find: pieces, scaled samples of the last channel, times.
const EXPORTED: &str = r#"
import sys, h5py, McsPy.McsData as m
m.VERBOSE = False
r = m.RawData(sys.argv[1])
print(r.mea_name, r.comment, r.date.isoformat(), r.recordings[0].duration)
raw, band = (r.recordings[0].analog_streams[k] for k in (0, 1))
print(raw.label, raw.data_subtype, [list(map(int, p)) for p in raw.timestamp_index])
v, unit = raw.get_channel(1)
print(unit, [float(x) for x in v])
v, unit = band.get_channel(0)
print(unit, [float(x) for x in v], band.channel_data.dtype)
spikes = r.recordings[0].timestamp_streams[0]
for i, e in spikes.timestamp_entity.items():
    print(int(i), e.info.label, e.data[0].tolist(), e.get_timestamps()[1])
events = r.recordings[0].event_streams[0]
for i, e in events.event_entity.items():
    print(int(i), e.info.label, e.get_event_timestamps()[0].tolist(), e.get_event_durations()[0].tolist())
"#;

/// Prints whether two files have the same raw numbers and, after scaling, the same volts to the last bit.
const SAME: &str = r#"
import sys, h5py
a, b = (h5py.File(p)["Data/Recording_0/AnalogStream/Stream_0"] for p in sys.argv[1].split("|"))
def volts(s):
    i = s["InfoChannel"][...]
    return [(s["ChannelData"][r["RowIndex"]] - r["ADZero"]) * (r["ConversionFactor"] * 10.0 ** float(r["Exponent"])) for r in i]
print((a["ChannelData"][...] == b["ChannelData"][...]).all(), all((x == y).all() for x, y in zip(volts(a), volts(b))),
      len(volts(a)) == len(volts(b)))
"#;

#[test]
fn h5py_and_the_vendors_own_library_read_what_is_written_here() {
    let folder = tempfile::tempdir().unwrap();
    the_demo_recording(folder.path());
    an_export(folder.path());
    a_recording_exported(folder.path());
}

fn a_recording_exported(folder: &Path) {
    let shared = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/mcs_h5"
    ));
    let made = folder.join("in.h5");
    let stream = mcs_file::Stream {
        ad_zero: 7,
        ..mcs_file::Stream::default()
    };
    drop(mcs_file::McsFile::new(&made).stream(0, stream));
    let mut files = vec![made];
    match std::fs::read_dir(shared) {
        Ok(entries) => files.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|e| e == "h5")),
        ),
        Err(_) => println!("SKIPPED: the recordings of the shared data are not here"),
    }
    for file in files {
        let out = folder.join("again.h5");
        let params = serde_json::json!({ "path": file, "block_frames": 1000 });
        let params = serde_json::from_value(params).unwrap();
        let mut playback = open_playback::<McsH5>(&params).unwrap();
        let stream_type = playback.stream_type().clone();
        let mut payload = vec![0; stream_type.block_bytes()];
        let mut export = McsFile::create(&out, &McsHeader::default()).unwrap();
        let stream = export.add("raw", "raw", &stream_type).unwrap();
        let mut cursor = Cursor::default();
        while let Some(filled) = playback.fill(&mut cursor, &mut payload, 1000).unwrap() {
            let rows = &payload[..filled.valid as usize * stream_type.row_bytes()];
            let stretch = Stretch {
                first_frame: filled.first_frame,
                rows,
                gap: None,
            };
            export.stretch(stream, &stretch).unwrap();
        }
        export.finish().unwrap();
        drop(playback);
        let both = PathBuf::from(format!("{}|{}", file.display(), out.display()));
        match python(SAME, &both) {
            Some(seen) => assert_eq!(seen, "True True True\n", "{}", file.display()),
            None => println!("SKIPPED: python3 with h5py is not here"),
        }
    }
}

fn an_export(folder: &Path) {
    let path = folder.join("export.h5");
    let mut raw = StreamType::frames(Dtype::I16, 4, 2, Rate::hz(20_000), "count");
    "V".clone_into(&mut raw.si_unit);
    raw.scale = vec![0.195e-6; 2];
    raw.axes[1].labels = vec!["A1".into(), "\u{3a9}2".into()];
    let mut spikes = StreamType::records(spike_layout("uV"), 8);
    spikes.rate = Rate::hz(20_000);
    spikes.axes.push(raw.axes[1].clone());
    let mut events = StreamType::records(event_layout(), 8);
    events.rate = Rate::hz(1000);
    let band = StreamType::frames(Dtype::F64, 4, 1, Rate::hz(20_000), "uV");
    let header = McsHeader {
        comment: "caf\u{e9}".into(),
        mea_name: "culture 7".into(),
        date: "2026-01-01".into(),
        realtime_ns: 1_767_225_600_000_000_000,
        guid: 0xfeed,
        ..McsHeader::default()
    };
    let mut file = McsFile::create(&path, &header).unwrap();
    let mut add = |name: &str, of: &StreamType| file.add(name, name, of).unwrap();
    let numbers = [
        add("raw", &raw),
        add("band", &band),
        add("spikes", &spikes),
        add("events", &events),
    ];
    let gap = Gap {
        row: 2,
        first_frame: 100,
        lost_frames: 98,
        missing_blocks: 0,
        why: String::new(),
    };
    let mut give = |stream: usize, first_frame, rows: &[u8], gap| {
        let stretch = Stretch {
            first_frame,
            rows,
            gap,
        };
        file.stretch(numbers[stream], &stretch).unwrap();
    };
    give(0, 0, [1_i16, -2, 3, -4].as_bytes(), None);
    give(0, 100, [5_i16, -6].as_bytes(), Some(&gap));
    give(1, 0, [0.1_f64, -55.125].as_bytes(), None);
    let spike = |frame, channel| Spike {
        frame,
        channel,
        ..Spike::default()
    };
    give(2, 0, [spike(40, 1), spike(41, 1)].as_bytes(), None);
    let event = Event {
        time: 3,
        line: 5,
        code: 1,
        value: 1.0,
    };
    give(3, 0, event.as_bytes(), None);
    assert_eq!(file.finish().unwrap(), [3, 2, 2, 1]);
    let Some(seen) = python(EXPORTED, &path) else {
        println!("SKIPPED: python3 with McsPyDataTools is not here");
        return;
    };
    let volts = |counts: i32| f64::from(counts) * (195.0 * 1e-9);
    let expected = format!(
        "culture 7 caf? 2026-01-01T00:00:00 5050\n\
         raw Electrode [[0, 0, 1], [5000, 2, 2]]\n\
         volt [{:?}, {:?}, {:?}]\n\
         volt [{:?}, {:?}] float64\n\
         0 A1 [] 1e-06 second\n1 ?2 [2000, 2050] 1e-06 second\n5 line 5 [3000] [0]\n",
        volts(-2),
        volts(-4),
        volts(-6),
        0.1 * 1e-6,
        -55.125 * 1e-6
    );
    let close = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= a.abs() * 1e-15,
        _ => a == b,
    };
    let words = |text: &str| -> Vec<String> {
        let words = text
            .split(['[', ']', ',', ' ', '\n'])
            .filter(|w| !w.is_empty());
        words.map(str::to_owned).collect()
    };
    let (seen, expected) = (words(&seen), words(&expected));
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (seen, expected) in seen.iter().zip(&expected) {
        assert!(close(seen, expected), "{seen} is not {expected}");
    }
}

fn the_demo_recording(folder: &Path) {
    let path = folder.join("demo.h5");
    write_demo_recording(&path, 11, 0.5).unwrap();
    let samples = source(11, 0.5);

    if let Some(seen) = python(LOOK, &path) {
        let sum = |c: usize| {
            samples
                .iter()
                .skip(c)
                .step_by(60)
                .map(|&s| i64::from(s))
                .sum::<i64>()
        };
        let expected = format!(
            "60 10000 {} {} {}\nRawData 3 1 1 Ref 50\n",
            sum(0),
            sum(14),
            sum(59)
        );
        assert_eq!(seen, expected);
    } else {
        println!("SKIPPED: python3 with h5py is not here");
    }

    if let Some(seen) = python(OPEN, &path) {
        let volts = f64::from(samples[99 * 60 + 59]) * 5.9605e-8;
        let words: Vec<&str> = seen.split_whitespace().collect();
        assert_eq!((words[0], words[1], words[3]), ("60", "10000", "volt"));
        assert!(
            (words[2].parse::<f64>().unwrap() - volts).abs() < 1e-15,
            "{seen}"
        );
    } else {
        println!("SKIPPED: python3 with McsPyDataTools is not here");
    }
}
