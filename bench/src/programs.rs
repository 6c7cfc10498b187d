//! The executables that a session of a benchmark needs.

use std::path::PathBuf;

/// Paths, and how to make a helper.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The lean one: real-time stages and the timer.
    pub lean: PathBuf,
    /// The one with file formats, and the arguments that make it a helper.
    pub full: (PathBuf, Vec<String>),
}
