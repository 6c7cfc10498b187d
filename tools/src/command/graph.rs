//! `check`, `explain`, `schema`, and how a graph becomes a plan.

use crate::catalogue::{all_of, graph_file, with_modules};
use crate::cli::{GraphArgs, SchemaArgs};
use crate::output::sayln;
use ephapse_engine::os;
use ephapse_rtconfig::describe::Catalogue;
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::modules::manifest_schema;
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::resolve::{ResolveOptions, resolve, warnings};
use ephapse_rtconfig::{explain, schema};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reads a graph, named by its file or by its name in a module, lays `--with` files over it and applies `--set` arguments.
pub fn load(path: &Path, with: &[PathBuf], set: &[String]) -> anyhow::Result<Graph> {
    let mut graph = Graph::with_overlays(graph_file(path)?, with)?;
    for argument in set {
        graph.apply_set(argument)?;
    }
    Ok(graph)
}

/// Resolves a graph against this host, or prints every problem and says which comes first.
pub fn plan(graph: &Graph, catalogue: &dyn Catalogue, offline: bool) -> anyhow::Result<Plan> {
    let options = ResolveOptions {
        check_host: !offline,
        shm_free_bytes: os::shm_free_bytes(),
        offline,
        ..ResolveOptions::default()
    };
    let plan = resolve(graph, catalogue, &options).map_err(all_of)?;
    for warning in warnings(graph, &plan) {
        eprintln!("ephapse: warning: {warning}");
    }
    Ok(plan)
}

/// `ephapse check`.
pub fn check(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let graph = load(&args.graph, &args.with, &args.set)?;
    let plan = plan(&graph, &with_modules(Some(&graph))?, args.offline)?;
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
    let graph = load(&args.graph, &args.with, &args.set)?;
    let plan = plan(&graph, &with_modules(Some(&graph))?, args.offline)?;
    sayln!("{}", explain::draw(&plan));
    sayln!("{}", explain::values(&graph).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// `ephapse schema`.
pub fn schema(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let schema = if args.stage {
        manifest_schema()
    } else {
        let graph = args
            .graph
            .as_ref()
            .map(|graph| load(graph, &args.with, &[]))
            .transpose()?;
        schema::graph_schema(&with_modules(graph.as_ref())?)
    };
    sayln!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(ExitCode::SUCCESS)
}
