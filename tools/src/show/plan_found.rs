//! What has been found out about a plan, put together to be shown.

use super::plan_view::{
    DroppedView, LoopView, PlanView, PredictionView, ReaderView, RingView, SkippedView, TaskView,
};
use ephapse_rtconfig::host::{cpu_ranges, online_cpus};
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::recording::spool_bytes;
use ephapse_rtconfig::resolve::bytes_of;
use ephapse_rtconfig::schedule::Schedule;
use ephapse_rtconfig::schedule::fits::Verdict;
use ephapse_rtconfig::schedule::measured::{Measured, Ticks};
use ephapse_rtconfig::schedule::response::Analysis;
use ephapse_rtconfig::schedule::simulate::Prediction;
use ephapse_rtconfig::schedule::tasks::{Begins, Task, TaskSet};
use std::collections::BTreeSet;
use std::path::Path;

/// Why a task without fault of its own has no bound: some maker may have to wait, or blocks may be lost.
pub const WITHHELD: &str = "the verdict says";

/// What has been found out about a plan.
pub struct Found<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its tasks.
    pub schedule: &'a Schedule,
    /// Their bounds.
    pub analysis: &'a Analysis,
    /// The verdict.
    pub verdict: Verdict,
    /// The report that run times come from, and its name.
    pub measured: Option<(&'a Measured, &'a Path)>,
    /// The model's run, and its seed.
    pub prediction: Option<(&'a Prediction, u64)>,
}

impl PlanView {
    /// Puts it together.
    pub fn new(found: &Found<'_>) -> Self {
        let (plan, set) = (found.plan, &found.schedule.set);
        let online = online_cpus(Path::new("/")).unwrap_or_default();
        let stages = plan.stages.iter().filter_map(|stage| stage.cpu);
        let timer = plan.timer.iter().map(|timer| timer.cpu);
        let cpus: BTreeSet<u32> = stages.chain(timer).collect();
        let recorder = plan.recorder.as_ref();
        let mut order: Vec<usize> = (0..set.tasks.len()).collect();
        order.sort_by_key(|index| {
            let task = &set.tasks[*index];
            (task.cpu, u8::MAX - task.priority)
        });
        PlanView {
            format: "ephapse-plan 1",
            session: plan.session.clone(),
            tick_ns: plan.tick_ns,
            verdict: found.verdict.clone(),
            run_times: match found.measured {
                Some((_, path)) => path.display().to_string(),
                None => "budget_ns".to_owned(),
            },
            missing_cpus: cpus.difference(&online).copied().collect(),
            cpus: cpus.into_iter().collect(),
            online: cpu_ranges(&online),
            ring_bytes: plan.streams.iter().map(bytes_of).sum(),
            spool_bytes: recorder.map_or(0, |recorder| spool_bytes(plan, recorder)),
            tasks: order.iter().map(|index| task_view(found, *index)).collect(),
            rings: ring_views(found),
            prediction: found
                .prediction
                .map(|(seen, seed)| predicted(set, seen, seed)),
            measured: found.measured.map(|(measured, _)| measured_view(measured)),
            as_it_is: None,
        }
    }
}

fn task_view(found: &Found<'_>, index: usize) -> TaskView {
    let set = &found.schedule.set;
    let (task, bound) = (&set.tasks[index], &found.analysis.tasks[index]);
    let stage = found.schedule.stages[index].map(|stage| &found.plan.stages[stage]);
    let withheld = found.analysis.withheld.is_some();
    let known = |ns: Option<u64>| ns.filter(|_| !withheld);
    let of = |fits: fn(&Task, &Task) -> bool| {
        let others = set.tasks.iter().enumerate();
        others
            .filter(|(at, other)| *at != index && other.cpu == task.cpu && fits(other, task))
            .map(|(_, other)| other.name.clone())
            .collect()
    };
    let measured = found.measured.and_then(|(measured, _)| {
        let looped = measured.loop_latency.as_ref();
        let looped = looped.filter(|hop| hop.stage == task.name);
        let age = measured.hop(&task.name, "age");
        looped.map(|hop| &hop.uncorrected).or(age)?.max_ns
    });
    TaskView {
        name: task.name.clone(),
        cpu: stage.map_or(Some(task.cpu), |stage| stage.cpu),
        priority: task.priority,
        begins: begins(set, index),
        run_ns: task.run.as_ref().map(|run| run.worst_ns()),
        response_ns: known(bound.response_ns.clone().ok()),
        no_bound: match &bound.response_ns {
            Err(why) => Some(why.to_string()),
            Ok(_) => withheld.then(|| WITHHELD.to_owned()),
        },
        turn_ns: set.turn_ns(index),
        latency_ns: known(bound.latency_ns.filter(|_| stage.is_some())),
        measured_latency_ns: measured,
        most_blocks: bound.most_turns,
        preempted_by: of(|other, task| other.priority > task.priority),
        queues_with: of(|other, task| other.priority == task.priority),
    }
}

fn begins(set: &TaskSet, index: usize) -> String {
    let task = &set.tasks[index];
    match task.begins {
        Begins::Timer { .. } | Begins::Clock { .. } => "clock".to_owned(),
        Begins::Tick { divider: 1, .. } => "tick".to_owned(),
        Begins::Tick { divider, phase } => format!("tick {divider}+{phase}"),
        Begins::Data => match task.inputs.first() {
            Some(input) => format!("data {}", set.rings[input.ring].name),
            None => "device".to_owned(),
        },
    }
}

fn ring_views(found: &Found<'_>) -> Vec<RingView> {
    let views = found
        .schedule
        .streams
        .iter()
        .enumerate()
        .map(|(ring, stream)| {
            let stream = &found.plan.streams[*stream];
            let readers = found.analysis.occupancies.iter();
            RingView {
                stream: stream.name.clone(),
                slots: stream.slots,
                bytes: bytes_of(stream),
                full: stream.full,
                readers: readers
                    .filter(|reader| reader.ring == ring)
                    .map(|reader| ReaderView {
                        stage: found.schedule.set.tasks[reader.reader].name.clone(),
                        most: reader.most,
                        can_fill: reader.can_fill,
                    })
                    .collect(),
            }
        });
    views.collect()
}

fn predicted(set: &TaskSet, seen: &Prediction, seed: u64) -> PredictionView {
    let of = |quantile| {
        let value = seen.loop_ns.value_at_quantile(quantile);
        (!seen.loop_ns.is_empty()).then_some(value)
    };
    let ran = set.tasks.iter().zip(&seen.tasks);
    let rings = set.rings.iter().zip(&seen.rings);
    PredictionView {
        length_ns: Some(seen.length_ns),
        seed: Some(seed),
        loop_latency: LoopView {
            count: seen.loop_ns.len(),
            p50_ns: of(0.5),
            p99_ns: of(0.99),
            p999_ns: of(0.999),
            max_ns: of(1.0),
        },
        skipped: ran
            .filter(|(_, ran)| ran.late_wake + ran.long_run + ran.no_room > 0)
            .map(|(task, ran)| SkippedView {
                stage: task.name.clone(),
                late_wake: ran.late_wake,
                long_run: ran.long_run,
                no_room: ran.no_room,
            })
            .collect(),
        dropped: rings
            .filter(|(_, passed)| passed.dropped > 0)
            .map(|(ring, passed)| DroppedView {
                stream: ring.name.clone(),
                dropped: passed.dropped,
            })
            .collect(),
    }
}

fn measured_view(measured: &Measured) -> PredictionView {
    let figures = measured.loop_latency.as_ref().map(|hop| hop.uncorrected);
    let skipped = |ticks: &&Ticks| ticks.late_wake + ticks.long_run + ticks.no_room > 0;
    PredictionView {
        length_ns: None,
        seed: None,
        loop_latency: figures.map_or_else(LoopView::default, |figures| LoopView {
            count: figures.count,
            p50_ns: figures.p50_ns,
            p99_ns: figures.p99_ns,
            p999_ns: figures.p999_ns,
            max_ns: figures.max_ns,
        }),
        skipped: measured
            .ticks
            .iter()
            .filter(skipped)
            .map(|ticks| SkippedView {
                stage: ticks.who.clone(),
                late_wake: ticks.late_wake,
                long_run: ticks.long_run,
                no_room: ticks.no_room,
            })
            .collect(),
        dropped: measured
            .rings
            .iter()
            .filter(|ring| ring.dropped > 0)
            .map(|ring| DroppedView {
                stream: ring.stream.clone(),
                dropped: ring.dropped,
            })
            .collect(),
    }
}
