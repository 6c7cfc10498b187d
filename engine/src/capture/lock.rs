//! One writer at a time: a capture is locked for as long as the process lives that writes it.
//!
//! A launcher that is killed in the moment in which it starts a recorder again leaves one that no session file names. It
//! leaves by itself; until then nobody else may end its capture.

use super::AppendError;
use super::writer::RecordError;
use crate::os;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// From one try to the next.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// The right to write a capture.
pub struct CaptureLock {
    /// Closed, it is free again.
    _file: File,
}

impl CaptureLock {
    /// Takes it, waiting so long for whoever has it. `first`: the capture's first file.
    ///
    /// # Errors
    /// Somebody else writes the capture, or it is not there.
    pub fn take(first: &Path, within: Duration) -> Result<Self, RecordError> {
        let path = || first.to_owned();
        let file = File::open(first).map_err(|source| AppendError::Io {
            path: path(),
            source,
        })?;
        let until = Instant::now() + within;
        while !os::try_lock(&file) {
            if Instant::now() > until {
                return Err(RecordError::Taken { path: path() });
            }
            std::thread::sleep(TRY_AGAIN);
        }
        Ok(CaptureLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_has_one_writer_and_the_next_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.cap");
        std::fs::write(&path, b"").unwrap();
        let first = CaptureLock::take(&path, Duration::ZERO).ok().unwrap();
        let refused = CaptureLock::take(&path, Duration::from_millis(30)).err();
        assert!(matches!(refused, Some(RecordError::Taken { .. })));
        let leaves = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(first);
        });
        assert!(CaptureLock::take(&path, Duration::from_secs(10)).is_ok());
        leaves.join().unwrap();
        let gone = CaptureLock::take(&folder.path().join("none.cap"), Duration::ZERO);
        assert!(matches!(gone.err(), Some(RecordError::Append(_))));
    }
}
