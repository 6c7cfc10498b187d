//! Files written so that none is ever half there: each is complete under another name before the first is renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes all of them, or leaves those of before as they were. Folders are made if need be; the last file is renamed last.
///
/// # Errors
/// Names the path, what is wrong with it, and what to do.
pub fn write_all(files: &[(PathBuf, Vec<u8>)]) -> io::Result<Vec<PathBuf>> {
    let placed = place(files);
    if placed.is_err() {
        for (path, _) in files {
            // The first error is what the caller must hear of; a leftover is overwritten by the next try.
            let _ = fs::remove_file(part(path));
        }
    }
    placed
}

fn place(files: &[(PathBuf, Vec<u8>)]) -> io::Result<Vec<PathBuf>> {
    for (path, bytes) in files {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| explain(error, folder))?;
        }
        let part = part(path);
        // A full disk may show only when the data are really written: before the rename, not after.
        File::create(&part)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|error| explain(error, &part))?;
    }
    for (path, _) in files {
        fs::rename(part(path), path).map_err(|error| explain(error, path))?;
    }
    Ok(files.iter().map(|(path, _)| path.clone()).collect())
}

fn part(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

/// The error with the path and what to do about it.
pub fn explain(error: io::Error, path: &Path) -> io::Error {
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
