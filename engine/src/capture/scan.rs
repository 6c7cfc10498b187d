//! Records out of a file's bytes, and past what is no record.

use super::layout::{
    ALIGNMENT, BYTE_ORDER, FileHeader, HEADER_PAGE, MAGIC, RECORDS_AT, RecordHeader, VERSION_MAJOR,
};
use crate::shm::read_at;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes looked through at once for the next record.
const STRETCH: usize = 1 << 16;

/// The file header, from whichever of its copies is whole. The reason, if neither is.
pub fn read_file_header(file: &File) -> Result<FileHeader, String> {
    let copies = [0, HEADER_PAGE].map(|at| {
        let mut bytes = [0; size_of::<FileHeader>()];
        file.read_exact_at(&mut bytes, at)
            .map(|()| read_at::<FileHeader>(&bytes, 0).unwrap_or_default())
    });
    let found = copies.iter().flatten().find(|header| header.is_whole());
    let Some(header) = found else {
        return Err(match &copies[0] {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                "is too short for a capture: nothing can be recovered from it".into()
            }
            Err(e) => e.to_string(),
            Ok(header) if header.magic == MAGIC => {
                "is a capture, but both copies of its file header are damaged".into()
            }
            Ok(_) => "is not a capture (it does not begin with `EPHACAP`)".into(),
        });
    };
    if header.byte_order != BYTE_ORDER {
        return Err("was recorded on a machine of the other byte order".into());
    }
    if header.major != VERSION_MAJOR {
        return Err(format!(
            "is a capture of version {}.{}, and this program reads {VERSION_MAJOR}.x",
            header.major, header.minor
        ));
    }
    Ok(*header)
}

/// One step through a file.
pub enum Step {
    /// A record whose header is whole; its body has not been looked at.
    Record {
        /// Where its header begins.
        at: u64,
        /// Header.
        header: RecordHeader,
    },
    /// Bytes that belong to no record. They are zero if they were allocated and never written.
    Waste {
        /// First.
        at: u64,
        /// How many.
        bytes: u64,
        /// All of them are zero.
        zero: bool,
        /// No record comes behind them.
        last: bool,
    },
}

/// Steps through one file.
pub struct Scan<'a> {
    file: &'a File,
    capture: u64,
    at: u64,
    size: u64,
    /// Sequence of the last record: they only grow, so bytes of a capture inside a capture are not taken for its records.
    sequence: u64,
}

impl<'a> Scan<'a> {
    /// From the first record on. `size`: bytes of the file, or as far as it is to be read.
    pub fn new(file: &'a File, header: &FileHeader, size: u64) -> Self {
        Scan {
            file,
            capture: header.capture_word(),
            at: RECORDS_AT,
            size,
            sequence: header.first_sequence.saturating_sub(1),
        }
    }

    /// From `at` on, where a record begins or will begin, behind the one of that sequence.
    pub fn resume(file: &'a File, header: &FileHeader, size: u64, at: u64, sequence: u64) -> Self {
        Scan {
            at,
            sequence,
            ..Scan::new(file, header, size)
        }
    }

    /// Where it stands, and the sequence of the last record.
    pub fn place(&self) -> (u64, u64) {
        (self.at, self.sequence)
    }

    /// The next step; `None` at the end of the file.
    pub fn next_step(&mut self) -> io::Result<Option<Step>> {
        if self.at >= self.size {
            return Ok(None);
        }
        let mut bytes = [0; size_of::<RecordHeader>()];
        let here = if self.at + ALIGNMENT <= self.size {
            self.file.read_exact_at(&mut bytes, self.at)?;
            self.record_in(&bytes, 0, self.at)
        } else {
            None
        };
        if let Some(header) = here {
            let at = self.at;
            self.at = (at + header.stride()).min(self.size.next_multiple_of(ALIGNMENT));
            self.sequence = header.sequence;
            return Ok(Some(Step::Record { at, header }));
        }
        self.pass_waste().map(Some)
    }

    fn record_in(&self, bytes: &[u8], at: usize, place: u64) -> Option<RecordHeader> {
        let header: RecordHeader = read_at(bytes, at)?;
        let body_end = place
            .checked_add(size_of::<RecordHeader>() as u64)?
            .checked_add(header.length)?;
        (header.is_whole(self.capture) && header.sequence > self.sequence && body_end <= self.size)
            .then_some(header)
    }

    /// Looks for the next place where a record begins.
    fn pass_waste(&mut self) -> io::Result<Step> {
        let from = self.at;
        let mut zero = true;
        let mut stretch = vec![0; STRETCH];
        while self.at < self.size {
            let bytes = (self.size - self.at).min(STRETCH as u64) as usize;
            let stretch = &mut stretch[..bytes];
            self.file.read_exact_at(stretch, self.at)?;
            for offset in (0..bytes).step_by(ALIGNMENT as usize) {
                let place = self.at + offset as u64;
                if place > from && self.record_in(stretch, offset, place).is_some() {
                    self.at = place;
                    return Ok(Step::Waste {
                        at: from,
                        bytes: place - from,
                        zero,
                        last: false,
                    });
                }
                let end = (offset + ALIGNMENT as usize).min(bytes);
                zero &= stretch[offset..end].iter().all(|byte| *byte == 0);
            }
            self.at += bytes as u64;
        }
        Ok(Step::Waste {
            at: from,
            bytes: self.size - from,
            zero,
            last: true,
        })
    }

    /// A record's body; `None` if it does not fit its checksum.
    pub fn body(&self, at: u64, header: &RecordHeader) -> io::Result<Option<Vec<u8>>> {
        let mut body = vec![0; header.length as usize];
        self.file
            .read_exact_at(&mut body, at + size_of::<RecordHeader>() as u64)?;
        Ok((crc32c::crc32c(&body) == header.body_crc).then_some(body))
    }

    /// True if the bytes between a record and the next are zero, as far as there are any.
    pub fn padding_is_zero(&self, at: u64, header: &RecordHeader) -> io::Result<bool> {
        let from = at + size_of::<RecordHeader>() as u64 + header.length;
        let to = (at + header.stride()).min(self.size);
        let mut padding = vec![0; to.saturating_sub(from) as usize];
        self.file.read_exact_at(&mut padding, from)?;
        Ok(padding.iter().all(|byte| *byte == 0))
    }
}
