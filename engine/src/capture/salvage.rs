//! A whole capture out of a damaged one.

use super::append::{AppendError, AppendOptions, Appender, Entry};
use super::damage::Damage;
use super::layout::{RecordHeader, kind};
use super::meta::{GapNote, GapOf, seal_why};
use super::reader::{Capture, CaptureError};
use super::scan::Step;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Why what was damaged is missing in the copy.
const DAMAGED: &str = "damaged";

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// The copy.
    pub path: PathBuf,
    /// Records in it, without the description and the seal.
    pub records: u64,
    /// What is not in it.
    pub lost: Vec<Damage>,
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The capture cannot be read.
    #[error(transparent)]
    Read(#[from] CaptureError),
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] AppendError),
}

/// Copies every record that is whole to `to`, which is not there yet, and seals the copy. Blocks and activation records that are
/// damaged stand in it as gaps, if it can still be told which they were. The capture itself is only read.
///
/// `go_on` is told how many bytes have been dealt with, and ends it with `false`: then nothing is left of the copy.
///
/// # Errors
/// The capture cannot be read, the copy cannot be written; nothing is left of it.
pub fn salvage(
    capture: &Capture,
    to: &Path,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Option<Salvaged>, SalvageError> {
    let mut copy = Appender::create(to, capture.meta(), AppendOptions::default())?;
    let done = copy_records(capture, &mut copy, &mut go_on);
    let sealed = match done {
        Ok(Some((records, lost))) => copy.seal(seal_why::RECOVERED).map(|()| {
            Some(Salvaged {
                path: to.to_owned(),
                records,
                lost,
            })
        }),
        Ok(None) => Ok(None),
        Err(error) => {
            let _ = std::fs::remove_file(to);
            return Err(error);
        }
    };
    if !matches!(sealed, Ok(Some(_))) {
        let _ = std::fs::remove_file(to);
    }
    Ok(sealed?)
}

type Copied = Option<(u64, Vec<Damage>)>;

fn copy_records(
    capture: &Capture,
    copy: &mut Appender,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Copied, SalvageError> {
    let mut cursor = capture.items()?;
    let mut records = 0;
    while let Some(placed) = cursor.next_record()? {
        let header = placed.header;
        if header.kind == kind::META || header.kind == kind::SEAL {
            continue;
        }
        match cursor.body(&placed)? {
            Some(body) => {
                copy.append(entry_of(&header), &[&body])?;
                records += 1;
            }
            None => {
                if let Some(note) = gap_of(&header) {
                    let entry = Entry {
                        source: header.source,
                        position: header.position,
                        at_ns: header.at_ns,
                        ..Entry::note(kind::GAP)
                    };
                    copy.append_note(entry, &note)?;
                }
            }
        }
        if !go_on(cursor.passed_bytes()) {
            return Ok(None);
        }
    }
    let mut lost = cursor.take_damages();
    if let Some(Step::Waste {
        at,
        bytes,
        zero: false,
        ..
    }) = cursor.rest()?
    {
        lost.push(Damage {
            file: cursor.path().to_owned(),
            at,
            bytes,
            what: "the last record was not finished, or is damaged".to_owned(),
        });
    }
    Ok(Some((records, lost)))
}

fn entry_of(header: &RecordHeader) -> Entry {
    Entry {
        kind: header.kind,
        source: header.source,
        count: header.count,
        position: header.position,
        at_ns: header.at_ns,
    }
}

/// The gap that a damaged record leaves.
fn gap_of(header: &RecordHeader) -> Option<GapNote> {
    let of = match header.kind {
        kind::BLOCKS => GapOf::Stream(header.source),
        kind::ACTIVATIONS => GapOf::Activations(header.source),
        _ => return None,
    };
    Some(GapNote {
        of,
        from: header.position,
        count: u64::from(header.count),
        why: DAMAGED.to_owned(),
    })
}
