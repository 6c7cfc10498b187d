//! A recording of the vendor's, played in true time through a graph that runs, recorded and exported again: the same samples
//! in the hands of other software.

use crate::place::Place;
use crate::turns::alone;
use ephapse_drivers::acquire::file_source::open_playback;
use ephapse_drivers::acquire::mcs_h5::McsH5;
use ephapse_drivers::acquire::playback::Cursor;
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::json;
use std::path::Path;
use std::process::Command;

const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/data/mcs_h5/2014-02-27T08-30-03W8SpikeCutoutsAndTimestampsAndRawData.h5"
);

/// Prints whether the export holds the numbers of the recording, and the same volts to the last bit: with h5py alone.
const H5PY: &str = r#"
import sys, h5py
a, b = (h5py.File(p)["Data/Recording_0/AnalogStream/Stream_0"] for p in sys.argv[1:3])
def volts(s):
    i = s["InfoChannel"][...]
    return [(s["ChannelData"][r["RowIndex"]] - r["ADZero"]) * (r["ConversionFactor"] * 10.0 ** float(r["Exponent"])) for r in i]
print((a["ChannelData"][...] == b["ChannelData"][...]).all(), all((x == y).all() for x, y in zip(volts(a), volts(b))), len(volts(b)))
"#;

/// The same with the vendor's library at the export's end; the recording itself is too old for it.
const VENDOR: &str = r#"
import sys, h5py, McsPy.McsData as m
m.VERBOSE = False
a = h5py.File(sys.argv[1])["Data/Recording_0/AnalogStream/Stream_0"]
r = m.RawData(sys.argv[2])
s = r.recordings[0].analog_streams[0]
same = True
for row, c in enumerate(a["InfoChannel"][...]):
    volts = (a["ChannelData"][c["RowIndex"]] - c["ADZero"]) * (c["ConversionFactor"] * 10.0 ** float(c["Exponent"]))
    theirs, unit = s.get_channel(row)
    same = same and unit == "volt" and len(theirs) == len(volts) and bool((theirs == volts).all())
print(same, len(s.channel_infos))
"#;

fn samples(path: &Path) -> (StreamType, Vec<u8>) {
    let params = serde_json::from_value(json!({ "path": path, "block_frames": 100 })).unwrap();
    let mut playback = open_playback::<McsH5>(&params).unwrap();
    let stream_type = playback.stream_type().clone();
    let (mut cursor, mut all) = (Cursor::default(), Vec::new());
    let mut payload = vec![0; stream_type.block_bytes()];
    while let Some(filled) = playback.fill(&mut cursor, &mut payload, 100).unwrap() {
        assert_eq!(
            filled.first_frame * stream_type.row_bytes() as u64,
            all.len() as u64
        );
        all.extend(&payload[..filled.valid as usize * stream_type.row_bytes()]);
    }
    (stream_type, all)
}

fn python(script: &str, files: [&Path; 2]) -> Option<String> {
    let python = std::env::var_os("EPHAPSE_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .args(["-c", script])
        .args(files)
        .output()
        .ok()?;
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("No module named"), "{error}");
    println!("SKIPPED: {}", error.lines().last().unwrap_or_default());
    None
}

#[test]
fn a_vendors_recording_comes_back_out_of_a_live_graph_with_the_same_samples() {
    let recording = Path::new(RECORDING);
    if !recording.exists() {
        println!("SKIPPED: {RECORDING}: no such recording");
        return;
    }
    let _turn = alone();
    let place = Place::new();
    let graph = format!(
        r#"
name = "round"
timer = {{ period_ns = 1_000_000, cpu = 0 }}
[defaults]
policy = "other"
[stage]
source = {{ use = "acquire.mcs_h5", params = {{ path = "{RECORDING}", block_frames = 80, speed = 4.0 }}, out = {{ frames = "raw" }} }}
band = {{ use = "filter.bandpass", params = {{ low_hz = 300.0, high_hz = 3000.0 }}, in = {{ frames = "raw" }}, out = {{ frames = "filtered" }} }}
detect = {{ use = "detect.threshold", in = {{ frames = "filtered" }}, out = {{ spikes = "spikes" }} }}
[stream]
raw = {{ slots = 1024 }}
"#
    );
    place.write("round.toml", &graph);
    place.run_session(&["run", "round.toml"], 60).expect(0);
    let report = crate::finished::Report::read(&place.report());
    let capture = report.0["capture"]["path"].as_str().unwrap();
    let out = place.path().join("out.h5");
    place
        .run(&[
            "export",
            capture,
            "--to",
            "h5",
            "--stream",
            "raw",
            "--out",
            out.to_str().unwrap(),
        ])
        .expect(0);
    let (there, back) = (samples(recording), samples(&out));
    assert_eq!(there.0.scale, back.0.scale);
    assert_eq!(there.0.offset, back.0.offset);
    assert!(!there.1.is_empty() && there.1 == back.1, "other samples");
    if let Some(seen) = python(H5PY, [recording, &out]) {
        assert_eq!(seen, "True True 8");
        println!("h5py: {seen}");
    }
    if let Some(seen) = python(VENDOR, [recording, &out]) {
        assert_eq!(seen, "True 8");
        println!("McsPyDataTools: {seen}");
    }
    place.expect_nothing_left();
}
