//! Where a session keeps its files, and what its segments are called.

use super::LaunchError;
use crate::os;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Segment of a stream: `/ephapse.<uid>.<session>.<stream>`. `part` is a stream, `session`, `events`, `stage.<name>` or
/// `telemetry.<name>`.
pub fn segment_name(session: &str, part: &str) -> String {
    format!("/ephapse.{}.{session}.{part}", os::uid())
}

/// The folder of session files: `$XDG_RUNTIME_DIR/ephapse`, else `/run/ephapse-<uid>` (root) or `/tmp/ephapse-<uid>`.
/// Made with mode 0700 if it is not there; refused if it is somebody else's.
///
/// # Errors
/// Says whose it is, or what the system said.
pub fn runtime_dir() -> Result<PathBuf, LaunchError> {
    let uid = os::uid();
    let dir = match std::env::var_os("XDG_RUNTIME_DIR").filter(|d| !d.is_empty()) {
        Some(dir) => Path::new(&dir).join("ephapse"),
        None if uid == 0 => PathBuf::from(format!("/run/ephapse-{uid}")),
        None => PathBuf::from(format!("/tmp/ephapse-{uid}")),
    };
    make_private_dir(&dir)?;
    Ok(dir)
}

/// Makes a folder that only this user can enter, or checks that it is one.
pub(super) fn make_private_dir(dir: &Path) -> Result<(), LaunchError> {
    let refused = |why: String| LaunchError::File {
        path: dir.to_owned(),
        why,
    };
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => {
            return Err(refused(format!(
                "cannot make the folder for session files: {e}"
            )));
        }
    }
    let meta = std::fs::symlink_metadata(dir).map_err(|e| refused(e.to_string()))?;
    if !meta.is_dir() || meta.uid() != os::uid() || meta.mode() & 0o077 != 0 {
        return Err(refused(format!(
            "is not a folder of this user alone (owner {}, mode {:o}): remove it, or set XDG_RUNTIME_DIR",
            meta.uid(),
            meta.mode() & 0o777
        )));
    }
    Ok(())
}
