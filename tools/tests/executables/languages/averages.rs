//! The same stage in three languages, in the demo between stages of ours.

use super::compiled::{How, compiled};
use super::own_stages::{command_of, lay_out, lay_out_seen, read_seen};
use super::{LIBRARY, PACKAGE, interpreter};
use crate::finished::Report;
use crate::place::Place;
use crate::turns::shared;
use std::fs;
use std::path::Path;

/// The manifest of an example, under the one name that graph and stage know and with its command replaced.
fn manifest(example: &str, command: &str) -> String {
    let text = fs::read_to_string(example).unwrap();
    let lines = text.lines().map(|line| match line.split(' ').next() {
        Some("name") => "name = \"example.channel_average\"",
        Some("command") => command,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Plays the demo, or a recording, with the module's average behind its filters, and computes it again from its capture: the
/// stimulation log, and what the stage has published.
fn played(place: &Place, recording: Option<&Path>) -> (String, String) {
    lay_out_seen(place);
    let seen = place.path().join("seen");
    let sets = [
        format!("modules.path=[{:?}]", place.path().display()),
        "stage.average={ use = \"example.channel_average\", params = { width = 5 }, in = { frames = { from = \"filtered\", cast = \"f64\" } }, out = { mean = \"mean\" } }".into(),
        "stage.detect.in.frames=\"mean\"".into(),
        format!("stage.seen={{ use = \"test.seen\", params = {{ path = {:?} }}, in = {{ in = \"mean\" }} }}", seen.display()),
    ];
    let mut arguments = vec!["demo", "--unpaced", "--duration", "4s"];
    if let Some(recording) = recording {
        arguments.extend(["--recording", recording.to_str().unwrap()]);
    }
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    let mut command = place.session_command(&arguments);
    interpreter::give_to(&mut command);
    place.finish(command, 120).expect(0);
    place.expect_nothing_left();
    // Computed again from the recording, whatever it is written in.
    let report = Report::read(&place.report());
    assert_eq!(
        report.0["replay"]["identical"], true,
        "{}",
        report.0["replay"]
    );
    let log = fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
    (log, fs::read_to_string(seen).unwrap())
}

#[test]
fn the_channel_average_in_rust_c_and_python_gives_the_same_blocks_and_stimulation_and_replays() {
    let _turn = shared();
    let in_rust = Place::new();
    let example = format!("{LIBRARY}/examples/channel_average/stage.toml");
    lay_out(
        &in_rust,
        "average",
        &manifest(
            &example,
            &command_of("languages::own_stages::channel_average"),
        ),
        &[],
    );
    let expected = played(&in_rust, None);
    assert!(!expected.0.is_empty(), "there is nothing to compare");
    let (stream_type, blocks) = read_seen(&in_rust.path().join("seen")).unwrap();
    assert_eq!((stream_type.channels(), blocks.len()), (60, 4_000));
    let recording = in_rust.report().join("demo-recording.h5");

    if let Some(program) = compiled("examples/channel_average/channel_average.c", How::Static) {
        let in_c = Place::new();
        let command = format!("command = [{:?}]", program.program.display());
        lay_out(&in_c, "average", &manifest(&example, &command), &[]);
        let (log, blocks) = played(&in_c, Some(&recording));
        assert!(blocks == expected.1, "other blocks than in Rust");
        assert!(log == expected.0, "other stimulation than in Rust");
    }
    if interpreter::command().is_some() {
        let in_python = Place::new();
        let example = format!("{PACKAGE}/examples/channel_average");
        let source = fs::read_to_string(format!("{example}/channel_average.py")).unwrap();
        let command = "command = [\"python3\", \"channel_average.py\"]";
        lay_out(
            &in_python,
            "average",
            &manifest(&format!("{example}/stage.toml"), command),
            &[("channel_average.py", &source)],
        );
        let (log, blocks) = played(&in_python, Some(&recording));
        assert!(blocks == expected.1, "other blocks than in Rust");
        assert!(log == expected.0, "other stimulation than in Rust");
    }
}
