//! One stream of a capture as a recording.

use crate::acquire::file::open_regular;
use crate::acquire::recording::Recording;
use crate::acquire::timeline::Segment;
use ephapse_engine::abi::flag;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{Capture, CaptureError, Cursor, Item, Place};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::describe::Role;
use ephapse_rtconfig::problem::suggest;
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use std::path::Path;

/// Frames between two places that are remembered.
const PLACE_EVERY: u64 = 8192;
/// Frames that are cheap to read at once.
const CHUNK_FRAMES: usize = 2000;

/// A stream, open.
pub(super) struct CapturedStream {
    capture: Capture,
    stream: u32,
    stream_type: StreamType,
    segments: Vec<Segment>,
    columns: u64,
    places: Vec<Known>,
    reading: Reading,
}

/// A record whose place is remembered.
#[derive(Clone, Copy)]
struct Known {
    first_column: u64,
    /// Position behind the last block before it.
    next_position: u64,
    place: Place,
}

/// Where the file is being read, and the rows of the newest block.
struct Reading {
    cursor: Cursor,
    next_position: u64,
    first_column: u64,
    rows: Vec<u8>,
}

fn refuse(path: &Path, why: impl Into<String>) -> StageError {
    StageError::resource(path.display().to_string(), why.into())
}

fn failed(error: CaptureError) -> StageError {
    match error {
        CaptureError::Not { path, why } => refuse(&path, why),
        CaptureError::Io { path, source } => refuse(&path, format!("cannot be read ({source})")),
    }
}

impl CapturedStream {
    /// Opens the stream that `stream` names (default: the first that a source had made), and looks through its headers.
    ///
    /// # Errors
    /// `Resource` for a file that cannot be played, `Parameter` for a stream that is not there or not of frames.
    pub(super) fn open(path: &Path, stream: Option<&str>) -> Result<Self, StageError> {
        open_regular(path)?;
        let capture = Capture::open(path).map_err(failed)?;
        let stream = choose(&capture, path, stream)?;
        let name = capture.meta().stream_name(stream).to_owned();
        let stream_type = capture.meta().stream_type(stream).cloned();
        let stream_type = stream_type.ok_or_else(|| refuse(path, "has lost this stream's type"))?;
        if stream_type.rate.numerator == 0 {
            let why = format!("`{name}` has no rate, so it cannot be played in time");
            return Err(StageError::parameter("stream", why));
        }
        let mut cursor = capture.items().map_err(failed)?;
        let mut index = Index::default();
        let most = stream_type.frames_per_block();
        while let Some((place, headers)) = cursor.next_headers(stream).map_err(failed)? {
            index.begin_record(place);
            for header in headers.iter().filter(|h| h.valid <= most) {
                let seam = header.flags & flag::GAP != 0 && header.lost == 0;
                index.block(header.position, header.first_frame, header.valid, seam);
            }
        }
        if index.columns == 0 {
            return Err(refuse(path, format!("holds no frame of `{name}`")));
        }
        let mut cursor = capture.items().map_err(failed)?;
        if let Some(first) = index.places.first() {
            cursor.go_to(&first.place).map_err(failed)?;
        }
        Ok(CapturedStream {
            capture,
            stream,
            stream_type,
            segments: index.segments,
            columns: index.columns,
            places: index.places,
            reading: Reading {
                cursor,
                next_position: 0,
                first_column: 0,
                rows: Vec::new(),
            },
        })
    }

    /// Reads the next block; false at the end.
    fn next_block(&mut self) -> Result<bool, StageError> {
        let row_bytes = self.stream_type.row_bytes().max(1);
        let reading = &mut self.reading;
        let stream = self.stream;
        loop {
            let wanted = reading
                .cursor
                .next_item_of(|h| h.kind == kind::BLOCKS && h.source == stream)
                .map_err(failed)?;
            // What its header promised is not what stands here.
            if let Some(damage) = reading.cursor.take_damages().into_iter().next() {
                let why = format!(
                    "{}; make a whole copy first: ephapse recover {}",
                    damage.what,
                    self.capture.path().display()
                );
                return Err(refuse(&damage.file, format!("byte {}: {why}", damage.at)));
            }
            let Some(item) = wanted else {
                return Ok(false);
            };
            if let Item::Block {
                header, payload, ..
            } = item
                && header.position >= reading.next_position
            {
                reading.next_position = header.position + 1;
                reading.first_column += (reading.rows.len() / row_bytes) as u64;
                reading.rows = payload;
                return Ok(true);
            }
        }
    }
}

/// What is known after a look through all headers.
#[derive(Default)]
struct Index {
    segments: Vec<Segment>,
    columns: u64,
    places: Vec<Known>,
    next_position: u64,
}

impl Index {
    fn begin_record(&mut self, place: Place) {
        let last = self.places.last();
        if last.is_none_or(|k| self.columns >= k.first_column + PLACE_EVERY) {
            self.places.push(Known {
                first_column: self.columns,
                next_position: self.next_position,
                place,
            });
        }
    }

    /// A block; one that comes a second time, a successor of the recorder has appended again.
    fn block(&mut self, position: u64, first_frame: u64, frames: u32, seam: bool) {
        if position < self.next_position {
            return;
        }
        let missing = position > self.next_position;
        self.next_position = position + 1;
        if frames == 0 {
            return;
        }
        let (first_frame, frames) = (first_frame as i64, u64::from(frames));
        match self.segments.last_mut() {
            Some(last)
                if !seam && !missing && last.clock_frame + last.frames as i64 == first_frame =>
            {
                last.frames += frames;
            }
            _ => self.segments.push(Segment {
                first_column: self.columns,
                frames,
                clock_frame: first_frame,
            }),
        }
        self.columns += frames;
    }
}

fn choose(capture: &Capture, path: &Path, stream: Option<&str>) -> Result<u32, StageError> {
    let meta = capture.meta();
    let is_frames = |s: &u32| meta.stream_type(*s).is_some_and(|t| t.kind == Kind::Frames);
    let frames: Vec<u32> = meta.streams.iter().copied().filter(is_frames).collect();
    let names: Vec<&str> = frames.iter().map(|s| meta.stream_name(*s)).collect();
    let Some(wanted) = stream.map(str::trim).filter(|s| !s.is_empty()) else {
        let by_source = |s: &&u32| {
            let maker = meta.plan.streams.get(**s as usize).map(|p| p.maker);
            let maker = maker.and_then(|maker| meta.plan.stages.get(maker));
            maker.is_some_and(|maker| maker.role == Role::Acquire)
        };
        let first = frames.iter().find(by_source).or(frames.first());
        return first
            .copied()
            .ok_or_else(|| refuse(path, "holds no stream of frames: there is nothing to play"));
    };
    if let Some(at) = names.iter().position(|name| *name == wanted) {
        return Ok(frames[at]);
    }
    let why = match meta.stream(wanted).and_then(|s| meta.stream_type(s)) {
        Some(other) => format!(
            "`{wanted}` carries {}: only frames are played; whole sessions are replayed with `ephapse replay`",
            other.summary()
        ),
        None => format!(
            "no stream `{wanted}` in {}: {}",
            path.display(),
            suggest(wanted, &names)
        ),
    };
    Err(StageError::parameter("stream", why))
}

impl Recording for CapturedStream {
    fn stream_type(&self, frames_per_block: u32) -> StreamType {
        let mut stream_type = self.stream_type.clone();
        if let Some(time) = stream_type.axes.first_mut() {
            time.length = frames_per_block;
        }
        stream_type
    }

    fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn columns(&self) -> u64 {
        self.columns
    }

    fn chunk_frames(&self) -> usize {
        CHUNK_FRAMES
    }

    fn read(&mut self, first: u64, frames: usize, rows: &mut [u8]) -> Result<(), StageError> {
        let row_bytes = self.stream_type.row_bytes().max(1);
        let behind = self.places.partition_point(|k| k.first_column <= first);
        let near = behind
            .checked_sub(1)
            .and_then(|at| self.places.get(at))
            .copied();
        let here = self.reading.first_column..=self.reading.first_column + PLACE_EVERY;
        if let Some(near) = near
            && !here.contains(&first)
        {
            self.reading.cursor.go_to(&near.place).map_err(failed)?;
            self.reading.next_position = near.next_position;
            self.reading.first_column = near.first_column;
            self.reading.rows.clear();
        }
        let (mut column, until) = (first, first + frames as u64);
        let mut to = 0;
        while column < until {
            let held = (self.reading.rows.len() / row_bytes) as u64;
            let end = self.reading.first_column + held;
            if column >= end {
                if !self.next_block()? {
                    let path = self.capture.path();
                    return Err(refuse(
                        path,
                        format!("ends before frame {column}: it was cut off"),
                    ));
                }
                continue;
            }
            let skip = (column - self.reading.first_column) as usize * row_bytes;
            let take = ((until.min(end) - column) as usize) * row_bytes;
            rows[to..to + take].copy_from_slice(&self.reading.rows[skip..skip + take]);
            to += take;
            column = until.min(end);
        }
        Ok(())
    }
}
