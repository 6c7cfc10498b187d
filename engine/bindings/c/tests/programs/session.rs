//! A stage in C from its start to its end.

use ephapse_driven::{Driven, Ended};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::stage::Taken;
use ephapse_rtconfig::plan::Read;
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What a stage is run with.
pub struct Wanted<'a> {
    pub program: &'a Path,
    pub params: Value,
    /// Port and type of the input's ring.
    pub input: (&'a str, StreamType),
    /// Blocks on a second input, `beside`, of the same type, all there before the first activation. It is read whole.
    pub beside: &'a [(SlotHeader, Vec<u8>)],
    /// The type that the stage file says; the ring's if `None`.
    pub expects: Option<StreamType>,
    /// Port and type of the output's ring.
    pub output: (&'a str, StreamType),
    pub state_bytes: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything published.
    pub blocks: Vec<Taken>,
    pub ended: Ended,
}

/// Runs a stage, feeding it `blocks` once it is ready, then the end of its inputs.
pub fn run(wanted: &Wanted<'_>, blocks: &[(SlotHeader, Vec<u8>)]) -> Outcome {
    let mut inputs = vec![wanted.input.clone()];
    if !wanted.beside.is_empty() {
        inputs.push(("beside", wanted.input.1.clone()));
    }
    let mut stage = Driven::spawn(
        Command::new(wanted.program),
        &ephapse_driven::Wanted {
            params: wanted.params.clone(),
            inputs,
            outputs: vec![wanted.output.clone()],
            expects: wanted.expects.clone(),
            read: Read::All,
            // No test feeds more blocks than that.
            slots: 64,
            state_bytes: wanted.state_bytes,
            ..ephapse_driven::Wanted::default()
        },
    );
    for (header, payload) in wanted.beside {
        assert!(stage.offer(1, *header, payload));
    }
    if stage.becomes_ready() {
        stage.give_start();
    }
    for (header, payload) in blocks {
        assert!(stage.offer(0, *header, payload));
    }
    let ended = stage.finish();
    let blocks = std::iter::from_fn(|| stage.take_now(0)).collect();
    Outcome { blocks, ended }
}
