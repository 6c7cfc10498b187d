//! What people say of a capture afterwards: a file beside it, so that the sealed data stays as it was.

use super::date;
use anyhow::Context;
use ephapse_engine::capture::Capture;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// When it was made, RFC 3339, UTC.
    pub date: String,
    /// What it says.
    pub text: String,
}

/// `run.comments.jsonl`: one JSON object per line.
fn path_of(first: &Path) -> PathBuf {
    first.with_extension("comments.jsonl")
}

/// All comments, oldest first. A line that is none is passed over.
pub fn comments(capture: &Capture) -> Vec<Comment> {
    let text = std::fs::read_to_string(path_of(capture.path())).unwrap_or_default();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Adds a comment, in one write behind those that are there. Returns the file.
///
/// # Errors
/// It cannot be written.
pub fn comment(capture: &Capture, text: &str) -> anyhow::Result<PathBuf> {
    let path = path_of(capture.path());
    let comment = Comment {
        date: date(ephapse_engine::os::realtime_ns()),
        text: text.to_owned(),
    };
    let mut line = serde_json::to_string(&comment)?;
    line.push('\n');
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok(path)
}
