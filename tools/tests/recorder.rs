//! The recorder of real sessions: killed, stopped, without a disk, and without anybody left. What comes of it is read back
//! sample by sample; what is missing is named with its place, and counted.

use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{Capture, Item, Recorded};
use ephapse_engine::launch::{Options, collect_garbage, launch, sessions};
use ephapse_engine::outcome::{Outcome, Verdict};
use ephapse_engine::stage::Registry;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::{Plan, RECORDER};
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

const GRAPH: &str = r#"
name = "recorded"
timer = { period_ns = 1_000_000, cpu = 0 }

[defaults]
policy = "other"

[stage.source]
use = "acquire.synthetic"
params = { channels = 8, seed = 11 }
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

fn plan(name: &str, set: &[&str]) -> Plan {
    let registry = Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    );
    let mut graph = Graph::from_str(GRAPH, "recorded.toml").unwrap();
    let name = format!("name=\"{name}-{}\"", std::process::id());
    for set in set.iter().chain([&name.as_str()]) {
        graph.apply_set(set).unwrap_or_else(|p| panic!("{p}"));
    }
    resolve(&graph, &registry, &ResolveOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Runs a plan for so long; `meanwhile` is called about twenty times a second.
fn run(plan: &Plan, folder: &Path, length: Duration, meanwhile: &mut dyn FnMut()) -> Outcome {
    let mut options = Options {
        duration: Some(length),
        require_rt: false,
        hold_cpu_latency: true,
        lean_program: PathBuf::from(env!("CARGO_BIN_EXE_ephapse-stage")),
        full_program: (
            PathBuf::from(env!("CARGO_BIN_EXE_ephapse")),
            vec!["helper".to_owned()],
        ),
        capture_folder: folder.to_owned(),
        log: None,
        interrupts: Arc::new(AtomicU32::new(0)),
        live: &mut |_| meanwhile(),
        redescribe: &|stage, _| Ok(stage.described.clone()),
        live_params: &|_| Vec::new(),
        before_check: &mut |_| {},
    };
    launch(plan, &mut options).unwrap_or_else(|error| panic!("{error}"))
}

/// The recorder's process of a session of ours.
fn recorder(session: &str) -> Option<u32> {
    let found = sessions().unwrap();
    let own = found.iter().find(|f| f.record.session == session)?;
    let mut processes = own.record.processes.iter();
    processes.find(|p| p.name == RECORDER).map(|p| p.pid)
}

fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(status.is_ok());
}

/// No file of that process may become longer than so many bytes: what a full disk is to it.
fn limit_files(pid: u32, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}")])
        .status();
    assert!(status.unwrap().success());
}

/// Payloads by the newest frame they come of, and the blocks that are missing.
fn blocks(capture: &Capture, stream: &str) -> (BTreeMap<u64, Vec<u8>>, u64) {
    let index = capture.meta().stream(stream).unwrap();
    let (mut whole, mut missing) = (BTreeMap::new(), 0);
    let mut next = 0;
    for recorded in capture.blocks(index).unwrap() {
        match recorded.unwrap() {
            Recorded::Block(header, payload) => {
                assert_eq!(header.position, next, "{stream}: out of order, or twice");
                next += 1;
                whole.insert(header.origin_frame, payload);
            }
            Recorded::Missing { from, count, .. } => {
                assert_eq!(from, next, "{stream}: a gap that does not fit");
                next += count;
                missing += count;
            }
        }
    }
    (whole, missing)
}

/// Every block that both have is the same, to the last bit. Returns how many.
fn same(ours: &BTreeMap<u64, Vec<u8>>, reference: &BTreeMap<u64, Vec<u8>>) -> usize {
    let both = ours
        .iter()
        .filter_map(|(at, payload)| Some((at, payload, reference.get(at)?)));
    both.map(|(at, ours, theirs)| assert_eq!(ours, theirs, "frame {at}"))
        .count()
}

/// What a run counts, its capture holds.
fn check(outcome: &Outcome) -> Capture {
    let recording = outcome.recording.as_ref().unwrap();
    assert!(recording.sealed, "{recording:?}");
    let capture = Capture::open(&recording.capture).unwrap();
    let verified = capture.verify().unwrap();
    assert!(verified.damages.is_empty(), "{:?}", verified.damages);
    for edge in outcome.edges.iter().filter(|e| e.seat == RECORDER) {
        assert!(edge.holds, "{edge:?}");
        let (whole, missing) = blocks(&capture, &edge.stream);
        assert_eq!(whole.len() as u64, edge.consumed, "{edge:?}");
        assert_eq!(missing, edge.lapped + edge.jumped, "{edge:?}");
    }
    capture
}

/// The same signal, all of it: nobody is late in logical time.
fn reference(folder: &Path, length: Duration) -> BTreeMap<u64, Vec<u8>> {
    let plan = plan("reference", &["stage.source.pace=none"]);
    let outcome = run(&plan, folder, length, &mut || {});
    assert_eq!(outcome.verdict(), Verdict::Passed, "{:?}", outcome.faults);
    let capture = check(&outcome);
    let (whole, missing) = blocks(&capture, "raw");
    assert_eq!(missing, 0);
    whole
}

/// Session files go to a folder of their own, which a process learns from its environment alone.
fn apart(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("XDG_RUNTIME_DIR", folder.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_recorder_that_is_killed_again_and_again_keeps_every_block_it_was_in_time_for_and_none_twice() {
    apart("killed");
}

#[test]
#[ignore = "runs inside the test above"]
fn killed() {
    let folder = tempfile::tempdir().unwrap();
    let kills: u32 = std::env::var("EPHAPSE_KILLS").map_or(4, |n| n.parse().unwrap());
    let length = Duration::from_millis(300 * u64::from(kills) + 500);
    let reference = reference(folder.path(), length + Duration::from_secs(1));
    let plan = plan("killed", &[]);
    let mut random = 7_u64;
    let (mut killed, mut last) = (Vec::new(), Instant::now());
    let outcome = run(&plan, folder.path(), length, &mut || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let pause = Duration::from_millis(150 + (random >> 33) % 200);
        if (killed.len() as u32) < kills
            && last.elapsed() > pause
            && let Some(pid) = recorder(&plan.session)
            && !killed.contains(&pid)
        {
            std::thread::sleep(Duration::from_micros((random >> 40) % 1000));
            signal(pid, "-KILL");
            killed.push(pid);
            last = Instant::now();
        }
    });
    assert!(!killed.is_empty());
    let deaths = outcome
        .restarts
        .iter()
        .filter(|r| r.who == RECORDER)
        .count();
    assert_eq!(deaths, killed.len());
    assert_eq!(outcome.verdict(), Verdict::Passed, "{:?}", outcome.faults);
    let capture = check(&outcome);
    let (whole, _) = blocks(&capture, "raw");
    assert!(same(&whole, &reference) > 100);
}

#[test]
fn a_recorder_that_is_stopped_changes_no_account_but_its_own_and_names_what_it_missed() {
    apart("stopped");
}

#[test]
#[ignore = "runs inside the test above"]
fn stopped() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan("stopped", &["stream.raw={ slots = 64 }"]);
    let (begun, mut state) = (Instant::now(), 0);
    let mut pid = None;
    let outcome = run(
        &plan,
        folder.path(),
        Duration::from_millis(1500),
        &mut || {
            let pid = *pid.get_or_insert_with(|| recorder(&plan.session).unwrap());
            if state == 0 && begun.elapsed() > Duration::from_millis(300) {
                signal(pid, "-STOP");
                state = 1;
            } else if state == 1 && begun.elapsed() > Duration::from_millis(1000) {
                signal(pid, "-CONT");
                state = 2;
            }
        },
    );
    assert_eq!(state, 2);
    assert_eq!(outcome.verdict(), Verdict::Passed, "{:?}", outcome.faults);
    for ring in &outcome.rings {
        assert_eq!(ring.dropped, 0, "{ring:?}");
    }
    for edge in outcome.edges.iter().filter(|e| e.seat != RECORDER) {
        assert_eq!((edge.lapped, edge.jumped, edge.left), (0, 0, 0), "{edge:?}");
    }
    let mut own = outcome.edges.iter().filter(|e| e.seat == RECORDER);
    assert!(
        own.any(|e| e.stream == "raw" && e.lapped > 0),
        "it was away for longer than its ring lasts"
    );
    check(&outcome);
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_what_the_spool_could_not_hold_and_nothing_else() {
    apart("full_disk");
}

#[test]
#[ignore = "runs inside the test above"]
fn full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let record = r#"record={ streams = ["all"], spool_s = 0.1 }"#;
    let plan = plan("full", &[record]);
    let (begun, mut state) = (Instant::now(), 0);
    let mut pid = None;
    let length = Duration::from_millis(5000);
    let outcome = run(&plan, folder.path(), length, &mut || {
        let pid = *pid.get_or_insert_with(|| recorder(&plan.session).unwrap());
        if state == 0 && begun.elapsed() > Duration::from_millis(500) {
            // Behind what is allocated already: the next piece is refused, as by a full disk.
            limit_files(pid, "1:");
            state = 1;
        } else if state == 1 && begun.elapsed() > Duration::from_millis(3800) {
            limit_files(pid, "unlimited:");
            state = 2;
        }
    });
    assert_eq!(state, 2);
    assert_eq!(outcome.verdict(), Verdict::Passed, "{:?}", outcome.faults);
    assert!(outcome.restarts.is_empty(), "{:?}", outcome.restarts);
    for ring in &outcome.rings {
        assert_eq!(ring.dropped, 0, "{ring:?}");
    }
    for edge in outcome.edges.iter().filter(|e| e.seat != RECORDER) {
        assert_eq!((edge.lapped, edge.jumped, edge.left), (0, 0, 0), "{edge:?}");
    }
    let recording = outcome.recording.as_ref().unwrap();
    let raw = recording.lost.iter().find(|l| l.of == "raw").unwrap();
    assert!(raw.spool_full > 0, "{raw:?}");
    assert_eq!(recording.unwritten_bytes, 0);
    let capture = check(&outcome);
    let (mut items, mut named) = (capture.items().unwrap(), 0);
    while let Some(item) = items.next_item_of(|h| h.kind == kind::GAP).unwrap() {
        named += u32::from(matches!(item, Item::Gap(gap) if gap.why == "spool full"));
    }
    assert!(named > 0);
}

#[test]
fn a_capture_that_rolls_over_is_one_capture_and_holds_the_same_blocks() {
    apart("rolling");
}

#[test]
#[ignore = "runs inside the test above"]
fn rolling() {
    let folder = tempfile::tempdir().unwrap();
    let length = Duration::from_secs(3);
    let reference = reference(folder.path(), length);
    let record = r#"record={ streams = ["all"], roll_bytes = 1048576 }"#;
    let plan = plan("rolling", &["stage.source.pace=none", record]);
    let outcome = run(&plan, folder.path(), length, &mut || {});
    let capture = check(&outcome);
    assert!(capture.files().len() > 2, "{:?}", capture.files());
    for file in capture.files() {
        assert!(file.metadata().unwrap().len() <= 1 << 20, "{file:?}");
    }
    let (whole, missing) = blocks(&capture, "raw");
    assert_eq!(missing, 0);
    assert_eq!(same(&whole, &reference), reference.len());
}

#[test]
fn without_a_pace_a_recorder_that_is_killed_costs_nothing() {
    apart("killed_unpaced");
}

#[test]
#[ignore = "runs inside the test above"]
fn killed_unpaced() {
    let folder = tempfile::tempdir().unwrap();
    let length = Duration::from_secs(20);
    let reference = reference(folder.path(), length);
    let plan = plan("unpaced", &["stage.source.pace=none"]);
    let mut killed = Vec::new();
    let outcome = run(&plan, folder.path(), length, &mut || {
        if killed.len() < 3
            && let Some(pid) = recorder(&plan.session)
            && !killed.contains(&pid)
        {
            signal(pid, "-KILL");
            killed.push(pid);
        }
    });
    assert!(!killed.is_empty());
    assert_eq!(outcome.verdict(), Verdict::Passed, "{:?}", outcome.faults);
    let (whole, missing) = blocks(&check(&outcome), "raw");
    assert_eq!(missing, 0);
    assert_eq!(same(&whole, &reference), reference.len());
}

#[cfg(debug_assertions)]
#[test]
fn a_recorder_that_dies_between_any_two_of_its_steps_keeps_every_block_and_none_twice() {
    apart("trapped");
}

#[cfg(debug_assertions)]
#[test]
#[ignore = "runs inside the test above"]
fn trapped() {
    let folder = tempfile::tempdir().unwrap();
    let reference = reference(folder.path(), Duration::from_secs(1));
    let graph = folder.path().join("g.toml");
    std::fs::write(&graph, GRAPH).unwrap();
    for point in ephapse_engine::trap::SPOOL {
        let captures = folder.path().join(format!("{point:?}"));
        let report = folder.path().join("report");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ephapse"));
        command
            .arg("run")
            .arg(&graph)
            .args([
                "--unpaced",
                "--set",
                "name=\"trapped\"",
                "--duration",
                "1s",
                "--report",
            ])
            .arg(&report)
            .arg("--record")
            .arg(&captures)
            // Every generation of the recorder dies there again, behind some hundred passes.
            .env(ephapse_engine::trap::VARIABLE, format!("{point:?}:900"))
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{point:?}: {output:?}");
        let report = std::fs::read_to_string(report.join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let restarts = report["restarts"].as_array().unwrap();
        assert!(
            restarts.iter().any(|r| r["who"] == RECORDER),
            "{point:?} was not come to"
        );
        let path = report["capture"]["path"].as_str().unwrap();
        let capture = Capture::open(Path::new(path)).unwrap();
        assert!(capture.verify().unwrap().damages.is_empty(), "{point:?}");
        let (whole, missing) = blocks(&capture, "raw");
        assert_eq!(missing, 0, "{point:?}");
        assert_eq!(same(&whole, &reference), reference.len(), "{point:?}");
    }
}

#[test]
fn when_everybody_is_killed_the_next_command_ends_the_capture_with_all_that_was_left() {
    apart("all_killed");
}

#[test]
#[ignore = "runs inside the test above"]
fn all_killed() {
    let rounds: u64 = std::env::var("EPHAPSE_KILLS_OF_ALL").map_or(3, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let reference = reference(folder.path(), Duration::from_secs(5));
    for round in 0..rounds {
        // From the first blocks on, at any instant.
        let after = Duration::from_micros(600_000 + (round * 7_919_333) % 900_000);
        let by = [By::NextStart, By::Name, By::Capture][round as usize % 3];
        all_killed_after(
            after,
            &folder.path().join(round.to_string()),
            &reference,
            by,
        );
    }
}

/// Who ends the capture.
#[derive(Clone, Copy)]
enum By {
    NextStart,
    Name,
    Capture,
}

/// `ephapse recover`; the capture that it names.
fn recover(what: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ephapse"))
        .arg("recover")
        .arg(what)
        .arg("--json")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["path"].as_str().unwrap().to_owned()
}

fn all_killed_after(after: Duration, folder: &Path, reference: &BTreeMap<u64, Vec<u8>>, by: By) {
    std::fs::create_dir(folder).unwrap();
    let session = format!("all-{}", std::process::id());
    let graph = folder.join("g.toml");
    std::fs::write(&graph, GRAPH).unwrap();
    let captures = folder.join("captures");
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_ephapse"))
        .arg("run")
        .arg(&graph)
        .args(["--set", &format!("name={session:?}"), "--json", "--report"])
        .arg(folder.join("report"))
        .arg("--record")
        .arg(&captures)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while recorder(&session).is_none() || begun.elapsed() < after {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    let found = sessions().unwrap();
    let all = found[0].record.processes.clone();
    // The launcher last: the others would see it gone, and leave.
    for process in all.iter().rev() {
        signal(process.pid, "-KILL");
    }
    launcher.wait().unwrap();
    let path = match by {
        By::NextStart => {
            let mut left = collect_garbage().unwrap();
            while left.is_empty() {
                // One that the launcher has just started again leaves by itself.
                assert!(begun.elapsed() < Duration::from_secs(30));
                std::thread::sleep(Duration::from_millis(20));
                left = collect_garbage().unwrap();
            }
            let recovered = left[0].recovered.as_ref().unwrap();
            assert!(recovered.error.is_none(), "{recovered:?}");
            assert!(left[0].segments > 0);
            recovered.capture.clone()
        }
        By::Name => PathBuf::from(recover(session.as_ref())),
        By::Capture => {
            let files = std::fs::read_dir(&captures).unwrap().flatten();
            let mut captures = files.map(|f| f.path());
            let capture = captures.find(|path| path.extension().is_some_and(|e| e == "cap"));
            PathBuf::from(recover(&capture.unwrap()))
        }
    };
    let capture = Capture::open(&path).unwrap();
    assert!(capture.verify().unwrap().damages.is_empty());
    let (whole, missing) = blocks(&capture, "raw");
    assert_eq!(missing, 0);
    assert_eq!(same(&whole, reference), whole.len());
    assert!(whole.len() > 10, "{}", whole.len());
    assert!(collect_garbage().unwrap().is_empty());
}
