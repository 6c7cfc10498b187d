//! What may run but will probably not do what was meant.

use crate::graph::Graph;
use crate::plan::{Pace, Plan, Policy, StagePlan};
use crate::problem::Problem;

/// Warnings about a graph that has been resolved.
pub fn warnings(graph: &Graph, plan: &Plan) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for stage in plan.stages.iter().filter(|s| s.helper_of.is_none()) {
        budget(graph, plan, stage, &mut warnings);
        too_many_blocks(graph, plan, stage, &mut warnings);
        let unused = match stage.policy {
            Policy::Fifo => "nice",
            Policy::Other => "priority",
        };
        if plan.timer.is_some() && graph.node(&["stage", &stage.name, unused]).is_some() {
            warnings.push(graph.stage_problem(
                &stage.name,
                unused,
                format!("`{unused}` does nothing under the policy of this stage"),
                "remove it or change `policy`",
            ));
        }
    }
    for stream in &plan.streams {
        if stream.seats.is_empty() {
            warnings.push(graph.problem(
                &["stage", &plan.stages[stream.maker].name, "out"],
                format!("nobody reads the stream `{}`", stream.name),
                "connect it if it was meant to be read",
            ));
        }
    }
    warnings
}

fn turn_ns(plan: &Plan, stage: &StagePlan) -> Option<u64> {
    let timer = plan.timer.as_ref().filter(|_| stage.pace == Pace::Tick)?;
    Some(timer.period_ns.saturating_mul(u64::from(stage.divider)))
}

fn budget(graph: &Graph, plan: &Plan, stage: &StagePlan, warnings: &mut Vec<Problem>) {
    if let (Some(turn_ns), Some(budget_ns)) = (turn_ns(plan, stage), stage.budget_ns)
        && budget_ns > turn_ns
    {
        warnings.push(graph.stage_problem(
            &stage.name,
            "budget_ns",
            format!(
                "the budget of {budget_ns} ns is longer than the {turn_ns} ns between two turns"
            ),
            "choose a shorter budget, or a larger divider",
        ));
    }
}

/// A ticked stage that gets more blocks per turn than it may take falls behind for ever.
fn too_many_blocks(graph: &Graph, plan: &Plan, stage: &StagePlan, warnings: &mut Vec<Problem>) {
    let Some(input) = stage.pacing.and_then(|pacing| stage.inputs.get(pacing)) else {
        return;
    };
    let stream_type = &plan.streams[input.stream].stream_type;
    let block_ns = stream_type
        .rate
        .ns_of_frames(u64::from(stream_type.frames_per_block()));
    if let (Some(turn_ns), Some(block_ns)) = (turn_ns(plan, stage), block_ns)
        && block_ns > 0
        && turn_ns / block_ns > u64::from(stage.burst)
    {
        let arriving = turn_ns / block_ns;
        warnings.push(graph.stage_problem(
            &stage.name,
            "burst",
            format!(
                "{arriving} blocks arrive per turn and at most {} are taken",
                stage.burst
            ),
            "choose larger blocks at the source, a larger burst, or a smaller divider",
        ));
    }
}
