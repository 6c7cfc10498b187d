use super::sample_runs::{report, sound, suggestions};
use crate::report::{Report, html, text, write};
use std::fs;
use std::path::{Path, PathBuf};

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn all_six_files_are_written_into_a_directory_that_did_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("reports/first");
    let outcome = sound();
    let report = report(&outcome);
    let written = write(&out, &outcome, &report, &suggestions()).unwrap();
    let wanted = [
        "hops.hlog",
        "loop.hgrm",
        "loop.hlog",
        "report.html",
        "report.json",
        "report.txt",
    ];
    assert_eq!(names(&out), wanted);
    assert_eq!(written.len(), wanted.len());
    assert!(written.iter().all(|path| path.is_file()));
    assert_eq!(written.last(), Some(&out.join("report.json")));
    assert_eq!(
        fs::read_to_string(out.join("report.txt")).unwrap(),
        text(&report, &suggestions())
    );
    assert_eq!(
        fs::read_to_string(out.join("report.html")).unwrap(),
        html(&report, &suggestions())
    );
    let json = fs::read(out.join("report.json")).unwrap();
    let read: Report = serde_json::from_slice(&json).unwrap();
    assert_eq!(read.session, "demo");
}

#[test]
fn an_earlier_report_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut outcome = sound();
    write(dir.path(), &outcome, &report(&outcome), &[]).unwrap();
    outcome.plan.session = "second".to_owned();
    write(dir.path(), &outcome, &report(&outcome), &[]).unwrap();
    let json = fs::read_to_string(dir.path().join("report.json")).unwrap();
    assert!(json.contains("\"session\": \"second\""));
    assert_eq!(names(dir.path()).len(), 6);
}

#[test]
fn a_directory_whose_name_is_taken_by_a_file_is_refused_by_name_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    fs::write(&taken, "mine").unwrap();
    let outcome = sound();
    let error = write(&taken, &outcome, &report(&outcome), &[])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with(taken.to_str().unwrap()), "{error}");
    assert!(
        error.contains("--report DIR") && !error.contains('\n'),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn a_disk_that_is_full_is_named_and_the_earlier_report_stays_whole() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = sound();
    write(dir.path(), &outcome, &report(&outcome), &[]).unwrap();
    let before = fs::read(dir.path().join("report.json")).unwrap();
    // Whatever is written here meets a full disk.
    let full = PathBuf::from("/dev/full");
    if !full.exists() {
        println!("SKIPPED: there is no /dev/full here");
        return;
    }
    std::os::unix::fs::symlink(&full, dir.path().join(".report.html.part")).unwrap();
    let error = write(dir.path(), &outcome, &report(&outcome), &[]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let words = error.to_string();
    assert!(
        words.contains(".report.html.part") && words.contains("free some space"),
        "{words}"
    );
    assert_eq!(fs::read(dir.path().join("report.json")).unwrap(), before);
    assert_eq!(
        names(dir.path()).len(),
        6,
        "no part files are left: {:?}",
        names(dir.path())
    );
}
