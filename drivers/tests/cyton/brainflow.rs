//! A client that was not written here: BrainFlow prepares a session with the twin, streams, and reads what went in.

use crate::boards::{params, rows, twin};
use ephapse_drivers::acquire::cyton::connection::{Connection, Event};
use ephapse_drivers::acquire::cyton::session::Session;
use ephapse_drivers::twin::cyton::Faults;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Prints packet number and channels of every frame of two seconds.
const CLIENT: &str = r#"
import json, sys, time
from brainflow.board_shim import BoardShim, BrainFlowInputParams, BoardIds
BoardShim.disable_board_logger()
params = BrainFlowInputParams()
params.serial_port = sys.argv[1]
kind = BoardIds.CYTON_DAISY_BOARD if sys.argv[2] == "16" else BoardIds.CYTON_BOARD
board = BoardShim(kind, params)
board.prepare_session()
board.start_stream()
time.sleep(2)
data = board.get_board_data()
board.stop_stream()
board.release_session()
number, eeg = BoardShim.get_package_num_channel(kind), BoardShim.get_eeg_channels(kind)
print(json.dumps([[float(data[c][k]) for c in [number] + eeg] for k in range(data.shape[1])]))
"#;

/// What BrainFlow reads; `None`, said aloud, where no Python has it.
fn read_by_brainflow(port: &Path, channels: usize) -> Option<Vec<Vec<f64>>> {
    let python = std::env::var_os("EPHAPSE_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60"]).arg(python);
    let output = command
        .args(["-c", CLIENT])
        .arg(port)
        .arg(channels.to_string())
        .output()
        .ok()?;
    if output.status.success() {
        return Some(serde_json::from_slice(&output.stdout).unwrap());
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("No module named"), "{error}");
    println!("SKIPPED: {}", error.lines().last().unwrap_or_default());
    None
}

/// What the driver reads of the same twin, by number of frame.
fn read_by_driver(port: &Path, daisy: bool, frames: usize) -> BTreeMap<usize, Vec<f64>> {
    let params = params(port, json!({ "daisy": daisy }));
    let session = Session::open(&params, Arc::new(AtomicBool::new(false))).unwrap();
    let connection = Connection::start(session, &params, None);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut read = BTreeMap::new();
    while read.keys().last().is_none_or(|last| *last < frames) {
        assert!(Instant::now() < deadline, "{} frames came", read.len());
        if let Some(Event::Frames(more)) = connection.next(Duration::from_millis(50)).unwrap() {
            let channels = params.channel_count();
            read.extend(
                more.iter()
                    .map(|f| (f.index as usize, f.eeg_uv[..channels].to_vec())),
            );
        }
    }
    read
}

fn both_read_the_same(daisy: bool) {
    let channels = if daisy { 16 } else { 8 };
    let twin = twin(daisy, Faults::default());
    let Some(theirs) = read_by_brainflow(twin.path(), channels) else {
        return;
    };
    assert!(theirs.len() > 20, "{} frames in 2 s", theirs.len());
    let injected = rows(5000, 16);
    let ours = read_by_driver(twin.path(), daisy, theirs.len());
    let packets = if daisy { 2 } else { 1 };
    let (mut frame, mut compared) = (0, 0);
    for theirs in &theirs {
        // A client that was held up for long has lost packets: their numbers say which these are.
        let step = (theirs[0] as usize + 256 - frame * packets % 256) % 256;
        frame += step / packets;
        // To the last bit.
        assert_eq!(theirs[1..9], injected[frame][..8], "frame {frame}");
        if let Some(ours) = ours.get(&frame) {
            assert_eq!(theirs[1..9], ours[..8], "frame {frame}");
            compared += 1;
        }
        // BrainFlow joins an odd packet with the Daisy's before it; OpenBCI's page, and the driver, with the one behind it.
        if daisy && frame > 0 {
            assert_eq!(theirs[9..], injected[frame - 1][8..], "frame {frame}");
            if let Some(ours) = ours.get(&(frame - 1)) {
                assert_eq!(theirs[9..], ours[8..], "frame {frame}");
            }
        }
    }
    assert!(compared > 20, "{compared} frames were read by both");
    println!(
        "BrainFlow: {} frames of {channels} channels as they went in, {compared} of them read by both",
        theirs.len()
    );
}

#[test]
fn brainflow_and_the_driver_read_the_microvolts_that_went_into_a_twin() {
    both_read_the_same(false);
}

#[test]
fn brainflow_and_the_driver_read_the_16_channels_that_went_into_a_twin() {
    both_read_the_same(true);
}
