//! Appending to a capture: preallocated ahead, and whole after a SIGKILL at any instruction but for the record that was being
//! appended. Written with `pwrite` and not through a mapping: dirty mapped pages stall whole CPUs (ADR 0008).

use super::file_set::{first_of, path_of};
use super::layout::{
    ALIGNMENT, BYTE_ORDER, FileHeader, HEADER_PAGE, LONGEST_BODY, MAGIC, RECORD_MAGIC, RECORDS_AT,
    RecordHeader, VERSION_MAJOR, VERSION_MINOR, kind,
};
use super::meta::{Meta, SealNote, seal_why};
use super::scan::{Scan, Step, read_file_header};
use crate::os;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zerocopy::IntoBytes;

const PAGE: u64 = 4096;
/// A seal takes at most so much.
const SEAL_BYTES: u64 = 256;

/// How a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOptions {
    /// Bytes that are allocated on the disk ahead of what is written.
    pub ahead_bytes: u64,
    /// A file that would become longer is sealed, and the capture goes on in the next.
    pub roll_bytes: Option<u64>,
    /// The same for a file that has been written to for so long, ns.
    pub roll_ns: Option<u64>,
}

impl Default for AppendOptions {
    fn default() -> Self {
        AppendOptions {
            ahead_bytes: 64 << 20,
            roll_bytes: None,
            roll_ns: None,
        }
    }
}

/// Why nothing was appended. The capture is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full, or a limit is reached: the same may be appended later.
    #[error("{}: no room on its disk ({source}): make room, and recording goes on", path.display())]
    NoSpace {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be made, opened or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a capture that can be added to.
    #[error("{}: {why}", path.display())]
    NotOpen {
        /// File.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A body that no reader would take.
    #[error("a body of {bytes} bytes is longer than the {LONGEST_BODY} that a record can hold")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

fn failed(path: &Path, source: io::Error) -> AppendError {
    let path = path.to_owned();
    match source.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => AppendError::NoSpace { path, source },
        _ => AppendError::Io { path, source },
    }
}

/// What a record is, beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// See [`kind`].
    pub kind: u16,
    /// See [`RecordHeader::source`].
    pub source: u32,
    /// See [`RecordHeader::count`].
    pub count: u32,
    /// See [`RecordHeader::position`].
    pub position: u64,
    /// See [`RecordHeader::at_ns`].
    pub at_ns: u64,
}

impl Entry {
    /// Of a kind whose body is one JSON note, now.
    pub fn note(kind: u16) -> Self {
        Entry {
            kind,
            source: 0,
            count: 1,
            position: 0,
            at_ns: os::monotonic_ns(),
        }
    }
}

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Number of the file, from 1.
    pub file: u32,
    /// Byte in it behind the last record.
    pub end: u64,
    /// Records in it.
    pub records: u64,
    /// Sequence of the last one, over all files.
    pub sequence: u64,
}

/// One file of the capture, open at its end.
struct OpenFile {
    path: PathBuf,
    file: File,
    header: FileHeader,
    /// Bytes written.
    end: u64,
    /// Bytes allocated on the disk.
    allocated: u64,
    records: u64,
    opened_ns: u64,
}

impl OpenFile {
    fn create(path: &Path, header: FileHeader, ahead_bytes: u64) -> Result<Self, AppendError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)
            .map_err(|e| failed(path, e))?;
        let mut page = [0; HEADER_PAGE as usize];
        page[..size_of::<FileHeader>()].copy_from_slice(header.as_bytes());
        let mut new = OpenFile {
            path: path.to_owned(),
            file,
            header,
            end: RECORDS_AT,
            allocated: 0,
            records: 0,
            opened_ns: os::monotonic_ns(),
        };
        let written = new.reach(RECORDS_AT, ahead_bytes).and_then(|()| {
            let mut both = [0, HEADER_PAGE].iter();
            both.try_for_each(|at| new.file.write_all_at(&page, *at))
        });
        written.map_err(|e| {
            let _ = std::fs::remove_file(path);
            failed(path, e)
        })?;
        Ok(new)
    }

    /// Makes sure that the disk has room up to `end`, asking for some more; for just that if there is not so much.
    fn reach(&mut self, end: u64, ahead_bytes: u64) -> io::Result<()> {
        if end <= self.allocated {
            return Ok(());
        }
        let wished = (end + ahead_bytes).next_multiple_of(PAGE);
        let needed = end.next_multiple_of(PAGE);
        let reached = allocate(&self.file, wished).map(|()| wished);
        self.allocated = match reached {
            Ok(reached) => reached,
            Err(_) => allocate(&self.file, needed).map(|()| needed)?,
        };
        Ok(())
    }

    fn append(
        &mut self,
        entry: &Entry,
        sequence: u64,
        parts: &[&[u8]],
        ahead_bytes: u64,
    ) -> io::Result<()> {
        let length: u64 = parts.iter().map(|p| p.len() as u64).sum();
        let header = RecordHeader {
            magic: RECORD_MAGIC,
            kind: entry.kind,
            reserved: 0,
            capture: self.header.capture_word(),
            sequence,
            length,
            position: entry.position,
            at_ns: entry.at_ns,
            source: entry.source,
            count: entry.count,
            body_crc: parts.iter().fold(0, |crc, p| crc32c::crc32c_append(crc, p)),
            header_crc: 0,
        }
        .sealed();
        self.reach(self.end + header.stride(), ahead_bytes)?;
        if let Err(error) = self.write(&header, parts) {
            // Nothing of it may be left where the next record is written: padding is not written, it is zero already.
            self.file.set_len(self.end)?;
            self.allocated = self.end;
            return Err(error);
        }
        self.end += header.stride();
        self.records += 1;
        Ok(())
    }

    /// Writes a record at the end. Its header comes last, for whoever reads the file while it grows: a record without its body
    /// has none.
    fn write(&self, header: &RecordHeader, parts: &[&[u8]]) -> io::Result<()> {
        let mut at = self.end + size_of::<RecordHeader>() as u64;
        for part in parts {
            self.file.write_all_at(part, at)?;
            at += part.len() as u64;
        }
        self.file.write_all_at(header.as_bytes(), self.end)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts off what was allocated and not written.
    fn close(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.allocated = self.end;
        self.file.sync_all()
    }
}

#[allow(unsafe_code, reason = "a system call")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: an open descriptor and numbers.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Writer of a capture.
pub struct Appender {
    first: PathBuf,
    options: AppendOptions,
    open: OpenFile,
    meta: Vec<u8>,
    sequence: u64,
}

impl Appender {
    /// Makes a capture whose first file is `path`, which must not exist: no recording is ever overwritten.
    ///
    /// # Errors
    /// The file cannot be made, or the disk has no room.
    pub fn create(path: &Path, meta: &Meta, options: AppendOptions) -> Result<Self, AppendError> {
        let header = FileHeader {
            magic: MAGIC,
            major: VERSION_MAJOR,
            minor: VERSION_MINOR,
            byte_order: BYTE_ORDER,
            capture_id: bytes_of(&meta.capture_id),
            session_id: bytes_of(&meta.session_id),
            machine_id: bytes_of(&meta.machine_id),
            created_realtime_ns: meta.created_realtime_ns,
            first_sequence: 1,
            number: 1,
            ..FileHeader::default()
        }
        .sealed();
        let meta = json(path, meta)?;
        let open = begin(path, header, &meta, options)?;
        Ok(Appender {
            first: path.to_owned(),
            options,
            sequence: 1 + open.records,
            open,
            meta,
        })
    }

    /// Goes on with a capture whose writer died: `path` is any of its files. What that writer had begun is cleared. What lies
    /// before `known` is taken for whole and not read again.
    ///
    /// # Errors
    /// It is no capture, or sealed already, or cannot be written.
    pub fn reopen(
        path: &Path,
        options: AppendOptions,
        known: Option<Reached>,
    ) -> Result<Self, AppendError> {
        let not_open = |path: &Path, why: &str| AppendError::NotOpen {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let opened = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let header_of =
            |path: &Path, file: &File| read_file_header(file).map_err(|why| not_open(path, &why));
        let file = opened(path).map_err(|e| failed(path, e))?;
        let header = header_of(path, &file)?;
        let first = first_of(path, header.number);
        let (mut last, mut file, mut header) = (path.to_owned(), file, header);
        loop {
            let next = path_of(&first, header.number + 1);
            match opened(&next) {
                Ok(found) => {
                    header = header_of(&next, &found)?;
                    (last, file) = (next, found);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(failed(&next, e)),
            }
        }
        let size = file.metadata().map_err(|e| failed(&last, e))?.len();
        let mut meta = description(&file, &header, size).map_err(|e| failed(&last, e))?;
        let known = known.filter(|known| known.file == header.number && known.end <= size);
        let known = known.unwrap_or(Reached {
            file: header.number,
            end: RECORDS_AT,
            records: 0,
            sequence: header.first_sequence.saturating_sub(1),
        });
        let (mut end, mut records, mut sequence) = (known.end, known.records, known.sequence);
        let mut scan = Scan::resume(&file, &header, size, end, sequence);
        while let Some(step) = scan.next_step().map_err(|e| failed(&last, e))? {
            let Step::Record { at, header } = step else {
                continue;
            };
            let body = scan.body(at, &header).map_err(|e| failed(&last, e))?;
            let Some(body) = body else { continue };
            (end, records, sequence) = (at + header.stride(), records + 1, header.sequence);
            match header.kind {
                kind::META => meta = Some(body),
                kind::SEAL => return Err(not_open(&last, "is sealed: nothing can be added")),
                _ => {}
            }
        }
        let Some(meta) = meta else {
            return Err(not_open(
                &last,
                "has no readable description of what it holds",
            ));
        };
        // Of a record that was begun nothing may be left where the next one is written.
        file.set_len(end).map_err(|e| failed(&last, e))?;
        Ok(Appender {
            first,
            options,
            open: OpenFile {
                path: last,
                file,
                header,
                end,
                allocated: end,
                records,
                opened_ns: os::monotonic_ns(),
            },
            meta,
            sequence: sequence + 1,
        })
    }

    /// Appends one record, whose body is `parts` one behind the other. Returns its sequence.
    ///
    /// # Errors
    /// Nothing is appended then, and the same may be tried again.
    pub fn append(&mut self, entry: Entry, parts: &[&[u8]]) -> Result<u64, AppendError> {
        let bytes: u64 = parts.iter().map(|p| p.len() as u64).sum();
        if bytes > LONGEST_BODY {
            return Err(AppendError::TooLong { bytes });
        }
        if self.is_full(bytes) {
            self.roll()?;
        }
        self.append_here(entry, parts)
    }

    /// Appends a note of that kind.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn append_note(
        &mut self,
        entry: Entry,
        note: &impl serde::Serialize,
    ) -> Result<u64, AppendError> {
        let body = json(&self.open.path, note)?;
        self.append(entry, &[&body])
    }

    fn append_here(&mut self, entry: Entry, parts: &[&[u8]]) -> Result<u64, AppendError> {
        let sequence = self.sequence;
        let ahead = self.options.ahead_bytes;
        self.open
            .append(&entry, sequence, parts, ahead)
            .map_err(|e| failed(&self.open.path, e))?;
        self.sequence += 1;
        Ok(sequence)
    }

    fn is_full(&self, bytes: u64) -> bool {
        // Every file takes at least one record more than its description: it would roll over for ever otherwise.
        let holds_something = self.open.records > 2;
        let roll_bytes = self.options.roll_bytes.unwrap_or(u64::MAX);
        let roll_ns = self.options.roll_ns.unwrap_or(u64::MAX);
        let with_seal = bytes.saturating_add(2 * ALIGNMENT + SEAL_BYTES);
        holds_something
            && (self.open.end.saturating_add(with_seal) > roll_bytes
                || os::monotonic_ns().saturating_sub(self.open.opened_ns) > roll_ns)
    }

    /// Seals this file and goes on in the next.
    fn roll(&mut self) -> Result<(), AppendError> {
        // Room for the seal comes first: what follows must not stop half way.
        self.open
            .reach(self.open.end + PAGE, 0)
            .map_err(|e| failed(&self.open.path, e))?;
        let number = self.open.header.number + 1;
        let header = FileHeader {
            number,
            first_sequence: self.sequence + 1,
            created_realtime_ns: os::realtime_ns(),
            ..self.open.header
        }
        .sealed();
        let next = begin(
            &path_of(&self.first, number),
            header,
            &self.meta,
            self.options,
        )?;
        self.seal_file(seal_why::ROLLED)?;
        self.sequence += next.records;
        self.open = next;
        Ok(())
    }

    fn seal_file(&mut self, why: &str) -> Result<(), AppendError> {
        let note = SealNote {
            why: why.to_owned(),
            records: self.open.records + 1,
        };
        let body = json(&self.open.path, &note)?;
        self.append_here(Entry::note(kind::SEAL), &[&body])?;
        self.open.close().map_err(|e| failed(&self.open.path, e))
    }

    /// Hands what has been appended to the disk, and waits for it.
    ///
    /// # Errors
    /// What the system said.
    pub fn sync(&self) -> Result<(), AppendError> {
        self.open.sync().map_err(|e| failed(&self.open.path, e))
    }

    /// Ends the capture. See [`seal_why`].
    ///
    /// # Errors
    /// The seal could not be written.
    pub fn seal(mut self, why: &str) -> Result<(), AppendError> {
        self.seal_file(why)
    }

    /// How far it has come.
    pub fn reached(&self) -> Reached {
        Reached {
            file: self.open.header.number,
            end: self.open.end,
            records: self.open.records,
            sequence: self.sequence - 1,
        }
    }

    /// Sequence of the next record.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The file that is being written.
    pub fn path(&self) -> &Path {
        &self.open.path
    }

    /// The capture's first file.
    pub fn first_path(&self) -> &Path {
        &self.first
    }

    /// Its description.
    ///
    /// # Errors
    /// It was written by another version.
    pub fn meta(&self) -> Result<Meta, AppendError> {
        serde_json::from_slice(&self.meta).map_err(|e| AppendError::NotOpen {
            path: self.open.path.clone(),
            why: format!("its description cannot be read ({e})"),
        })
    }
}

/// A new file with its description in it, twice: one damaged byte must not cost the meaning of all others.
fn begin(
    path: &Path,
    header: FileHeader,
    meta: &[u8],
    options: AppendOptions,
) -> Result<OpenFile, AppendError> {
    let mut open = OpenFile::create(path, header, options.ahead_bytes)?;
    for copy in 0..2 {
        let sequence = header.first_sequence + copy;
        let done = open.append(
            &Entry::note(kind::META),
            sequence,
            &[meta],
            options.ahead_bytes,
        );
        if let Err(e) = done {
            let _ = std::fs::remove_file(path);
            return Err(failed(path, e));
        }
    }
    Ok(open)
}

/// The description at the start of a file; `None` if neither copy is whole.
fn description(file: &File, header: &FileHeader, size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut scan = Scan::new(file, header, size);
    for _ in 0..2 {
        if let Some(Step::Record { at, header }) = scan.next_step()?
            && header.kind == kind::META
            && let Some(body) = scan.body(at, &header)?
        {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

fn json(path: &Path, note: &impl serde::Serialize) -> Result<Vec<u8>, AppendError> {
    serde_json::to_vec(note).map_err(|e| failed(path, io::Error::other(e)))
}

/// Sixteen bytes from 32 hexadecimal digits; zeros for what is missing.
fn bytes_of(hex: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = pair.iter().fold(0, |value, digit| value << 4 | digit);
    }
    bytes
}
