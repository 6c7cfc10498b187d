//! `stimulate.log` and its writer: what is in the file, when, and exactly once.

use ephapse_drivers::stimulate::{
    Handed, Log, LogFile, LogParams, LogSwitch, LogWriter, Null, NullState, Refusal, WriterState,
    handed_layout,
};
use ephapse_engine::guard::{Off, OffSwitch};
use ephapse_engine::records::Command;
use ephapse_engine::stage::{HelperDirection, Stage};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType, command_layout, event_layout};
use serde_json::{Value, json};
use std::path::Path;

fn command(last_frame: u64) -> Handed {
    Handed::asked(given(last_frame), None)
}

fn given(last_frame: u64) -> Command {
    Command {
        tick: 1 + last_frame / 20,
        last_frame,
        values: [8.0, 0.0, 0.0, 0.0],
        ..Command::default()
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn lines_are_in_the_file_when_the_block_is_done_and_an_old_log_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "a log of an earlier run\n".repeat(100)).unwrap();
    let mut log = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    log.write(&mut state, &[], None).unwrap();
    assert_eq!(
        lines(&path).len(),
        0,
        "the first block of a run empties the file"
    );
    log.write(&mut state, &[command(19), command(39)], None)
        .unwrap();
    let written = lines(&path);
    assert_eq!(written[1]["last_frame"], 39);
    assert_eq!(written[1]["value"], 8.0);
    assert_eq!((written.len(), state.commands), (2, 2));
}

#[test]
fn a_writer_killed_in_the_middle_of_a_block_and_started_again_writes_every_command_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    log.write(&mut state, &[command(19)], None).unwrap();
    // Its second block reaches the file, but the writer dies before its state does.
    log.write(&mut state.clone(), &[command(39), command(59)], None)
        .unwrap();
    drop(log);
    let mut log = LogFile::open(&path).unwrap();
    log.write(&mut state, &[command(39), command(59)], None)
        .unwrap();
    log.write(&mut state, &[command(79)], None).unwrap();
    let frames: Vec<u64> = lines(&path)
        .iter()
        .map(|l| l["last_frame"].as_u64().unwrap())
        .collect();
    assert_eq!(frames, [19, 39, 59, 79]);
}

fn commands() -> StreamType {
    StreamType::records(command_layout(), 16)
}

fn describe(path: &Path) -> Result<ephapse_engine::stage::Described, String> {
    let params = serde_json::from_value(json!({"path": path})).unwrap();
    Log::describe(&params, &[("commands", &commands())]).map_err(|e| e.to_string())
}

#[test]
fn the_log_asks_for_a_writer_behind_it_and_checking_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let described = describe(&path).unwrap();
    let helper = &described.helpers[0];
    assert_eq!(
        (helper.kind.as_str(), helper.port.as_str()),
        (LogWriter::KIND, "log")
    );
    assert_eq!(helper.direction, HelperDirection::Drains);
    // A block of commands, and beside it one of the interlock's own for each target.
    let handed = StreamType::records(handed_layout(), 16 + 16);
    assert_eq!(described.outputs[0], ("log".to_owned(), handed));
    assert_eq!(described.guard.as_deref(), Some(LogSwitch::KIND));
    assert!(!path.exists());
    std::fs::write(&path, "kept").unwrap();
    describe(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
}

#[test]
fn a_path_that_cannot_be_written_is_refused_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error = describe(&nowhere.join("log.jsonl")).unwrap_err();
    assert!(
        error.starts_with(&format!("{}: no such folder", nowhere.display())),
        "{error}"
    );
    let error = describe(folder.path()).unwrap_err();
    assert!(error.contains("is a directory"), "{error}");
    let error = describe(Path::new("/proc/log.jsonl")).unwrap_err();
    assert!(error.starts_with("/proc: "), "{error}");
}

#[test]
fn what_carries_no_commands_is_refused_by_port() {
    let params = || serde_json::from_value(json!({})).unwrap();
    let frames = StreamType::frames(Dtype::F64, 1, 60, Rate::hz(100), "Hz");
    let events = StreamType::records(event_layout(), 16);
    for wrong in [&frames, &events] {
        let error = Null::describe(&params(), &[("commands", wrong)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`commands`") && error.contains(&wrong.summary()),
            "{error}"
        );
    }
    let error = Null::describe(&params(), &[]).unwrap_err().to_string();
    assert!(error.contains("not connected"), "{error}");
}

#[test]
fn null_counts_blocks_and_commands() {
    let mut state = NullState::default();
    for commands in [0, 2, 0, 1] {
        state.count(commands);
    }
    assert_eq!(
        state,
        NullState {
            blocks: 4,
            commands: 3
        }
    );
}

fn switch(path: &Path) -> LogSwitch {
    let params: LogParams = serde_json::from_value(json!({"path": path})).unwrap();
    LogSwitch::open(params).unwrap()
}

const OFF: Off<'static> = Off {
    why: "the launcher is gone",
    tick: 77,
};

#[test]
fn a_guard_sees_what_stands_and_switches_it_off_beside_a_writer_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    let mut guard = switch(&path);
    assert!(guard.is_off().unwrap());
    log.write(&mut state, &[command(19)], None).unwrap();
    assert!(!guard.is_off().unwrap());
    guard.switch_off(&OFF).unwrap();
    assert!(guard.is_off().unwrap());
    // A call that was under way: the guard sees it, and is not content.
    log.write(&mut state, &[command(39)], None).unwrap();
    assert!(!guard.is_off().unwrap());
    guard.switch_off(&OFF).unwrap();
    // What is refused, also late, switches nothing on; what is 0 switches off.
    let refused = Handed::asked(given(59), Some(Refusal::Held));
    log.write(&mut state, &[refused], None).unwrap();
    log.write(&mut state, &[command(79)], Some(Refusal::Off))
        .unwrap();
    assert!(guard.is_off().unwrap());
    let written = lines(&path);
    let offs: Vec<usize> = (0..written.len())
        .filter(|at| written[*at].get("off").is_some())
        .collect();
    assert_eq!((offs, written.len()), (vec![1, 3], 6));
    assert_eq!(
        written[1],
        json!({"off": "the launcher is gone", "tick": 77})
    );
    assert_eq!(
        (&written[4]["refused"], &written[5]["refused"]),
        (&json!("held"), &json!("off"))
    );
}

#[test]
fn switching_off_is_never_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    let zero = Handed::asked(
        Command {
            values: [0.0; 4],
            ..given(19)
        },
        None,
    );
    log.write(&mut state, &[zero], Some(Refusal::Off)).unwrap();
    assert!(lines(&path)[0].get("refused").is_none());
}

#[test]
fn what_a_guard_wrote_survives_the_restart_of_the_writer_and_half_a_block_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut log = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    log.write(&mut state, &[command(19)], None).unwrap();
    log.write(&mut state.clone(), &[command(39)], None).unwrap();
    switch(&path).switch_off(&OFF).unwrap();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"off\":\"half"))
        .unwrap();
    drop(log);
    let mut log = LogFile::open(&path).unwrap();
    log.write(&mut state, &[command(39)], None).unwrap();
    let written = lines(&path);
    let frames: Vec<Option<u64>> = written.iter().map(|l| l["last_frame"].as_u64()).collect();
    assert_eq!(frames, [Some(19), None, Some(39)]);
    assert_eq!(written[1]["tick"], 77);
}

#[test]
fn a_guard_is_not_fooled_by_the_log_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let mut earlier = LogFile::open(&path).unwrap();
    let mut state = WriterState::default();
    earlier
        .write(&mut state, &[command(19), command(39)], None)
        .unwrap();
    let mut guard = switch(&path);
    assert!(
        !guard.is_off().unwrap(),
        "the earlier run left something on"
    );
    let mut log = LogFile::open(&path).unwrap();
    log.write(&mut WriterState::default(), &[], None).unwrap();
    assert!(guard.is_off().unwrap(), "this run has begun with nothing");
}
