//! The collector: drains telemetry rings into histograms, in the launcher, at normal priority.
//!
//! It is public so that the instrument can be proved: `ephapse bench prove` feeds it records whose histograms are known.

use super::intervals::Intervals;
use super::prepare::origin_of;
use crate::abi::{ActivationRecord, circumstance};
use crate::hindsight::{Decisions, Happened, Incident, Route, Walk, Worst};
use crate::outcome::{Hop, HopKind, Interval, Stall, Steal};
use crate::runner::telemetry::TelemetryReader;
use ephapse_rtconfig::describe::Role;
use ephapse_rtconfig::plan::{Adapter, Pace, Plan, StagePlan};
use hdrhistogram::Histogram;

/// Histograms reach from 1 ns to an hour at three digits.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// Where activation records of one process come from.
pub trait Records: Send {
    /// The next record; `None` if there is none now.
    fn take(&mut self) -> Option<ActivationRecord>;

    /// Records that were lost on the way here, as far as is known.
    fn missing(&self) -> u64;
}

impl Records for TelemetryReader {
    fn take(&mut self) -> Option<ActivationRecord> {
        TelemetryReader::take(self)
    }

    fn missing(&self) -> u64 {
        TelemetryReader::missing(self)
    }
}

/// What the collector must know of one process.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Name.
    pub name: String,
    /// `None`: the timer.
    pub role: Option<Role>,
    /// Helpers work at normal priority beside the loop: only their run time is measured.
    pub helper: bool,
    /// Ticks between its due ticks; 0 if it is not ticked.
    pub divider: u64,
    /// Frames of its pacing source from one block that reaches it to the next.
    pub origin_frames: u64,
    /// The same in ns.
    pub origin_ns: u64,
}

impl Watched {
    /// The timer.
    pub fn timer() -> Self {
        Watched {
            name: "timer".into(),
            role: None,
            helper: false,
            divider: 1,
            origin_frames: 0,
            origin_ns: 0,
        }
    }

    /// A stage of a plan.
    pub fn stage(plan: &Plan, stage: &StagePlan) -> Self {
        let rate = origin_of(plan, stage).map(|o| plan.streams[o].stream_type.rate);
        let frames = frames_between(plan, stage);
        Watched {
            name: stage.name.clone(),
            role: Some(stage.role),
            helper: stage.helper_of.is_some(),
            divider: if stage.pace == Pace::Tick {
                u64::from(stage.divider)
            } else {
                0
            },
            origin_frames: frames,
            origin_ns: rate.and_then(|r| r.ns_of_frames(frames)).unwrap_or(0),
        }
    }
}

/// Frames of its source from one block that paces a stage to the next: a block of the source, unless a window or decimation
/// upstream lets pass fewer.
fn frames_between(plan: &Plan, stage: &StagePlan) -> u64 {
    let Some(origin) = origin_of(plan, stage).map(|o| &plan.streams[o].stream_type) else {
        return 1;
    };
    let mut frames = u64::from(origin.frames_per_block());
    let mut reader = stage;
    while reader.role != Role::Acquire
        && let Some(input) = reader.pacing.map(|pacing| &reader.inputs[pacing])
    {
        let maker = &plan.stages[plan.streams[input.stream].maker];
        if let Some(before) = maker.pacing.map(|pacing| &maker.inputs[pacing]) {
            let steps = before.adapters.iter().filter_map(|adapter| match adapter {
                Adapter::Window { step, .. } => {
                    before.stream_type.rate.ns_of_frames(u64::from(*step))
                }
                Adapter::Decimate(_) => before.stream_type.rate.ns_of_frames(1),
                Adapter::Merge(_) | Adapter::Select(_) | Adapter::Scale(_) | Adapter::Cast(_) => {
                    None
                }
            });
            let steps = steps.filter_map(|ns| origin.rate.frames_in_ns(ns));
            frames = steps.fold(frames, u64::max);
        }
        reader = maker;
    }
    frames
}

/// One process's records and its histograms.
struct Source {
    watched: Watched,
    records: Box<dyn Records>,
    hops: Vec<Hop>,
    decisions: Decisions,
    last_tick: Option<u64>,
    /// Records taken.
    taken: u64,
    /// Its place on the way that decisions are walked back.
    station: Option<usize>,
}

/// The histograms of a session. Drained from time to time, it gives them at the end.
pub struct Collector {
    sources: Vec<Source>,
    paced: bool,
    start_ns: u64,
    period_ns: u64,
    intervals: Intervals,
    decisions: u64,
    last_closed: Option<LoopNow>,
    latest_ns: u64,
    worst: Option<Worst>,
}

/// What a collector has measured.
pub struct Measured {
    /// Hops, but for the loop.
    pub hops: Vec<Hop>,
    /// The loop; of several stimulate stages the first one's.
    pub loop_hop: Option<Hop>,
    /// The same, one interval at a time.
    pub intervals: Vec<Interval>,
    /// The decisions that waited longest, longest first, walked back: if they were to be.
    pub worst: Vec<Walk>,
    /// The incidents with the worst of them, worst first.
    pub incidents: Vec<Incident>,
}

/// Loop latency of the last moments, for the screen.
#[derive(Clone, Debug, Default)]
pub struct LoopNow {
    /// Decisions so far.
    pub decisions: u64,
    /// Median of the last second, ns.
    pub p50_ns: u64,
    /// 99th percentile, ns.
    pub p99_ns: u64,
    /// Longest, ns.
    pub max_ns: u64,
    /// Longest since the last look, ns; 0 if there was no decision.
    pub latest_ns: u64,
}

/// An empty one, all of its memory touched: a value that is met late must not make the launcher larger.
pub(super) fn histogram() -> Histogram<u64> {
    // The bounds are constants that the crate accepts.
    let mut histogram = Histogram::new_with_bounds(1, HIGHEST_NS, 3)
        .unwrap_or_else(|e| unreachable!("histogram bounds: {e}"));
    histogram.reset();
    histogram
}

fn put(histogram: &mut Histogram<u64>, saturated: &mut u64, value_ns: u64) {
    *saturated += u64::from(value_ns > HIGHEST_NS);
    histogram.saturating_record(value_ns.max(1));
}

pub(super) fn figures(histogram: &Histogram<u64>) -> LoopNow {
    LoopNow {
        decisions: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
        max_ns: histogram.max(),
        latest_ns: 0,
    }
}

impl Source {
    fn hop(&mut self, kind: HopKind) -> &mut Hop {
        let at = self
            .hops
            .iter()
            .position(|h| h.kind == kind)
            .unwrap_or_else(|| {
                let stage = self.watched.name.clone();
                self.hops.push(Hop {
                    stage,
                    kind,
                    uncorrected: histogram(),
                    corrected: histogram(),
                    missing: 0,
                    saturated: 0,
                });
                self.hops.len() - 1
            });
        &mut self.hops[at]
    }

    /// Ticks skipped before this activation by late wake and by long run. The record counts each up to 255 only; how
    /// many there were together, the ticks tell.
    fn skipped(&mut self, record: &ActivationRecord) -> (u64, u64) {
        const FULL: u64 = u8::MAX as u64;
        let divider = self.watched.divider.max(1);
        // The first tick of a session is 1.
        let passed = match self.last_tick.replace(record.tick) {
            Some(last_tick) => record.tick.saturating_sub(last_tick) / divider,
            None => record.tick.div_ceil(divider),
        };
        let [late, long, ..] = record.skipped.map(u64::from);
        let both = passed.saturating_sub(1);
        if late == FULL {
            (both.saturating_sub(long).max(late), long)
        } else if long == FULL {
            (late, both.saturating_sub(late).max(long))
        } else {
            (late, long)
        }
    }

    /// Records a value, and `more` that the same wait caused.
    fn record(&mut self, kind: HopKind, value_ns: u64, more: impl Iterator<Item = u64>) {
        let hop = self.hop(kind);
        put(&mut hop.uncorrected, &mut hop.saturated, value_ns);
        put(&mut hop.corrected, &mut hop.saturated, value_ns);
        for value_ns in more {
            put(&mut hop.corrected, &mut hop.saturated, value_ns);
        }
    }
}

impl Collector {
    /// An empty one. Only a paced run has deadlines: of an unpaced one it keeps run times.
    pub fn new(paced: bool, period_ns: u64) -> Self {
        Collector {
            sources: Vec::new(),
            paced,
            start_ns: 0,
            period_ns,
            intervals: Intervals::new(paced),
            decisions: 0,
            last_closed: None,
            latest_ns: 0,
            worst: None,
        }
    }

    /// From now on what takes records of this plan's processes keeps those that are needed to walk the worst decisions
    /// back. To be called before they are watched; of an unpaced run there are none.
    pub fn walk_worst(&mut self, plan: &Plan) {
        self.worst = self.paced.then(|| Worst::of(Route::of(plan)));
    }

    /// Watches one process.
    pub fn watch(&mut self, watched: Watched, records: impl Records + 'static) {
        let worst = self.worst.as_ref();
        let station = worst.and_then(|worst| worst.station(&watched.name));
        self.sources.push(Source {
            watched,
            records: Box::new(records),
            hops: Vec::new(),
            decisions: Decisions::default(),
            last_tick: None,
            taken: 0,
            station,
        });
    }

    /// The common start.
    pub fn start(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
        let worst = self.worst.iter_mut();
        worst.for_each(|worst| worst.start(start_ns));
    }

    /// Takes everything there is.
    pub fn drain(&mut self, now_ns: u64) {
        for index in 0..self.sources.len() {
            while let Some(record) = self.sources[index].records.take() {
                let source = &mut self.sources[index];
                let number = source.taken + source.records.missing();
                source.taken += 1;
                if let (Some(worst), Some(station)) = (&mut self.worst, source.station) {
                    worst.record(station, number, &record);
                }
                self.account(index, &record);
            }
        }
        self.worst.iter_mut().for_each(Worst::look);
        let elapsed = now_ns.saturating_sub(self.start_ns);
        if self.start_ns != 0 && self.intervals.is_over(elapsed) {
            self.last_closed = self.intervals.close(elapsed).or(self.last_closed.take());
        }
    }

    fn account(&mut self, index: usize, record: &ActivationRecord) {
        let (paced, period_ns) = (self.paced, self.period_ns);
        if record.circumstances & (circumstance::FINISH | circumstance::UNRECORDED) != 0 {
            // Nothing was measured.
            return;
        }
        let source = &mut self.sources[index];
        let woke_ns = record.woke_ns;
        let first = record.marks & 1 != 0;
        let Some(role) = source.watched.role else {
            // The timer slept for the first deadline it missed; each deadline passed over waited its own share of that.
            let late_ns = woke_ns.saturating_sub(record.since_ns);
            let (skipped, _) = source.skipped(record);
            source.record(
                HopKind::TimerLateness,
                late_ns,
                (1..=skipped).map(|k| late_ns.saturating_sub(k * period_ns)),
            );
            return;
        };
        if record.committed_ns != 0 {
            source.record(
                HopKind::Run,
                record.committed_ns.saturating_sub(woke_ns),
                std::iter::empty(),
            );
        }
        if !paced || source.watched.helper {
            return;
        }
        if first {
            let (late, long) = source.skipped(record);
            let step_ns = source.watched.divider * period_ns;
            // `since` is the deadline of the tick it ran. Ticks it slept through fell due before that, and ticks that its
            // own long run passed over before those: each waited from its deadline until now.
            let waited_ns = woke_ns.saturating_sub(record.since_ns);
            source.record(
                HopKind::Wake,
                waited_ns + late * step_ns,
                (0..=late + long)
                    .filter(|k| *k != late)
                    .map(|k| waited_ns + k * step_ns),
            );
        }
        if record.committed_ns == 0 || record.sampled_ns == 0 {
            return;
        }
        if role == Role::Acquire {
            source.record(
                HopKind::Transport,
                record.arrived_ns.saturating_sub(record.sampled_ns),
                std::iter::empty(),
            );
            return;
        }
        let age_ns = record.committed_ns.saturating_sub(record.sampled_ns);
        if role != Role::Stimulate {
            source.record(HopKind::Age, age_ns, std::iter::empty());
            return;
        }
        // Decisions that never came waited for this one.
        let lost = source.decisions.lost(&source.watched, record);
        let block_ns = source.watched.origin_ns;
        source.record(
            HopKind::Loop,
            age_ns,
            (1..=lost).map(|k| age_ns + k * block_ns),
        );
        source.record(
            HopKind::HostLoop,
            record.committed_ns.saturating_sub(record.arrived_ns),
            std::iter::empty(),
        );
        self.decisions += 1;
        self.latest_ns = self.latest_ns.max(age_ns);
        self.intervals.record(age_ns);
    }

    /// Loop latency of the last whole interval, or of what there is of the first.
    pub fn now(&mut self) -> LoopNow {
        let now = self
            .last_closed
            .clone()
            .unwrap_or_else(|| self.intervals.now());
        LoopNow {
            decisions: self.decisions,
            latest_ns: core::mem::take(&mut self.latest_ns),
            ..now
        }
    }

    /// A witness saw a CPU stand still; `at_ns` on CLOCK_MONOTONIC.
    pub fn stall(&mut self, stall: Stall) {
        self.worst.iter_mut().for_each(|worst| worst.stall(stall));
    }

    /// A hypervisor took a CPU; `until_ns` on CLOCK_MONOTONIC.
    pub fn steal(&mut self, steal: Steal) {
        self.worst.iter_mut().for_each(|worst| worst.steal(steal));
    }

    /// Something befell a process.
    pub fn event(&mut self, event: &Happened) {
        let worst = self.worst.iter_mut();
        worst.for_each(|worst| worst.event(event.clone()));
    }

    /// Everything measured.
    pub fn finish(mut self, now_ns: u64) -> Measured {
        self.drain(now_ns);
        self.intervals.close(now_ns.saturating_sub(self.start_ns));
        let mut hops = Vec::new();
        let mut loop_hop = None;
        for source in &mut self.sources {
            let missing = source.records.missing();
            for mut hop in source.hops.drain(..) {
                hop.missing = missing;
                // Of several stimulate stages the first is the loop that is reported at length.
                if hop.kind == HopKind::Loop && loop_hop.is_none() {
                    loop_hop = Some(hop);
                } else {
                    hops.push(hop);
                }
            }
        }
        let (worst, incidents) = self.worst.map(Worst::finish).unwrap_or_default();
        Measured {
            hops,
            loop_hop,
            intervals: self.intervals.finish(),
            worst,
            incidents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_NS: u64 = 1_000_000;
    const START_NS: u64 = 1_000_000_000;

    impl Records for std::vec::IntoIter<ActivationRecord> {
        fn take(&mut self) -> Option<ActivationRecord> {
            self.next()
        }

        fn missing(&self) -> u64 {
            0
        }
    }

    /// Tick it ran, when it woke (ticks after the start), ticks skipped by late wake and by long run.
    fn woke(tick: u64, woke_at: f64, late: u8, long: u8) -> ActivationRecord {
        ActivationRecord {
            tick,
            since_ns: START_NS + tick * PERIOD_NS,
            woke_ns: START_NS + (woke_at * PERIOD_NS as f64) as u64,
            skipped: [late, long, 0, 0],
            marks: 1,
            ..ActivationRecord::default()
        }
    }

    /// Values of a histogram in ticks, rounded, the smallest first.
    fn ticks(histogram: &Histogram<u64>) -> Vec<f64> {
        let recorded = histogram.iter_recorded();
        let values = recorded.flat_map(|step| {
            let ticks = step.value_iterated_to() as f64 / PERIOD_NS as f64;
            vec![(ticks * 10.0).round() / 10.0; step.count_at_value() as usize]
        });
        values.collect()
    }

    fn hop(watched: Watched, records: Vec<ActivationRecord>) -> Hop {
        let mut collector = Collector::new(true, PERIOD_NS);
        collector.watch(watched, records.into_iter());
        collector.start(START_NS);
        let mut hops = collector.finish(START_NS + 1).hops;
        assert_eq!(hops.len(), 1);
        hops.remove(0)
    }

    fn ticked() -> Watched {
        Watched {
            name: "band".into(),
            role: Some(Role::Process),
            ..Watched::timer()
        }
    }

    #[test]
    fn every_tick_slept_through_waited_from_its_own_deadline() {
        let wake = hop(ticked(), vec![woke(1, 1.1, 0, 0), woke(5, 5.5, 3, 0)]);
        assert_eq!(ticks(&wake.uncorrected), [0.1, 3.5]);
        assert_eq!(ticks(&wake.corrected), [0.1, 0.5, 1.5, 2.5, 3.5]);
    }

    /// The stage was not asleep meanwhile, so that what it slept is short; the ticks it passed over waited all the same.
    #[test]
    fn ticks_passed_over_by_a_long_run_waited_too_but_nobody_slept_through_them() {
        let wake = hop(ticked(), vec![woke(1, 1.1, 0, 0), woke(5, 5.5, 1, 2)]);
        assert_eq!(ticks(&wake.uncorrected), [0.1, 1.5]);
        assert_eq!(ticks(&wake.corrected), [0.1, 0.5, 1.5, 2.5, 3.5]);
    }

    #[test]
    fn ticks_caught_up_on_wait_for_themselves_and_those_before_them_are_not_counted_twice() {
        let records = vec![
            woke(1, 1.1, 0, 0),
            woke(4, 6.5, 2, 0),
            woke(5, 6.6, 0, 0),
            woke(6, 6.7, 0, 0),
        ];
        let wake = hop(ticked(), records);
        assert_eq!(ticks(&wake.uncorrected), [0.1, 0.7, 1.6, 4.5]);
        assert_eq!(ticks(&wake.corrected), [0.1, 0.7, 1.6, 2.5, 3.5, 4.5]);
    }

    #[test]
    fn stalls_longer_than_a_record_can_count_are_corrected_tick_by_tick() {
        let late = hop(ticked(), vec![woke(1, 1.1, 0, 0), woke(402, 402.5, 255, 7)]);
        assert_eq!(late.corrected.len(), 1 + 401);
        assert_eq!(late.uncorrected.max() / PERIOD_NS, 393);
        let long = hop(ticked(), vec![woke(1, 1.1, 0, 0), woke(402, 402.5, 7, 255)]);
        assert_eq!(long.corrected.len(), 1 + 401);
        assert_eq!(long.uncorrected.max() / PERIOD_NS, 7);
        let timer = ActivationRecord {
            since_ns: START_NS + 2 * PERIOD_NS,
            ..woke(402, 402.5, 255, 0)
        };
        let timer = hop(Watched::timer(), vec![woke(1, 1.1, 0, 0), timer]);
        assert_eq!(timer.corrected.len(), 1 + 401);
        let never_ran_before = hop(ticked(), vec![woke(402, 402.5, 255, 0)]);
        assert_eq!(never_ran_before.corrected.len(), 402);
    }

    #[test]
    fn of_two_stimulate_stages_neither_loses_its_loop() {
        let mut collector = Collector::new(true, PERIOD_NS);
        for name in ["left", "right"] {
            let record = ActivationRecord {
                committed_ns: START_NS + 10,
                sampled_ns: START_NS,
                ..ActivationRecord::default()
            };
            let watched = Watched {
                name: name.into(),
                role: Some(Role::Stimulate),
                ..Watched::timer()
            };
            collector.watch(watched, vec![record].into_iter());
        }
        let Measured { hops, loop_hop, .. } = collector.finish(START_NS + 1);
        assert_eq!(loop_hop.map(|hop| hop.stage), Some("left".to_owned()));
        let right = hops.iter().filter(|hop| hop.kind == HopKind::Loop);
        assert_eq!(
            right.map(|hop| hop.stage.as_str()).collect::<Vec<_>>(),
            ["right"]
        );
    }
}
