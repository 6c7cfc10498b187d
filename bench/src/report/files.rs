//! The files of a report, written so that none is ever half there.

use super::contract::Report;
use super::{html, logs, text};
use ephapse_engine::outcome::Outcome;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
/// Every file is complete under another name before the first is renamed into place, `report.json` last of all.
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
        .map(|hop| logs::hgrm(&hop.corrected).into_bytes());
    let contents = [
        logs::loop_hlog(outcome)?,
        hgrm,
        Some(logs::hops_hlog(outcome)?),
        Some(text(report, try_next).into_bytes()),
        Some(html(report, try_next).into_bytes()),
        Some(json),
    ];
    fs::create_dir_all(dir).map_err(|error| explain(error, dir))?;
    let placed = place(dir, &contents);
    if placed.is_err() {
        for name in NAMES {
            // The first error is what the caller must hear of; a leftover is overwritten by the next report.
            let _ = fs::remove_file(part(dir, name));
        }
    }
    placed
}

fn place(dir: &Path, contents: &[Option<Vec<u8>>; NAMES.len()]) -> io::Result<Vec<PathBuf>> {
    let files = || NAMES.iter().zip(contents);
    for (name, content) in files() {
        if let Some(bytes) = content {
            let path = part(dir, name);
            // A full disk may show only when the data are really written: before the rename, not after.
            File::create(&path)
                .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
                .map_err(|error| explain(error, &path))?;
        }
    }
    let mut written = Vec::new();
    for (name, content) in files() {
        let path = dir.join(name);
        if content.is_some() {
            fs::rename(part(dir, name), &path).map_err(|error| explain(error, &path))?;
            written.push(path);
        } else if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(explain(error, &path));
        }
    }
    Ok(written)
}

fn part(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!(".{name}.part"))
}

fn explain(error: io::Error, path: &Path) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose a directory on another disk with --report DIR"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a directory you may write with --report DIR"
        }
        io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::IsADirectory => {
            "something else has that name: choose another with --report DIR"
        }
        _ => "choose another directory with --report DIR",
    };
    io::Error::new(
        error.kind(),
        format!(
            "{}: the report cannot be written: {error}; {advice}",
            path.display()
        ),
    )
}
