//! Processes of a test's own: this test binary, started again.
#![allow(unsafe_code, reason = "a system call")]

use std::fs::{File, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

/// Environment of a child: what it is told.
const TOLD: &str = "EPHAPSE_TEST_END";

/// A child; killed if its test ends before it.
pub struct Process(Child);

impl Deref for Process {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is over already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `test` of this binary as a process and tells it `words`.
pub fn start(test: &str, words: &[String]) -> Process {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            test,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(TOLD, words.join(" "))
        .stdout(Stdio::null())
        .spawn();
    Process(child.unwrap())
}

/// What this process was told, if it is such a child.
pub fn told() -> Option<Vec<String>> {
    let words = std::env::var(TOLD).ok()?;
    // SAFETY: plain system call: this process ends with the thread that started it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    Some(words.split(' ').map(str::to_owned).collect())
}

/// A word that names an open file for a child.
pub fn word(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// The file of such a word.
pub fn file(word: &str) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(word)
        .unwrap()
}
