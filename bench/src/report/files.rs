//! The files of a report.

use super::contract::Report;
use super::{html, logs, text};
use crate::whole_files::{explain, write_all};
use ephapse_engine::outcome::Outcome;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What this module may leave in a directory; those a run has no use for are removed, lest they pass for its own.
const NAMES: [&str; 6] = [
    "loop.hlog",
    "loop.hgrm",
    "hops.hlog",
    "report.txt",
    "report.html",
    "report.json",
];

/// Writes `report.json`, `report.txt`, `report.html`, `hops.hlog` and, if the graph has a loop, `loop.hlog` and
/// `loop.hgrm` into `dir`, which is made if need be. Returns their paths, `report.json` last.
///
/// Every file is complete before the first is put into place, `report.json` last of all.
///
/// # Errors
/// Names the path, what is wrong with it, and what to do. Files of an earlier report are then still whole.
pub fn write(
    dir: &Path,
    outcome: &Outcome,
    report: &Report,
    try_next: &[String],
) -> io::Result<Vec<PathBuf>> {
    let json = serde_json::to_vec_pretty(report).map_err(io::Error::other)?;
    let hgrm = outcome
        .loop_hop
        .as_ref()
        .map(|hop| logs::hgrm(&hop.corrected, "corrected for skipped ticks").into_bytes());
    let contents = [
        logs::loop_hlog(outcome)?,
        hgrm,
        Some(logs::hops_hlog(outcome)?),
        Some(text(report, try_next).into_bytes()),
        Some(html(report, try_next).into_bytes()),
        Some(json),
    ];
    let mut files = Vec::new();
    for (name, content) in NAMES.into_iter().zip(contents) {
        if let Some(bytes) = content {
            files.push((dir.join(name), bytes));
        }
    }
    let written = write_all(&files)?;
    for path in NAMES.map(|name| dir.join(name)) {
        if !written.contains(&path)
            && let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(explain(error, &path));
        }
    }
    Ok(written)
}
