//! Is a capture what was written?

use super::cursor::Cursor;
use super::damage::Damage;
use super::layout::{FileHeader, HEADER_PAGE, kind};
use super::meta::{SealNote, seal_why};
use super::reader::{Capture, CaptureError};
use super::scan::{Scan, Step};
use crate::shm::read_at;
use serde::Serialize;
use std::os::unix::fs::FileExt;
use zerocopy::IntoBytes;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Files.
    pub files: u32,
    /// Records whose body fits its checksum.
    pub records: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The last file ends with a seal behind which nothing stands.
    pub sealed: bool,
    /// Everything that is not as it was written.
    pub damages: Vec<Damage>,
}

impl Verification {
    /// Nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty()
    }

    pub(super) fn of(capture: &Capture) -> Result<Self, CaptureError> {
        let mut found = Verification::default();
        let mut cursor = capture.items()?;
        found.begin_file(&cursor)?;
        let mut file = 1;
        let (mut last_was_seal, mut rolled) = (false, false);
        while let Some(placed) = cursor.next_record()? {
            if placed.file != file {
                file = placed.file;
                found.begin_file(&cursor)?;
            }
            last_was_seal = placed.header.kind == kind::SEAL;
            if let Some(body) = cursor.body(&placed)? {
                found.records += 1;
                let seal = serde_json::from_slice::<SealNote>(&body).ok();
                rolled = last_was_seal && seal.is_some_and(|seal| seal.why == seal_why::ROLLED);
            }
            let (of, header, size) = cursor.file();
            let scan = Scan::new(of, header, size);
            let clean = scan.padding_is_zero(placed.at, &placed.header);
            if !clean.map_err(|e| failed(&cursor, e))? {
                let sequence = placed.header.sequence;
                let what = format!(
                    "the padding behind record {sequence} is not zero; the record itself is whole"
                );
                let place = (placed.at, placed.header.stride());
                found.damages.push(damage(&cursor, place, &what));
            }
        }
        found.damages.extend(cursor.take_damages());
        if rolled {
            let what = "the capture goes on in another file, which is missing";
            found
                .damages
                .push(damage(&cursor, (cursor.file().2, 0), what));
        }
        found.sealed = last_was_seal && !rolled;
        match cursor.rest()? {
            None => {}
            Some(Step::Waste { zero: true, .. }) if !last_was_seal => {}
            Some(Step::Waste {
                at, bytes, zero, ..
            }) => {
                let what = match (zero, last_was_seal) {
                    (_, true) => "something stands behind the seal",
                    _ => "the last record was not finished, or is damaged",
                };
                found.damages.push(damage(&cursor, (at, bytes), what));
                found.sealed &= zero;
            }
            // Appended since.
            Some(Step::Record { .. }) => {}
        }
        found
            .damages
            .sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
        Ok(found)
    }

    /// Counts a file and looks at both copies of its header.
    fn begin_file(&mut self, cursor: &Cursor) -> Result<(), CaptureError> {
        let (file, header, size) = cursor.file();
        self.files += 1;
        self.bytes += size;
        for (copy, at) in [("first", 0), ("second", HEADER_PAGE)] {
            let mut page = vec![0; HEADER_PAGE as usize];
            file.read_exact_at(&mut page, at)
                .map_err(|e| failed(cursor, e))?;
            let found: FileHeader = read_at(&page, 0).unwrap_or_default();
            let rest_is_zero = page[header.as_bytes().len()..].iter().all(|b| *b == 0);
            if found != *header || !rest_is_zero {
                let what =
                    format!("the {copy} copy of the file header is damaged; the other is whole");
                self.damages.push(damage(cursor, (at, HEADER_PAGE), &what));
            }
        }
        Ok(())
    }
}

fn damage(cursor: &Cursor, (at, bytes): (u64, u64), what: &str) -> Damage {
    Damage {
        file: cursor.path().to_owned(),
        at,
        bytes,
        what: what.to_owned(),
    }
}

fn failed(cursor: &Cursor, source: std::io::Error) -> CaptureError {
    CaptureError::Io {
        path: cursor.path().to_owned(),
        source,
    }
}
