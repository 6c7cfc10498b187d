//! The files of a result: `bench.json`, `bench.txt`, `bench.html`, `bench.hlog` in a folder, and copies where asked for.

use super::contract::BenchResult;
use super::{html, intervals, text};
use crate::measured::{Measured, histogram_of};
use crate::report;
use crate::whole_files::write_all;
use std::io;
use std::path::{Path, PathBuf};

/// Files wanted elsewhere too.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The interval log.
    pub hlog: Option<PathBuf>,
    /// A folder for one percentile file per series.
    pub hgrm: Option<PathBuf>,
    /// The page.
    pub html: Option<PathBuf>,
}

/// Writes a result into `folder`, which is made if need be. Returns the paths, `bench.json` last.
///
/// # Errors
/// Names the path, what is wrong with it, and what to do.
pub fn write(
    folder: &Path,
    measured: &Measured,
    result: &BenchResult,
    wanted: &Wanted,
) -> io::Result<Vec<PathBuf>> {
    let log = intervals::write(measured, result)?;
    let page = html(result).into_bytes();
    let json = serde_json::to_vec_pretty(result).map_err(io::Error::other)?;
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    if let Some(hgrm) = &wanted.hgrm {
        for series in &measured.series {
            let mut all = histogram_of(&[]);
            for round in &series.rounds {
                all.add(&round.histogram).map_err(io::Error::other)?;
            }
            let file = hgrm.join(format!("{}.hgrm", series.tag));
            files.push((file, report::hgrm(&all, &series.what).into_bytes()));
        }
    }
    if let Some(path) = &wanted.hlog {
        files.push((path.clone(), log.clone()));
    }
    if let Some(path) = &wanted.html {
        files.push((path.clone(), page.clone()));
    }
    files.push((folder.join("bench.txt"), text(result).into_bytes()));
    files.push((folder.join("bench.html"), page));
    files.push((folder.join(&result.hlog), log));
    files.push((folder.join("bench.json"), json));
    write_all(&files)
}
