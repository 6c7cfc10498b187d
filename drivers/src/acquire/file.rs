//! What every file source checks before it looks inside a file.

use ephapse_engine::stage::StageError;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Opens a non-empty regular file for reading and returns it with its size in bytes.
///
/// # Errors
/// A `Resource` error naming the path: missing, not permitted, a directory or a device, empty.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), StageError> {
    let refuse = |why: String| StageError::resource(path.display().to_string(), why);
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => refuse(format!(
            "no such file{}; give the recording's path in `path`",
            nearest_existing(path)
        )),
        _ => refuse(format!("cannot be read ({error})")),
    })?;
    if metadata.is_dir() {
        return Err(refuse(
            "is a directory, not a recording; name the file in it".to_owned(),
        ));
    }
    if !metadata.is_file() {
        return Err(refuse("is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(|error| refuse(format!("cannot be opened ({error})")))?;
    if metadata.len() == 0 {
        return Err(refuse("is empty".to_owned()));
    }
    Ok((file, metadata.len()))
}

/// Where the path stops existing: a wrong folder is a more useful hint than a missing file.
fn nearest_existing(path: &Path) -> String {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            format!(" (its folder {} does not exist either)", folder.display())
        }
        Some(folder) if folder.as_os_str().is_empty() => {
            let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
            format!(" in {}", here.display())
        }
        _ => String::new(),
    }
}
