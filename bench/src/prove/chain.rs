//! The script through rings and collector: real records, written by the runner's own writer into segments of the
//! launcher's own layout, drained by the real collector in a thread of its own.

use super::graph::ACT;
use super::script::{END_NS, PERIOD_NS, START_NS, Script};
use ephapse_engine::abi::{ActivationRecord, segment};
use ephapse_engine::launch::{Collector, Measured, Records, Watched};
use ephapse_engine::outcome::{Outcome, RtState};
use ephapse_engine::runner::telemetry::{self, TelemetryReader, TelemetryWriter};
use ephapse_engine::shm::{Segment, ShmError};
use ephapse_rtconfig::plan::Plan;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The collector looks, and the writer waits for it, this often.
const RHYTHM: Duration = Duration::from_micros(100);
/// The script is written second by second.
pub(super) const SLICE_NS: u64 = 1_000_000_000;
/// CLOCK_REALTIME at the start of the script, ns: 20 November 2026.
const STARTED_REALTIME_NS: u64 = 1_795_132_800_000_000_000;

/// Both ends of a telemetry ring in memory without a name.
///
/// # Errors
/// What the system said.
pub(super) fn ring(who: &str, slots: u64) -> Result<(TelemetryWriter, TelemetryReader), String> {
    let failed = |e: ShmError| e.to_string();
    let segment = telemetry::create_anonymous(slots)
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|e| format!("telemetry of {who}: {e}"))?;
    let (read, write) = segment;
    let segment =
        Segment::from_files(who, read, Some(write), segment::TELEMETRY).map_err(failed)?;
    Ok((
        TelemetryWriter::attach(&segment).map_err(failed)?,
        TelemetryReader::attach(&segment).map_err(failed)?,
    ))
}

/// Loses one record between ring and collector, and says nothing.
struct Losing {
    reader: TelemetryReader,
    /// Records to come until the one that is lost, itself counted.
    left: u64,
}

impl Records for Losing {
    fn take(&mut self) -> Option<ActivationRecord> {
        let record = self.reader.take()?;
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            return self.reader.take();
        }
        Some(record)
    }

    fn missing(&self) -> u64 {
        self.reader.missing()
    }
}

/// One process's records on their way.
struct Feed<'a> {
    writer: TelemetryWriter,
    records: &'a [ActivationRecord],
    at: usize,
}

impl Feed<'_> {
    /// Writes what has happened before `until_ns`. Where the collector is behind it waits, as a stage of an unpaced run
    /// does: how busy the machine is must not decide what is measured.
    fn write(&mut self, until_ns: u64, gone: &dyn Fn() -> bool) {
        while let Some(record) = self.records.get(self.at)
            && record.woke_ns.max(record.committed_ns) < until_ns
        {
            while !self.writer.has_room() && !gone() {
                std::thread::sleep(RHYTHM);
            }
            self.writer.push(record);
            self.at += 1;
        }
    }
}

/// What the collector made of the script, as the outcome of a session of `plan`. Record `lost` of the stimulate stage
/// (the first is 1) does not reach the collector.
///
/// # Errors
/// If there is no memory, or the collector gives up.
pub(super) fn run(plan: &Plan, script: &Script, lost: Option<u64>) -> Result<Outcome, String> {
    let mut collector = Collector::new(plan.timer.is_some(), plan.tick_ns);
    let mut feeds = Vec::new();
    for process in &script.processes {
        let stage = plan.stages.iter().find(|s| s.name == process.name);
        let watched = stage.map_or_else(Watched::timer, |stage| Watched::stage(plan, stage));
        let slots = telemetry::slots_for(1e9 / PERIOD_NS as f64);
        let (writer, reader) = ring(&process.name, slots)?;
        match lost {
            Some(left) if process.name == ACT => {
                collector.watch(watched, Losing { reader, left });
            }
            _ => collector.watch(watched, reader),
        }
        feeds.push(Feed {
            writer,
            records: &process.records,
            at: 0,
        });
    }
    collector.start(START_NS);
    let measured = collect(collector, &mut feeds)?;
    Ok(Outcome {
        plan: plan.clone(),
        started_realtime_ns: STARTED_REALTIME_NS,
        start_ns: START_NS,
        duration_ns: END_NS - START_NS,
        ended_by: "finished".to_owned(),
        faults: Vec::new(),
        restarts: Vec::new(),
        holds: Vec::new(),
        guards: Vec::new(),
        chaos: Vec::new(),
        rt: RtState {
            active: false,
            why: "the script of a session that never ran".to_owned(),
        },
        ticks: Vec::new(),
        rings: Vec::new(),
        edges: Vec::new(),
        sources: Vec::new(),
        hops: measured.hops,
        loop_hop: measured.loop_hop,
        intervals: measured.intervals,
        stages: Vec::new(),
        broken_budgets: Vec::new(),
        stalls: Vec::new(),
        worst: measured.worst,
        incidents: measured.incidents,
        recording: None,
        ties: Vec::new(),
        rt_watch: Default::default(),
        log: Default::default(),
        told: Vec::new(),
    })
}

/// The collector drains for as long as the script is written. It takes the script's clock for its own, and each second of
/// it ends only when the collector has seen that: so it is known which interval holds what.
fn collect(mut collector: Collector, feeds: &mut [Feed<'_>]) -> Result<Measured, String> {
    let now_ns = AtomicU64::new(START_NS);
    let seen_ns = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            loop {
                let now_ns = now_ns.load(Ordering::Acquire);
                collector.drain(now_ns);
                seen_ns.store(now_ns, Ordering::Release);
                if now_ns >= END_NS {
                    return collector.finish(END_NS);
                }
                std::thread::sleep(RHYTHM);
            }
        });
        let gone = || collecting.is_finished();
        let mut until_ns = START_NS;
        while until_ns < END_NS {
            until_ns += SLICE_NS;
            for feed in feeds.iter_mut() {
                feed.write(until_ns, &gone);
            }
            now_ns.store(until_ns, Ordering::Release);
            while seen_ns.load(Ordering::Acquire) < until_ns && !gone() {
                std::thread::sleep(RHYTHM);
            }
        }
        collecting
            .join()
            .map_err(|_| "the collector panicked".to_owned())
    })
}
