//! Whether a disk can take a recording, as far as that can be told before it begins.

use crate::os;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Without a known length: there should be room for so much.
const UNKNOWN_LENGTH: Duration = Duration::from_secs(600);
/// Slower than this in bytes per second is every disk fast enough for.
const NOT_WORTH_ASKING: f64 = 5e6;
/// Bytes written at once, and at most, to see how fast the disk is.
const PROBE_CHUNK: usize = 1 << 20;
const PROBE_CHUNKS: usize = 8;
/// The probe is given up after so long.
const PROBE_WITHIN: Duration = Duration::from_millis(300);

/// Why a recording should not begin.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {free_mb:.0} MB are free, and {length_s:.0} s of this graph take {needed_mb:.0} MB ({rate_mb:.1} MB/s): make room, record to another folder, or record less (`record = [...]` names streams, `--record off` records nothing)",
    folder.display()
)]
pub struct NoRoom {
    folder: PathBuf,
    free_mb: f64,
    length_s: f64,
    needed_mb: f64,
    rate_mb: f64,
}

/// Compares what is free in `folder` and how fast it takes data with a recording of so many bytes per second, for `length`
/// if that is known. Returns warnings, each one line.
///
/// # Errors
/// [`NoRoom`] if the whole of a known length does not fit.
pub fn check(
    folder: &Path,
    bytes_per_second: f64,
    length: Option<Duration>,
) -> Result<Vec<String>, NoRoom> {
    const MB: f64 = 1e6;
    let mut warnings = Vec::new();
    let shown = folder.display();
    let rate_mb = bytes_per_second / MB;
    if let Some(free) = os::free_bytes(folder) {
        let length_s = length.unwrap_or(UNKNOWN_LENGTH).as_secs_f64();
        let needed = bytes_per_second * length_s;
        if needed > free as f64 {
            let no_room = NoRoom {
                folder: folder.to_owned(),
                free_mb: free as f64 / MB,
                length_s,
                needed_mb: needed / MB,
                rate_mb,
            };
            if length.is_some() {
                return Err(no_room);
            }
            warnings.push(no_room.to_string());
        }
    }
    if bytes_per_second > NOT_WORTH_ASKING {
        match speed(folder) {
            Some(speed) if speed < bytes_per_second => warnings.push(format!(
                "{shown}: takes {:.1} MB/s just now, and {rate_mb:.1} MB/s are to be recorded: what it cannot take is lost as gaps; record to another folder, or less (`record = [...]`)",
                speed / MB
            )),
            Some(_) => {}
            None => warnings.push(format!(
                "{shown}: {} MB were not on the disk after {PROBE_WITHIN:?}, and {rate_mb:.1} MB/s are to be recorded: it may not follow",
                PROBE_CHUNK * PROBE_CHUNKS / 1_000_000
            )),
        }
    }
    Ok(warnings)
}

/// Bytes per second that reach the disk of `folder`: 8 MB are written there, synced and removed. `None` if that took more
/// than 300 ms, or they cannot be written at all (then the capture cannot either, and says why).
pub fn speed(folder: &Path) -> Option<f64> {
    let path = folder.join(format!(".{}.speed", std::process::id()));
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let speed = write_probe(&path);
        // Nothing can be done about a file that cannot be removed; it is small.
        let _ = std::fs::remove_file(&path);
        // Whoever asked may have given up.
        let _ = done.send(speed.ok());
    });
    waits.recv_timeout(PROBE_WITHIN).ok().flatten()
}

fn write_probe(path: &Path) -> std::io::Result<f64> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let chunk = vec![0x5a; PROBE_CHUNK];
    let begun = Instant::now();
    let mut written = 0;
    while written < PROBE_CHUNKS && begun.elapsed() < PROBE_WITHIN / 2 {
        file.write_all(&chunk)?;
        written += 1;
    }
    file.sync_data()?;
    Ok((written * PROBE_CHUNK) as f64 / begun.elapsed().as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_does_not_fit_is_refused_and_an_unknown_one_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let hour = Some(Duration::from_secs(3600));
        let refused = check(folder.path(), 1e15, hour).unwrap_err().to_string();
        let named = folder.path().display().to_string();
        for words in [named.as_str(), "3600 s", "`--record off`"] {
            assert!(refused.contains(words), "{refused}");
        }
        let warnings = check(folder.path(), 1e15, None).unwrap();
        assert!(warnings[0].contains("600 s"), "{warnings:?}");
        assert!(warnings.len() == 2, "no disk takes so much: {warnings:?}");
        assert_eq!(
            check(folder.path(), 1.0, hour).unwrap(),
            Vec::<String>::new()
        );
    }
}
