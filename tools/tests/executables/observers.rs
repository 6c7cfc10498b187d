//! `tap`, `hz` and `ring` beside a running session, and after it was killed.

use crate::finished::{Finished, Report};
use crate::loop_graph::LOOP;
use crate::place::{Place, Running, signal, wait_until};
use crate::turns::{alone, shared};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Frames in a block of `raw`.
const BLOCK: u64 = 200;
const CHANNELS: u64 = 8;

/// The endless loop, slow enough to leave the CPUs to its observers, seen to run.
fn running(place: &Place) -> Running {
    running_graph(place, LOOP)
}

fn running_graph(place: &Place, graph: &str) -> Running {
    place.write("loop.toml", graph);
    let run = place.start(place.session_command(&[
        "run",
        "loop.toml",
        "--set",
        "timer.period_ns=10_000_000",
        "--set",
        "stage.source.params.block_frames=200",
        "--set",
        "stream.raw.slots=16",
        "--set",
        "defaults.burst=4",
    ]));
    wait_until("the session runs", 20, || {
        let told = place.run(&["status", "--json"]).expect(0).stdout;
        let all: Value = serde_json::from_str(&told).unwrap();
        all[0]["state"] == "running" && all[0]["tick"].as_u64() > Some(20)
    });
    run
}

/// Ends the session, whose accounts must hold as if nobody had looked.
fn expect_undisturbed(place: &Place, run: Running) {
    expect_undisturbed_by(place, run, None);
}

/// The same, with somebody still looking, who must end with the session.
fn expect_undisturbed_by(
    place: &Place,
    run: Running,
    observer: impl Into<Option<Running>>,
) -> Option<Finished> {
    run.signal("INT");
    run.wait(15).expect(0);
    let observer = observer.into().map(|o| o.wait(15).expect(0));
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.0["verdict"], "passed");
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    for edge in report.list("edges") {
        assert_eq!(edge["lapped"], 0, "{edge}");
        assert_eq!(edge["left"], 0, "{edge}");
    }
    observer
}

/// What `ring --json` says.
fn rings(place: &Place, streams: &[&str]) -> Value {
    let mut arguments = vec!["ring", "--json"];
    arguments.extend(streams);
    serde_json::from_str(&place.run(&arguments).expect(0).stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    let parsed = text.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in line {line}"))
    });
    parsed.collect()
}

fn number(of: &Value, key: &str) -> u64 {
    of[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number `{key}` in {of}"))
}

/// Description and data of a NumPy file.
fn npy(path: &Path) -> (String, Vec<u8>) {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    assert!((10 + length).is_multiple_of(64));
    let head = String::from_utf8(file[10..10 + length].to_vec()).unwrap();
    (head.trim_end().to_owned(), file[10 + length..].to_vec())
}

fn holds_more_than(path: &Path, bytes: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > bytes)
}

/// Shape and dtype as NumPy itself reads them; `None` if there is no NumPy here.
fn numpy_says(path: &Path) -> Option<String> {
    let said = Command::new("python3")
        .args([
            "-c",
            "import sys, numpy; a = numpy.load(sys.argv[1]); print(a.shape, a.dtype.names or a.dtype)",
        ])
        .arg(path)
        .output();
    match said {
        Ok(said) if said.status.success() => Some(String::from_utf8(said.stdout).unwrap()),
        said => {
            println!("SKIPPED: {} read by NumPy: {said:?}", path.display());
            None
        }
    }
}

#[test]
fn a_running_stream_is_printed_cut_decimated_and_told_as_json() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);

    let told = place.run(&["tap", "raw", "-n", "3", "--json"]).expect(0);
    let blocks = lines(&told.stdout);
    assert_eq!(blocks.len(), 3);
    for pair in blocks.windows(2) {
        let step = number(&pair[1], "position") - number(&pair[0], "position");
        assert_eq!(step, 1 + number(&pair[1], "missed_blocks"));
    }
    for block in &blocks {
        let frames = block["frames"].as_array().unwrap();
        assert_eq!(frames.len() as u64, BLOCK);
        assert_eq!(number(block, "valid_frames"), BLOCK);
        for frame in frames {
            assert_eq!(frame.as_array().unwrap().len() as u64, CHANNELS);
        }
        assert_eq!(block["flags"], serde_json::json!(["SYNTHETIC"]));
    }
    assert!(
        told.stderr
            .starts_with("ephapse: raw: 3 blocks, 600 frames; "),
        "{}",
        told.stderr
    );

    let text = place
        .run(&[
            "tap",
            "raw",
            "--frames",
            "5",
            "--every",
            "100",
            "--channels",
            "3,1",
        ])
        .expect(0)
        .stdout;
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 5, "{text}");
    for row in rows {
        assert_eq!(row.len(), 2 + 2, "{text}");
        assert_eq!(row[0].parse::<u64>().unwrap() % 100, 0, "{text}");
    }
    let commands = place
        .run(&["tap", "commands", "--newest", "-n", "2"])
        .expect(0);
    assert!(
        commands.stdout.starts_with("# commands: command records"),
        "{}",
        commands.stdout
    );
    assert!(
        commands.stderr.contains(" passed over"),
        "{}",
        commands.stderr
    );
    expect_undisturbed(&place, run);
}

#[test]
fn frames_and_records_are_kept_as_numpy_files_also_when_interrupted() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);

    place
        .run(&["tap", "raw", "-n", "4", "--npy", "raw.npy"])
        .expect(0);
    let raw = place.path().join("raw.npy");
    let (head, data) = npy(&raw);
    assert_eq!(
        head,
        "{'descr': '<i4', 'fortran_order': False, 'shape': (800, 8), }"
    );
    assert_eq!(data.len() as u64, 4 * BLOCK * CHANNELS * 4);
    if let Some(said) = numpy_says(&raw) {
        assert_eq!(said, "(800, 8) int32\n");
    }

    // Decisions are frames of one row; commands are records. Both until Ctrl-C.
    let commands = place.path().join("commands.npy");
    let tap = place.start(place.command(&["tap", "commands", "--npy", "commands.npy"]));
    let part = place.path().join("commands.npy.part");
    wait_until("some commands are in the file", 20, || {
        holds_more_than(&part, 1024)
    });
    tap.signal("INT");
    let ended = tap.wait(5).expect(0);
    assert!(!part.exists());
    let (head, data) = npy(&commands);
    let rows = data.len() / 72;
    assert_eq!(
        head,
        format!(
            "{{'descr': [('tick', '<u8'), ('target', '<u4'), ('code', '<u4'), ('first_frame', '<u8'), \
             ('last_frame', '<u8'), ('values', '<f8', (4,)), ('age', '<i8')], 'fortran_order': False, \
             'shape': ({rows},), }}"
        )
    );
    assert!(
        ended
            .stderr
            .contains(&format!("commands.npy: shape ({rows},)")),
        "{}",
        ended.stderr
    );
    if let Some(said) = numpy_says(&commands) {
        assert!(
            said.starts_with(&format!("({rows},) ('tick', 'target', ")),
            "{said}"
        );
    }
    expect_undisturbed(&place, run);
}

#[test]
fn a_tap_that_stands_still_holds_nothing_back_and_counts_what_it_missed() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let tap = place.start(place.command(&["tap", "raw", "--json", "--channels", "1"]));
    wait_until("a block is shown", 10, || tap.stdout().contains('\n'));
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", tap.pid())).unwrap();
    let ours: Vec<&str> = maps
        .lines()
        .filter(|line| line.contains(place.session()))
        .collect();
    assert!(!ours.is_empty(), "no segment is mapped:\n{maps}");
    for line in ours {
        assert!(
            line.contains(" r--s "),
            "mapped for more than reading: {line}"
        );
    }
    tap.signal("STOP");
    let published = || number(&rings(&place, &["raw"])["rings"][0], "published");
    let before = published();
    wait_until("the ring has come round", 20, || published() > before + 40);
    tap.signal("CONT");
    wait_until("the tap goes on", 10, || {
        tap.stdout().contains("\"missed_blocks\":")
            && lines(whole(&tap.stdout()))
                .iter()
                .any(|b| number(b, "missed_blocks") > 20)
    });
    let ended = expect_undisturbed_by(&place, run, tap).unwrap();
    let blocks = lines(&ended.stdout);
    let missed: u64 = blocks.iter().map(|b| number(b, "missed_blocks")).sum();
    let (first, last) = (&blocks[0], &blocks[blocks.len() - 1]);
    let passed = number(last, "position") - number(first, "position") + 1;
    assert_eq!(
        passed,
        blocks.len() as u64 + missed,
        "a block is in no account"
    );
    assert!(
        ended.stderr.contains(&format!("; {missed} blocks missed")),
        "{}",
        ended.stderr
    );
}

/// Without a last line that is still being written.
fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

#[test]
fn hz_and_ring_tell_the_rates_the_seats_and_their_owners() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let told = place
        .run(&["hz", "--once", "--json", "raw", "spikes"])
        .expect(0);
    let rates = &lines(&told.stdout)[0];
    let raw = &rates[0];
    assert_eq!(raw["stream"], "raw");
    assert_eq!(raw["expected_blocks_per_s"], 100.0);
    assert_eq!(raw["expected_frames_per_s"], 20_000.0);
    assert!(number(raw, "blocks") > 0, "{raw}");
    assert!(raw["interval_p50_ms"].as_f64() <= raw["interval_p99_ms"].as_f64());
    assert!(raw["interval_p99_ms"].as_f64() <= raw["interval_max_ms"].as_f64());
    assert_eq!(rates[1]["stream"], "spikes");
    assert_eq!(rates[1]["expected_blocks_per_s"], Value::Null);
    let table = place.run(&["hz", "--once"]).expect(0).stdout;
    assert_eq!(table.lines().count(), 1 + 6, "{table}");

    let status: Value =
        serde_json::from_str(&place.run(&["status", "--json"]).expect(0).stdout).unwrap();
    let processes = status[0]["processes"].as_array().unwrap();
    let pid_of = |name: &str| {
        let found = processes.iter().find(|p| p["name"] == name);
        number(found.unwrap(), "pid")
    };
    let all = rings(&place, &[]);
    assert_eq!(all["state"], "running");
    assert_eq!(all["rings"].as_array().unwrap().len(), 6);
    for ring in all["rings"].as_array().unwrap() {
        let producer = &ring["producer"];
        let stage = producer["stage"].as_str().unwrap();
        assert_eq!(number(&producer["owner"], "pid"), pid_of(stage), "{ring}");
        assert_eq!(producer["owner"]["alive"], true);
        assert_eq!(ring["end"], Value::Null);
        let seats = ring["seats"].as_array().unwrap();
        let seat = &seats[0];
        let reader = seat["stage"].as_str().unwrap();
        assert_eq!(number(&seat["owner"], "pid"), pid_of(reader), "{seat}");
        assert_eq!(number(&seat["owner"], "generation"), 1);
        assert_eq!(seat["kind"], "hold");
        assert!(number(seat, "position") <= number(ring, "published"));
        assert!(number(seat, "consumed") > 0, "{seat}");
        let spare = seats.iter().filter(|s| s["spare"] == true);
        assert!(spare.clone().count() > 0 && spare.clone().all(|s| s["owner"].is_null()));
    }
    let text = place.run(&["ring", "filtered"]).expect(0).stdout;
    assert!(
        text.contains(&format!(
            "detect.frames        pid {} alive",
            pid_of("detect")
        )),
        "{text}"
    );

    // Both look again every second: one until Ctrl-C, one until the session is over.
    let watch = place.start(place.command(&["ring", "raw", "--watch", "--json"]));
    let hz = place.start(place.command(&["hz", "raw", "--json"]));
    wait_until("both have looked twice", 20, || {
        watch.stdout().lines().count() > 1 && hz.stdout().lines().count() > 1
    });
    watch.signal("INT");
    let looks = lines(&watch.wait(5).expect(0).stdout);
    assert!(
        number(&looks[0]["rings"][0], "published") < number(&looks[1]["rings"][0], "published")
    );
    expect_undisturbed_by(&place, run, hz);
}

#[test]
fn a_stage_that_was_started_again_shows_its_generation_and_a_tap_goes_on_behind_it() {
    let _turn = alone();
    let place = Place::new();
    let run = running_graph(
        &place,
        &LOOP.replace("[defaults]", "[defaults]\non_death = \"restart\""),
    );
    let tap = place.start(place.command(&["tap", "filtered", "--json", "--channels", "1"]));
    wait_until("a block is shown", 10, || tap.stdout().contains('\n'));
    let seat = || rings(&place, &["raw"])["rings"][0]["seats"][0].clone();
    let before = seat();
    signal(number(&before["owner"], "pid") as u32, "KILL");
    wait_until("its successor reads", 10, || {
        let now = seat();
        now["owner"]["generation"] == 2
            && now["owner"]["alive"] == true
            && number(&now, "position") > number(&before, "position")
    });
    let producer = rings(&place, &["filtered"])["rings"][0]["producer"].clone();
    assert_eq!(producer["owner"]["generation"], 2, "{producer}");
    let shown = tap.stdout().lines().count();
    wait_until("the tap goes on", 10, || {
        tap.stdout().lines().count() > shown + 5
    });
    run.signal("INT");
    run.wait(15).expect(0);
    let ended = tap.wait(10).expect(0);
    place.expect_nothing_left();
    let positions: Vec<u64> = lines(&ended.stdout)
        .iter()
        .map(|block| number(block, "position") - number(block, "missed_blocks"))
        .collect();
    let mut sorted = positions.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(positions, sorted, "a block came twice or out of order");
}

#[test]
fn a_tap_that_was_killed_leaves_a_file_that_counts_what_is_in_it() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let tap = place.start(place.command(&["tap", "raw", "--npy", "raw.npy"]));
    let part = place.path().join("raw.npy.part");
    let row_bytes = CHANNELS as usize * 4;
    wait_until("frames are in the file", 20, || {
        holds_more_than(&part, 1024)
    });
    tap.signal("KILL");
    assert_eq!(tap.wait(5).code, None);
    let (head, data) = npy(&part);
    let rows: usize = head
        .split_once("'shape': (")
        .and_then(|(_, shape)| shape.split_once(','))
        .and_then(|(rows, _)| rows.parse().ok())
        .unwrap_or_else(|| panic!("{head}"));
    assert!(
        rows * row_bytes <= data.len(),
        "{head}: {} bytes",
        data.len()
    );
    if let Some(said) = numpy_says(&part) {
        assert_eq!(said, format!("({rows}, 8) int32\n"));
    }
    assert!(!place.path().join("raw.npy").exists());
    expect_undisturbed(&place, run);
}

#[test]
fn what_a_killed_launcher_leaves_can_still_be_looked_at() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let tap = place.start(place.command(&["tap", "raw", "--json"]));
    wait_until("a block is shown", 10, || tap.stdout().contains('\n'));
    run.signal("KILL");
    assert_eq!(run.wait(5).code, None);
    tap.wait(10).expect(0);
    wait_until("the session's processes are gone", 5, || {
        place.processes().is_empty()
    });
    let all = rings(&place, &[]);
    assert_eq!(all["running"], false);
    for ring in all["rings"].as_array().unwrap() {
        assert!(number(ring, "published") > 0, "{ring}");
        for owner in [&ring["producer"]["owner"], &ring["seats"][0]["owner"]] {
            assert_eq!(owner["alive"], false, "{ring}");
        }
    }
    let text = place.run(&["ring"]).expect(0).stdout;
    assert!(text.contains("its launcher (pid "), "{text}");
    assert!(text.contains(" dead, generation 1"), "{text}");
    // The last blocks of the ring, from the oldest on; nothing is waited for.
    let left = lines(&place.run(&["tap", "raw", "--json"]).expect(0).stdout);
    assert_eq!(left.len(), 15, "a ring of 16 slots holds 15 whole blocks");
    place.run(&["tap", "raw", "--npy", "left.npy"]).expect(0);
    let told: Vec<i64> = left
        .iter()
        .flat_map(|block| block["frames"].as_array().unwrap())
        .flat_map(|frame| frame.as_array().unwrap())
        .map(|value| value.as_i64().unwrap())
        .collect();
    let (_, data) = npy(&place.path().join("left.npy"));
    let kept = data.as_chunks::<4>().0.iter();
    let kept: Vec<i64> = kept.map(|b| i32::from_le_bytes(*b).into()).collect();
    assert!(kept.iter().any(|value| *value != 0));
    assert!(kept == told, "the file and the JSON lines differ");
    place.run(&["gc"]).expect(0);
    place.expect_nothing_left();
}

#[test]
fn outputs_that_cannot_be_written_end_a_tap_quietly_or_with_one_line() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let mut closed = place
        .command(&["tap", "raw"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(closed.stdout.take());
    let ended = closed.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");

    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ended = place
        .command(&["tap", "raw"])
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("ephapse: stdout: cannot be written to: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");

    let nowhere = place
        .run(&["tap", "raw", "--npy", "no/such/raw.npy"])
        .expect(1);
    assert!(nowhere.only_line().contains("no/such/raw.npy.part"));
    for (arguments, expected) in [
        (&["tap", "rwa"][..], "did you mean `raw`?"),
        (&["hz", "raw", "filterd"], "did you mean `filtered`?"),
        (&["ring", "spike"], "did you mean `spikes`?"),
        (&["tap", "raw", "--channels", "99"], "from 0 to 7"),
        (&["tap", "spikes", "--channels", "1"], "has no channels"),
        (
            &["tap", "raw", "--session", "no-such"],
            "no session `no-such`",
        ),
    ] {
        let refused = place.run(arguments).expect(1);
        let line = refused.only_line();
        assert!(line.contains(expected), "{arguments:?}: {line}");
    }
    expect_undisturbed(&place, run);
}

#[test]
fn without_a_session_there_is_one_line_that_says_how_to_start_one() {
    let _turn = shared();
    let place = Place::new();
    for arguments in [&["tap", "raw"][..], &["hz"], &["ring"]] {
        let refused = place.run(arguments).expect(1);
        assert_eq!(
            refused.only_line(),
            "ephapse: no session runs: start one with `ephapse run GRAPH`"
        );
    }
    for arguments in [
        &["tap"][..],
        &["tap", "raw", "-n", "0"],
        &["tap", "raw", "--every", "0"],
        &["tap", "raw", "--json", "--npy", "raw.npy"],
    ] {
        let refused = place.run(arguments).expect(1);
        assert!(!refused.stderr.is_empty(), "{arguments:?} says nothing");
    }
    place.expect_nothing_left();
}

#[test]
fn the_last_second_of_a_running_stream_comes_out_of_its_capture() {
    let _turn = alone();
    let place = Place::new();
    let run = running(&place);
    let blocks = || -> Vec<u64> {
        let told = place.run(&["tap", "raw", "--last", "1s", "--json"]);
        let lines = told.expect(0).stdout;
        let lines = lines.lines().map(|l| serde_json::from_str(l).unwrap());
        lines
            .map(|line: Value| line["position"].as_u64().unwrap())
            .collect()
    };
    // A block every 10 ms, and a ring of 16.
    let mut seen = Vec::new();
    wait_until("a second is recorded", 30, || {
        seen = blocks();
        seen.len() >= 95
    });
    assert!(seen.len() <= 101, "{}", seen.len());
    assert!(seen.windows(2).all(|w| w[1] == w[0] + 1), "{seen:?}");
    place.run(&["stop"]).expect(0);
    run.wait(15).expect(0);
    place.expect_nothing_left();
}
