//! A capture's records in the order in which they were appended.

use super::damage::Damage;
use super::file_set::{following, path_of};
use super::layout::{ALIGNMENT, BLOCK_ALIGNMENT, FileHeader, RECORDS_AT, RecordHeader, kind};
use super::meta::{EndNote, FileNote, GapNote, MarkNote, Meta, ParamsNote, SealNote, seal_why};
use super::reader::CaptureError;
use super::scan::{Scan, Step, read_file_header};
use crate::abi::{ActivationRecord, EventEntry, SlotHeader};
use crate::control;
use crate::outcome::Tie;
use crate::shm::read_at;
use crate::text;
use ephapse_rtconfig::stream_type::StreamType;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One thing that was recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A block.
    Block {
        /// Stream, as an index in the plan.
        stream: u32,
        /// Its header, as it stood in the ring.
        header: SlotHeader,
        /// The rows that count: `valid` times the stream's bytes per row.
        payload: Vec<u8>,
    },
    /// An activation record.
    Activation {
        /// Process, as an index in `meta.processes`.
        process: u32,
        /// Its number in the telemetry ring, from 0.
        number: u64,
        /// What it says.
        record: ActivationRecord,
    },
    /// Something is missing.
    Gap(GapNote),
    /// An event of the session.
    Event(EventEntry),
    /// Parameters of a stage.
    Params(ParamsNote),
    /// One instant on several clocks.
    Tie(Tie),
    /// A remark.
    Mark(MarkNote),
    /// Executables and parameter files.
    Files(Vec<FileNote>),
    /// How the streams ended.
    End(EndNote),
    /// Nothing follows in this file.
    Seal(SealNote),
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Number of its file, from 1.
    pub file: u32,
    /// Byte at which its header begins.
    pub at: u64,
    /// Header.
    pub header: RecordHeader,
}

/// A place in a capture between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the file, from 1.
    number: u32,
    /// Byte in it.
    at: u64,
    /// Sequence of the record before.
    sequence: u64,
    /// Bytes of the files before.
    before: u64,
}

/// So near a place in time is good enough: what is left is read.
const HALVED_DOWN_TO: u64 = 1 << 16;

/// Walks through a capture. At the end of one that is still being written it may be asked again later.
pub struct Cursor {
    first: PathBuf,
    meta: Arc<Meta>,
    file: File,
    header: FileHeader,
    path: PathBuf,
    size: u64,
    /// Where the next record begins, and the sequence of the last.
    place: (u64, u64),
    /// Bytes of the files before this one.
    before: u64,
    /// The seal behind which nothing else has come.
    seal: Option<Placed>,
    /// Behind the last record everything was zero: allocated, and not yet written.
    zero_rest: bool,
    ready: VecDeque<Item>,
    damages: Vec<Damage>,
}

impl Cursor {
    /// Over the capture whose first file is, or was, `first`, from the file at `path` on.
    pub(super) fn new(first: &Path, path: &Path, meta: Arc<Meta>) -> Result<Self, CaptureError> {
        let (file, header, size) = open(path)?;
        Ok(Cursor {
            first: first.to_owned(),
            meta,
            path: path.to_owned(),
            place: (RECORDS_AT, header.first_sequence.saturating_sub(1)),
            before: 0,
            file,
            header,
            size,
            seal: None,
            zero_rest: false,
            ready: VecDeque::new(),
            damages: Vec::new(),
        })
    }

    /// What was found damaged on the way, since the last call.
    pub fn take_damages(&mut self) -> Vec<Damage> {
        core::mem::take(&mut self.damages)
    }

    /// True when a seal has been seen behind which nothing comes.
    pub fn at_seal(&self) -> bool {
        self.seal.is_some()
    }

    /// The next item; `None` at the end, for now.
    ///
    /// # Errors
    /// A file cannot be read. Damaged records are passed over, see [`Cursor::take_damages`].
    pub fn next_item(&mut self) -> Result<Option<Item>, CaptureError> {
        self.next_item_of(|_| true)
    }

    /// The same, of those records only whose header `wanted` accepts: the bodies of others are not read.
    ///
    /// # Errors
    /// As [`Cursor::next_item`].
    pub fn next_item_of(
        &mut self,
        mut wanted: impl FnMut(&RecordHeader) -> bool,
    ) -> Result<Option<Item>, CaptureError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let Some(placed) = self.next_record()? else {
                return Ok(None);
            };
            if !wanted(&placed.header) {
                continue;
            }
            let Some(body) = self.body(&placed)? else {
                continue;
            };
            if self.unpack(&placed, &body).is_none() {
                self.damage(
                    placed.at,
                    placed.header.stride(),
                    format!("{} cannot be understood", named(&placed.header)),
                );
            }
        }
    }

    /// Where it stands, to come back to.
    pub fn place(&self) -> Place {
        Place {
            number: self.header.number,
            at: self.place.0,
            sequence: self.place.1,
            before: self.before,
        }
    }

    /// Goes to a place where it, or another cursor of this capture, has stood.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn go_to(&mut self, place: &Place) -> Result<(), CaptureError> {
        if place.number != self.header.number {
            let path = path_of(&self.first, place.number);
            let (file, header, size) = open(&path)?;
            (self.path, self.file, self.header, self.size) = (path, file, header, size);
        }
        self.place = (place.at, place.sequence);
        self.before = place.before;
        self.seal = None;
        self.zero_rest = false;
        self.ready.clear();
        Ok(())
    }

    /// Passes over what was recorded before `at_ns`, without reading it: at most a few records of that time come afterwards,
    /// and all of a later time. It halves the file, so what is damaged on the way is not found.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn pass_until(&mut self, at_ns: u64) -> Result<(), CaptureError> {
        // The last file that begins before that time.
        while let Some((_, number)) = self.next_file() {
            let mut next = self.place();
            next.before += self.size;
            (next.number, next.at, next.sequence) = (number, RECORDS_AT, 0);
            let here = self.place();
            self.go_to(&next)?;
            let first = self.record_behind(RECORDS_AT)?;
            if first.is_none_or(|(_, header)| header.at_ns >= at_ns) {
                self.go_to(&here)?;
                break;
            }
        }
        let (mut early, mut late) = (self.place.0, self.size);
        while late - early > HALVED_DOWN_TO {
            let middle = (early + (late - early) / 2).next_multiple_of(ALIGNMENT);
            match self.record_behind(middle)? {
                Some((at, header)) if header.at_ns < at_ns => {
                    early = at;
                    self.place = (at, header.sequence.saturating_sub(1));
                    if at >= late {
                        break;
                    }
                }
                _ => late = middle,
            }
        }
        self.zero_rest = false;
        Ok(())
    }

    /// The first record of blocks or activations that begins at `from` or behind it in this file: what else there is was
    /// stamped when it was appended, which in a recovered copy is long after.
    fn record_behind(&self, from: u64) -> Result<Option<(u64, RecordHeader)>, CaptureError> {
        let before = self.header.first_sequence.saturating_sub(1);
        let mut scan = Scan::resume(&self.file, &self.header, self.size, from, before);
        loop {
            match scan.next_step().map_err(|e| self.failed(e))? {
                Some(Step::Record { at, header })
                    if matches!(header.kind, kind::BLOCKS | kind::ACTIVATIONS) =>
                {
                    return Ok(Some((at, header)));
                }
                Some(Step::Record { .. } | Step::Waste { last: false, .. }) => {}
                _ => return Ok(None),
            }
        }
    }

    /// Bytes of the capture that lie before where it stands.
    pub fn passed_bytes(&self) -> u64 {
        self.before + self.place.0
    }

    /// The headers of the blocks in the next record of a stream, and the place of that record. The rows are not read, and
    /// nothing is compared with its checksum: whoever uses the blocks reads them again.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_headers(
        &mut self,
        stream: u32,
    ) -> Result<Option<(Place, Vec<SlotHeader>)>, CaptureError> {
        let row_bytes = self
            .meta
            .stream_type(stream)
            .map_or(0, StreamType::row_bytes);
        loop {
            let Some(placed) = self.next_record()? else {
                return Ok(None);
            };
            if placed.header.kind != kind::BLOCKS || placed.header.source != stream {
                continue;
            }
            let mut headers = Vec::with_capacity(1);
            let body = placed.at + size_of::<RecordHeader>() as u64;
            let (mut at, mut bytes) = (0, [0; size_of::<SlotHeader>()]);
            for _ in 0..placed.header.count {
                if at + bytes.len() as u64 > placed.header.length {
                    break;
                }
                let read = self.file.read_exact_at(&mut bytes, body + at);
                read.map_err(|e| self.failed(e))?;
                let Some(slot) = read_at::<SlotHeader>(&bytes, 0) else {
                    break;
                };
                let end = bytes.len() + slot.valid as usize * row_bytes;
                at += end.next_multiple_of(BLOCK_ALIGNMENT) as u64;
                headers.push(slot);
            }
            let place = Place {
                number: placed.file,
                at: placed.at,
                sequence: placed.header.sequence.saturating_sub(1),
                before: self.before,
            };
            return Ok(Some((place, headers)));
        }
    }

    /// The next record's header; bodies are not read, nor compared with their checksums.
    pub(super) fn next_record(&mut self) -> Result<Option<Placed>, CaptureError> {
        // Whoever follows a growing file asks often: what is allocated ahead need not be searched each time.
        if self.zero_rest && !self.has_grown()? {
            return Ok(None);
        }
        self.zero_rest = false;
        loop {
            let (at, sequence) = self.place;
            let mut scan = Scan::resume(&self.file, &self.header, self.size, at, sequence);
            let step = scan.next_step().map_err(|e| self.failed(e))?;
            let (next_at, next_sequence) = scan.place();
            match step {
                Some(Step::Record { at, header }) => {
                    if header.sequence > sequence + 1 {
                        self.note_missing(at, sequence, header.sequence);
                    }
                    self.place = (next_at, next_sequence);
                    let placed = Placed {
                        file: self.header.number,
                        at,
                        header,
                    };
                    self.seal = (header.kind == kind::SEAL).then_some(placed);
                    return Ok(Some(placed));
                }
                Some(Step::Waste {
                    at, bytes, last, ..
                }) if !last => {
                    self.damage(at, bytes, "no record can be read here".into());
                    self.place = (next_at, next_sequence);
                }
                step => {
                    if !self.go_on(step)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Something stands where there was nothing, or there is another file.
    fn has_grown(&self) -> Result<bool, CaptureError> {
        let size = self.file.metadata().map_err(|e| self.failed(e))?.len();
        if size != self.size || path_of(&self.first, self.header.number + 1).exists() {
            return Ok(true);
        }
        let mut bytes = [0; size_of::<RecordHeader>()];
        if self.place.0 + bytes.len() as u64 > size {
            return Ok(false);
        }
        let read = self.file.read_exact_at(&mut bytes, self.place.0);
        read.map_err(|e| self.failed(e))?;
        Ok(bytes.iter().any(|byte| *byte != 0))
    }

    /// At the end of what a file holds: is there more of it by now, or another file?
    fn go_on(&mut self, step: Option<Step>) -> Result<bool, CaptureError> {
        let size = self.file.metadata().map_err(|e| self.failed(e))?.len();
        let Some((next, number)) = self.next_file() else {
            let grown = size != self.size;
            self.size = size;
            // What is not zero a writer has begun: one that lives will make a record of it.
            self.zero_rest = matches!(step, None | Some(Step::Waste { zero: true, .. }));
            return Ok(grown);
        };
        if number > self.header.number + 1 {
            let missing = number - self.header.number - 1;
            self.damage(
                size,
                0,
                format!("{missing} files are missing behind this one"),
            );
        }
        if let Some(Step::Waste {
            at, bytes, zero, ..
        }) = step
            && !(zero && self.seal.is_some())
        {
            self.damage(
                at,
                bytes,
                "no record can be read here, up to the file's end".into(),
            );
        }
        let (file, header, size) = open(&next)?;
        if header.capture_id != self.header.capture_id {
            self.damages.push(Damage {
                file: next,
                at: 0,
                bytes: size,
                what: format!("belongs to another capture than {}", self.first.display()),
            });
            return Ok(false);
        }
        let sequence = header.first_sequence.saturating_sub(1);
        if sequence > self.place.1 {
            self.note_missing(size.min(self.place.0), self.place.1, header.first_sequence);
        }
        self.before += self.size;
        (self.path, self.file, self.header, self.size) = (next, file, header, size);
        self.place = (RECORDS_AT, sequence);
        self.seal = None;
        Ok(true)
    }

    /// The file that comes next; if that one is missing although this one says that it was made, one of those behind it.
    fn next_file(&self) -> Option<(PathBuf, u32)> {
        let number = self.header.number + 1;
        let next = path_of(&self.first, number);
        if next.exists() {
            return Some((next, number));
        }
        let seal = self.seal?;
        let scan = Scan::new(&self.file, &self.header, self.size);
        let body = scan.body(seal.at, &seal.header).ok()??;
        let rolled = note::<SealNote>(&body)?.why == seal_why::ROLLED;
        rolled.then(|| following(&self.first, number))?
    }

    fn note_missing(&mut self, at: u64, last: u64, next: u64) {
        let what = format!("{} records are missing before this place", next - last - 1);
        self.damage(at, 0, what);
    }

    fn damage(&mut self, at: u64, bytes: u64, what: String) {
        self.damages.push(Damage {
            file: self.path.clone(),
            at,
            bytes,
            what,
        });
    }

    /// A record's body; `None`, and a damage, if it does not fit its checksum.
    pub(super) fn body(&mut self, placed: &Placed) -> Result<Option<Vec<u8>>, CaptureError> {
        let scan = Scan::new(&self.file, &self.header, self.size);
        let body = scan
            .body(placed.at, &placed.header)
            .map_err(|e| self.failed(e))?;
        if body.is_none() {
            let what = format!("{} does not fit its checksum", named(&placed.header));
            self.damage(placed.at, placed.header.stride(), what);
        }
        Ok(body)
    }

    /// Bytes behind the last record that belong to none: what a killed writer had begun, or the allocated rest.
    pub(super) fn rest(&self) -> Result<Option<Step>, CaptureError> {
        let (at, sequence) = self.place;
        Scan::resume(&self.file, &self.header, self.size, at, sequence)
            .next_step()
            .map_err(|e| self.failed(e))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> (&File, &FileHeader, u64) {
        (&self.file, &self.header, self.size)
    }

    fn failed(&self, source: std::io::Error) -> CaptureError {
        CaptureError::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// Items out of a body; `None` if it is not what its kind says.
    fn unpack(&mut self, placed: &Placed, body: &[u8]) -> Option<()> {
        let header = &placed.header;
        let count = header.count as usize;
        match header.kind {
            kind::BLOCKS => {
                let rows = self.meta.stream_type(header.source)?;
                let (row_bytes, most) = (rows.row_bytes(), rows.frames_per_block());
                let mut at = 0;
                for _ in 0..count {
                    let slot: SlotHeader = read_at(body, at)?;
                    if slot.valid > most {
                        return None;
                    }
                    let from = at + size_of::<SlotHeader>();
                    let payload = body.get(from..from + slot.valid as usize * row_bytes)?;
                    at = (from + payload.len()).next_multiple_of(BLOCK_ALIGNMENT);
                    self.ready.push_back(Item::Block {
                        stream: header.source,
                        header: slot,
                        payload: payload.to_owned(),
                    });
                }
            }
            kind::ACTIVATIONS => {
                for index in 0..count {
                    let record = read_at(body, index * size_of::<ActivationRecord>())?;
                    self.ready.push_back(Item::Activation {
                        process: header.source,
                        number: header.position + index as u64,
                        record,
                    });
                }
            }
            kind::EVENTS => {
                for index in 0..count {
                    let entry: EventEntry = read_at(body, index * size_of::<EventEntry>())?;
                    let item = match remark(&self.meta, &entry) {
                        Some(mark) => Item::Mark(mark),
                        None => Item::Event(entry),
                    };
                    self.ready.push_back(item);
                }
            }
            kind::GAP => self.ready.push_back(Item::Gap(note(body)?)),
            kind::PARAMS => self.ready.push_back(Item::Params(note(body)?)),
            kind::TIE => self.ready.push_back(Item::Tie(note(body)?)),
            kind::FILES => self.ready.push_back(Item::Files(note(body)?)),
            kind::END => self.ready.push_back(Item::End(note(body)?)),
            kind::SEAL => self.ready.push_back(Item::Seal(note(body)?)),
            // Known, or added by a later minor version: nothing to show.
            _ => {}
        }
        Some(())
    }
}

/// The remark that an event is; `None` if it is none.
fn remark(meta: &Meta, entry: &EventEntry) -> Option<MarkNote> {
    let since = entry.at_ns.wrapping_sub(meta.created_monotonic_ns);
    (text::of(&entry.who) == control::MARK).then(|| MarkNote {
        text: text::of(&entry.what),
        tick: entry.tick,
        monotonic_ns: entry.at_ns,
        realtime_ns: meta.created_realtime_ns.wrapping_add(since),
    })
}

fn note<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// A record, for the sentence that says what is wrong with it.
fn named(header: &RecordHeader) -> String {
    let kind = kind::name(header.kind);
    let (sequence, source) = (header.sequence, header.source);
    match header.kind {
        kind::BLOCKS | kind::ACTIVATIONS => format!(
            "record {sequence} ({kind} of source {source}, {} from {})",
            header.count, header.position
        ),
        _ => format!("record {sequence} ({kind})"),
    }
}

pub(super) fn open(path: &Path) -> Result<(File, FileHeader, u64), CaptureError> {
    let failed = |source| CaptureError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?;
    if size.is_dir() {
        return Err(CaptureError::Not {
            path: path.to_owned(),
            why: "is a folder: give one of the captures in it".into(),
        });
    }
    let header = read_file_header(&file).map_err(|why| CaptureError::Not {
        path: path.to_owned(),
        why,
    })?;
    Ok((file, header, size.len()))
}
