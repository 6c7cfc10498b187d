//! A capture as it is read.

use super::blocks::{Activations, Blocks};
use super::cursor::{Cursor, open};
use super::damage::Damage;
use super::file_set::{first_of, following};
use super::layout::kind;
use super::meta::Meta;
use super::scan::{Scan, Step};
use super::summary::Summary;
use super::verify::Verification;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// It is none, or nothing of it can be understood.
    #[error("{}: {why}", path.display())]
    Not {
        /// File.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A capture: one file, or the several that it rolled over to. It may still be growing.
pub struct Capture {
    first: PathBuf,
    meta: Arc<Meta>,
}

impl Capture {
    /// Opens a capture by any of its files.
    ///
    /// # Errors
    /// No such file, not a capture, of another version, or without any readable description of what it holds.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let (_, header, _) = open(path)?;
        let first = first_of(path, header.number);
        // Each file has the description twice: what one has lost another may have.
        let set = Capture::files_from(&first);
        let mut refused = None;
        for file in &set {
            match description(file) {
                Ok(meta) => {
                    return Ok(Capture {
                        first,
                        meta: Arc::new(meta),
                    });
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        Err(refused.unwrap_or(CaptureError::Not {
            path: first,
            why: "is not there, but a later file of the same capture is".into(),
        }))
    }

    /// What was recorded.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The first file.
    pub fn path(&self) -> &Path {
        &self.first
    }

    /// All files that are there now.
    pub fn files(&self) -> Vec<PathBuf> {
        Self::files_from(&self.first)
    }

    fn files_from(first: &Path) -> Vec<PathBuf> {
        let own = first.exists().then(|| (first.to_owned(), 1));
        let all = core::iter::successors(own.or_else(|| following(first, 1)), |(_, number)| {
            following(first, *number)
        });
        all.map(|(path, _)| path).collect()
    }

    /// Everything in the order in which it was appended.
    ///
    /// # Errors
    /// The first file cannot be opened.
    pub fn items(&self) -> Result<Cursor, CaptureError> {
        let files = self.files();
        Cursor::new(
            &self.first,
            files.first().unwrap_or(&self.first),
            self.meta.clone(),
        )
    }

    /// The blocks of a stream (an index in the plan), what is missing named.
    ///
    /// # Errors
    /// The first file cannot be opened.
    pub fn blocks(&self, stream: u32) -> Result<Blocks, CaptureError> {
        Ok(Blocks::new(self.items()?, stream))
    }

    /// The activation records of a process (an index in `meta.processes`), what is missing named.
    ///
    /// # Errors
    /// The first file cannot be opened.
    pub fn activations(&self, process: u32) -> Result<Activations, CaptureError> {
        Ok(Activations::new(self.items()?, process))
    }

    /// What there is of each stream.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn summary(&self) -> Result<Summary, CaptureError> {
        Summary::of(self)
    }

    /// Compares everything with its checksums.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self) -> Result<Verification, CaptureError> {
        Verification::of(self)
    }

    /// What is found damaged when every record is read.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn damages(&self) -> Result<Vec<Damage>, CaptureError> {
        Ok(self.verify()?.damages)
    }
}

/// What a file says that it holds.
fn description(path: &Path) -> Result<Meta, CaptureError> {
    let (file, header, size) = open(path)?;
    let failed = |source| CaptureError::Io {
        path: path.to_owned(),
        source,
    };
    let mut scan = Scan::new(&file, &header, size);
    let mut why = "has no readable description of what it holds".to_owned();
    while let Some(step) = scan.next_step().map_err(failed)? {
        let Step::Record { at, header } = step else {
            continue;
        };
        if header.kind != kind::META {
            // They stand at the start.
            break;
        }
        let Some(body) = scan.body(at, &header).map_err(failed)? else {
            continue;
        };
        match serde_json::from_slice(&body) {
            Ok(meta) => return Ok(meta),
            Err(e) => why = format!("its description was written by another version ({e})"),
        }
    }
    Err(CaptureError::Not {
        path: path.to_owned(),
        why,
    })
}
