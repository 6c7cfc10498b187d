//! A certificate tells whether it, or what it certifies, was changed.

use super::sample_runs::{report, sound};
use crate::report::{Certificate, ReplayReport};
use std::path::Path;

fn certified(folder: &Path) -> Certificate {
    let capture = folder.join("run.cap");
    std::fs::write(&capture, b"what was recorded").unwrap();
    let report = report(&sound());
    let replay = ReplayReport {
        identical: Some(true),
        decisions: 10_000,
        says: "identical (10,000 decisions)".into(),
    };
    let certificate = Certificate::new(&report, std::slice::from_ref(&capture), 2, replay).unwrap();
    certificate.write(&capture).unwrap();
    certificate
}

#[test]
fn a_certificate_is_read_as_it_was_written_and_fits_its_capture() {
    let folder = tempfile::tempdir().unwrap();
    let written = certified(folder.path());
    let path = Certificate::path_of(&folder.path().join("run.cap"));
    let read = Certificate::read(&path).unwrap();
    read.check_files(folder.path()).unwrap();
    assert_eq!(read.seal, written.seal);
    assert_eq!(read.lost.unrecorded_blocks, 2);
    assert_eq!(read.capture[0].bytes, 17);
    let of_loop = read.loop_latency.unwrap();
    let report = report(&sound());
    assert_eq!(of_loop, report.loop_latency.unwrap().hop.figures);
}

#[test]
fn a_changed_capture_and_a_changed_certificate_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let written = certified(folder.path());
    std::fs::write(folder.path().join("run.cap"), b"what was Recorded").unwrap();
    let error = written.check_files(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("run.cap") && error.contains("is not the file"),
        "{error}"
    );
    std::fs::remove_file(folder.path().join("run.cap")).unwrap();
    assert!(written.check_files(folder.path()).is_err());
    let path = Certificate::path_of(&folder.path().join("run.cap"));
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("10000", "10001"),
        ("passed", "failed"),
        ("\"bytes\": 17", "\"bytes\": 18"),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Certificate::read(&path).unwrap_err().to_string();
        assert!(error.contains("was changed"), "{from}: {error}");
    }
    std::fs::write(&path, "{}").unwrap();
    let error = Certificate::read(&path).unwrap_err().to_string();
    assert!(error.contains("is not a certificate"), "{error}");
}
