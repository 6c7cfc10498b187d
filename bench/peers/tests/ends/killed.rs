//! However an end goes, nothing of its links stays: no server, no folder, no name in shared memory.

use super::{CLASS, Peer, available, cpus, link, one_at_a_time, program};
use ephapse_bench::ends::{Answer, LinkSpec, Mode, Order, Round, Side};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct End(Child);

impl End {
    fn start(cpu: u32) -> Self {
        let mut end = End(Command::new(program().path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap());
        end.ask(&Order::Place { cpu, class: CLASS });
        end
    }

    /// What it answers: an error, or nothing.
    fn error(&mut self, order: &Order) -> String {
        let line = serde_json::to_string(order).unwrap() + "\n";
        let orders = self.0.stdin.as_mut().unwrap();
        orders.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        let answers = self.0.stdout.as_mut().unwrap();
        BufReader::new(answers).read_line(&mut answer).unwrap();
        let answer: Answer = serde_json::from_str(&answer).unwrap();
        answer.error
    }

    fn ask(&mut self, order: &Order) {
        let error = self.error(order);
        assert_eq!(error, "", "{order:?}");
    }

    fn open(&mut self, link: &LinkSpec, side: Side) {
        let link = link.clone();
        self.ask(&Order::Open { link, side });
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Names in a folder that are ours.
fn names(folder: &Path, prefix: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|e| e.path())
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(prefix))
        .collect()
}

/// Processes, other than zombies, that come from `pids` or from their children.
fn descendants(pids: &[u32]) -> BTreeSet<PathBuf> {
    let mut family: BTreeSet<u32> = pids.iter().copied().collect();
    loop {
        let before = family.len();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            let pid: u32 = stat.split(' ').next().unwrap().parse().unwrap();
            // pid (name) state parent
            let mut behind = stat.rsplit(')').next().unwrap().split_whitespace().skip(1);
            let parent: u32 = behind.next().unwrap().parse().unwrap();
            if family.contains(&parent) {
                family.insert(pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    family.iter().map(|p| format!("/proc/{p}").into()).collect()
}

fn is_there(path: &Path) -> bool {
    let stat = path.join("stat");
    match (path.starts_with("/proc"), fs::read_to_string(stat)) {
        (true, Ok(stat)) => !stat.rsplit(')').next().unwrap().starts_with(" Z"),
        _ => !path.starts_with("/proc") && path.exists(),
    }
}

struct Traces {
    before: BTreeSet<PathBuf>,
}

fn files() -> BTreeSet<PathBuf> {
    let mut files = names(&std::env::temp_dir(), "ephapse-peers.");
    files.extend(names(Path::new("/dev/shm"), "eph."));
    files
}

impl Traces {
    fn watch() -> Self {
        Traces { before: files() }
    }

    /// What has appeared since, with all processes of `ends`.
    fn left_by(&self, ends: &[&End]) -> BTreeSet<PathBuf> {
        let pids: Vec<u32> = ends.iter().map(|e| e.0.id()).collect();
        let mut traces = descendants(&pids);
        traces.extend(files().difference(&self.before).cloned());
        traces
    }
}

fn assert_gone(told: &str, traces: &BTreeSet<PathBuf>) {
    let began = Instant::now();
    loop {
        let left: Vec<_> = traces.iter().filter(|path| is_there(path)).collect();
        if left.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{told}: left behind: {left:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Opens both sides, does something to the ends, and looks for what stays.
fn leaves_nothing(peer: &Peer, what: &str, mut go: impl FnMut(End, Option<End>)) {
    let watch = Traces::watch();
    let link = link(peer, 24_000);
    let [first, second] = cpus();
    let mut sender = End::start(first);
    let traces;
    if peer.two_ends {
        let mut receiver = End::start(second);
        sender.open(&link, Side::Sender);
        receiver.open(&link, Side::Receiver);
        traces = watch.left_by(&[&sender, &receiver]);
        assert!(
            traces
                .iter()
                .any(|path| path.starts_with(std::env::temp_dir())),
            "{}: lives nowhere? {traces:?}",
            peer.link
        );
        go(sender, Some(receiver));
    } else {
        sender.open(&link, Side::Both);
        traces = watch.left_by(&[&sender]);
        go(sender, None);
    }
    assert_gone(&format!("{}, {what}", peer.link), &traces);
}

#[test]
fn killed_ends_leave_nothing_behind() {
    let _turn = one_at_a_time();
    for peer in available() {
        leaves_nothing(&peer, "sender killed first", |sender, receiver| {
            sender.kill();
            // What the sender's keeper had to remove is not held up by a receiver that lives on.
            std::thread::sleep(Duration::from_millis(100));
            if let Some(receiver) = receiver {
                receiver.kill();
            }
        });
        leaves_nothing(&peer, "receiver killed first", |sender, receiver| {
            if let Some(receiver) = receiver {
                receiver.kill();
            }
            sender.kill();
        });
    }
}

#[test]
fn ends_whose_orders_end_leave_nothing_behind() {
    let _turn = one_at_a_time();
    for peer in available() {
        leaves_nothing(&peer, "orders ended", |mut sender, receiver| {
            drop(sender.0.stdin.take());
            if let Some(mut receiver) = receiver {
                drop(receiver.0.stdin.take());
                assert!(receiver.0.wait().unwrap().success());
            }
            assert!(sender.0.wait().unwrap().success());
        });
    }
}

/// A round far longer than the queue is deep.
fn endless(link: &LinkSpec) -> Order {
    Order::Run {
        round: Round {
            key: link.key,
            blocks: 1_000_000,
            warm_up: 0,
            mode: Mode::Stream { batch: 64 },
            period_ns: 0,
            start_ns: 0,
        },
    }
}

#[test]
fn an_end_whose_partner_was_killed_says_so_instead_of_hanging() {
    let _turn = one_at_a_time();
    let [first, second] = cpus();
    for peer in available().iter().filter(|peer| peer.two_ends) {
        for side in [Side::Sender, Side::Receiver] {
            let link = link(peer, 64);
            let (mut sender, mut receiver) = (End::start(first), End::start(second));
            sender.open(&link, Side::Sender);
            receiver.open(&link, Side::Receiver);
            let (killed, mut left) = match side {
                Side::Sender => (sender, receiver),
                _ => (receiver, sender),
            };
            killed.kill();
            let began = Instant::now();
            let error = left.error(&endless(&link));
            assert_ne!(error, "", "{}: {side:?} killed", peer.link);
            assert!(began.elapsed() < Duration::from_secs(30), "{}", peer.link);
            println!("{}: {side:?} killed: {error}", peer.link);
        }
    }
}
