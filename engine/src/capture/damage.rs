//! What is wrong with a capture.

use serde::Serialize;
use std::path::PathBuf;

/// A place where a capture is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}: bytes {at} to {}: {what}", file.display(), at + bytes)]
pub struct Damage {
    /// File.
    pub file: PathBuf,
    /// First byte.
    pub at: u64,
    /// How many bytes are of no use.
    pub bytes: u64,
    /// What is wrong, and what that cost.
    pub what: String,
}
