//! Rings that programs in C have to themselves.

use ephapse_driven::compiled::{How, compiled};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const SOURCE: &str = "tests/two_programs.c";

/// The line of a reader that has read `count` blocks of eight times their number.
fn read_all(count: u64) -> String {
    let sum = 8 * count * (count - 1) / 2;
    format!("blocks {count}, sum {sum}, outcome 2, reason 1")
}

#[test]
fn two_programs_in_c_share_a_ring_and_nothing_is_lost() {
    let Some(program) = compiled(SOURCE, How::Shared) else {
        return;
    };
    let session = format!("c-ring-{}", std::process::id());
    let mut writer = Command::new(&program.program)
        .args(["write", &session, "5000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut told = BufReader::new(writer.stdout.take().unwrap());
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "made\n");
    let second = Command::new(&program.program)
        .args(["write", &session, "1"])
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("is running already"), "{said}");
    let read = |session: &str| {
        let output = Command::new(&program.program)
            .args(["read", session])
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (stdout, stderr) = read(&session);
    assert!(stdout.contains(&read_all(5000)), "{stdout}{stderr}");
    assert!(
        stdout.contains("carries 4 x 2 i32, 1000 Hz, count, expected 4 x 2 f32"),
        "{stdout}"
    );
    // The seat was taken once.
    let (_, stderr) = read(&session);
    assert!(stderr.contains("its seat 0 is pid"), "{stderr}");
    // The writer waits for a line, or the end of its input, and then removes the ring.
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    let (_, stderr) = read(&session);
    assert!(stderr.contains("cannot open the segment"), "{stderr}");
    let left = std::fs::read_dir("/dev/shm").unwrap().flatten();
    let left = left.filter(|f| f.file_name().to_string_lossy().contains(&session));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_ring_without_a_name_goes_to_a_child_by_its_descriptor() {
    let Some(program) = compiled(SOURCE, How::Static) else {
        return;
    };
    let output = Command::new(&program.program)
        .args(["fork", "1000"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{erred}");
    assert!(said.contains("type: 4 x 2 i32, 1000 Hz, count"), "{said}");
    assert!(said.contains(&read_all(1000)), "{said}");
    // Eight slots, the oldest of which may be written to at any time.
    assert!(
        said.contains("newest 999: first frame 3996, 999; oldest 993"),
        "{said}"
    );
}
