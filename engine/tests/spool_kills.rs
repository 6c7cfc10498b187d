//! Either end of the spool may be killed at any instruction: a process that fills it and one that empties it are killed with
//! SIGKILL between any two stores that the other can see, and started again. What comes out is every entry once, in order,
//! and the accounts say the same.
#![cfg(debug_assertions)]

mod child;
mod mixed;

use ephapse_engine::abi::segment;
use ephapse_engine::capture::spool::{
    Account, Emptying, Filling, Kind, Place, Why, create_anonymous,
};
use ephapse_engine::shm::Segment;
use ephapse_engine::trap::{Point, SPOOL, arm};
use mixed::mixed;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const SOURCES: usize = 3;
/// Positions of each source.
const POSITIONS: u64 = 150;
/// Deaths at each point.
const DEATHS: u32 = 20;
/// Bytes that an entry is noted with: kind, source, position, how many, digest of its bytes.
const NOTE: usize = 40;

fn spool(file: &File) -> Segment {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("spool", copy(), Some(copy()), segment::SPOOL).unwrap()
}

/// What happens at a position of a source.
enum Step {
    Data(Vec<u8>),
    Gap(u64),
    PassedOver,
}

fn step(source: usize, position: u64) -> Step {
    match (position + source as u64) % 11 {
        3 => Step::Gap(2),
        7 => Step::PassedOver,
        _ => {
            let length = mixed(position * 3 + source as u64) % 300;
            let byte = |i| mixed(position ^ i) as u8;
            Step::Data((0..length).map(byte).collect())
        }
    }
}

fn digest(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(1, |sum, byte| mixed(sum ^ u64::from(byte)))
}

/// Account behind a step at the account's position, and what is put.
fn after(account: Account, step: &Step) -> (Account, Option<Kind>) {
    match step {
        Step::Data(bytes) => {
            let after = Account {
                position: account.position + 1,
                consumed: account.consumed + 1,
                bytes: account.bytes + bytes.len() as u64,
                ..account
            };
            (after, Some(Kind::Data(1)))
        }
        Step::Gap(count) => {
            let after = Account {
                position: account.position + count,
                lapped: account.lapped + count,
                gaps: account.gaps + 1,
                ..account
            };
            (after, Some(Kind::Gap(*count, Why::Lapped)))
        }
        Step::PassedOver => {
            let after = Account {
                position: account.position + 1,
                jumped: account.jumped + 1,
                ..account
            };
            (after, None)
        }
    }
}

fn fill(file: &File) {
    let mut filling = Filling::attach(&spool(file)).unwrap();
    loop {
        let behind = (0..SOURCES).min_by_key(|s| filling.account(*s).position);
        let source = behind.unwrap();
        let account = filling.account(source);
        if account.position >= POSITIONS {
            return;
        }
        let step = step(source, account.position);
        let (after, kind) = after(account, &step);
        let bytes: &[u8] = match &step {
            Step::Data(bytes) => bytes,
            _ => &[],
        };
        let (front, back) = bytes.split_at(bytes.len() / 3);
        match kind {
            Some(kind) => {
                let parts = [front, back];
                while !filling.put(source, kind, account.position, 1, &parts, after) {
                    std::thread::yield_now();
                }
            }
            None => filling.note(source, after),
        }
    }
}

/// Notes entry after entry in `notes`, each at the place of its number: one that is taken twice must be the same.
fn empty(file: &File, notes: &File) {
    let mut emptying = Emptying::attach(&spool(file)).unwrap();
    loop {
        let place = emptying.place();
        let Some(front) = emptying.front() else {
            let told = (0..SOURCES).all(|s| emptying.view().account(s).position >= POSITIONS);
            if told && emptying.view().waiting_bytes() == 0 {
                return;
            }
            std::thread::yield_now();
            continue;
        };
        let (kind, count) = match front.kind {
            Kind::Data(count) => (1, u64::from(count)),
            Kind::Gap(count, why) => (2 + (why as u64) * 10, count),
        };
        let bytes = front.parts.concat();
        let words = [
            kind,
            u64::from(front.source),
            front.position,
            count,
            digest(bytes.into_iter()),
        ];
        let note: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let stride = front.stride;
        let (at, mut there) = (place.entries * NOTE as u64, [0; NOTE]);
        if notes.read_exact_at(&mut there, at).is_ok() && there != [0; NOTE] {
            assert_eq!(there[..], note[..], "taken again, entry {}", place.entries);
        }
        notes.write_all_at(&note, at).unwrap();
        emptying.advance(Place {
            taken: place.taken + stride,
            entries: place.entries + 1,
            ..place
        });
    }
}

#[test]
#[ignore = "a process that is killed, started by the test of this file"]
fn end() {
    let Some(told) = child::told() else { return };
    let [role, file, notes, point, pass] = &told[..] else {
        panic!("told {told:?}")
    };
    if let Some(point) = SPOOL.iter().find(|p| format!("{p:?}") == *point) {
        arm(*point, pass.parse().unwrap());
    }
    match role.as_str() {
        "fill" => fill(&child::file(file)),
        _ => empty(&child::file(file), &child::file(notes)),
    }
}

/// All entries, as they should come out of one source.
fn expected(source: usize) -> (Vec<[u64; 5]>, Account) {
    let (mut entries, mut account) = (Vec::new(), Account::default());
    while account.position < POSITIONS {
        let step = step(source, account.position);
        let position = account.position;
        let (next, kind) = after(account, &step);
        let bytes = match step {
            Step::Data(bytes) => bytes,
            _ => Vec::new(),
        };
        let sum = digest(bytes.into_iter());
        match kind {
            Some(Kind::Data(count)) => {
                entries.push([1, source as u64, position, u64::from(count), sum]);
            }
            Some(Kind::Gap(count, why)) => {
                entries.push([2 + (why as u64) * 10, source as u64, position, count, sum]);
            }
            None => {}
        }
        account = next;
    }
    (entries, account)
}

/// One run in which whoever comes to `point` dies there, so often.
fn round(point: Point, deaths: u32) {
    let file = create_anonymous(SOURCES, 4096).unwrap();
    let notes = tempfile::tempfile().unwrap();
    let mut died = 0;
    let start = |role: &str, died: u32| {
        let armed = if died < deaths {
            format!("{point:?}")
        } else {
            "none".into()
        };
        let pass = 1 + u64::from(died) % 5;
        let words = [
            role.into(),
            child::word(&file),
            child::word(&notes),
            armed,
            pass.to_string(),
        ];
        child::start("end", &words)
    };
    let mut running = ["fill", "empty"].map(|role| (role, Some(start(role, 0))));
    let begun = Instant::now();
    while running.iter().any(|(_, child)| child.is_some()) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{point:?}: stands still"
        );
        std::thread::sleep(Duration::from_micros(200));
        for (role, child) in &mut running {
            let Some(status) = child.as_mut().and_then(|c| c.try_wait().unwrap()) else {
                continue;
            };
            *child = None;
            if !status.success() {
                assert_eq!(
                    status.signal(),
                    Some(libc::SIGKILL),
                    "{role} at {point:?}: {status}"
                );
                died += 1;
                *child = Some(start(role, died));
            }
        }
    }
    assert_eq!(died, deaths, "{point:?} is not come to so often");
    let mut found: [Vec<[u64; 5]>; SOURCES] = Default::default();
    let length = notes.metadata().unwrap().len() as usize;
    let mut all = vec![0; length];
    notes.read_exact_at(&mut all, 0).unwrap();
    for note in all.chunks_exact(NOTE) {
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(note.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        found[words[1] as usize].push(words);
    }
    let filling = Filling::attach(&spool(&file)).unwrap();
    for (source, found) in found.iter().enumerate() {
        let (entries, account) = expected(source);
        assert_eq!(*found, entries, "source {source}, killed at {point:?}");
        assert_eq!(
            filling.account(source),
            account,
            "source {source}, killed at {point:?}"
        );
    }
}

#[test]
fn whichever_end_is_killed_wherever_it_stands_every_entry_comes_once_and_is_counted() {
    // The recorder's writer has the last one; its own test kills it there.
    for point in SPOOL.into_iter().filter(|p| *p != Point::Appended) {
        round(point, DEATHS);
    }
}
