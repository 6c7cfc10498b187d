//! Captures for the commands that look into them: which stream is meant, which rows, and what lies beside a capture.

mod comments;
mod cut;
mod gap_list;
mod pieces;
mod verdict;

pub use comments::{comment, comments};
pub use cut::Cut;
pub use gap_list::{gap_list_of, write_gap_list};
pub use pieces::{Piece, Told, each_piece};
pub use verdict::verdict;

use anyhow::{Context, bail};
use ephapse_engine::capture::Capture;
use ephapse_rtconfig::problem::suggest;
use ephapse_rtconfig::stream_type::StreamType;
use std::path::Path;

/// Opens a capture.
///
/// # Errors
/// Missing, a folder, empty, not a capture, not readable: one line that names the file.
pub fn open(path: &Path) -> anyhow::Result<Capture> {
    let found = std::fs::metadata(path);
    let found = found.with_context(|| format!("{}: cannot be read", path.display()))?;
    if found.is_dir() {
        bail!(
            "{}: is a folder; name a capture in it (`ephapse captures {}` lists them)",
            path.display(),
            path.display()
        );
    }
    if found.len() == 0 {
        bail!("{}: is empty: nothing was recorded", path.display());
    }
    Ok(Capture::open(path)?)
}

/// A recorded stream: its number, and its type.
///
/// # Errors
/// It was not recorded; says what is nearest.
pub fn stream<'a>(capture: &'a Capture, name: &str) -> anyhow::Result<(u32, &'a StreamType)> {
    let meta = capture.meta();
    let found = meta.stream(name);
    if let Some(found) = found.and_then(|s| Some((s, meta.stream_type(s)?))) {
        return Ok(found);
    }
    let names: Vec<&str> = meta.streams.iter().map(|s| meta.stream_name(*s)).collect();
    bail!(
        "{}: no stream `{name}` was recorded: {}",
        capture.path().display(),
        suggest(name, &names)
    )
}

/// A moment of the wall clock as RFC 3339, UTC, whole seconds.
pub fn date(realtime_ns: u64) -> String {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(realtime_ns);
    humantime::format_rfc3339_seconds(moment).to_string()
}
