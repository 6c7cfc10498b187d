//! The HDF5 layout of Multi Channel Systems (protocol `RawData`, version 3), with what the vendor's own Python library
//! (McsPyDataTools 0.4) and SpikeInterface ask of it: version attributes, an `InfoChannel` row per channel, a row of
//! `ChannelDataTimeStamps` per contiguous piece.
//!
//! All times are whole microseconds, counted from the stream's frame 0. A rate is a whole number of microseconds per sample,
//! so 30 kHz has no place here. Values are `(stored - ADZero) * ConversionFactor * 10^Exponent`.

mod analog;
mod attributes;
mod info;
mod times;

use super::{ExportError, Stretch};
use analog::Analog;
use attributes::{long, number, text};
use ephapse_rtconfig::stream_type::{Kind, Rate, StreamType};
use hdf5::{File, Group};
use std::path::{Path, PathBuf};
use times::Times;

/// Where the samples of a file were recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McsHeader {
    /// Comment.
    pub comment: String,
    /// Name of the culture or the electrode array.
    pub mea_name: String,
    /// Layout of the electrode array, as `60MEA`; may be empty.
    pub mea_layout: String,
    /// When, as a person writes it.
    pub date: String,
    /// When, CLOCK_REALTIME, ns.
    pub realtime_ns: u64,
    /// Names the file; the streams' names follow from it.
    pub guid: u128,
}

/// A file in this layout being written: one recording with any number of streams.
pub struct McsFile {
    path: PathBuf,
    guid: u128,
    file: File,
    recording: Group,
    streams: Vec<Written>,
    duration_us: i64,
}

/// A stream of the file.
enum Written {
    Analog(Analog),
    Times(Times),
}

/// The year 1970 in ticks of 100 ns since year 1.
const EPOCH_TICKS: u64 = 621_355_968_000_000_000;

/// Makes an HDF5 file that caches nothing: chunks are written when they are full.
pub(super) fn create(path: &Path) -> hdf5::Result<File> {
    File::with_options()
        .with_fapl(|access| access.chunk_cache(1, 0, 1.0))
        .create(path)
}

impl McsFile {
    /// Makes the file, with a recording of no streams.
    ///
    /// # Errors
    /// `Write`.
    pub fn create(path: &Path, header: &McsHeader) -> Result<Self, ExportError> {
        let begun = begin(path, header).map_err(|error| ExportError::write(path, &error))?;
        Ok(McsFile {
            path: path.to_owned(),
            guid: header.guid,
            file: begun.0,
            recording: begun.1,
            streams: Vec::new(),
            duration_us: 0,
        })
    }

    /// Adds a stream, named `label` in the file, and returns its number for [`McsFile::stretch`].
    ///
    /// # Errors
    /// `Format` for what [`fits`] refuses; `Write`.
    pub fn add(
        &mut self,
        stream: &str,
        label: &str,
        stream_type: &StreamType,
    ) -> Result<usize, ExportError> {
        let tick_us = fits(stream, stream_type)?;
        let guid = guid_text(self.guid + 1 + self.streams.len() as u128);
        let made = if stream_type.kind == Kind::Frames {
            let number = self.count(|w| matches!(w, Written::Analog(_)));
            Analog::create(&self.recording, number, label, &guid, stream_type, tick_us)
                .map(Written::Analog)
        } else {
            let layout = times::Layout::of(stream_type);
            let number = self.count(|w| matches!(w, Written::Times(t) if t.is_like(layout)));
            Times::create(&self.recording, number, label, &guid, stream_type, tick_us)
                .map(Written::Times)
        };
        self.streams
            .push(made.map_err(|e| ExportError::write(&self.path, &e))?);
        Ok(self.streams.len() - 1)
    }

    fn count(&self, like: impl Fn(&Written) -> bool) -> usize {
        self.streams.iter().filter(|stream| like(stream)).count()
    }

    /// Appends to the stream of that number.
    ///
    /// # Errors
    /// `Write`.
    pub fn stretch(&mut self, stream: usize, stretch: &Stretch<'_>) -> Result<(), ExportError> {
        let written = match self.streams.get_mut(stream) {
            Some(Written::Analog(analog)) => analog.push(stretch),
            Some(Written::Times(times)) => times.push(stretch),
            None => Err(hdf5::Error::from(format!("there is no stream {stream}"))),
        };
        let end_us = written.map_err(|error| ExportError::write(&self.path, &error))?;
        self.duration_us = self.duration_us.max(end_us);
        Ok(())
    }

    /// Writes what is left and closes the file; returns the samples per channel (the records) of each stream.
    ///
    /// # Errors
    /// `Write`.
    pub fn finish(mut self) -> Result<Vec<u64>, ExportError> {
        let mut rows = Vec::with_capacity(self.streams.len());
        let mut finish = || {
            for stream in &mut self.streams {
                rows.push(match stream {
                    Written::Analog(analog) => analog.finish()?,
                    Written::Times(times) => times.finish()?,
                });
            }
            long(&self.recording, "Duration", self.duration_us)?;
            self.file.flush()
        };
        finish().map_err(|error| ExportError::write(&self.path, &error))?;
        Ok(rows)
    }
}

/// The stream's sample interval in whole microseconds.
///
/// # Errors
/// `Format`: the layout has no place for the stream; says why and what has.
pub fn fits(stream: &str, stream_type: &StreamType) -> Result<i64, ExportError> {
    let refuse = |why: String, instead| Err(ExportError::format(stream, why, instead));
    if stream_type.kind == Kind::Frames && stream_type.axes.len() > 2 {
        let axes: Vec<&str> = stream_type.axes.iter().map(|a| a.name.as_str()).collect();
        let why = format!(
            "the MCS layout is channel x sample, and its axes are {}",
            axes.join(" x ")
        );
        return refuse(why, "--to npy or --to csv");
    }
    if stream_type.kind != Kind::Frames && times::Layout::of(stream_type).is_none() {
        let why = format!(
            "the MCS layout has places for samples, spikes, events and marks, and this is {}",
            stream_type.summary()
        );
        return refuse(why, "--to npy or --to csv");
    }
    let instead = if stream_type.kind == Kind::Frames {
        "--to h5-plain, npy or csv"
    } else {
        "--to npy or csv"
    };
    let Rate {
        numerator,
        denominator,
    } = stream_type.rate;
    let interval_us = 1_000_000_u128 * u128::from(denominator);
    if numerator == 0 {
        return refuse(
            "the MCS layout needs a rate, and this stream has none".into(),
            instead,
        );
    }
    if !interval_us.is_multiple_of(u128::from(numerator)) {
        let why = format!(
            "it has {} Hz, and the MCS layout's Tick is a whole number of microseconds per sample, not {:.4}",
            stream_type.rate.as_f64(),
            interval_us as f64 / numerator as f64
        );
        return refuse(why, instead);
    }
    if stream_type.kind == Kind::Frames {
        for channel in 0..stream_type.elements_per_frame() {
            if let Err(why) = info::conversion(stream_type, channel) {
                return refuse(why, instead);
            }
        }
    }
    i64::try_from(interval_us / u128::from(numerator)).or_else(|_| {
        refuse(
            "its sample interval is longer than the MCS layout can say".into(),
            instead,
        )
    })
}

fn begin(path: &Path, header: &McsHeader) -> hdf5::Result<(File, Group)> {
    let file = create(path)?;
    text(&file, "McsHdf5ProtocolType", "RawData")?;
    number(&file, "McsHdf5ProtocolVersion", 3)?;
    text(&file, "GeneratingApplicationName", "ephapse")?;
    text(
        &file,
        "GeneratingApplicationVersion",
        env!("CARGO_PKG_VERSION"),
    )?;
    text(&file, "McsDataToolsVersion", "0")?;

    let data = file.create_group("Data")?;
    text(&data, "ProgramName", "ephapse")?;
    text(&data, "ProgramVersion", env!("CARGO_PKG_VERSION"))?;
    text(&data, "MeaName", &header.mea_name)?;
    text(&data, "MeaLayout", &header.mea_layout)?;
    text(&data, "MeaSN", "")?;
    text(&data, "Comment", &header.comment)?;
    text(&data, "Date", &header.date)?;
    let ticks = EPOCH_TICKS + header.realtime_ns / 100;
    long(
        &data,
        "DateInTicks",
        i64::try_from(ticks).unwrap_or(i64::MAX),
    )?;
    text(&data, "FileGUID", &guid_text(header.guid))?;

    let recording = data.create_group("Recording_0")?;
    number(&recording, "RecordingID", 0)?;
    text(&recording, "RecordingType", "")?;
    long(&recording, "TimeStamp", 0)?;
    text(&recording, "Label", "")?;
    text(&recording, "Comment", "")?;
    Ok((file, recording))
}

/// The attributes that every stream has.
fn describe(
    group: &Group,
    label: &str,
    stream_type: &str,
    sub_type: &str,
    guid: &str,
) -> hdf5::Result<()> {
    number(group, "StreamInfoVersion", 1)?;
    text(group, "Label", label)?;
    text(group, "StreamType", stream_type)?;
    text(group, "DataSubType", sub_type)?;
    text(group, "SourceStreamGUID", &guid_text(0))?;
    text(group, "StreamGUID", guid)
}

/// The group `kind/Stream_number` of a recording.
fn stream_group(recording: &Group, kind: &str, number: usize) -> hdf5::Result<Group> {
    let streams = if recording.link_exists(kind) {
        recording.group(kind)?
    } else {
        recording.create_group(kind)?
    };
    streams.create_group(&format!("Stream_{number}"))
}

fn guid_text(guid: u128) -> String {
    let digits = format!("{guid:032x}");
    let (parts, at) = ([8, 4, 4, 4, 12], &mut 0);
    let parts = parts.iter().map(|length| {
        let part = &digits[*at..*at + length];
        *at += length;
        part
    });
    parts.collect::<Vec<_>>().join("-")
}
