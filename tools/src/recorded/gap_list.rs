//! The gaps of an exported stream, for formats that cannot say them.

use crate::show::PartFile;
use anyhow::Context;
use ephapse_drivers::export::Gap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// `raw.npy.gaps.csv` of `raw.npy`.
pub fn gap_list_of(export: &Path) -> PathBuf {
    let mut path = export.as_os_str().to_owned();
    path.push(".gaps.csv");
    PathBuf::from(path)
}

/// Begins the list, or adds to the one that was begun.
///
/// # Errors
/// It cannot be written.
pub fn write_gap_list(
    list: &mut Option<BufWriter<PartFile>>,
    export: &Path,
    stream: &str,
    gap: &Gap,
) -> anyhow::Result<()> {
    let path = gap_list_of(export);
    let failed = || format!("{}: cannot be written", path.display());
    if list.is_none() {
        let mut new = BufWriter::new(PartFile::create(&path, "--out")?);
        writeln!(new, "stream,row,first_frame,lost_frames,missing_blocks,why")
            .with_context(failed)?;
        *list = Some(new);
    }
    if let Some(list) = list {
        let Gap {
            row,
            first_frame,
            lost_frames,
            missing_blocks,
            why,
        } = gap;
        let why = why.replace('"', "'");
        writeln!(
            list,
            "{stream},{row},{first_frame},{lost_frames},{missing_blocks},\"{why}\""
        )
        .with_context(failed)?;
    }
    Ok(())
}
