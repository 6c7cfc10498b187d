//! Why a task has no bound.

use super::demand::Knowledge;
use super::occupancy::Occupancy;
use super::tasks::{Begins, Takes, TaskSet};
use crate::plan::Full;
use std::fmt;

/// Why a task has no bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBound {
    /// Nobody says how long it runs.
    NoBudget,
    /// A source without a rate: nobody says how often it comes.
    NoRate,
    /// It runs at normal priority: everything else of the host may run before it.
    Normal,
    /// It is paced by a stage without a bound.
    After(String),
    /// It shares its CPU with a more urgent task without a bound.
    Beside(String),
    /// So much is asked of its CPU that a response takes more than many periods. Percent asked for by it and by what runs before
    /// it, at worst.
    Overload(u64),
}

/// Why nothing of a task set has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// This ring may become full, and its maker then waits: index into the set's rings.
    BackPressure(usize),
    /// This ring may drop blocks, and some stage waits for blocks of two streams that go together.
    Loss(usize),
}

impl fmt::Display for NoBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoBound::NoBudget => f.write_str("no budget_ns"),
            NoBound::NoRate => f.write_str("no rate"),
            NoBound::Normal => f.write_str("policy `other`"),
            NoBound::After(stage) => write!(f, "fed by `{stage}`"),
            NoBound::Beside(stage) => write!(f, "behind `{stage}`"),
            NoBound::Overload(percent) => write!(f, "CPU at {percent} %"),
        }
    }
}

/// Why this task has none.
pub fn reason(knowledge: &Knowledge<'_>, task: usize) -> NoBound {
    let (tasks, its) = (&knowledge.set.tasks, &knowledge.set.tasks[task]);
    if its.priority == 0 {
        return NoBound::Normal;
    }
    if its.run.is_none() {
        return NoBound::NoBudget;
    }
    if its.begins == Begins::Data && its.inputs.is_empty() {
        return NoBound::NoRate;
    }
    if its.begins == Begins::Data
        && let Some(maker) = maker_of(knowledge, task)
    {
        return NoBound::After(maker);
    }
    if let Some(guessed) = guessed(knowledge, task) {
        let maker = maker_of(knowledge, task).filter(|_| guessed == task);
        let other = || NoBound::Beside(tasks[guessed].name.clone());
        return maker.map_or_else(other, NoBound::After);
    }
    let mut percent = 0;
    for index in ahead_of(knowledge, task) {
        let other = &tasks[index];
        match asked_ns(knowledge, index) {
            None if index != task => return NoBound::Beside(other.name.clone()),
            None => {}
            Some(ns) => percent += ns.saturating_mul(100) / knowledge.limit_ns.max(1),
        }
    }
    NoBound::Overload(percent)
}

/// A stage without a bound that paces a task.
fn maker_of(knowledge: &Knowledge<'_>, task: usize) -> Option<String> {
    let set = knowledge.set;
    let inputs = set.tasks[task].inputs.iter();
    let mut makers = inputs
        .filter(|input| input.takes != Takes::Arrived)
        .map(|input| set.rings[input.ring].maker);
    let maker = makers.find(|maker| knowledge.known[*maker].latency_ns.is_none())?;
    Some(set.tasks[maker].name.clone())
}

/// A task and those that may run before it on its CPU.
fn ahead_of(knowledge: &Knowledge<'_>, task: usize) -> impl Iterator<Item = usize> {
    let tasks = &knowledge.set.tasks;
    let its = &tasks[task];
    (0..tasks.len()).filter(move |index| {
        let other = &tasks[*index];
        other.cpu == its.cpu && other.priority >= its.priority
    })
}

/// Who of a task and those that may run before it is taken to have a whole burst at every tick, for nobody knows how many
/// blocks come to it. What follows is a bound, but no reason to say that something does not fit.
pub fn guessed(knowledge: &Knowledge<'_>, task: usize) -> Option<usize> {
    ahead_of(knowledge, task).find(|index| {
        let its = &knowledge.set.tasks[*index];
        let ticked = matches!(its.begins, Begins::Tick { .. }) && !its.inputs.is_empty();
        ticked && knowledge.known[*index].arrivals.within(0).is_none()
    })
}

/// What a task asks of its CPU in the long run: over so long a window that its ends do not count, ns.
fn asked_ns(knowledge: &Knowledge<'_>, task: usize) -> Option<u64> {
    let its = &knowledge.set.tasks[task];
    let jobs = knowledge.jobs(task).before(knowledge.limit_ns)?;
    let come = knowledge.known[task].arrivals.before(knowledge.limit_ns);
    match (its.begins, come) {
        (Begins::Tick { .. }, Some(blocks)) => {
            let turns = blocks.min(jobs.saturating_mul(u64::from(its.burst)));
            let run_ns = its.run.as_ref()?.worst_ns();
            let wakes_ns = its.wake.worst_ns().saturating_mul(jobs);
            Some(run_ns.saturating_mul(turns).saturating_add(wakes_ns))
        }
        _ => knowledge.cost_ns(task, jobs),
    }
}

/// Why nothing of the set has a bound, if so: the analysis takes it that makers do not wait, and that what goes together
/// comes.
pub fn withheld(set: &TaskSet, occupancies: &[Occupancy]) -> Option<Withheld> {
    let waits = |reader: &&Occupancy| set.rings[reader.ring].full == Full::Wait;
    let mut fills = occupancies.iter().filter(|reader| reader.can_fill);
    if let Some(full) = fills.find(waits) {
        return Some(Withheld::BackPressure(full.ring));
    }
    let beside = set.tasks.iter().flat_map(|task| &task.inputs);
    let mut beside = beside.filter(|input| input.hold && input.takes != Takes::Next);
    // Dropped before a reader that cannot be passed, or overwritten before one that can.
    let mut readers = occupancies.iter();
    let lost = readers.find(|reader| {
        let slots = set.rings[reader.ring].slots;
        reader.most.is_none_or(|most| most > slots)
    })?;
    beside.next().map(|_| Withheld::Loss(lost.ring))
}
