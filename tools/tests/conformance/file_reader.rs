//! The helper that reads a file for a built-in source, in the same storm.

use crate::storm::{GUSTS, Storm};
use ephapse_driven::{Driven, Wanted};
use ephapse_drivers::acquire::binary::BinaryReader;
use ephapse_engine::abi::stage_state;
use ephapse_engine::stage::Stage;
use ephapse_rtconfig::plan::Pace;
use serde_json::json;
use std::process::Command;

#[test]
fn a_storm_of_signals_costs_the_file_reader_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let written: Vec<u8> = (0..800_000_u32)
        .flat_map(|n| (n as i16).to_le_bytes())
        .collect();
    std::fs::write(&path, &written).unwrap();
    // 10,000 blocks.
    let params = json!({ "path": path, "format": "i16le,4ch,10000Hz", "block_frames": 20 });
    let own = serde_json::from_value(params.clone()).unwrap();
    let described = BinaryReader::describe(&own, &[]).unwrap();
    let wanted = Wanted {
        kind: BinaryReader::KIND,
        params,
        outputs: vec![("helped", described.outputs[0].1.clone())],
        pace: Pace::None,
        state_bytes: described.state_bytes,
        ..Wanted::default()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_ephapse"));
    command.arg("helper");
    let mut stage = Driven::spawn(command, &wanted);
    let mut storm = Storm::on(&stage);
    let mut read = Vec::new();
    stage.until("it is ready", |stage| {
        storm.gust();
        stage.state() == stage_state::READY
    });
    stage.give_start();
    while let Some(block) = stage.take(0) {
        read.extend(block.payload);
        storm.gust();
    }
    assert!(storm.gusts >= GUSTS);
    let ended = stage.wait();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert!(read == written, "{} of {} bytes", read.len(), written.len());
}
