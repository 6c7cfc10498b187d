//! What a person does with a capture: list, look, comment, verify, recover, export, play.

use crate::made_capture::{
    FRAMES, LOST_BEFORE, MISSING, append_raw, begin, first_frame, made, sample,
};
use crate::place::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// Frames of `raw` that are in the capture.
fn frames() -> Vec<u64> {
    let blocks = (0..100).filter(|block| !MISSING.contains(block));
    blocks
        .flat_map(|block| first_frame(block)..first_frame(block) + FRAMES)
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("std") && name != "run")
        .collect();
    names.sort();
    names
}

#[test]
fn a_capture_is_listed_shown_and_commented_without_being_touched() {
    let place = Place::new();
    let path = place.path().join("deep/er");
    std::fs::create_dir_all(&path).unwrap();
    made(&path.join("run.cap"));
    drop(begin(&place.path().join("killed.cap")));
    std::fs::write(place.path().join("broken.cap"), "no capture").unwrap();
    let before = std::fs::read(path.join("run.cap")).unwrap();
    let said = place
        .run(&["comment", "deep/er/run.cap", "good", "spikes"])
        .expect(0);
    assert!(
        said.stdout.contains("run.comments.jsonl: written"),
        "{}",
        said.stdout
    );
    place
        .run(&["comment", "deep/er/run.cap", "kept warm"])
        .expect(0);
    assert_eq!(std::fs::read(path.join("run.cap")).unwrap(), before);

    let listed = place.run(&["captures", "--json"]).expect(0);
    assert!(
        listed
            .stderr
            .contains("broken.cap: is too short for a capture"),
        "{}",
        listed.stderr
    );
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let of = |name: &str| {
        let all = listed.as_array().unwrap().iter();
        let mut found = all.filter(|l| l["file"].as_str().unwrap().ends_with(name));
        found
            .next()
            .unwrap_or_else(|| panic!("{name} is not in {listed}"))
    };
    let run = of("run.cap");
    assert_eq!(run["started"], "2026-01-01T00:00:00Z");
    assert_eq!(run["comment"], "kept warm");
    assert_eq!(
        (&run["gaps"], &run["missing_blocks"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        (&run["sealed"], &of("killed.cap")["sealed"]),
        (&true.into(), &false.into())
    );
    let text = place.run(&["captures"]).expect(0).stdout;
    assert!(
        text.contains(
            "raw, spikes, fast, commands, marks  1 gap (3 blocks)  sealed  no verdict\n  kept warm"
        ),
        "{text}"
    );

    let info = place.run(&["info", "deep/er/run.cap"]).expect(0).stdout;
    for part in [
        "state        sealed: closed",
        "culture_id   culture 7",
        "good spikes",
        "raw          20 x 3 i16, 20000 Hz, count",
        "97 blocks, 1,940 frames; 3 blocks missing, 40 frames lost before the ring",
        "raw: 3 from 70 on: spool full",
        "tick 3  the culture was fed",
        "stage: /usr/bin/ephapse-stage (0.1.0), 12 bytes",
    ] {
        assert!(info.contains(part), "`{part}` is not in\n{info}");
    }
    let info = place
        .run(&["info", "deep/er/run.cap", "--json"])
        .expect(0)
        .stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["gaps"][0]["why"], "spool full");
    assert_eq!(info["comments"][1]["text"], "kept warm");
}

#[test]
fn a_damage_is_named_and_what_is_whole_is_recovered_beside_it() {
    let place = Place::new();
    let path = place.path().join("run.cap");
    made(&path);
    let whole = place.run(&["verify", "run.cap"]).expect(0).stdout;
    assert!(
        whole.contains("sealed: every record is what was written"),
        "{whole}"
    );
    place.write("run.certificate.json", "{}");
    let other = place.run(&["verify", "run.cap"]).expect(1).stdout;
    assert!(
        other.contains("certificate: ") && other.contains("is not a certificate"),
        "{other}"
    );
    std::fs::remove_file(place.path().join("run.certificate.json")).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // In the rows of block 60 of `raw`: all three bytes of its first frame's samples are looked for.
    let first: Vec<u8> = (0..3)
        .flat_map(|c| sample(first_frame(60), c).to_le_bytes())
        .collect();
    let at = bytes.windows(6).position(|w| w == first).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let found = place.run(&["verify", "run.cap"]).expect(1).stdout;
    assert!(
        found.contains("run.cap: bytes ") && found.contains("1 from 60"),
        "{found}"
    );

    let saved = place.run(&["recover", "run.cap"]).expect(0).stdout;
    assert!(saved.starts_with("lost: run.cap: bytes "), "{saved}");
    assert_eq!(
        std::fs::read(&path).unwrap(),
        bytes,
        "the original was touched"
    );
    place.run(&["verify", "run.recovered.cap"]).expect(0);
    let info = place.run(&["info", "run.recovered.cap"]).expect(0).stdout;
    assert!(info.contains("raw: 1 from 60 on: damaged"), "{info}");
    assert!(info.contains("state        sealed: recovered"), "{info}");
    let again = place.run(&["recover", "run.cap"]).expect(1);
    assert!(
        again
            .only_line()
            .contains("run.recovered.cap: is there already"),
        "{}",
        again.stderr
    );

    drop(begin(&place.path().join("killed.cap")));
    place
        .run(&["recover", "killed.cap", "--out", "saved.cap"])
        .expect(0);
    let saved = place.run(&["captures", "--json"]).expect(0).stdout;
    let saved: Value = serde_json::from_str(&saved).unwrap();
    let saved = saved
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["file"] == "./saved.cap")
        .unwrap();
    assert_eq!(saved["sealed"], true);
}

#[test]
fn every_format_holds_the_same_samples_and_says_where_they_are_not() {
    let place = Place::new();
    made(&place.path().join("run.cap"));
    let told = place
        .run(&["export", "run.cap", "--to", "csv", "--stream", "raw"])
        .expect(0);
    assert!(
        told.stdout.contains("raw: 1,940 frames, 2 gaps (100 lost)"),
        "{}",
        told.stdout
    );
    let csv = std::fs::read_to_string(place.path().join("run.raw.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("frame,time_s,A1 [count],A2 [count],B1 [count]")
    );
    for (line, frame) in lines.clone().zip(frames()) {
        let values = (0..3).map(|c| sample(frame, c).to_string());
        let expected = format!(
            "{frame},{},{}",
            frame as f64 / 20_000.0,
            values.collect::<Vec<_>>().join(",")
        );
        assert_eq!(line, expected);
    }
    assert_eq!(lines.count(), 1940);
    let (before, lost) = LOST_BEFORE;
    let after = first_frame(MISSING.end);
    let expected = format!(
        "stream,row,first_frame,lost_frames,missing_blocks,why\n\
         raw,1000,{},{lost},0,\"\"\nraw,1400,{after},60,3,\"spool full\"\n",
        first_frame(before)
    );
    for name in ["run.raw.csv.gaps.csv", "raw.npy.gaps.csv"] {
        if name.starts_with("raw") {
            let asked = [
                "export", "run.cap", "--to", "npy", "--stream", "raw", "--out", "raw.npy",
            ];
            place.run(&asked).expect(0);
        }
        let list = std::fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!(list, expected, "{name}");
    }
    let npy = std::fs::read(place.path().join("raw.npy")).unwrap();
    let data: Vec<u8> = frames()
        .iter()
        .flat_map(|f| (0..3).map(move |c| sample(*f, c)))
        .flat_map(i16::to_le_bytes)
        .collect();
    assert!(npy.ends_with(&data) && npy.len() < data.len() + 200);

    // A part of it, in the stream's own seconds: one gap at its edge is none of its own.
    let part = [
        "export",
        "run.cap",
        "--to",
        "csv",
        "--stream",
        "raw",
        "--out",
        "part.csv",
        "--from",
        "0.05",
        "--to-time",
        "0.0525",
    ];
    let told = place.run(&part).expect(0).stdout;
    assert!(told.contains("raw: 10 frames, 0 gaps"), "{told}");
    let csv = std::fs::read_to_string(place.path().join("part.csv")).unwrap();
    assert!(
        csv.lines().nth(1).unwrap().starts_with("1040,0.052,"),
        "{csv}"
    );
    let part = [
        "export",
        "run.cap",
        "--to",
        "csv",
        "--stream",
        "spikes",
        "--out",
        "spikes.csv",
        "--from",
        "0.002",
    ];
    place.run(&part).expect(0);
    let csv = std::fs::read_to_string(place.path().join("spikes.csv")).unwrap();
    assert_eq!(csv.lines().nth(1), Some("43,1,4,-60.5"));

    let told = place.run(&["export", "run.cap", "--to", "h5"]).expect(0);
    assert!(
        told.stderr
            .contains("left out: stream `fast`: it has 30000 Hz"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr.contains("left out: stream `commands`"),
        "{}",
        told.stderr
    );
    let plain = ["export", "run.cap", "--to", "h5-plain", "--stream", "fast"];
    place.run(&plain).expect(0);
    let kept = names(place.path());
    assert!(!kept.iter().any(|name| name.ends_with(".part")), "{kept:?}");
    assert!(
        kept.contains(&"run.h5".to_owned()) && kept.contains(&"run.fast.h5".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn a_capture_and_its_export_play_the_same_samples_and_gaps_in_a_graph() {
    let place = Place::new();
    made(&place.path().join("run.cap"));
    place
        .run(&["export", "run.cap", "--to", "h5", "--stream", "raw"])
        .expect(0);
    let mut played = Vec::new();
    for (kind, file) in [("acquire.capture", "run.cap"), ("acquire.mcs_h5", "run.h5")] {
        let graph = format!(
            "name = \"played\"\n[stage.source]\nuse = \"{kind}\"\npace = \"none\"\n\
             params = {{ path = \"{file}\", block_frames = 20 }}\nout = {{ frames = \"raw\" }}\n"
        );
        place.write("played.toml", &graph);
        let ran = place
            .run_session(&["run", "played.toml", "--json"], 60)
            .expect(0);
        let report = ran.stdout.lines().last().unwrap().to_owned();
        let report: Value = serde_json::from_str(&report).unwrap();
        let raw = report["rings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["stream"] == "raw");
        let source = &report["sources"][0];
        let counts = ["counted", "valid", "lost"].map(|key| source[key].clone());
        played.push((raw.unwrap()["published"].clone(), counts));
    }
    let expected = [2040, 1940, 100].map(Value::from);
    assert_eq!(played, vec![(97.into(), expected); 2]);
}

#[test]
fn what_cannot_be_done_is_one_line_and_leaves_nothing() {
    let place = Place::new();
    made(&place.path().join("run.cap"));
    std::fs::write(place.path().join("empty.cap"), "").unwrap();
    std::fs::write(place.path().join("text.cap"), "x".repeat(10_000)).unwrap();
    let before = names(place.path());
    for (arguments, why) in [
        (
            &["info", "no.cap"][..],
            "no.cap: cannot be read: No such file",
        ),
        (&["verify", "empty.cap"], "empty.cap: is empty"),
        (
            &["export", "text.cap", "--to", "csv"],
            "text.cap: is not a capture",
        ),
        (&["info", "run"], "run: is a folder"),
        (
            &["export", "run.cap", "--to", "csv", "--stream", "spike"],
            "did you mean `spikes`?",
        ),
        (
            &["export", "run.cap", "--to", "csv"],
            "--stream: say which one",
        ),
        (
            &["export", "run.cap", "--to", "npy", "--stream", "raw,fast"],
            "one stream a file",
        ),
        (
            &["export", "run.cap", "--to", "h5", "--stream", "fast"],
            "export it with --to h5-plain, npy or csv",
        ),
        (
            &[
                "export", "run.cap", "--to", "h5-plain", "--stream", "spikes",
            ],
            "one matrix channel x sample",
        ),
        (
            &[
                "export", "run.cap", "--to", "h5", "--stream", "raw", "--from", "9",
            ],
            "holds no frame in this time",
        ),
        (
            &[
                "export",
                "run.cap",
                "--to",
                "csv",
                "--stream",
                "raw",
                "--from",
                "2",
                "--to-time",
                "1",
            ],
            "nothing lies between",
        ),
        (
            &[
                "export", "run.cap", "--to", "csv", "--stream", "raw", "--out", "run.cap",
            ],
            "is there already",
        ),
        (
            &[
                "export",
                "run.cap",
                "--to",
                "csv",
                "--stream",
                "raw",
                "--out",
                "no/such.csv",
            ],
            "no/such.csv.part: cannot be made",
        ),
        (&["tap", "raw", "--last", "1s"], "no session runs"),
        (
            &["tap", "raws", "--last", "1s", "--capture", "run.cap"],
            "did you mean `raw`?",
        ),
    ] {
        let refused = place.run(arguments).expect(1);
        assert!(
            refused.only_line().contains(why),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
    // A disk that is full half way, as far as a limit on file sizes is one.
    for (to, limit) in [("h5", 2), ("h5-plain", 2), ("npy", 4), ("csv", 4)] {
        let script = format!(
            "trap '' XFSZ; ulimit -f {limit}; exec {} export run.cap --to {to} --stream raw --out full",
            crate::place::EPHAPSE
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(place.path());
        let refused = place.finish(command, 20).expect(1);
        assert!(refused.stderr.contains("full"), "{to}: {}", refused.stderr);
        assert_eq!(names(place.path()), before, "{to}");
    }
    assert_eq!(names(place.path()), before);
}

#[test]
fn the_last_moments_are_read_while_the_capture_grows() {
    let place = Place::new();
    let mut appender = begin(&place.path().join("run.cap"));
    let last = [
        "tap",
        "raw",
        "--last",
        "10ms",
        "--capture",
        "run.cap",
        "--json",
    ];
    let positions = |text: &str| -> Vec<u64> {
        let lines = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        lines.map(|l| l["position"].as_u64().unwrap()).collect()
    };
    let seen = place.run(&last).expect(0);
    assert_eq!(positions(&seen.stdout), (89..100).collect::<Vec<_>>());
    for position in 100..105 {
        append_raw(&mut appender, position);
    }
    let seen = place.run(&last).expect(0);
    assert_eq!(positions(&seen.stdout), (94..105).collect::<Vec<_>>());
    let asked = [
        "tap",
        "raw",
        "--last",
        "40ms",
        "--capture",
        "run.cap",
        "--csv",
        "last.csv",
    ];
    let told = place.run(&asked).expect(0).stderr;
    assert!(told.contains("3 blocks are not in"), "{told}");
    let csv = std::fs::read(place.path().join("last.csv")).unwrap();
    assert_eq!(
        BufReader::new(csv.as_slice()).lines().count(),
        1 + 38 * FRAMES as usize
    );
}

/// Highest resident memory in kB of an export of a capture of so many bytes.
fn peak_kb(place: &Place, name: &str, bytes: u64, to: &str) -> u64 {
    let path = place.path().join(name);
    if !path.exists() {
        let mut appender = begin(&path);
        let mut position = 100;
        while position * (FRAMES * 6 + 192) < bytes {
            append_raw(&mut appender, position);
            position += 1;
        }
    }
    let script = r#"import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"#;
    let mut command = Command::new("python3");
    command.args([
        "-c",
        script,
        crate::place::EPHAPSE,
        "export",
        name,
        "--to",
        to,
        "--stream",
        "raw",
        "--out",
        "out",
    ]);
    command.current_dir(place.path());
    let peak = place
        .finish(command, 600)
        .expect(0)
        .stdout
        .trim()
        .parse()
        .unwrap();
    for file in ["out", "out.gaps.csv"] {
        let _ = std::fs::remove_file(place.path().join(file));
    }
    peak
}

#[test]
fn memory_does_not_grow_with_the_capture() {
    // Gigabytes, of which the second capture is twice the first; without it a few megabytes.
    let gigabytes = std::env::var("EPHAPSE_EXPORT_GB")
        .ok()
        .and_then(|g| g.parse::<f64>().ok());
    let bytes = gigabytes.map_or(4e6, |g| g * 1e9) as u64;
    let place = Place::new();
    for to in ["h5", "h5-plain", "npy", "csv"] {
        let (once, twice) = (
            peak_kb(&place, "one.cap", bytes, to),
            peak_kb(&place, "two.cap", 2 * bytes, to),
        );
        println!("{to}: {once} kB, of twice as much {twice} kB");
        let grown = twice.saturating_sub(once);
        assert!(
            grown < 16_000 + bytes / 1024 / 50,
            "{to}: {once} kB, then {twice} kB"
        );
    }
}
