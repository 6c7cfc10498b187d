//! The demo's recording in the hands of other software.
//!
//! One test, alone in its process: HDF5 holds a lock on a file it writes, and a child process started by another thread
//! meanwhile would inherit it.
#![cfg(feature = "hdf5")]

#[path = "sources/made.rs"]
mod made;

use ephapse_drivers::demo_recording::write_demo_recording;
use made::source;
use std::path::Path;
use std::process::Command;

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
    let output = Command::new("python3")
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

#[test]
fn h5py_and_the_vendors_own_library_read_the_demo_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.h5");
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
