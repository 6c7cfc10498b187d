//! Recordings and SciPy references that live outside the project, if they are there.

use std::fs::{File, read};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Path of a file in the shared data folder; `None`, with a visible notice, if this machine does not have it.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not on this machine", path.display());
    None
}

/// An array of a reference file: its shape and its numbers, last axis contiguous.
pub fn array<T: npyz::Deserialize>(path: &Path) -> (Vec<usize>, Vec<T>) {
    let file = npyz::NpyFile::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let shape = file.shape().iter().map(|n| *n as usize).collect();
    (shape, file.into_vec().unwrap())
}

/// Numbers of a file of little-endian i16.
pub fn counts(path: &Path) -> Vec<i16> {
    read(path)
        .unwrap()
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect()
}

/// `column` of an array of `width` columns.
pub fn column(array: &[f64], width: usize, column: usize) -> Vec<f64> {
    array.iter().skip(column).step_by(width).copied().collect()
}

/// Channels and microvolts (`time x channel`) of the MCS recording.
pub fn mcs_microvolts() -> Option<(usize, Vec<f64>)> {
    let path = shared("mcs_h5/2014-02-27T08-30-03W8SpikeCutoutsAndTimestampsAndRawData.h5")?;
    let file = hdf5::File::open(path).unwrap();
    let data = file
        .dataset("Data/Recording_0/AnalogStream/Stream_0/ChannelData")
        .unwrap();
    let (channels, frames) = (data.shape()[0], data.shape()[1]);
    let raw: Vec<i32> = data.read_raw().unwrap();
    let gain = 381_469e-9 * 1e6;
    let microvolts = (0..frames)
        .flat_map(|i| (0..channels).map(move |c| (c, i)))
        .map(|(c, i)| f64::from(raw[c * frames + i]) * gain)
        .collect();
    Some((channels, microvolts))
}

/// Microvolts (`time x channel`) of the first `frames` frames of the eight channels of the OpenBCI recording.
pub fn openbci_microvolts(frames: usize) -> Option<Vec<f64>> {
    let path = shared("openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt")?;
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let numbers = lines.take(frames).flat_map(|line| {
        let fields = line.split(',').skip(1).take(8);
        fields
            .map(|f| f.trim().parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    });
    Some(numbers.collect())
}
