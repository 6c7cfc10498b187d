//! Ends of rings in processes of their own: this test binary, started again.
#![allow(unsafe_code, reason = "a system call")]

use ephapse_engine::abi::{PAGE, SlotHeader, segment};
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::Segment;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use std::fs::{File, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

/// Blocks of so many numbers.
pub fn numbers(per_block: u32) -> StreamType {
    StreamType::frames(Dtype::U64, per_block, 1, Rate::hz(1000), "count")
}

/// A ring with one `hold` seat, in an unnamed segment.
pub fn ring(slots: u32, per_block: u32, full: Full) -> File {
    let spec = RingSpec {
        stream_type: numbers(per_block),
        slots,
        full,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "reader".into(),
            port: "in".into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    };
    assert_eq!(spec.bytes() % PAGE, 0);
    spec.create_anonymous().unwrap()
}

pub fn segment(file: &File) -> Segment {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("ring", copy(), Some(copy()), segment::RING).unwrap()
}

/// Generation 1 of this process.
fn owner() -> u64 {
    1 << 32 | u64::from(std::process::id())
}

pub fn producer(file: &File, per_block: u32) -> Producer {
    Producer::attach(&segment(file), &numbers(per_block), owner()).unwrap()
}

pub fn seat(file: &File, per_block: u32) -> HoldSeat {
    HoldSeat::attach(&segment(file), 0, &numbers(per_block), owner()).unwrap()
}

/// Spreads the bits of a number.
pub fn mixed(number: u64) -> u64 {
    (number ^ number >> 31)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(27)
}

pub fn header(position: u64) -> SlotHeader {
    SlotHeader {
        position,
        user: mixed(position),
        valid: 1,
        ..SlotHeader::default()
    }
}

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
