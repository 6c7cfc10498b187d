//! A recorded session computed once more by the command line: the same bits, or the tick from which on they are others.

use crate::loop_graph::LOOP;
use crate::place::{Place, entries, signal, wait_until};
use crate::restarts::pid_of;
use crate::turns::{alone, shared};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Replays of one capture; `make accept` asks for more.
fn replays() -> usize {
    let asked = std::env::var("EPHAPSE_REPLAYS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Writes the loop with a readout of these weights.
fn graph(place: &Place, name: &str, weights: [f64; 8]) -> PathBuf {
    let text = format!("{{\"weights\": [{weights:?}]}}");
    let path = place.write(&format!("{name}.json"), &text);
    let weights = format!("weights = {:?}", path.display().to_string());
    place.write(
        &format!("{name}.toml"),
        &LOOP.replace("weights = \"population\"", &weights),
    )
}

/// The only capture in a folder.
fn capture(folder: &Path) -> PathBuf {
    let mut names = entries(folder);
    names.retain(|name| name.ends_with(".cap"));
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

#[track_caller]
fn json(place: &Place, arguments: &[&str], code: i32) -> Value {
    let said = place
        .finish(place.command(arguments), 120)
        .expect(code)
        .stdout;
    serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_paced_run_with_a_stalled_stage_replays_identically_and_another_weight_shows_its_tick() {
    let _turn = alone();
    let place = Place::new();
    let graph = graph(&place, "even", [0.125; 8]);
    let run =
        place.start(place.session_command(&["run", graph.to_str().unwrap(), "--duration", "2s"]));
    wait_until("the session runs", 60, || pid_of(&place, "band").is_some());
    wait_until("it records", 60, || {
        let status = place.run(&["status", "--json"]).stdout;
        status.contains("\"running\"")
    });
    std::thread::sleep(Duration::from_millis(300));
    let band = pid_of(&place, "band").unwrap();
    signal(band, "STOP");
    std::thread::sleep(Duration::from_millis(50));
    signal(band, "CONT");
    run.wait(60).expect(0);
    let capture = capture(&place.report());
    let capture = capture.to_str().unwrap();
    for round in 0..replays() {
        let proof = json(&place, &["replay", capture, "--json"], 0);
        assert_eq!(proof["verdict"], "identical", "round {round}: {proof}");
        assert_eq!(proof["decision_streams"][0], "commands");
        assert!(proof["decisions"].as_u64().unwrap() > 100, "{proof}");
    }
    let said = place
        .finish(place.command(&["replay", capture]), 120)
        .expect(0)
        .stdout;
    assert!(said.contains("replays: identical ("), "{said}");
    // In its own rhythm, at twice its pace: two seconds were recorded.
    let begun = Instant::now();
    let proof = json(&place, &["replay", capture, "--speed", "2", "--json"], 0);
    assert_eq!(proof["verdict"], "identical", "{proof}");
    assert!(
        begun.elapsed() > Duration::from_millis(900),
        "it was hurried"
    );

    let other = "{\"weights\": [[0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.25]]}";
    let other = place.write("other.json", other);
    let set = format!("stage.readout.params.weights={}", other.display());
    let proof = json(&place, &["replay", capture, "--set", &set, "--json"], 2);
    let first = &proof["first"];
    assert_eq!(
        (&first["stage"], &first["stream"]),
        (&"readout".into(), &"decision".into()),
        "{proof}"
    );
    let tick = first["first"]["tick"].as_u64().unwrap();
    let said = place
        .finish(place.command(&["replay", capture, "--set", &set]), 120)
        .expect(2)
        .stdout;
    assert!(
        said.contains(&format!("DIFFERENT from tick {tick} on: stage `readout`")),
        "{said}"
    );
    place.expect_nothing_left();
}

#[test]
fn two_captures_of_the_same_data_differ_from_the_tick_on_in_which_one_weight_counts() {
    let _turn = shared();
    let place = Place::new();
    let mut captures = Vec::new();
    let mut uneven = [0.125; 8];
    uneven[3] = 0.25;
    for (name, weights) in [
        ("even", [0.125; 8]),
        ("again", [0.125; 8]),
        ("uneven", uneven),
    ] {
        let graph = graph(&place, name, weights);
        let folder = place.path().join(name);
        let mut command = place.command(&[
            "run",
            graph.to_str().unwrap(),
            "--unpaced",
            "--duration",
            "1s",
        ]);
        command
            .arg("--set")
            .arg(format!("name={:?}", place.session()));
        command.arg("--report").arg(&folder);
        place.finish(command, 60).expect(0);
        captures.push(capture(&folder).display().to_string());
    }
    let same = json(
        &place,
        &["compare", &captures[0], &captures[1], "--json"],
        0,
    );
    assert_eq!(same["first"], Value::Null);
    let differs = json(
        &place,
        &["compare", &captures[0], &captures[2], "--json"],
        2,
    );
    let first = &differs["first"];
    assert_eq!(
        (&first["stage"], &first["stream"]),
        (&"readout".into(), &"decision".into()),
        "{differs}"
    );
    let streams = differs["streams"].as_array().unwrap();
    for stream in streams
        .iter()
        .filter(|s| ["raw", "filtered", "spikes", "rates"].contains(&s["stream"].as_str().unwrap()))
    {
        assert_eq!(stream["differing"], 0, "{stream}");
        assert!(stream["compared"].as_u64().unwrap() > 0, "{stream}");
    }
    let said = place
        .run(&["compare", &captures[0], &captures[2]])
        .expect(2)
        .stdout;
    let tick = first["first"]["tick"].as_u64().unwrap();
    assert!(
        said.contains(&format!("first difference: tick {tick}, stage `readout`")),
        "{said}"
    );

    let proof = json(&place, &["replay", &captures[0], "--json"], 0);
    assert_eq!(proof["verdict"], "identical", "{proof}");
    let refused = place
        .run(&[
            "replay",
            &captures[0],
            "--set",
            "stage.source.params.seed=3",
        ])
        .expect(1);
    assert!(
        refused
            .only_line()
            .contains("changing its parameters changes nothing"),
        "{}",
        refused.stderr
    );
    place.expect_nothing_left();
}
