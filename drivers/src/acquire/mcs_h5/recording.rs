//! One analog stream of an MCS file as a recording.

use super::info_channel::{self, Channel};
use super::select;
use crate::acquire::hdf5_file::{Matrix, one_line, open};
use crate::acquire::recording::Recording;
use crate::acquire::timeline::Segment;
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::si_unit;
use ephapse_rtconfig::stream_type::{Rate, StreamType};
use hdf5::Dataset;
use std::path::Path;

/// An analog stream, open.
pub(super) struct McsRecording {
    matrix: Matrix,
    channels: Vec<Channel>,
    rows: Vec<usize>,
    segments: Vec<Segment>,
}

impl McsRecording {
    /// Opens the stream that `stream` names (default: the raw electrode stream).
    ///
    /// # Errors
    /// `Resource` for a file that cannot be played, `Parameter` for a stream that is not there.
    pub(super) fn open(path: &Path, stream: Option<&str>) -> Result<Self, StageError> {
        let file = open(path)?;
        let picked = select::find(&file, path, stream)?;
        let refuse = |why: String| {
            StageError::resource(
                path.display().to_string(),
                format!("{}: {why}", picked.place),
            )
        };
        let dataset = |name: &str| {
            picked
                .group
                .dataset(name)
                .map_err(|error| refuse(format!("has no readable {name} ({})", one_line(&error))))
        };
        let matrix = Matrix::new(dataset("ChannelData")?, path)?;
        let channels = info_channel::read(&dataset("InfoChannel")?)
            .map_err(|why| refuse(format!("InfoChannel {why}")))?;
        check(&channels, matrix.rows()).map_err(&refuse)?;
        let segments = if picked.group.link_exists("ChannelDataTimeStamps") {
            segments(
                &dataset("ChannelDataTimeStamps")?,
                channels[0].tick_us,
                matrix.columns(),
            )
            .map_err(|why| refuse(format!("ChannelDataTimeStamps {why}")))?
        } else {
            vec![Segment {
                first_column: 0,
                frames: matrix.columns(),
                clock_frame: 0,
            }]
        };
        let rows = channels.iter().map(|c| c.row).collect();
        Ok(McsRecording {
            matrix,
            channels,
            rows,
            segments,
        })
    }
}

/// All channels of a stream are sampled together and stored in the matrix.
fn check(channels: &[Channel], rows: usize) -> Result<(), String> {
    let Some(first) = channels.first() else {
        return Err("InfoChannel lists no channel".to_owned());
    };
    if first.tick_us <= 0 {
        return Err(format!("InfoChannel gives a tick of {} us", first.tick_us));
    }
    for channel in channels {
        if channel.row >= rows {
            return Err(format!(
                "channel {} stands in row {} of ChannelData, which has {rows} rows",
                channel.label, channel.row
            ));
        }
        if channel.tick_us != first.tick_us {
            return Err(format!(
                "channels {} and {} differ in rate (ticks of {} and {} us)",
                first.label, channel.label, first.tick_us, channel.tick_us
            ));
        }
        if channel.unit != first.unit {
            return Err(format!(
                "channels {} and {} differ in unit ({} and {})",
                first.label, channel.label, first.unit, channel.unit
            ));
        }
    }
    Ok(())
}

/// Rows are (time stamp of the first sample in us, first column, last column).
fn segments(dataset: &Dataset, tick_us: i64, columns: u64) -> Result<Vec<Segment>, String> {
    let shape = dataset.shape();
    if shape.len() != 2 || shape[1] != 3 {
        return Err(format!("is not a table of three columns but {shape:?}"));
    }
    let table = dataset
        .read_raw::<i64>()
        .map_err(|error| format!("cannot be read ({})", one_line(&error)))?;
    let mut next_column = 0;
    let mut segments = Vec::with_capacity(shape[0]);
    for row in table.chunks_exact(3) {
        let &[time_us, first, last] = row else {
            continue;
        };
        if first < next_column || last < first || last as u64 >= columns {
            return Err(format!(
                "has a piece of columns {first} to {last} that does not fit: ChannelData holds {columns}; the file may be cut off"
            ));
        }
        segments.push(Segment {
            first_column: first as u64,
            frames: (last - first) as u64 + 1,
            clock_frame: (time_us as f64 / tick_us as f64).round() as i64,
        });
        next_column = last + 1;
    }
    if segments.is_empty() {
        return Err("names no piece of data".to_owned());
    }
    Ok(segments)
}

impl Recording for McsRecording {
    fn stream_type(&self, frames_per_block: u32) -> StreamType {
        let channels = &self.channels;
        let mut stream_type = StreamType::frames(
            self.matrix.dtype(),
            frames_per_block,
            channels.len() as u32,
            Rate::new(1_000_000, channels[0].tick_us as u64),
            "count",
        );
        stream_type.axes[1].labels = channels.iter().map(|c| c.label.clone()).collect();
        let (prefix, unit) = si_unit::split(&channels[0].unit);
        let scaled = channels.iter().all(|c| c.conversion_factor != 0.0);
        // Digital streams have the unit NoUnit and a conversion factor of 0: bare numbers.
        if scaled && unit != "NoUnit" && unit.len() <= 15 {
            unit.clone_into(&mut stream_type.si_unit);
            stream_type.scale = channels
                .iter()
                .map(|c| si_unit::decimal(c.conversion_factor, c.exponent + prefix))
                .collect();
            stream_type.offset = channels
                .iter()
                .zip(&stream_type.scale)
                .map(|(c, scale)| 0.0 - c.ad_zero * scale)
                .collect();
        }
        stream_type
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn columns(&self) -> u64 {
        self.matrix.columns()
    }

    fn chunk_frames(&self) -> usize {
        self.matrix.chunk_frames()
    }

    fn read(&mut self, first: u64, frames: usize, rows: &mut [u8]) -> Result<(), StageError> {
        self.matrix.read_frames(&self.rows, first, frames, rows)
    }
}
