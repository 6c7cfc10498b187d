//! Edge adapters in a whole session: two branches of a recording, merged, selected, decimated and read out.

use crate::demo::expect_no_allocations_and_faults;
use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::Place;
use crate::turns::{alone, shared};
use serde_json::Value;

/// Three channels at 4 kHz.
const FRAMES: usize = 6000;
const FACTOR: usize = 4;
const FACTOR_TAPS: usize = 20 * FACTOR + 1;
/// Decimated frames that settle.
const SETTLING: usize = 20;

/// Weights of the two branches, and of the readout behind the merged edge: channels R1, L2, L1.
const LEFT: &str = r#"{ "weights": [[1, 0, 0], [0, 2, 0]], "labels": ["L1", "L2"] }"#;
const RIGHT: &str = r#"{ "weights": [[0, 0, -1]], "labels": ["R1"] }"#;
const READOUT: [f64; 3] = [0.5, 0.25, 1.0];

fn graph(block_frames: usize) -> String {
    let rungs: Vec<String> = rungs()
        .iter()
        .map(|[threshold, hz]| format!("[{threshold:?}, {hz:?}]"))
        .collect();
    format!(
        r#"
name = "edges"

[defaults]
cpu = 1

[stage.source]
use = "acquire.binary"
pace = "none"
params = {{ path = "signal.i16", format = "i16le,3ch,4000Hz", block_frames = {block_frames} }}
out = {{ frames = "raw" }}

[stage.left]
use = "readout.linear"
params = {{ weights = "left.json" }}
in = {{ features = "raw" }}
out = {{ decision = "left" }}

[stage.right]
use = "readout.linear"
params = {{ weights = "right.json" }}
in = {{ features = {{ from = "raw", cast = "f32" }} }}
out = {{ decision = "right" }}

[stage.readout]
use = "readout.linear"
params = {{ weights = "readout.json" }}
in = {{ features = {{ decimate = {FACTOR}, select = ["R?", 1, "L1"], merge = ["left", "right"] }} }}
out = {{ decision = "decision" }}

[stage.policy]
use = "policy.frequency"
params = {{ table_hz = [{}] }}
in = {{ decision = "decision" }}
out = {{ commands = "commands" }}

[stage.stimulate]
use = "stimulate.log"
in = {{ commands = "commands" }}
"#,
        rungs.join(", ")
    )
}

/// A hundred rungs over the range of the decision.
fn rungs() -> Vec<[f64; 2]> {
    (0..100_u32)
        .map(|rung| [f64::from(rung) * 40.0 - 2000.25, f64::from(rung + 1)])
        .collect()
}

/// Slow waves on every channel, and noise that the filter has to take away.
fn signal() -> Vec<[i16; 3]> {
    let mut state = 3_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 54) as f64 - 512.0
    };
    (0..FRAMES)
        .map(|frame| {
            let wave =
                |hz: f64| 900.0 * (core::f64::consts::TAU * hz * frame as f64 / 4000.0).sin();
            [3.0, 7.0, 11.0].map(|hz| (wave(hz) + noise()) as i16)
        })
        .collect()
}

/// The frequencies commanded, computed without any of the stages: the whole signal is weighted and convolved.
fn expected(signal: &[[i16; 3]]) -> Vec<f64> {
    let mixed: Vec<f64> = signal
        .iter()
        .map(|[a, b, c]| {
            let [r1, l2, l1] = READOUT;
            r1 * -f64::from(*c) + l2 * 2.0 * f64::from(*b) + l1 * f64::from(*a)
        })
        .collect();
    let half = (FACTOR_TAPS / 2) as f64;
    let taps: Vec<f64> = (0..FACTOR_TAPS)
        .map(|k| {
            let x = core::f64::consts::PI * (k as f64 - half) / FACTOR as f64;
            let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
            let turn = core::f64::consts::TAU * k as f64 / (FACTOR_TAPS - 1) as f64;
            sinc * (0.54 - 0.46 * turn.cos())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    let mut commanded = vec![0.0];
    for frame in (FACTOR - 1..mixed.len()).step_by(FACTOR).skip(SETTLING) {
        let value: f64 = (0..FACTOR_TAPS)
            .map(|k| taps[k] / sum * mixed[frame - k])
            .sum();
        let rungs = rungs();
        assert!(
            rungs
                .iter()
                .all(|[threshold, _]| (value - threshold).abs() > 1e-9),
            "frame {frame} lies on a rung: the test could not tell"
        );
        let hz = rungs
            .iter()
            .rfind(|[threshold, _]| value >= *threshold)
            .map_or(0.0, |r| r[1]);
        if commanded.last() != Some(&hz) {
            commanded.push(hz);
        }
    }
    commanded.split_off(1)
}

fn prepared() -> (Place, Vec<[i16; 3]>) {
    let place = Place::new();
    let signal = signal();
    let bytes: Vec<u8> = signal
        .iter()
        .flatten()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    std::fs::write(place.path().join("signal.i16"), bytes).unwrap();
    place.write("left.json", LEFT);
    place.write("right.json", RIGHT);
    place.write("readout.json", &format!("{{ \"weights\": [{READOUT:?}] }}"));
    (place, signal)
}

#[test]
fn a_merged_selected_and_decimated_edge_gives_the_numbers_that_a_convolution_gives() {
    let _turn = shared();
    let (place, signal) = prepared();
    let expected = expected(&signal);
    assert!(
        expected.len() > 100,
        "{} changes are too few",
        expected.len()
    );
    for block_frames in [20, 7, 256] {
        place.write("edges.toml", &graph(block_frames));
        place.run_session(&["run", "edges.toml"], 60).expect(0);
        let log = std::fs::read_to_string(place.report().join("stimulation.jsonl")).unwrap();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let of_the_loop = lines.iter().filter(|line| line.get("forced").is_none());
        let commanded: Vec<f64> = of_the_loop
            .map(|l| l["values"][0].as_f64().unwrap())
            .collect();
        assert_eq!(commanded, expected, "blocks of {block_frames} frames");
        let report = Report::read(&place.report());
        report.expect_accounts(&["rings", "edges", "sources"]);
        // The merged streams have an account each.
        for stream in ["left", "right"] {
            let read = |e: &&Value| {
                e["stream"] == stream
                    && e["seat"].as_str().is_some_and(|s| s.starts_with("readout"))
            };
            let edges: Vec<&Value> = report.list("edges").iter().filter(read).collect();
            assert_eq!(edges.len(), 1, "{stream}: {edges:?}");
            assert_eq!(
                edges[0]["consumed"],
                FRAMES.div_ceil(block_frames),
                "{}",
                edges[0]
            );
            assert_eq!(
                (&edges[0]["jumped"], &edges[0]["left"]),
                (&0.into(), &0.into())
            );
        }
        place.expect_nothing_left();
    }
}

#[test]
fn a_paced_stage_with_every_adapter_on_its_edge_neither_allocates_nor_faults() {
    let _turn = alone();
    let place = Place::new();
    let branch = "[stage.low]
use = \"filter.bandpass\"
params = { low_hz = 100.0, high_hz = 1000.0 }
in = { frames = { from = \"raw\", select = [\"?\"], cast = \"f32\" } }
out = { frames = \"low\" }

[stage.detect]";
    let edge = "in = { frames = { merge = [\"filtered\", \"low\"], select = [\"filtered.*\", \"low.1\"], \
                scale = { unit = \"mV\" }, decimate = 2, cast = \"f32\", window = { n = 16 } } }";
    let graph = LOOP
        .replace("[stage.detect]", branch)
        .replace("in = { frames = \"filtered\" }", edge);
    assert!(graph.contains(edge));
    place.write("loop.toml", &graph);
    place
        .run_session(&["run", "loop.toml", "--duration", "2s"], 60)
        .expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    expect_no_allocations_and_faults(&report);
    // 20 frames a millisecond, of which 10 remain, in windows of 16.
    let published = |stream: &str| {
        let rings = report.list("rings").iter();
        let found = rings
            .filter(|r| r["stream"] == stream)
            .map(|r| r["published"].as_u64());
        found.flatten().sum::<u64>()
    };
    let (blocks, windows) = (published("low"), published("spikes"));
    assert!(blocks > 100, "{blocks}");
    let gaps: u64 = report
        .list("edges")
        .iter()
        .filter_map(|e| e["gaps"].as_u64())
        .sum();
    // A tick that the host took away may have cost blocks; then windows are discarded.
    if gaps == 0 {
        assert_eq!(windows, blocks * 10 / 16);
    } else {
        assert!(windows <= blocks * 10 / 16);
    }
}

#[test]
fn explain_shows_the_adapters_of_an_edge_and_what_they_cost() {
    let _turn = shared();
    let (place, _) = prepared();
    place.write("edges.toml", &graph(20));
    let drawn = place.run(&["explain", "edges.toml"]).expect(0).stdout;
    for words in [
        "features <- left",
        "features + right",
        "select 3 channels, decimate 4",
        "5 x 3 f64, 1000 Hz",
        "10 frames late (10.000 ms), settles in 20 frames",
    ] {
        assert!(drawn.contains(words), "{words}:\n{drawn}");
    }
}
