//! A stage in a storm of signals: its own, and others' that it handles or ignores.

use crate::streams::number;
use crate::subjects::{Subject, block};
use ephapse_driven::{Driven, Wanted};
use ephapse_engine::os::{self, PidFd};
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::plan::Pace;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// Signals of each kind that a storm has at least.
pub const GUSTS: u64 = 10_000;
/// Of those, how many come while a socket is being read.
const WHILE_READING: u64 = 4_000;
/// Bytes of the file: many reads.
const FILE_BYTES: usize = 1 << 20;

/// The signals that a process gets.
pub struct Storm {
    pub ring: PidFd,
    /// So often each of the three.
    pub gusts: u64,
}

impl Storm {
    pub fn on(stage: &Driven) -> Self {
        Storm {
            ring: PidFd::open(stage.pid()).unwrap(),
            gusts: 0,
        }
    }

    /// One pacing signal, one SIGALRM, one SIGCHLD, and time to act on them.
    pub fn gust(&mut self) {
        for signal in [os::pacing_signal(), libc::SIGALRM, libc::SIGCHLD] {
            self.ring.signal(signal).unwrap();
        }
        self.gusts += 1;
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// Lets the stage load in the storm; what it reads from the socket comes byte by byte, with a gust each.
fn load(stage: &mut Driven, storm: &mut Storm, listener: &UnixListener) {
    listener.set_nonblocking(true).unwrap();
    let mut link: Option<UnixStream> = None;
    let mut sent = 0;
    stage.until("it has loaded", |_| {
        storm.gust();
        match &mut link {
            None => link = listener.accept().ok().map(|(link, _)| link),
            Some(link) => {
                link.write_all(&[7]).unwrap();
                sent += 1;
            }
        }
        sent == WHILE_READING
    });
}

/// The number behind a word that the stage has said.
#[track_caller]
fn said(stderr: &str, word: &str) -> u64 {
    let behind = stderr.split(word).nth(1);
    let number = behind.and_then(|rest| rest.split([',', '\n']).next());
    number
        .and_then(|n| n.trim().parse().ok())
        .unwrap_or_else(|| panic!("no `{word}` in {stderr}"))
}

pub fn signals_break_no_call_and_begin_no_tick_early(subject: &dyn Subject) {
    let folder = tempfile::tempdir().unwrap();
    let (file, socket) = (folder.path().join("file"), folder.path().join("socket"));
    std::fs::write(&file, vec![1; FILE_BYTES]).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let Some(program) = subject.loads(&file, &socket) else {
        return;
    };
    let wanted = Wanted {
        pace: Pace::Tick,
        slots: 16,
        ..program.wanted()
    };
    let mut stage = Driven::spawn(program.command(), &wanted);
    let mut storm = Storm::on(&stage);
    if program.loads {
        load(&mut stage, &mut storm, &listener);
    }
    stage.expect_ready();
    stage.give_start();
    let (mut tick, mut fed, mut taken) = (0, 0, 0);
    while tick < 300 || storm.gusts < GUSTS {
        tick += 1;
        while os::monotonic_ns() < stage.deadline_ns(tick) {
            storm.gust();
        }
        let (header, payload) = block(fed);
        // A stage that is late leaves no room.
        fed += u64::from(stage.offer(0, header, &payload));
        stage.tick(tick, &storm.ring);
        while let Some(block) = stage.take_now(0) {
            assert_eq!(number(&block), taken);
            taken += 1;
        }
    }
    stage.stop_after(tick);
    let ended = stage.wait();
    assert_eq!((ended.code, ended.state), (Some(0), "done"), "{ended:?}");
    while let Some(block) = stage.take_now(0) {
        assert_eq!(number(&block), taken);
        taken += 1;
    }
    if program.loads {
        assert_eq!(said(&ended.stderr, "loaded "), FILE_BYTES as u64);
        assert_eq!(said(&ended.stderr, "received "), WHILE_READING);
        assert!(said(&ended.stderr, "alarms ") > 0, "{ended:?}");
        assert!(said(&ended.stderr, "children ") > 0, "{ended:?}");
    } else {
        assert_eq!(ended.stderr, "");
    }
    expect_no_tick_early(&mut stage, tick);
    let bank = stage.memory.bank();
    let get = |word: &AtomicU64| word.load(Ordering::Relaxed);
    let skipped = [&bank.late_wake, &bank.long_run, &bank.no_room, &bank.dead].map(get);
    let spurious = get(&stage.memory.words.spurious);
    println!(
        "{tick} due = {} run + {skipped:?} skipped; {} gusts, {spurious} spurious; {taken} of {fed} blocks",
        get(&bank.run),
        storm.gusts
    );
    assert_eq!(tick, get(&bank.run) + skipped.iter().sum::<u64>());
    assert!(get(&bank.run) > 0 && taken > 0);
    assert_eq!(get(&bank.inputs[0].consumed), taken);
    assert!(spurious <= storm.gusts + tick);
    // A stage that a busy machine let run a few times only may have had no wait that a gust could end.
    assert!(spurious > 0 || get(&bank.run) < tick / 10);
}

/// Every activation woke at or behind the deadline of its tick, and each tick is newer than the one before.
#[track_caller]
fn expect_no_tick_early(stage: &mut Driven, ticks: u64) {
    let (mut last, mut seen) = (0, 0);
    while let Some(record) = stage.record() {
        if record.marks & 1 == 0 {
            continue;
        }
        assert_eq!(
            record.since_ns,
            stage.deadline_ns(record.tick),
            "{record:?}"
        );
        assert!(record.woke_ns >= record.since_ns, "early: {record:?}");
        assert!(record.tick > last && record.tick <= ticks, "{record:?}");
        last = record.tick;
        seen += 1;
    }
    assert!(seen > 0, "no activation is on record");
}
