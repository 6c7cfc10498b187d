//! The demo's recording is a file like any other.

use crate::made::source;
use crate::playing::{open, play};
use ephapse_drivers::acquire::mcs_h5::McsH5;
use ephapse_drivers::acquire::synthetic::Generator;
use ephapse_drivers::demo_recording::{demo_params, write_demo_recording};
use serde_json::json;

#[test]
fn the_demo_recording_plays_as_the_synthetic_source_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.h5");
    let written = write_demo_recording(&path, 7, 1.23).unwrap();
    assert_eq!((written.channels, written.frames), (60, 24_600));
    let mut playback = open::<McsH5>(json!({"path": path, "stream": "Electrode Raw Data"}));
    let of_source = Generator::new(&demo_params(7, 1.23))
        .unwrap()
        .stream_type()
        .clone();
    let of_file = playback.stream_type();
    assert_eq!(of_file.axes[1], of_source.axes[1]);
    assert_eq!(
        (&of_file.scale, of_file.rate),
        (&of_source.scale, of_source.rate)
    );
    assert!(play::<i32>(&mut playback, usize::MAX).samples == source(7, 1.23));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing unfinished stays behind");
}

#[test]
fn a_recording_that_cannot_be_written_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/demo.h5");
    let error = write_demo_recording(&path, 7, 0.1).unwrap_err().to_string();
    assert!(
        error.contains("nowhere/demo.h5: cannot be written") && !error.contains('\n'),
        "{error}"
    );
    let occupied = folder.path().join("folder.h5");
    std::fs::create_dir(&occupied).unwrap();
    write_demo_recording(&occupied, 7, 0.1).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
