//! The tasks of a plan: its timer, its stages, and what else of the session and the host competes with them.

use super::measured::Measured;
use super::measured_wake;
use super::overhead;
use super::run_time::RunTime;
use super::tasks::{Begins, Input, Output, Ring, Takes, Task, TaskSet};
use crate::adapter::most_parts;
use crate::describe::Role;
use crate::plan::{Adapter, InputPlan, Overrun, Pace, Plan, Policy, Read, SeatKind, StagePlan};
use std::collections::{BTreeMap, BTreeSet};

/// CPUs of stages that may run on any: one each, which is kind to them.
const ANY_CPU: u32 = 1 << 16;

/// Where the run times come from, and what of the host competes.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// Run times of an earlier run; without it, the budgets.
    pub measured: Option<&'a Measured>,
    /// IRQ threads.
    pub irqs: &'a [IrqThread],
}

/// An IRQ thread of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IrqThread {
    /// Its CPU.
    pub cpu: u32,
    /// Its FIFO priority.
    pub priority: u8,
    /// Least time from one interrupt to the next, ns.
    pub every_ns: u64,
    /// Longest run, ns.
    pub run_ns: u64,
}

/// Priority that the kernel gives IRQ threads (`sched_set_fifo`: half of the real-time range).
pub const IRQ_PRIORITY: u8 = 50;

/// A plan as a task set.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Timer, witnesses, IRQ threads, then the stages. Helpers are not in it: they run at normal priority beside all this.
    pub set: TaskSet,
    /// The plan's stage behind each task.
    pub stages: Vec<Option<usize>>,
    /// The plan's stream behind each ring.
    pub streams: Vec<usize>,
}

/// Puts a plan's tasks together; `None` if it is unpaced: logical time has no schedule.
pub fn schedule(plan: &Plan, sources: &Sources<'_>) -> Option<Schedule> {
    let timer = plan.timer.as_ref()?;
    let mut schedule = Schedule {
        set: TaskSet::default(),
        stages: Vec::new(),
        streams: Vec::new(),
    };
    let begins = Begins::Timer {
        period_ns: timer.period_ns,
    };
    let late = sources
        .measured
        .and_then(|measured| measured.hop("timer", "timer_lateness"));
    let late = late.and_then(super::measured::Figures::distribution);
    schedule.host(Task {
        priority: timer.priority,
        wake: late.unwrap_or_else(|| overhead::tick(timer.spin_ns > 0)),
        run: Some(overhead::ring()),
        ..task("timer", timer.cpu, begins)
    });
    let (priority, every_ns) = overhead::WITNESS;
    let cpus: BTreeSet<u32> = plan.stages.iter().filter_map(|stage| stage.cpu).collect();
    for cpu in cpus {
        schedule.host(Task {
            priority,
            run: Some(overhead::witness()),
            ..task(&format!("witness {cpu}"), cpu, every(every_ns))
        });
    }
    for irq in sources.irqs {
        schedule.host(Task {
            priority: irq.priority,
            run: Some(RunTime::always(irq.run_ns)),
            ..task(&format!("irq {}", irq.cpu), irq.cpu, every(irq.every_ns))
        });
    }
    schedule.stages(plan, sources);
    Some(schedule)
}

fn every(period_ns: u64) -> Begins {
    Begins::Clock {
        period_ns: period_ns.max(1),
        first_ns: 0,
        jitter_ns: 0,
    }
}

fn task(name: &str, cpu: u32, begins: Begins) -> Task {
    Task {
        name: name.to_owned(),
        cpu,
        priority: 0,
        begins,
        wake: RunTime::always(0),
        run: None,
        burst: 1,
        catch_up: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        ends_loop: false,
    }
}

impl Schedule {
    fn host(&mut self, task: Task) {
        self.set.tasks.push(task);
        self.stages.push(None);
    }

    fn stages(&mut self, plan: &Plan, sources: &Sources<'_>) {
        // Of each stream that has a ring here: the ring, and from one block to the next, ns.
        let mut rings: BTreeMap<usize, (usize, Option<u64>)> = BTreeMap::new();
        for (index, stage) in plan.stages.iter().enumerate() {
            if stage.helper_of.is_some() {
                continue;
            }
            let pacing = stage.pacing.map(|pacing| &stage.inputs[pacing]);
            let pacing = pacing.filter(|input| rings.contains_key(&input.stream));
            let any = ANY_CPU + u32::try_from(index).unwrap_or(0);
            let cpu = stage.cpu.unwrap_or(any);
            let mut its = task(&stage.name, cpu, begins(plan, stage));
            its.priority = match stage.policy {
                Policy::Fifo => stage.priority,
                Policy::Other => 0,
            };
            its.wake = match sources.measured {
                Some(measured) => measured_wake::wake(measured, plan, index),
                None => overhead::wake(),
            };
            its.run = match sources.measured {
                Some(measured) => measured.run_time(&stage.name),
                None => stage.budget_ns.map(RunTime::always),
            };
            its.burst = stage.burst;
            its.catch_up = match stage.overrun {
                Overrun::CatchUp(ticks) => ticks,
                Overrun::Skip | Overrun::Stop => 0,
            };
            its.ends_loop = stage.role == Role::Stimulate;
            its.inputs = inputs(stage, &rings);
            let come_ns = match its.begins {
                Begins::Clock { period_ns, .. } => Some(period_ns),
                _ => pacing.and_then(|input| rings[&input.stream].1),
            };
            for output in &stage.outputs {
                let stream = &plan.streams[output.stream];
                let drained = |seat: &crate::plan::SeatPlan| {
                    let reader = seat.reader.stage();
                    reader.is_some_and(|reader| plan.stages[reader].helper_of.is_some())
                };
                if stream.seats.iter().any(drained) {
                    continue;
                }
                let ring = self.set.rings.len();
                let made = made_of(plan, stage, pacing, ring, come_ns);
                let made_ns = come_ns.map(|ns| {
                    let ns = u128::from(ns) * u128::from(made.per) / u128::from(made.blocks);
                    u64::try_from(ns).unwrap_or(u64::MAX)
                });
                rings.insert(output.stream, (ring, made_ns));
                its.outputs.push(made);
                self.streams.push(output.stream);
                self.set.rings.push(Ring {
                    name: stream.name.clone(),
                    slots: u64::from(stream.slots),
                    full: stream.full,
                    maker: self.set.tasks.len(),
                });
            }
            self.set.tasks.push(its);
            self.stages.push(Some(index));
        }
    }
}

/// What begins a stage's activations. A source without a rate is begun by blocks of which nothing is known.
fn begins(plan: &Plan, stage: &StagePlan) -> Begins {
    match stage.pace {
        Pace::Tick => Begins::Tick {
            divider: stage.divider,
            phase: stage.phase,
        },
        Pace::Data => Begins::Data,
        Pace::Clock | Pace::Device | Pace::None => {
            let made = stage
                .outputs
                .first()
                .map(|output| &plan.streams[output.stream].stream_type);
            let rate = made.map(|made| (made.rate, made.frames_per_block()));
            let Some((rate, frames)) = rate.filter(|(rate, _)| rate.numerator > 0) else {
                return Begins::Data;
            };
            // Rounded down: more work than there is, never less.
            let ns = u128::from(frames) * 1_000_000_000 * u128::from(rate.denominator);
            let ns = ns / u128::from(rate.numerator);
            let period_ns = u64::try_from(ns).unwrap_or(u64::MAX).max(1);
            Begins::Clock {
                period_ns,
                first_ns: period_ns,
                jitter_ns: 0,
            }
        }
    }
}

/// Inputs that hold up the stage or its makers, the pacing one first.
fn inputs(stage: &StagePlan, rings: &BTreeMap<usize, (usize, Option<u64>)>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (at, input) in stage.inputs.iter().enumerate() {
        let Some((ring, _)) = rings.get(&input.stream).filter(|_| !input.feedback) else {
            continue;
        };
        let paces = stage.pacing == Some(at);
        let hold = input.seat_kind == SeatKind::Hold;
        let joins = stage.pacing.is_some() && stage.merged_into(at) == stage.pacing;
        let takes = match input.read {
            _ if paces => Takes::Next,
            Read::Same if hold || joins => Takes::Same,
            Read::Same | Read::Newest | Read::All => Takes::Arrived,
        };
        if !hold && takes == Takes::Arrived {
            continue;
        }
        let input = Input {
            ring: *ring,
            takes,
            hold,
        };
        if paces {
            inputs.insert(0, input);
        } else {
            inputs.push(input);
        }
    }
    // Beside a pacing input that is not in the model (a helper's), nothing waits.
    if inputs
        .first()
        .is_some_and(|first| first.takes != Takes::Next)
    {
        inputs.clear();
    }
    inputs
}

/// What a stage makes of the blocks of its pacing input, which come every `come_ns`: one block per call of `process`, and one
/// call per block unless a window regroups the frames.
fn made_of(
    plan: &Plan,
    stage: &StagePlan,
    pacing: Option<&InputPlan>,
    ring: usize,
    come_ns: Option<u64>,
) -> Output {
    let parts = u64::from(stage.described.parts_per_call.max(1));
    let mut made = Output {
        credit: parts,
        blocks: parts,
        ..Output::each(ring)
    };
    let Some(input) = pacing else { return made };
    let raw = &plan.streams[input.stream].stream_type;
    made.credit *= u64::from(most_parts(&input.adapters, raw.frames_per_block()));
    let mut frames = u64::from(raw.frames_per_block());
    for adapter in &input.adapters {
        match adapter {
            Adapter::Decimate(factor) => frames /= u64::from((*factor).max(1)),
            Adapter::Window { step, .. } => {
                let rate = input.stream_type.rate;
                let whole_ns = raw.rate.ns_of_frames(u64::from(raw.frames_per_block()));
                let full = whole_ns
                    .zip(come_ns)
                    .is_none_or(|(a, b)| a.abs_diff(b) <= 1);
                made.per = u64::from((*step).max(1));
                if !full {
                    // Blocks come as often as turns do, whatever is in them.
                    frames = come_ns
                        .and_then(|ns| rate.frames_in_ns(ns))
                        .unwrap_or(frames);
                }
                made.blocks = frames.max(1).saturating_mul(parts);
                made.left_over_ns = match parts {
                    1 => rate.ns_of_frames(1).unwrap_or(0),
                    _ => 0,
                };
            }
            Adapter::Merge(_) | Adapter::Select(_) | Adapter::Scale(_) | Adapter::Cast(_) => {}
        }
    }
    made
}
