//! Runs made up by hand, for the tests of the report.

use crate::report::Report;
use ephapse_engine::hindsight::{self as walked, Cause, Incident, Walk};
use ephapse_engine::outcome::*;
use ephapse_rtconfig::plan::{OnPlan, Plan, SeatKind, TimerPlan};
use hdrhistogram::Histogram;
use serde_json::json;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;

/// Ten seconds of a sound demo: 10,000 ticks, two of them skipped.
pub(in crate::report) fn sound() -> Outcome {
    let stages = [
        "source",
        "mains",
        "band",
        "detect",
        "rate",
        "readout",
        "policy",
        "stimulate",
    ];
    let mut hops = vec![hop("timer", HopKind::TimerLateness, 10_000, 20_000)];
    hops.push(hop("source", HopKind::Transport, 10_000, 60_000));
    for (i, stage) in stages.iter().enumerate().skip(1) {
        let i = i as u64;
        hops.push(hop(stage, HopKind::Wake, 9_998, 30_000 + i * 4_000));
        hops.push(hop(stage, HopKind::Run, 9_998, 2_000 + i * 700));
        hops.push(hop(stage, HopKind::Age, 9_998, 400_000 + i * 90_000));
    }
    hops.push(hop("stimulate", HopKind::HostLoop, 9_998, 1_100_000));
    let streams = [
        "raw", "clean", "filtered", "spikes", "rates", "decision", "commands",
    ];
    let loop_hop = skipping(
        hop("stimulate", HopKind::Loop, 9_998, 1_150_000),
        2,
        4_000_000,
    );
    Outcome {
        plan: plan(),
        started_realtime_ns: 1_795_000_000 * SECOND_NS + 123_456_789,
        start_ns: 5_000 * SECOND_NS,
        duration_ns: 10 * SECOND_NS,
        ended_by: "duration".to_owned(),
        faults: Vec::new(),
        restarts: Vec::new(),
        holds: Vec::new(),
        guards: Vec::new(),
        chaos: Vec::new(),
        rt: RtState {
            active: true,
            why: String::new(),
        },
        ticks: ["timer"]
            .iter()
            .chain(&stages)
            .map(|who| tick_account(who))
            .collect(),
        rings: streams
            .iter()
            .map(|stream| RingAccount {
                stream: (*stream).to_owned(),
                offered: 10_000,
                published: 9_998,
                dropped: 2,
                holds: true,
            })
            .collect(),
        edges: streams
            .iter()
            .zip(&stages[1..])
            .map(|(stream, seat)| edge(stream, seat))
            .collect(),
        sources: vec![SourceAccount {
            stream: "raw".to_owned(),
            counted: 200_000,
            valid: 199_960,
            lost: 40,
            holds: true,
        }],
        hops,
        loop_hop: Some(loop_hop),
        intervals: (0..10).map(|s| interval(s, 1_000 + 37 * s)).collect(),
        stages: ["timer"]
            .iter()
            .chain(&stages)
            .enumerate()
            .map(|(i, name)| record(i, name))
            .collect(),
        broken_budgets: Vec::new(),
        stalls: vec![Stall {
            cpu: 1,
            at_ns: 2_000_000_000,
            length_ns: 3_100_000,
        }],
        worst: vec![walk(2_001, 10_200_000), walk(7_305, 4_000_000)],
        incidents: vec![
            incident(walk(2_001, 10_200_000), 8),
            incident(walk(7_305, 4_000_000), 1),
        ],
        recording: Some(RecordingRecord {
            capture: "out/demo/demo-20261118T120000.cap".into(),
            blocks: 59_988,
            activations: 80_000,
            bytes: 257_000_000,
            lost: Vec::new(),
            unwritten_bytes: 0,
            sealed: true,
            why: String::new(),
        }),
        ties: vec![Tie {
            monotonic_ns: 5_000 * SECOND_NS,
            raw_ns: 4_999 * SECOND_NS,
            realtime_ns: 1_795_000_000 * SECOND_NS,
            frames: vec![("raw".to_owned(), 0)],
        }],
        rt_watch: RtWatch::default(),
        log: LogRecord::default(),
        told: Vec::new(),
    }
}

/// A decision that came late, for its filter's CPU had stood still.
fn walk(tick: u64, total_ns: u64) -> Walk {
    let sampled_ns = 5_000 * SECOND_NS + tick * 1_000_000;
    let hop =
        |stage: &str, from_ns: u64, due_ns: u64, woke_ns: u64, committed_ns: u64| walked::Hop {
            stage: stage.to_owned(),
            cpu: Some(1),
            tick,
            position: (stage != "source").then_some(tick as u16),
            from_ns: sampled_ns + from_ns,
            due_ns: sampled_ns + due_ns,
            woke_ns: sampled_ns + woke_ns,
            committed_ns: sampled_ns + committed_ns,
            causes: Vec::new(),
        };
    let mut hops = vec![
        hop("source", 0, 0, 12_000, 20_000),
        hop(
            "band",
            20_000,
            20_000,
            total_ns - 900_000,
            total_ns - 850_000,
        ),
        hop(
            "stimulate",
            total_ns - 850_000,
            total_ns - 30_000,
            total_ns - 20_000,
            total_ns,
        ),
    ];
    hops[1].causes = vec![
        Cause::Stall {
            cpu: 1,
            at_ns: sampled_ns + 100_000,
            length_ns: 3_100_000,
        },
        Cause::Switches(2),
    ];
    Walk {
        tick,
        stage: "stimulate".to_owned(),
        number: tick,
        sampled_ns,
        handed_ns: sampled_ns + total_ns,
        lost: 0,
        lost_ns: 0,
        hops,
        broken: None,
    }
}

/// What kept so many decisions waiting, one tick after the other; the first was the worst.
fn incident(worst: Walk, decisions: u64) -> Incident {
    let more = decisions - 1;
    Incident {
        decisions,
        lost: 0,
        first_tick: worst.tick,
        last_tick: worst.tick + more,
        from_ns: worst.sampled_ns,
        to_ns: worst.handed_ns + more * 1_000_000,
        worst,
    }
}

/// A run without a stimulate stage in which nothing was ever measured.
pub(in crate::report) fn without_loop() -> Outcome {
    Outcome {
        loop_hop: None,
        worst: Vec::new(),
        incidents: Vec::new(),
        intervals: Vec::new(),
        hops: vec![hop("source", HopKind::Transport, 0, 1)],
        ..sound()
    }
}

/// A loop of `count` decisions of about `ns`.
pub(in crate::report) fn with_loop(count: u64, ns: u64) -> Outcome {
    Outcome {
        loop_hop: Some(hop("stimulate", HopKind::Loop, count, ns)),
        intervals: Vec::new(),
        ..sound()
    }
}

/// The report of a run on a made-up host.
pub(in crate::report) fn report(outcome: &Outcome) -> Report {
    let host = json!({
        "kernel": "6.18.0 PREEMPT_DYNAMIC",
        "cpu": {"model": "Made-up 3000", "count": 2, "isolated": [1]},
        "realtime_throttling": "950000 of 1000000 us",
        "cpu_dma_latency": null,
    });
    Report::new(
        outcome,
        &host,
        Some("culture.h5, Electrode Raw Data".to_owned()),
    )
}

/// What to try next.
pub(in crate::report) fn suggestions() -> Vec<String> {
    [
        "ephapse run demo.toml --duration 60s --report out: a minute, with its report in ./out",
        "make demo RECORDING=FILE: the same loop on a recording of yours",
        "ephapse explain demo.toml: where the latency budget goes, stage by stage, before anything runs",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn plan() -> Plan {
    Plan {
        recorder: None,
        chaos: Vec::new(),
        on: OnPlan::default(),
        tick_ns: 1_000_000,
        session: "demo".to_owned(),
        experiment: BTreeMap::from([
            (
                "title".to_owned(),
                "Recording to stimulation <A & B>".to_owned(),
            ),
            ("culture_id".to_owned(), "synthetic, seed 7".to_owned()),
        ]),
        timer: Some(TimerPlan {
            period_ns: 1_000_000,
            cpu: 0,
            priority: 95,
            spin_ns: 0,
        }),
        stages: Vec::new(),
        streams: Vec::new(),
        resolved_toml: "name = \"demo\"\n[stream]\nraw = { slots = 64 } # a < b\n".to_owned(),
        graph_path: None,
        replay: None,
    }
}

pub(in crate::report) fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 30 * SECOND_NS, 3).unwrap()
}

/// Values around `ns` with a long tail, the same in every run of the tests.
fn values(count: u64, ns: u64) -> Histogram<u64> {
    let mut histogram = empty_histogram();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ ns;
    for i in 0..count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let spread = (0..4).map(|k| random >> (k * 16) & 0xffff).sum::<u64>();
        let tail = if i % 997 == 996 {
            ns * (2 + random % 7)
        } else {
            0
        };
        histogram
            .record(ns * 3 / 4 + ns * spread / (8 * 0xffff) + tail)
            .unwrap();
    }
    histogram
}

pub(in crate::report) fn hop(stage: &str, kind: HopKind, count: u64, ns: u64) -> Hop {
    Hop {
        stage: stage.to_owned(),
        kind,
        uncorrected: values(count, ns),
        corrected: values(count, ns),
        missing: 0,
        saturated: 0,
    }
}

/// The same hop with the waits of `skipped` activations, each `wait_ns`.
fn skipping(mut hop: Hop, skipped: u64, wait_ns: u64) -> Hop {
    hop.corrected.record_n(wait_ns, skipped).unwrap();
    hop
}

fn tick_account(who: &str) -> TickAccount {
    let (late_wake, long_run) = if who == "timer" { (0, 0) } else { (1, 1) };
    TickAccount {
        who: who.to_owned(),
        due: 10_000,
        run: 10_000 - late_wake - long_run,
        late_wake,
        long_run,
        no_room: 0,
        dead: 0,
        holds: true,
    }
}

fn edge(stream: &str, seat: &str) -> EdgeAccount {
    let (gaps, lost_frames) = if stream == "raw" { (3, 40) } else { (0, 0) };
    EdgeAccount {
        stream: stream.to_owned(),
        seat: seat.to_owned(),
        kind: SeatKind::Hold,
        published: 9_998,
        consumed: 9_998,
        jumped: 0,
        lapped: 0,
        left: 0,
        gaps,
        lost_frames,
        holds: true,
    }
}

fn interval(second: u64, count: u64) -> Interval {
    Interval {
        from_ns: second * SECOND_NS,
        length_ns: SECOND_NS,
        tag: "loop".to_owned(),
        histogram: values(count, 1_100_000 + second * 9_000),
    }
}

fn record(i: usize, name: &str) -> StageRecord {
    let i = i as u32;
    StageRecord {
        name: name.to_owned(),
        pid: 4_100 + i,
        policy: "fifo".to_owned(),
        priority: if name == "timer" { 95 } else { 80 - i },
        cpu: Some(u32::from(i > 1)),
        locked_bytes: 6_291_456 + u64::from(i) * 4_096,
        minor_faults: 0,
        major_faults: 0,
        voluntary_switches: 10_000,
        involuntary_switches: u64::from(i),
        allocations_after_start: 0,
        late_wakes: 1,
        long_runs: 1,
        restarts: 0,
        activations: 9_998,
        spurious_rings: 2,
        helper: false,
        rt_why: String::new(),
    }
}
