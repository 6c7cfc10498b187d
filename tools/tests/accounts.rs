//! An account that nobody can break proves nothing: every counter is falsified in turn, and the run must fail because of
//! the accounts that count with it, and of no other.

use ephapse_engine::abi::{
    Bank, LINE, PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords,
};
use ephapse_engine::capture::spool::{self, SourceAccount};
use ephapse_engine::launch::{Options, Processes, launch};
use ephapse_engine::outcome::{Outcome, Verdict};
use ephapse_engine::shm::Owned;
use ephapse_engine::stage::Registry;
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

const GRAPH: &str = r#"
name = "accounts"
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
policy = "other"

[stage.source]
use = "acquire.synthetic"
params = { channels = 2 }
out = { frames = "raw" }

[stage.band]
use = "filter.bandpass"
params = { low_hz = 300.0, high_hz = 3000.0 }
in = { frames = "raw" }
out = { frames = "filtered" }

[stage.detect]
use = "detect.threshold"
in = { frames = "filtered" }
out = { spikes = "spikes" }
"#;

/// Says what happens to a session's memory before its accounts are checked.
type Falsify = fn(&Processes);

/// A counter, how it is falsified, and the accounts that must then fail.
const COUNTERS: [(&str, Falsify, &[&str]); 20] = [
    ("ticks run", |p| less(&bank(p, "band").run), &["tick band"]),
    (
        "ticks of the timer",
        |p| less(&bank(p, "timer").run),
        &["tick timer"],
    ),
    (
        "late wakes",
        |p| more(&bank(p, "band").late_wake),
        &["tick band"],
    ),
    (
        "long runs",
        |p| more(&bank(p, "band").long_run),
        &["tick band"],
    ),
    (
        "ticks without room",
        |p| more(&bank(p, "band").no_room),
        &["tick band"],
    ),
    (
        "ticks of the dead",
        |p| more(&bank(p, "band").dead),
        &["tick band"],
    ),
    (
        "blocks offered",
        |p| less(&bank(p, "band").outputs[0].offered),
        &["ring filtered"],
    ),
    (
        "blocks dropped",
        |p| more(&bank(p, "band").outputs[0].dropped),
        &["ring filtered"],
    ),
    (
        "blocks published",
        |p| less(&producer(ring(p, "filtered")).published),
        &["ring filtered", "edge filtered", "edge filtered"],
    ),
    (
        "blocks consumed",
        |p| less(&bank(p, "detect").inputs[0].consumed),
        &["edge filtered"],
    ),
    (
        "blocks jumped",
        |p| more(&bank(p, "detect").inputs[0].jumped),
        &["edge filtered"],
    ),
    (
        "blocks lapped",
        |p| more(&bank(p, "detect").inputs[0].lapped),
        &["edge filtered"],
    ),
    (
        "the reader's position",
        |p| less(&seat(ring(p, "filtered"), 0).position),
        &["edge filtered"],
    ),
    (
        "blocks recorded",
        |p| less(&recorded(p, "filtered").words[1]),
        &["edge filtered"],
    ),
    (
        "blocks the recorder was too late for",
        |p| more(&recorded(p, "filtered").words[2]),
        &["edge filtered"],
    ),
    (
        "blocks the recorder passed over",
        |p| more(&recorded(p, "filtered").words[3]),
        &["edge filtered"],
    ),
    (
        "the recorder's position",
        |p| less(&seat(ring(p, "filtered"), 1).position),
        &["edge filtered"],
    ),
    (
        "frames counted",
        |p| less(&bank(p, "source").outputs[0].counted),
        &["source raw"],
    ),
    (
        "frames published",
        |p| less(&bank(p, "source").outputs[0].valid),
        &["source raw"],
    ),
    (
        "frames lost",
        |p| more(&bank(p, "source").outputs[0].lost),
        &["source raw"],
    ),
];

fn less(word: &AtomicU64) {
    assert!(word.load(Ordering::Acquire) > 0, "nothing was counted");
    word.fetch_sub(1, Ordering::AcqRel);
}

fn more(word: &AtomicU64) {
    word.fetch_add(1, Ordering::AcqRel);
}

fn bank<'a>(processes: &'a Processes, who: &str) -> &'a Bank {
    let process = processes.list.iter().find(|p| p.name == who).unwrap();
    process.memory.bank()
}

fn ring<'a>(processes: &'a Processes, stream: &str) -> &'a Owned {
    let streams = &processes.plan.streams;
    let index = streams.iter().position(|s| s.name == stream).unwrap();
    &processes.rings[index]
}

/// A word of the geometry, which says where the regions of a ring lie.
fn region(ring: &Owned, at: usize) -> usize {
    let word: &AtomicU64 = ring.words(RING_GEOMETRY_AT + at);
    word.load(Ordering::Acquire) as usize
}

fn producer(ring: &Owned) -> &ProducerWords {
    ring.words(region(
        ring,
        std::mem::offset_of!(RingGeometry, producer_at),
    ))
}

fn seat(ring: &Owned, index: usize) -> &SeatWords {
    let seats_at = region(ring, std::mem::offset_of!(RingGeometry, seats_at));
    ring.words(seats_at + index * PAGE)
}

/// The recorder's account of a stream, in the spool: the recorder has left, and what it counted is there.
fn recorded<'a>(processes: &'a Processes, stream: &str) -> &'a SourceAccount {
    let streams = &processes.plan.streams;
    let index = streams.iter().position(|s| s.name == stream).unwrap();
    let recording = processes.recording.as_ref().unwrap();
    let mut sources = recording.duty.streams.iter();
    let source = sources.position(|r| r.stream as usize == index).unwrap();
    recording.spool.words(spool::ACCOUNTS_AT + source * LINE)
}

fn plan() -> Plan {
    let registry = Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    );
    let mut graph = Graph::from_str(GRAPH, "accounts.toml").unwrap();
    graph
        .apply_set(&format!("name=\"accounts-{}\"", std::process::id()))
        .unwrap();
    resolve(&graph, &registry, &ResolveOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn run(plan: &Plan, before_check: &mut dyn FnMut(&Processes)) -> Outcome {
    // The captures of these runs are nobody's.
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options {
        duration: Some(Duration::from_millis(100)),
        require_rt: false,
        hold_cpu_latency: true,
        lean_program: PathBuf::from(env!("CARGO_BIN_EXE_ephapse-stage")),
        full_program: (
            PathBuf::from(env!("CARGO_BIN_EXE_ephapse")),
            vec!["helper".to_owned()],
        ),
        capture_folder: folder.path().to_owned(),
        log: None,
        interrupts: Arc::new(AtomicU32::new(0)),
        live: &mut |_| {},
        redescribe: &|stage, _| Ok(stage.described.clone()),
        live_params: &|_| Vec::new(),
        before_check,
    };
    launch(plan, &mut options).unwrap_or_else(|error| panic!("{error}"))
}

/// The accounts that do not hold.
fn broken(outcome: &Outcome) -> Vec<String> {
    let ticks = outcome.ticks.iter().filter(|a| !a.holds);
    let rings = outcome.rings.iter().filter(|a| !a.holds);
    let edges = outcome.edges.iter().filter(|a| !a.holds);
    let sources = outcome.sources.iter().filter(|a| !a.holds);
    ticks
        .map(|a| format!("tick {}", a.who))
        .chain(rings.map(|a| format!("ring {}", a.stream)))
        .chain(edges.map(|a| format!("edge {}", a.stream)))
        .chain(sources.map(|a| format!("source {}", a.stream)))
        .collect()
}

/// Session files go to a folder of their own, which a process learns from its environment alone: so the test runs in a
/// process of its own.
#[test]
fn every_falsified_counter_fails_the_accounts_that_count_with_it_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "falsify_every_counter",
            "--ignored",
            "--nocapture",
        ])
        .env("XDG_RUNTIME_DIR", folder.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let left = std::fs::read_dir(folder.path().join("ephapse")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
#[ignore = "runs inside the test above"]
fn falsify_every_counter() {
    let plan = plan();
    let sound = run(&plan, &mut |_| {});
    assert_eq!(broken(&sound), Vec::<String>::new());
    assert_eq!(sound.verdict(), Verdict::Passed, "{:?}", sound.faults);
    for (counter, falsify, expected) in COUNTERS {
        let outcome = run(&plan, &mut |processes| falsify(processes));
        assert_eq!(broken(&outcome), expected, "{counter}");
        assert_eq!(outcome.verdict(), Verdict::Failed, "{counter}");
        assert!(outcome.faults.is_empty(), "{counter}: {:?}", outcome.faults);
    }
}
