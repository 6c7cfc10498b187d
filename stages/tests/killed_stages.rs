//! Every stage with state, in a process of its own that is killed at every step of its rings' ends and started again: what comes
//! out is bit for bit what comes out without a kill, and nothing is allocated while it runs.
#![cfg(debug_assertions)]

use ephapse_driven::{Driven, Wanted};
use ephapse_engine::abi::{SlotHeader, flag};
use ephapse_engine::allocation::CountingAllocator;
use ephapse_engine::stage::{Registry, Taken};
use ephapse_engine::sync::Ordering;
use ephapse_engine::trap::{Point, arm};
use ephapse_rtconfig::describe::Catalogue;
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Says to a process of this executable that it is a stage, and where it dies: `POINT:PASS`, or `never`.
const DIES: &str = "EPHAPSE_TEST_STAGE_DIES";

/// Between any two stores that another process sees.
const POINTS: [Point; 6] = [
    Point::Peek,
    Point::Claim,
    Point::Commit,
    Point::Committed,
    Point::Release,
    Point::Released,
];

/// For one run, a dozen deaths included; a second on an idle machine.
const WITHIN: Duration = Duration::from_secs(120);

const RATE_HZ: u64 = 250;
const CHANNELS: usize = 3;
const BLOCK: usize = 25;
const BLOCKS: u64 = 60;

/// A kind and its parameters.
struct Subject {
    kind: &'static str,
    params: Value,
}

fn subjects() -> Vec<Subject> {
    let subject = |kind, params| Subject { kind, params };
    vec![
        subject("filter.bandpass", json!({"low_hz": 1.0, "high_hz": 60.0})),
        subject("filter.bandstop", json!({"low_hz": 49.0, "high_hz": 51.0})),
        subject("filter.resample", json!({"rate_hz": 100.0})),
        subject(
            "feature.heart_rate",
            json!({"window_s": 2.0, "step_s": 0.2}),
        ),
        subject("quality", json!({})),
        subject("spectrum.fft", json!({"max_window_s": 1.0, "overlap": 0.7})),
        subject(
            "spectrum.bandpower",
            json!({"max_window_s": 1.0, "step_s": 0.2}),
        ),
    ]
}

fn input() -> StreamType {
    StreamType::frames(
        Dtype::F64,
        BLOCK as u32,
        CHANNELS as u32,
        Rate::hz(RATE_HZ),
        "uV",
    )
}

/// Block `number`: a slow wave in noise, block 30 behind a gap.
fn block(number: u64) -> (SlotHeader, Vec<f64>) {
    let first_frame = number * BLOCK as u64 + if number >= 30 { 40 } else { 0 };
    let gap = number == 30;
    let header = SlotHeader {
        first_frame,
        origin_first: first_frame,
        origin_frame: first_frame + BLOCK as u64 - 1,
        valid: BLOCK as u32,
        lost: if gap { 40 } else { 0 },
        flags: if gap { flag::GAP } else { 0 },
        ..SlotHeader::default()
    };
    let mut x = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let frames = (0..BLOCK * CHANNELS).map(|i| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let t = (first_frame + (i / CHANNELS) as u64) as f64 / RATE_HZ as f64;
        let wave = (t * 7.3).sin().powi(5) * 400.0;
        wave * (1 + i % CHANNELS) as f64 + (x % 1000) as f64 * 0.1
    });
    (header, frames.collect())
}

/// What is compared: all that a reader can see, but for the tick and the stamps.
fn seen(taken: &Taken) -> (SlotHeader, Vec<u8>) {
    let header = SlotHeader {
        tick: 0,
        arrived_ns: 0,
        committed_ns: 0,
        ..taken.header
    };
    (header, taken.payload.clone())
}

/// What each output has given.
type Made = Vec<Vec<(SlotHeader, Vec<u8>)>>;

fn take(stage: &mut Driven, made: &mut Made) {
    for (port, made) in made.iter_mut().enumerate() {
        while let Some(taken) = stage.take_now(port) {
            made.push(seen(&taken));
        }
    }
}

/// Runs a stage over all blocks; `dies`: where each of its processes does. Returns what it made, and how often it died.
fn run(subject: &Subject, dies: &str) -> (Made, u64) {
    let registry = Registry::new(ephapse_stages::describables());
    let info = registry.kind(subject.kind).unwrap();
    let inlet = info.inputs[0].clone();
    let what = registry
        .describe(subject.kind, &subject.params, &[(&inlet, &input())])
        .unwrap();
    // Names of their own: a filter's ports are both named `frames`.
    let outlets: Vec<String> = (0..what.outputs.len()).map(|n| format!("out{n}")).collect();
    let wanted = Wanted {
        kind: subject.kind,
        params: subject.params.clone(),
        inputs: vec![(&inlet, input())],
        outputs: outlets
            .iter()
            .zip(&what.outputs)
            .map(|(name, (_, t))| (name.as_str(), t.clone()))
            .collect(),
        slots: 8,
        state_bytes: what.state_bytes,
        append_bytes: what.append_bytes,
        ..Wanted::default()
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "a_stage_that_a_test_has_started",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIES, dies);
    let mut stage = Driven::start(command, &wanted);
    let (mut fed, mut made, mut deaths) = (0, vec![Vec::new(); outlets.len()], 0);
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < WITHIN,
            "{}: {}",
            subject.kind,
            stage.stderr()
        );
        match stage.child().try_wait().unwrap() {
            Some(status) if status.success() => break,
            Some(status) => {
                assert_eq!(
                    status.signal(),
                    Some(9),
                    "{}: {}",
                    subject.kind,
                    stage.stderr()
                );
                deaths += 1;
                assert!(
                    deaths < 2 * BLOCKS,
                    "{} does not come forward",
                    subject.kind
                );
                stage.spawn_successor();
            }
            // It has the CPU to itself.
            None => std::thread::sleep(Duration::from_micros(100)),
        }
        if fed < BLOCKS {
            let (header, frames) = block(fed);
            fed += u64::from(stage.offer(0, header, frames.as_bytes()));
            if fed == BLOCKS {
                stage.end_inputs();
            }
        }
        take(&mut stage, &mut made);
    }
    take(&mut stage, &mut made);
    if deaths == 0 {
        let allocations = stage.memory.words.allocations.load(Ordering::Relaxed);
        assert_eq!(allocations, 0, "{} allocates while it runs", subject.kind);
    }
    (made, deaths)
}

/// A stage killed at each point again and again makes what it makes undisturbed.
#[test]
fn killed_at_every_step_and_started_again_every_stage_gives_the_same_bits() {
    for subject in subjects() {
        let (expected, deaths) = run(&subject, "never");
        assert_eq!(deaths, 0);
        for made in &expected {
            assert_eq!(made.len() as u64, BLOCKS, "{}", subject.kind);
            let valid: u64 = made.iter().map(|(h, _)| u64::from(h.valid)).sum();
            assert!(
                valid > 3,
                "{} makes {valid} rows: nothing to compare",
                subject.kind
            );
        }
        for point in POINTS {
            for pass in [11, 29] {
                let (made, deaths) = run(&subject, &format!("{point:?}:{pass}"));
                assert!(deaths > 0, "{} never comes to {point:?}", subject.kind);
                for (port, (made, expected)) in made.iter().zip(&expected).enumerate() {
                    assert_eq!(made.len(), expected.len(), "{}", subject.kind);
                    for (number, (made, expected)) in made.iter().zip(expected).enumerate() {
                        assert!(
                            made == expected,
                            "{} killed at {point:?}, {pass}: block {number} of output {port} is {:?} instead of {:?}",
                            subject.kind,
                            made.0,
                            expected.0
                        );
                    }
                }
            }
        }
    }
}

/// No test: what a stage's process runs.
#[test]
fn a_stage_that_a_test_has_started() {
    let Ok(dies) = std::env::var(DIES) else {
        return;
    };
    if let Some((point, pass)) = dies.split_once(':') {
        let point = POINTS.iter().find(|p| format!("{p:?}") == point).unwrap();
        arm(*point, pass.parse().unwrap());
    }
    ephapse_engine::runner::run_timer_or(&ephapse_stages::runnables(), None).unwrap();
}
