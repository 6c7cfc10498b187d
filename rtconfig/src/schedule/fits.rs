//! The verdict: does it fit, and if not, who does not.

use super::no_bound::{NoBound, Withheld};
use super::response::Analysis;
use super::tasks::{Begins, TaskSet};
use crate::plan::Full;

/// What can be said of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Every stage ends before its next turn, and no ring becomes full.
    Fits,
    /// At worst somebody does not.
    DoesNotFit,
    /// Nobody can say.
    NoBound,
}

/// What can be said of a schedule, and of its loop.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// In a word.
    pub answer: Answer,
    /// In a line.
    pub words: String,
    /// Worst time from the sampling of the newest frame used to the end of the stimulating turn, ns; null: no bound, or
    /// nothing stimulates.
    pub loop_ns: Option<u64>,
}

/// Judges a schedule.
pub fn verdict(set: &TaskSet, analysis: &Analysis) -> Verdict {
    let late = too_late(set, analysis).or_else(|| overflows(set, analysis));
    let unknown = || nobody_says(set, analysis).or_else(|| back_pressure(set, analysis));
    let loop_ns = loop_ns(set, analysis);
    let (answer, words) = if let Some(words) = late {
        (Answer::DoesNotFit, format!("does not fit: {words}"))
    } else if let Some(words) = unknown() {
        (Answer::NoBound, format!("no bound: {words}"))
    } else {
        let words =
            "fits: at worst, too, every stage ends before its next turn and no ring overflows";
        (Answer::Fits, words.to_owned())
    };
    Verdict {
        answer,
        words,
        loop_ns: loop_ns.filter(|_| answer != Answer::NoBound && analysis.withheld.is_none()),
    }
}

/// Worst latency of the stages that end a loop; `None` if one of them has no bound, or there is none.
fn loop_ns(set: &TaskSet, analysis: &Analysis) -> Option<u64> {
    let tasks = set.tasks.iter().zip(&analysis.tasks);
    let ends = tasks.filter(|(task, _)| task.ends_loop);
    let latencies: Option<Vec<u64>> = ends.map(|(_, bound)| bound.latency_ns).collect();
    latencies?.into_iter().max()
}

/// A stage that asks for more than there is, or that its next turn overtakes.
fn too_late(set: &TaskSet, analysis: &Analysis) -> Option<String> {
    for (index, bound) in analysis.tasks.iter().enumerate() {
        let (name, begins) = (&set.tasks[index].name, set.tasks[index].begins);
        let woke_ns = set.tasks[index].wake.worst_ns();
        if let Begins::Timer { period_ns } = begins
            && woke_ns >= period_ns
        {
            return Some(format!(
                "`{name}` can wake {} late, and a tick is {}: the report has seen that",
                ms(woke_ns),
                ms(period_ns)
            ));
        }
        match (&bound.response_ns, set.turn_ns(index)) {
            (Err(NoBound::Overload(percent)), _) => {
                let remark = match percent {
                    0..=100 => " and, by what can come at once, do not get it in time",
                    _ => "",
                };
                return Some(format!(
                    "`{name}` and what runs before it ask for {percent} % of CPU {}{remark}",
                    set.tasks[index].cpu
                ));
            }
            (Ok(response_ns), Some(turn_ns)) if *response_ns > turn_ns && !bound.guessed => {
                return Some(format!(
                    "`{name}` can take {} of the {} to its next turn{}",
                    ms(*response_ns),
                    ms(turn_ns),
                    several(set, analysis, index)
                ));
            }
            _ => {}
        }
    }
    None
}

/// That a ticked stage may have several blocks to take is what surprises.
fn several(set: &TaskSet, analysis: &Analysis, task: usize) -> String {
    let burst = u64::from(set.tasks[task].burst);
    let ticked = matches!(set.tasks[task].begins, Begins::Tick { .. });
    match analysis.tasks[task].most_turns {
        Some(most) if ticked && most > 1 => {
            format!(" (with {} blocks that can have come)", most.min(burst))
        }
        None if ticked && !set.tasks[task].inputs.is_empty() => {
            format!(" (with the {burst} blocks of its burst: more come than it takes)")
        }
        _ => String::new(),
    }
}

/// A ring that may drop blocks although its reader's response is known.
fn overflows(set: &TaskSet, analysis: &Analysis) -> Option<String> {
    let full = analysis.occupancies.iter().find(|reader| {
        let ring = &set.rings[reader.ring];
        let known = analysis.tasks[reader.reader].response_ns.is_ok();
        reader.can_fill && ring.full != Full::Wait && known && reader.most.is_some()
    })?;
    let ring = &set.rings[full.ring];
    Some(format!(
        "`{}` can drop blocks: `{}` can be {} behind, the ring has {} slots",
        ring.name,
        set.tasks[full.reader].name,
        full.most.unwrap_or(u64::MAX),
        ring.slots
    ))
}

/// Stages of which nobody says how long, or how often, they run.
fn nobody_says(set: &TaskSet, analysis: &Analysis) -> Option<String> {
    let of = |reason: &NoBound| {
        let tasks = set.tasks.iter().zip(&analysis.tasks);
        let those = tasks.filter(|(_, bound)| bound.response_ns.as_ref() == Err(reason));
        let names: Vec<String> = those.map(|(task, _)| format!("`{}`", task.name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(names) = of(&NoBound::NoBudget) {
        return Some(format!(
            "nobody says how long {names} may run; give them budget_ns, or --report FILE of an earlier run"
        ));
    }
    if let Some(names) = of(&NoBound::NoRate) {
        return Some(format!("nobody says how often {names} gives a block"));
    }
    let names = of(&NoBound::Normal)?;
    Some(format!(
        "{names} under policy `other` may have to wait for everything else on the host"
    ))
}

fn back_pressure(set: &TaskSet, analysis: &Analysis) -> Option<String> {
    let (ring, what) = match analysis.withheld? {
        Withheld::BackPressure(ring) => (ring, "back-pressure"),
        Withheld::Loss(ring) => (
            ring,
            "lost blocks, for which others that go with them wait,",
        ),
    };
    let mut readers = analysis.occupancies.iter();
    let slots = set.rings[ring].slots;
    let reader = readers.find(|reader| {
        let passed = reader.most.is_none_or(|most| most > slots);
        reader.ring == ring && (reader.can_fill || passed)
    })?;
    let behind = match reader.most {
        Some(most) => format!("can be {most} blocks behind"),
        None => "can be any number of blocks behind".to_owned(),
    };
    Some(format!(
        "{what} at `{}`: `{}` {behind}, the ring has {} slots",
        set.rings[ring].name, set.tasks[reader.reader].name, slots
    ))
}

fn ms(ns: u64) -> String {
    format!("{}.{:03} ms", ns / 1_000_000, ns / 1_000 % 1_000)
}
