//! What stands in a capture behind the last record that its writer has noted: at most one of its own.

use super::append::{AppendError, Reached};
use super::file_set::following;
use super::layout::{RecordHeader, kind};
use super::scan::{Scan, Step, read_file_header};
use std::fs::File;
use std::io;
use std::path::Path;

/// The end of a capture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    /// The last record of blocks, activations or a gap behind the noted one.
    pub data: Option<RecordHeader>,
    /// Number of the last event behind it.
    pub event: Option<u64>,
}

/// Looks through the last two files of the capture that begins with `first` for records behind what was `reached`: one
/// append adds at most one record, before which it may have begun a file.
pub fn tail_of(first: &Path, reached: Reached) -> Result<Tail, AppendError> {
    let failed = |source| AppendError::Io {
        path: first.to_owned(),
        source,
    };
    let all = core::iter::successors(Some((first.to_owned(), 1)), |(_, number)| {
        following(first, *number)
    });
    let all: Vec<_> = all.collect();
    let mut tail = Tail::default();
    for (path, _) in &all[all.len().saturating_sub(2)..] {
        let file = File::open(path).map_err(failed)?;
        let header = read_file_header(&file).map_err(|why| failed(io::Error::other(why)))?;
        let size = file.metadata().map_err(failed)?.len();
        let known = header.number == reached.file && reached.end <= size;
        let mut scan = if known {
            Scan::resume(&file, &header, size, reached.end, reached.sequence)
        } else {
            Scan::new(&file, &header, size)
        };
        while let Some(step) = scan.next_step().map_err(failed)? {
            let Step::Record { header, .. } = step else {
                continue;
            };
            if header.sequence <= reached.sequence {
                continue;
            }
            match header.kind {
                kind::BLOCKS | kind::ACTIVATIONS | kind::GAP => tail.data = Some(header),
                kind::EVENTS => {
                    let last = header.position + u64::from(header.count);
                    tail.event = last.checked_sub(1);
                }
                _ => {}
            }
        }
    }
    Ok(tail)
}
