//! What the electrodes of the twin pick up.

use std::path::{Path, PathBuf};

/// Channels of a signal.
pub(super) const CHANNELS: usize = 16;

/// Microvolts at the electrodes, one row per frame.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// Played from the first at every start, again and again; empty: made up.
    rows: Vec<[f64; CHANNELS]>,
}

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({error})", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line is no row.
    #[error("{}:{line}: `{text}` is no row of a sample number and at least 8 values in uV, as OpenBCI's software writes them", path.display())]
    Row {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// There is no row.
    #[error("{}: holds no sample", path.display())]
    Empty {
        /// File.
        path: PathBuf,
    },
}

impl Signal {
    /// An EEG that is made up: 10 Hz of 20 uV for five seconds of ten, mains, noise; the same every time.
    pub fn made_up() -> Self {
        Signal::default()
    }

    /// Rows of microvolts; channels that a row lacks are at rest.
    pub fn of_rows(rows: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let rows = rows
            .into_iter()
            .map(|row| core::array::from_fn(|channel| row.get(channel).copied().unwrap_or(0.0)));
        Signal {
            rows: rows.collect(),
        }
    }

    /// A text recording of OpenBCI's software: after lines that begin with `%`, and the line of column names, a sample number
    /// and microvolts, with commas between. `channels` columns are taken.
    ///
    /// # Errors
    /// The file, and the line that is no row.
    pub fn from_recording(path: &Path, channels: usize) -> Result<Self, RecordingError> {
        let text = std::fs::read_to_string(path).map_err(|error| RecordingError::Io {
            path: path.to_owned(),
            error,
        })?;
        let mut rows = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let named = text.starts_with("Sample Index");
            if text.starts_with('%') || text.trim().is_empty() || named {
                continue;
            }
            let columns = text.split(',').skip(1).take(channels);
            let row: Result<Vec<f64>, _> = columns.map(|c| c.trim().parse()).collect();
            match row {
                Ok(row) if row.len() >= 8 => rows.push(row),
                _ => {
                    return Err(RecordingError::Row {
                        path: path.to_owned(),
                        line,
                        text: text.chars().take(40).collect(),
                    });
                }
            }
        }
        if rows.is_empty() {
            let path = path.to_owned();
            return Err(RecordingError::Empty { path });
        }
        Ok(Signal::of_rows(rows))
    }

    /// Microvolts on a channel at frame `frame` since the start, `seconds` after it.
    pub(super) fn uv(&self, frame: u64, seconds: f64, channel: usize) -> f64 {
        if !self.rows.is_empty() {
            return self.rows[(frame % self.rows.len() as u64) as usize][channel];
        }
        let eyes_closed = seconds % 10.0 >= 5.0;
        let turns = core::f64::consts::TAU * seconds;
        let alpha = if eyes_closed {
            20.0 * (turns * 10.0 + channel as f64 * 0.2).sin()
        } else {
            0.0
        };
        let mains = 2.0 * (turns * 50.0).sin();
        let noise = 6.0 * (hash(frame * CHANNELS as u64 + channel as u64) - 0.5);
        alpha + mains + noise
    }
}

/// A number in [0, 1) for every `i`, the same every time.
pub(super) fn hash(i: u64) -> f64 {
    let mut x = i.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) as f64 / 2f64.powi(64)
}
