//! `plan`: the schedule before it runs.

use super::graph::load;
use crate::catalogue::{all_of, with_modules};
use crate::cli::PlanArgs;
use crate::output::sayln;
use crate::show::{Found, PlanView, plan_table};
use anyhow::{Context, anyhow};
use ephapse_engine::os;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve};
use ephapse_rtconfig::schedule::fits::{Answer, verdict};
use ephapse_rtconfig::schedule::measured::Measured;
use ephapse_rtconfig::schedule::response::analyse;
use ephapse_rtconfig::schedule::simulate::simulate;
use ephapse_rtconfig::schedule::what_if::set_argument;
use ephapse_rtconfig::schedule::{Sources, promise, schedule};
use std::process::ExitCode;

/// `ephapse plan`.
pub fn plan(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let mut graph = load(&args.graph.graph, &args.graph.with, &args.graph.set)?;
    let measured = match &args.report {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{}: cannot be read", path.display()))?;
            let measured = Measured::from_json(&text);
            Some(measured.map_err(|why| anyhow!("{}: {why}", path.display()))?)
        }
    };
    let mut view = view(args, &graph, measured.as_ref())?;
    if !args.what_if.is_empty() {
        for change in &args.what_if {
            let argument = set_argument(&graph, change).map_err(|why| anyhow!(why))?;
            graph.apply_set(&argument)?;
        }
        let before = Box::new(view);
        view = self::view(args, &graph, measured.as_ref())?;
        view.as_it_is = Some(before);
    }
    if args.json {
        sayln!("{}", serde_json::to_string_pretty(&view)?);
    } else {
        sayln!("{}", plan_table(&view).trim_end());
    }
    Ok(match view.verdict.answer {
        Answer::Fits | Answer::NoBound => ExitCode::SUCCESS,
        Answer::DoesNotFit => ExitCode::from(2),
    })
}

fn view(args: &PlanArgs, graph: &Graph, measured: Option<&Measured>) -> anyhow::Result<PlanView> {
    // A plan may be for another host: CPUs that are not here are named, not refused.
    let options = ResolveOptions {
        shm_free_bytes: os::shm_free_bytes().filter(|_| !args.graph.offline),
        offline: args.graph.offline,
        ..ResolveOptions::default()
    };
    let plan = resolve(graph, &with_modules(Some(graph))?, &options).map_err(all_of)?;
    let sources = Sources {
        measured,
        irqs: &args.irqs,
    };
    let schedule = schedule(&plan, &sources).ok_or_else(|| {
        anyhow!(
            "{}: runs unpaced, in logical time: there is no schedule to keep; give its sources pace = \"clock\" or \"device\"",
            args.graph.graph.display()
        )
    })?;
    let analysis = analyse(&schedule.set);
    let length_ns = u64::try_from(args.duration.as_nanos()).unwrap_or(u64::MAX);
    let prediction = args
        .simulate
        .then(|| simulate(&schedule.set, length_ns, args.seed));
    Ok(PlanView::new(&Found {
        plan: &plan,
        verdict: verdict(&schedule.set, &analysis),
        schedule: &schedule,
        analysis: &analysis,
        measured: measured.zip(args.report.as_deref()),
        prediction: prediction.as_ref().map(|seen| (seen, args.seed)),
    }))
}

/// A graph that by its budgets cannot fit does not run, unless the user has said so.
///
/// # Errors
/// Says who does not fit.
pub fn refuse_unfit(plan: &Plan, accepted: bool) -> anyhow::Result<()> {
    let promise = promise(plan).filter(|_| !accepted);
    match promise.map(|promise| promise.verdict) {
        Some(verdict) if verdict.answer == Answer::DoesNotFit => Err(anyhow!(
            "{}: {}; `ephapse plan` shows it, --unfit runs it all the same",
            plan.session,
            verdict.words
        )),
        _ => Ok(()),
    }
}
