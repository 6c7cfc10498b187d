//! `bench ring`: a block's way between two processes on two CPUs, and how many per second there can be.
//!
//! Per payload: one contest of spinning ends (engine, floor, naked floor, paced and streaming, the cache-line ping, a copy),
//! two of sleeping ends (CPUs that poll when idle, CPUs that halt), one over slot counts, and one with the peers.

mod contest;
mod lane;
mod peers;

use crate::Run;
use crate::cpu_idle::Idle;
use crate::ends::{Class, Ends, Mode, Program, Wait, without_fifo};
use crate::hop::{COPY, ENGINE, FLOOR, FLOOR_WARMED, NAKED, PING, copy_batch};
use crate::measured::{Bound, Comparison, Measure, Measured, Series, Statistic};
use crate::settings::Settings;
use contest::Contest;
use lane::Lane;
pub use peers::Peers;
use std::time::Duration;

/// Payloads: one frame of 16 channels, one of 60, 100 of 60 (i32), 30 of 1024 (i16).
pub const PAYLOADS: [usize; 4] = [64, 240, 24_000, 61_440];
/// Slot counts of the sweep.
const SLOT_COUNTS: [u32; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
/// From block to block with spinning ends: far longer than a hop, so that none waits behind another.
const SPIN_PERIOD: Duration = Duration::from_micros(50);
/// With sleeping ends: long enough for a CPU to halt.
const SLEEP_PERIOD: Duration = Duration::from_micros(500);
/// With peers: the slowest of them must keep up.
const PEER_PERIOD: Duration = Duration::from_millis(1);
/// Time of each series, all repetitions together.
const SERIES: Duration = Duration::from_millis(1_500);
/// Repetitions of the sweep: it looks for a trend, not for a ratio.
const SWEEP_REPETITIONS: usize = 5;
/// Blocks per value of a streaming round, so that the two looks at the clock do not count.
const BATCH: u32 = 256;

/// Slots of a ring that a graph does not size: what the sweep found best that still covers a restart.
pub use ephapse_rtconfig::resolve::DEFAULT_SLOTS;

/// Measures.
///
/// # Errors
/// If an end fails.
pub fn measure(
    own: &Program,
    peers: Option<&Peers>,
    settings: &Settings,
    run: &mut Run,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    let mut ends = Ends::start(own, settings.cpus, settings.class)?;
    if settings.class != Class::Other && !ends.fifo() {
        measured.without_fifo.push(without_fifo("the ring's ends"));
    }
    type Part = fn(&mut Ends, usize, &Settings, &mut Run) -> anyhow::Result<Measured>;
    for part in [spinning as Part, sleeping, sweep] {
        for payload in PAYLOADS {
            if run.watch.has_ended_it() {
                return Ok(measured);
            }
            measured.append(part(&mut ends, payload, settings, run)?);
        }
    }
    match peers {
        Some(peers) => measured.append(peers::measure(&mut ends, peers, settings, run)?),
        None => measured.skipped.push(
            "peers (iceoryx2, rtrb, Redis, Python queues): `make bench-peers` builds them, then give --peers PROGRAM".to_owned(),
        ),
    }
    Ok(measured)
}

fn bytes(payload: usize) -> String {
    format!("{} B", crate::report::units::thousands(payload as u64))
}

fn compare(of: &str, to: &str, statistic: Statistic, bound: Option<Bound>) -> Comparison {
    Comparison {
        of: of.to_owned(),
        to: to.to_owned(),
        statistic,
        bound,
    }
}

fn spinning(
    ends: &mut Ends,
    payload: usize,
    settings: &Settings,
    run: &mut Run,
) -> anyhow::Result<Measured> {
    let group = format!("ring, {}, spin, {DEFAULT_SLOTS} slots", bytes(payload));
    let tag = |name: &str| format!("ring.{payload}.spin.{name}");
    let period = settings.period.unwrap_or(SPIN_PERIOD);
    let paced = |link: &str, what: &str| {
        let series = Series::new(&tag(link), &group, what, Measure::Latency);
        Lane::paced(series, link, payload, DEFAULT_SLOTS, Wait::Spin, period)
    };
    let stream = |link: &str, what: &str| {
        let per = u64::from(BATCH);
        let series = Series::rate(&tag(&format!("{link}-stream")), &group, what, per, "blocks");
        Lane::stream(series, link, payload, DEFAULT_SLOTS, Wait::Spin, BATCH)
    };
    let ping = Series::new(
        &tag("ping"),
        &group,
        "cache line, half a round trip",
        Measure::Cost { per: 1_000 },
    );
    let copy_bytes = u64::from(copy_batch()) * payload as u64;
    let copy = Series::rate(&tag("copy"), &group, "memcpy on one CPU", copy_bytes, "B");
    let lanes = vec![
        paced(ENGINE, "engine"),
        paced(FLOOR, "floor"),
        paced(FLOOR_WARMED, "floor, warmed"),
        paced(NAKED, "naked floor"),
        stream(ENGINE, "engine, throughput"),
        stream(FLOOR, "floor, throughput"),
        Lane::batches(ping, PING, payload, 40),
        Lane::batches(copy, COPY, payload, 40),
    ];
    let promised = payload != 240;
    let comparisons = vec![
        compare(
            &tag(ENGINE),
            &tag(FLOOR),
            Statistic::P50,
            promised.then_some(Bound::MedianAtMost(1.15)),
        ),
        compare(&tag(ENGINE), &tag(FLOOR_WARMED), Statistic::P50, None),
        compare(&tag(ENGINE), &tag(NAKED), Statistic::P50, None),
        compare(
            &tag("engine-stream"),
            &tag("floor-stream"),
            Statistic::Rate,
            (payload >= 24_000).then_some(Bound::MedianAtLeast(0.9)),
        ),
    ];
    let contest = Contest::new(vec![ends], lanes, settings, settings.repetitions, SERIES);
    contest.run(run, comparisons)
}

fn sleeping(
    ends: &mut Ends,
    payload: usize,
    settings: &Settings,
    run: &mut Run,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for idle in [Idle::Polling, Idle::Halted] {
        let held = match idle.hold() {
            Ok(held) => held,
            Err(why) => {
                measured
                    .skipped
                    .push(format!("ring, {}, futex, {why}", bytes(payload)));
                continue;
            }
        };
        measured.notes.extend(idle.spoiled());
        let state = idle.word();
        let group = format!("ring, {}, futex, idle CPUs {state}", bytes(payload));
        let tag = |name: &str| format!("ring.{payload}.futex.{state}.{name}");
        let lane = |link: &str, what: &str| {
            let series = Series::new(&tag(link), &group, what, Measure::Latency);
            let period = settings.period.unwrap_or(SLEEP_PERIOD);
            Lane::paced(series, link, payload, DEFAULT_SLOTS, Wait::Sleep, period)
        };
        let lanes = vec![lane(ENGINE, "engine"), lane(FLOOR, "bare futex")];
        let bound = Some(Bound::ReachesBelow(1.1));
        let comparisons = vec![compare(&tag(ENGINE), &tag(FLOOR), Statistic::P50, bound)];
        let contest = Contest::new(vec![ends], lanes, settings, settings.repetitions, SERIES);
        measured.append(contest.run(run, comparisons)?);
        drop(held);
        if run.watch.has_ended_it() {
            break;
        }
    }
    Ok(measured)
}

fn sweep(
    ends: &mut Ends,
    payload: usize,
    settings: &Settings,
    run: &mut Run,
) -> anyhow::Result<Measured> {
    let group = format!("ring, {}, spin, by slots", bytes(payload));
    let mut lanes = Vec::new();
    for slots in SLOT_COUNTS {
        let tag = format!("ring.{payload}.slots.{slots}");
        let series = Series::new(&tag, &group, &format!("{slots} slots"), Measure::Latency);
        let period = settings.period.unwrap_or(SPIN_PERIOD);
        lanes.push(Lane::paced(
            series,
            ENGINE,
            payload,
            slots,
            Wait::Spin,
            period,
        ));
        let what = format!("{slots} slots, throughput");
        let per = u64::from(BATCH);
        let series = Series::rate(&format!("{tag}-stream"), &group, &what, per, "blocks");
        lanes.push(Lane::stream(
            series,
            ENGINE,
            payload,
            slots,
            Wait::Spin,
            BATCH,
        ));
    }
    let repetitions = settings.repetitions.min(SWEEP_REPETITIONS);
    Contest::new(vec![ends], lanes, settings, repetitions, SERIES).run(run, Vec::new())
}

/// Is this a round in which blocks are paced?
fn is_paced(mode: Mode) -> bool {
    mode == Mode::Paced
}
