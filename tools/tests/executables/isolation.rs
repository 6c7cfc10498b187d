//! A mistake in one stage stays in that stage; what belongs to one user or session stays with it.

use crate::finished::{Finished, Report};
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, entries, wait_until};
use crate::turns::alone;
use ephapse_driven::compiled::{Compiled, How, compiled};
use ephapse_engine::abi::segment;
use ephapse_engine::launch::{read_events, segment_name};
use ephapse_engine::ring::Observer;
use ephapse_engine::shm::{Access, Segment};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

/// The block at which the stage strays.
const AT: i64 = 300;
/// Blocks that are compared: well behind that, and fewer than the ring has slots.
const COMPARED: u64 = 900;

/// The loop, with a stage in C beside it that passes on what the source gives. It strays at block `at`.
fn place(program: &Compiled, at: i64, on_death: &str) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path().join("mylab/stages/strays")).unwrap();
    place.write(
        "mylab/stages/strays/stage.toml",
        &format!(
            r#"name = "mylab.strays"
about = "Writes where it may not."
role = "process"
command = [{:?}]

[in.frames]

[out.copied]
like = "frames"

[params.at]
type = "i64"
unit = "1"
default = -1
"#,
            program.program
        ),
    );
    let strays = format!(
        r#"
[modules]
path = ["mylab"]

[stage.strays]
use = "mylab.strays"
params = {{ at = {at} }}
on_death = "{on_death}"
policy = "other"
in = {{ frames = "raw" }}
out = {{ copied = "copied" }}

[stream]
raw = {{ slots = 4096 }}
"#
    );
    place.write("loop.toml", &format!("{LOOP}{strays}"));
    place
}

/// A ring of a running session, for who only watches.
fn observer(place: &Place, stream: &str) -> Observer {
    let name = segment_name(place.session(), stream);
    Observer::attach(&Segment::open(&name, segment::RING, Access::ReadOnly).unwrap()).unwrap()
}

/// The payloads of the first blocks.
fn blocks(observer: &Observer) -> Vec<Vec<u8>> {
    let payload = vec![0; observer.stream_type().block_bytes()];
    let copied = (0..COMPARED).map(|position| {
        let mut payload = payload.clone();
        observer.copy(position, &mut payload).unwrap();
        payload
    });
    copied.collect()
}

fn is_running(place: &Place) -> bool {
    let told = place.run(&["status", "--json"]).expect(0).stdout;
    let all: Vec<Value> = serde_json::from_str(&told).unwrap();
    let ours = all.iter().find(|s| s["session"] == place.session());
    ours.is_some_and(|s| s["state"] == "running")
}

/// What a run leaves: how it ended, its report, and all that its source gave.
struct Ran {
    ended: Finished,
    report: Report,
    raw: Vec<Vec<u8>>,
}

/// Runs the loop with the stage that strays. Meanwhile the launcher must say, where every tool can read it, who died of
/// what, if anybody is to.
fn run(program: &Compiled, at: i64, on_death: &str) -> Ran {
    let place = place(program, at, on_death);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "1500ms"]));
    wait_until("the session runs", 20, || is_running(&place));
    // Mapped, a ring outlives its session.
    let raw = observer(&place, "raw");
    if at >= 0 {
        wait_until("the launcher names who died", 10, || {
            let events = read_events(place.session()).unwrap_or_default();
            let names = |e: &ephapse_engine::launch::Event| {
                e.who == "strays" && e.what.contains("signal: 11 (SIGSEGV)")
            };
            events.iter().any(names)
        });
    }
    let ended = run.wait(20);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    // Nobody else has lost anything: not a tick, not a block.
    let mut accounts = 0;
    for kind in ["ticks", "rings", "edges", "sources"] {
        for account in report.list(kind) {
            assert_eq!(account["holds"], true, "{kind}: {account}");
            accounts += 1;
        }
    }
    assert!(accounts > 10, "{accounts} accounts");
    let others = report
        .list("stages")
        .iter()
        .filter(|s| s["name"] != "strays");
    assert!(others.clone().count() >= 7);
    for other in others {
        assert_eq!(other["restarts"], 0, "{other}");
    }
    let raw = if raw.published() >= COMPARED {
        blocks(&raw)
    } else {
        Vec::new()
    };
    Ran { ended, report, raw }
}

#[test]
fn a_stray_write_kills_its_stage_alone_which_is_named_and_the_stream_stays_as_it_was() {
    let _turn = alone();
    let Some(program) = compiled("tests/strays.c", How::Shared) else {
        return;
    };
    let undisturbed = run(&program, -1, "stop");
    undisturbed.ended.expect(0);
    assert_eq!(undisturbed.raw.len(), COMPARED as usize);
    assert_ne!(undisturbed.raw[AT as usize][..64], [0x55; 64]);

    let isolated = run(&program, AT, "isolate");
    isolated.ended.expect(1);
    assert_eq!(isolated.report.0["ended_by"], "duration");
    let fault = &isolated.report.list("faults")[0];
    assert_eq!(fault["who"], "strays", "{fault}");
    let what = fault["what"].as_str().unwrap();
    assert!(what.contains("signal: 11 (SIGSEGV)"), "{what}");
    assert!(isolated.raw == undisturbed.raw, "the stream was changed");

    // Once by the block, once more by the same: then it is passed over.
    let restarted = run(&program, AT, "restart");
    restarted.ended.expect(0);
    let restarts = restarted.report.list("restarts");
    let whats: Vec<&str> = restarts
        .iter()
        .map(|r| r["what"].as_str().unwrap())
        .collect();
    assert_eq!(whats.len(), 2, "{whats:?}");
    assert!(
        whats.iter().all(|w| w.contains("signal: 11 (SIGSEGV)")),
        "{whats:?}"
    );
    assert!(
        whats[1].contains(&format!("behind block {AT}")),
        "{whats:?}"
    );
    assert!(restarted.raw == undisturbed.raw, "the stream was changed");

    let stopped = run(&program, AT, "stop");
    stopped.ended.expect(1);
    let ended_by = stopped.report.0["ended_by"].as_str().unwrap();
    assert!(
        ended_by.starts_with("strays died (signal: 11"),
        "{ended_by}"
    );
}

/// The endless loop, seen to run.
fn running(place: &Place) -> Running {
    place.write("loop.toml", LOOP);
    let run = place.start(place.session_command(&["run", "loop.toml", "--duration", "60s"]));
    wait_until("the session runs", 20, || is_running(place));
    run
}

#[test]
fn all_that_a_session_has_made_is_named_after_it_and_open_to_its_user_alone() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let stages = [
        "source",
        "band",
        "detect",
        "rate",
        "readout",
        "policy",
        "stimulate",
    ];
    let streams = ["raw", "filtered", "spikes", "rates", "decision", "commands"];
    let processes = stages.iter().chain(&["timer"]);
    let own = processes.flat_map(|p| [format!("stage.{p}"), format!("telemetry.{p}")]);
    let parts = streams
        .iter()
        // The recorder has no telemetry ring: it keeps those of the others.
        .chain(&["session", "events", "spool", "stage.recorder"])
        .map(|p| (*p).to_owned());
    let expected: BTreeSet<String> = own
        .chain(parts)
        .map(|part| segment_name(place.session(), &part)[1..].to_owned())
        .collect();
    assert_eq!(BTreeSet::from_iter(place.segments()), expected);
    let uid = fs::metadata("/proc/self").unwrap().uid();
    let expect_private = |path: &std::path::Path, mode: u32| {
        let meta = fs::symlink_metadata(path).unwrap();
        let told = format!("{}: mode {:o}", path.display(), meta.mode() & 0o777);
        assert_eq!((meta.mode() & 0o777, meta.uid()), (mode, uid), "{told}");
    };
    for name in &expected {
        expect_private(&std::path::Path::new("/dev/shm").join(name), 0o600);
    }
    let folder = place.path().join("run/ephapse");
    expect_private(&folder, 0o700);
    let file = |kind: &str| format!("{}{kind}", place.session());
    assert_eq!(
        entries(&folder),
        [file(""), file(".control"), file(".session")]
    );
    expect_private(&folder.join(file("")), 0o700);
    expect_private(&folder.join(file(".control")), 0o600);
    expect_private(&folder.join(file(".session")), 0o600);
    run.signal("INT");
    run.wait(15).expect(0);
    place.expect_nothing_left();
}

#[test]
fn what_stands_in_the_way_of_a_session_is_refused_by_name_and_left_alone() {
    let _turn = alone();
    let place = Place::new();
    place.write("loop.toml", LOOP);
    // A segment of this name that belongs to no session: stale, foreign, or anything.
    let name = segment_name(place.session(), "filtered");
    let path = format!("/dev/shm{name}");
    fs::write(&path, "not ours").unwrap();
    let refused = place.run_session(&["run", "loop.toml", "--duration", "1s"], 20);
    let kept = fs::read(&path);
    fs::remove_file(&path).unwrap();
    let refused = refused.expect(1);
    let line = refused.only_line();
    assert!(
        line.contains(&name) && line.contains("exists already"),
        "{line}"
    );
    assert_eq!(kept.unwrap(), b"not ours");
    place.expect_nothing_left();

    // A runtime folder that others may enter, or that is another user's.
    let folder = place.path().join("run/ephapse");
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let refused = place.run_session(&["run", "loop.toml", "--duration", "1s"], 20);
    let line = refused.expect(1);
    let line = line.only_line();
    assert!(
        line.contains("run/ephapse") && line.contains("mode 755"),
        "{line}"
    );
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIPPED: only root can make a folder of another user");
        return;
    }
    chown(&folder, Some(65_534), None).unwrap();
    let refused = place.run_session(&["run", "loop.toml", "--duration", "1s"], 20);
    let line = refused.expect(1);
    let line = line.only_line();
    assert!(
        line.contains("run/ephapse") && line.contains("owner 65534"),
        "{line}"
    );
}
