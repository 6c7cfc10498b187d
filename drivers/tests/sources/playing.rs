//! Plays a recording to its end, as the helper does, and gathers what came out.

use ephapse_drivers::acquire::file_source::{FileFormat, open_playback};
use ephapse_drivers::acquire::playback::{Cursor, Filled, Playback};
use serde_json::Value;
use std::path::{Path, PathBuf};
use zerocopy::FromBytes;

/// A file of the shared data, or `None` with a visible notice.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {name} of the shared data is not here");
    None
}

/// Reference values beside a shared file.
pub fn reference(file: &Path) -> Value {
    let mut path = file.as_os_str().to_owned();
    path.push(".ref.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Opens a source with parameters given as JSON.
pub fn open<F: FileFormat>(params: Value) -> Playback {
    open_playback::<F>(&serde_json::from_value(params).unwrap()).unwrap()
}

/// The one-line error of a source that refuses these parameters.
pub fn refusal<F: FileFormat>(params: Value) -> String {
    let error = open_playback::<F>(&serde_json::from_value(params).unwrap())
        .err()
        .expect("should be refused")
        .to_string();
    assert!(!error.contains('\n'), "more than one line: {error}");
    error
}

/// What came out of a source.
#[derive(Debug, PartialEq)]
pub struct Played<T> {
    /// All valid samples, frame after frame.
    pub samples: Vec<T>,
    /// Every block's account.
    pub blocks: Vec<Filled>,
}

/// Plays at most `most` blocks.
pub fn play<T: FromBytes + Copy>(playback: &mut Playback, most: usize) -> Played<T> {
    let stream_type = playback.stream_type().clone();
    let mut payload = vec![0xa5; stream_type.block_bytes()];
    let mut played = Played {
        samples: Vec::new(),
        blocks: Vec::new(),
    };
    let mut cursor = Cursor::default();
    while played.blocks.len() < most {
        let room = stream_type.frames_per_block() as usize;
        let Some(filled) = playback.fill(&mut cursor, &mut payload, room).unwrap() else {
            break;
        };
        let valid = &payload[..filled.valid as usize * stream_type.row_bytes()];
        let numbers = valid.chunks_exact(size_of::<T>());
        played
            .samples
            .extend(numbers.map(|n| T::read_from_bytes(n).unwrap()));
        played.blocks.push(filled);
    }
    played
}

/// Sums per channel.
pub fn sums<T: Copy + Into<f64>>(samples: &[T], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for frame in samples.chunks_exact(channels) {
        for (sum, sample) in sums.iter_mut().zip(frame) {
            *sum += (*sample).into();
        }
    }
    sums
}

/// A JSON array of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}
