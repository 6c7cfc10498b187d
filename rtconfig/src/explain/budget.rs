//! Where the latency budget goes: from the oldest frame of a block to the end of the loop, hop by hop.

use super::{cut, ms};
use crate::adapter::delay_frames;
use crate::describe::Role;
use crate::plan::{Adapter, Pace, Plan, Policy, StagePlan};

/// One hop of a path, in milliseconds. What a hop does not have is 0.
struct Hop<'a> {
    stage: &'a str,
    /// Frames that must be collected before anything can begin: a source's block, a window's step.
    collect_ms: f64,
    /// Longest wait for the next tick.
    tick_ms: f64,
    /// Group delay of the signal itself.
    delay_ms: f64,
    /// Longest permitted run time.
    budget_ms: Option<f64>,
    note: String,
}

/// A table for every stage that ends a path: stimulators first of all, else whatever the flow ends in.
pub fn draw(plan: &Plan) -> Vec<String> {
    let own = || plan.stages.iter().filter(|s| s.helper_of.is_none());
    let mut ends: Vec<&StagePlan> = own().filter(|s| s.role == Role::Stimulate).collect();
    if ends.is_empty() {
        ends = own()
            .filter(|s| s.pacing.is_some() && s.outputs.is_empty())
            .collect();
    }
    if ends.is_empty() {
        ends.extend(own().next_back());
    }
    ends.iter().flat_map(|end| table(plan, end)).collect()
}

fn table(plan: &Plan, end: &StagePlan) -> Vec<String> {
    let hops = hops(plan, end);
    let source = hops.first().map_or("", |hop| hop.stage);
    let mut lines = vec![
        String::new(),
        format!(
            "Where the latency budget goes, {source} -> {} (ms, at most)",
            end.name
        ),
        format!(
            "{:<14} {:>8} {:>8} {:>8} {:>8}",
            "", "collect", "tick", "delay", "run"
        ),
    ];
    for hop in &hops {
        let run = hop
            .budget_ms
            .map_or("-".to_owned(), |budget| format!("{budget:.3}"));
        lines.push(format!(
            "{:<14} {:>8} {:>8} {:>8} {run:>8}  {}",
            cut(hop.stage, 14),
            figure(hop.collect_ms),
            figure(hop.tick_ms),
            figure(hop.delay_ms),
            hop.note
        ));
    }
    let sum = |part: fn(&Hop<'_>) -> f64| hops.iter().map(part).sum::<f64>();
    let collect = sum(|hop| hop.collect_ms);
    let tick = sum(|hop| hop.tick_ms);
    let delay = sum(|hop| hop.delay_ms);
    let run = sum(|hop| hop.budget_ms.unwrap_or(0.0));
    lines.push(format!(
        "{:<14} {collect:>8.3} {tick:>8.3} {delay:>8.3} {run:>8.3}  = {:.3} ms",
        "nominal",
        collect + tick + delay + run
    ));
    if hops.iter().any(|hop| hop.budget_ms.is_none()) {
        lines.push("run -: no budget_ns in the graph; its time comes on top".to_owned());
    }
    lines
}

fn figure(ms: f64) -> String {
    if ms == 0.0 {
        "-".to_owned()
    } else {
        format!("{ms:.3}")
    }
}

/// The path from the pacing source to `end`, along pacing inputs.
fn hops<'a>(plan: &'a Plan, end: &'a StagePlan) -> Vec<Hop<'a>> {
    let mut path = vec![end];
    while let Some(pacing) = path[path.len() - 1].pacing {
        let stream = path[path.len() - 1].inputs[pacing].stream;
        path.push(&plan.stages[plan.streams[stream].maker]);
    }
    path.reverse();
    path.iter()
        .enumerate()
        .map(|(at, stage)| hop(plan, at.checked_sub(1).map(|before| path[before]), stage))
        .collect()
}

fn hop<'a>(plan: &Plan, before: Option<&StagePlan>, stage: &'a StagePlan) -> Hop<'a> {
    let input = stage.pacing.map(|pacing| &stage.inputs[pacing]);
    let rate = input.map(|input| input.stream_type.rate);
    let in_ms = |frames: f64| match rate {
        Some(rate) if rate.as_f64() > 0.0 => frames / rate.as_f64() * 1e3,
        _ => 0.0,
    };
    let (mut collect_ms, mut adapters_ms, mut notes) = (0.0, 0.0, Vec::new());
    match input {
        None => {
            let made = stage
                .outputs
                .first()
                .map(|o| &plan.streams[o.stream].stream_type);
            let block_ns =
                made.and_then(|made| made.rate.ns_of_frames(u64::from(made.frames_per_block())));
            collect_ms = block_ns.map_or(0.0, ms);
            notes.push("one block".to_owned());
        }
        Some(input) => {
            adapters_ms = in_ms(delay_frames(&input.adapters));
            for adapter in &input.adapters {
                match adapter {
                    Adapter::Window { n, step } => {
                        collect_ms += in_ms(f64::from(*step));
                        notes.push(format!("window {n}/{step}"));
                    }
                    Adapter::Decimate(factor) => notes.push(format!("decimate {factor}")),
                    Adapter::Merge(_)
                    | Adapter::Select(_)
                    | Adapter::Scale(_)
                    | Adapter::Cast(_) => {}
                }
            }
        }
    }
    let (tick_ms, tick_note) = before.map_or((0.0, None), |before| tick_wait(plan, before, stage));
    notes.extend(tick_note);
    Hop {
        stage: &stage.name,
        collect_ms,
        tick_ms,
        delay_ms: adapters_ms + in_ms(stage.described.group_delay_frames),
        budget_ms: stage.budget_ns.map(ms),
        note: notes.join(", "),
    }
}

/// A tick is waited for where a chain begins; inside a chain on one CPU, in falling priority, the next stage runs in the
/// same tick.
fn tick_wait(plan: &Plan, before: &StagePlan, stage: &StagePlan) -> (f64, Option<String>) {
    let Some(timer) = plan.timer.as_ref().filter(|_| stage.pace == Pace::Tick) else {
        return (0.0, None);
    };
    let turn_ms = ms(timer.period_ns) * f64::from(stage.divider);
    if before.pace != Pace::Tick {
        return (turn_ms, Some("next tick".to_owned()));
    }
    if (before.divider, before.phase) != (stage.divider, stage.phase) {
        return (turn_ms, Some("other divider or phase".to_owned()));
    }
    if before.cpu != stage.cpu || before.cpu.is_none() {
        return (turn_ms, Some("other CPU: can cost one tick".to_owned()));
    }
    let falls = before.policy == Policy::Fifo
        && (stage.policy == Policy::Other || before.priority >= stage.priority);
    if falls {
        (0.0, None)
    } else {
        (turn_ms, Some("wrong order: costs one tick".to_owned()))
    }
}
