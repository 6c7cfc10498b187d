//! Which files a session runs and reads its parameters from: read and hashed beside the recording, by a thread that gets the
//! CPU only when nobody else wants it.

use super::digest::sha256_while;
use super::meta::FileNote;
use crate::os;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A longer one is a recording rather than a parameter: its name and size are noted, and its bytes are not read.
const LONGEST: u64 = 256 << 20;

/// A file, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// See [`FileNote::role`].
    pub role: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is known of its version; empty if nothing.
    pub version: String,
}

/// Reads files in the background.
pub struct FileReader {
    asked: mpsc::Sender<NamedFile>,
    found: mpsc::Receiver<FileNote>,
    /// Found, and not yet taken.
    ready: Vec<FileNote>,
    open: usize,
    hurry: Arc<AtomicBool>,
}

impl FileReader {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system said.
    pub fn start() -> io::Result<Self> {
        let (asked, to_read) = mpsc::channel::<NamedFile>();
        let (tell, found) = mpsc::channel();
        let hurry = Arc::new(AtomicBool::new(false));
        let hurried = hurry.clone();
        std::thread::Builder::new()
            .name("files".into())
            .spawn(move || {
                os::yield_to_everybody();
                for file in to_read {
                    if tell.send(look(file, &hurried)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(FileReader {
            asked,
            found,
            ready: Vec::new(),
            open: 0,
            hurry,
        })
    }

    /// Asks for files.
    pub fn ask(&mut self, files: &[NamedFile]) {
        for file in files {
            if self.asked.send(file.clone()).is_ok() {
                self.open += 1;
            }
        }
    }

    /// What has been found and not yet taken.
    pub fn found(&mut self) -> &[FileNote] {
        let before = self.ready.len();
        self.ready.extend(self.found.try_iter());
        self.open -= self.ready.len() - before;
        &self.ready
    }

    /// What was found is in the capture.
    pub fn taken(&mut self) {
        self.ready.clear();
    }

    /// Waits for all that was asked for: what is not read `within` that time goes without its digest.
    pub fn wait(&mut self, within: Duration) {
        let until = Instant::now() + within;
        while self.open > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.hurry.store(true, Ordering::Relaxed);
            }
            match self.found.recv_timeout(left.max(Duration::from_secs(1))) {
                Ok(note) => {
                    self.ready.push(note);
                    self.open -= 1;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // A disk that does not answer.
                Err(_) if self.hurry.load(Ordering::Relaxed) => break,
                Err(_) => {}
            }
        }
    }
}

/// Reads one file; one that cannot be read any more has no bytes and no digest.
fn look(file: NamedFile, hurried: &AtomicBool) -> FileNote {
    let opened = File::open(&file.path).and_then(|f| Ok((f.metadata()?.len(), f)));
    let (bytes, sha256) = match opened {
        Ok((bytes, file)) if bytes <= LONGEST => {
            let read = sha256_while(file, || !hurried.load(Ordering::Relaxed));
            read.ok().flatten().unwrap_or((bytes, String::new()))
        }
        Ok((bytes, _)) => (bytes, String::new()),
        Err(_) => (0, String::new()),
    };
    FileNote {
        role: file.role,
        path: file.path.display().to_string(),
        bytes,
        sha256,
        version: file.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: PathBuf) -> NamedFile {
        NamedFile {
            role: "readout.weights".into(),
            path,
            version: "3".into(),
        }
    }

    #[test]
    fn a_file_is_noted_with_its_digest_and_one_that_is_gone_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.csv");
        std::fs::write(&path, b"abc").unwrap();
        let mut reader = FileReader::start().unwrap();
        reader.ask(&[named(path), named(folder.path().join("gone"))]);
        reader.wait(Duration::from_secs(10));
        let notes = reader.found().to_vec();
        assert_eq!(reader.found(), notes, "what was not taken is still there");
        reader.taken();
        assert!(reader.found().is_empty());
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digests: Vec<_> = notes.iter().map(|n| (n.bytes, n.sha256.as_str())).collect();
        assert_eq!(digests, [(3, abc), (0, "")]);
        assert_eq!(notes[0].version, "3");
    }

    #[test]
    fn a_file_too_long_to_be_a_parameter_is_noted_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording.h5");
        let sparse = File::create(&path).unwrap();
        sparse.set_len(LONGEST + 1).unwrap();
        let mut reader = FileReader::start().unwrap();
        reader.ask(&[named(path)]);
        reader.wait(Duration::from_secs(10));
        let notes = reader.found();
        assert_eq!(
            (notes[0].bytes, notes[0].sha256.as_str()),
            (LONGEST + 1, "")
        );
    }
}
