//! `check`, `explain`, `schema`, and how a graph becomes a plan.

use crate::catalogue::catalogue;
use crate::cli::GraphArgs;
use crate::output::sayln;
use ephapse_engine::os;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::problem::Problem;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve, warnings};
use ephapse_rtconfig::{explain, schema};
use std::path::Path;
use std::process::ExitCode;

/// Reads a graph and applies `--set` arguments.
pub fn load(path: &Path, set: &[String]) -> Result<Graph, Problem> {
    let mut graph = Graph::from_path(path)?;
    for argument in set {
        graph.apply_set(argument)?;
    }
    Ok(graph)
}

/// Resolves a graph against this host, or prints every problem and says which comes first.
pub fn plan(graph: &Graph, offline: bool) -> anyhow::Result<Plan> {
    let options = ResolveOptions {
        check_host: !offline,
        shm_free_bytes: os::shm_free_bytes(),
        offline,
        ..ResolveOptions::default()
    };
    match resolve(graph, &catalogue(), &options) {
        Ok(plan) => {
            for warning in warnings(graph, &plan) {
                eprintln!("ephapse: warning: {warning}");
            }
            Ok(plan)
        }
        Err(problems) => {
            let mut problems = problems.into_iter();
            let first = problems
                .next()
                .map(anyhow::Error::from)
                .unwrap_or_else(|| anyhow::anyhow!("the graph was refused without a reason"));
            let rest: Vec<String> = problems.map(|p| format!("\n         {p}")).collect();
            Err(if rest.is_empty() {
                first
            } else {
                anyhow::anyhow!("{first}{}", rest.concat())
            })
        }
    }
}

/// `ephapse check`.
pub fn check(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let graph = load(&args.graph, &args.set)?;
    let plan = plan(&graph, args.offline)?;
    sayln!(
        "{}: sound: {} stages, {} streams",
        args.graph.display(),
        plan.stages.len(),
        plan.streams.len()
    );
    Ok(ExitCode::SUCCESS)
}
/// `ephapse explain`.
pub fn explain(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let graph = load(&args.graph, &args.set)?;
    sayln!("{}", explain::draw(&plan(&graph, args.offline)?).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// `ephapse schema`.
pub fn schema() -> anyhow::Result<ExitCode> {
    sayln!(
        "{}",
        serde_json::to_string_pretty(&schema::graph_schema(&catalogue()))?
    );
    Ok(ExitCode::SUCCESS)
}
