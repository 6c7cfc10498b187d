//! Every kind of stage this program knows, from the crates that have them.

use ephapse_engine::stage::{Registry, Runnable};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::modules::{ModuleGraph, Modules, WithModules, search};
use ephapse_rtconfig::problem::Problem;
use std::path::{Path, PathBuf};

/// Our own kinds, to be described.
pub fn catalogue() -> Registry {
    Registry::new(
        ephapse_drivers::describable()
            .into_iter()
            .chain(ephapse_stages::describables()),
    )
}

/// Our own kinds and those of the modules that a graph and the environment name.
pub fn with_modules(graph: Option<&Graph>) -> anyhow::Result<WithModules<Registry>> {
    modules(graph)
        .and_then(|modules| WithModules::new(catalogue(), modules))
        .map_err(all_of)
}

/// The graphs of the modules that the environment names.
pub fn module_graphs() -> anyhow::Result<Vec<ModuleGraph>> {
    modules(None)
        .map(|modules| modules.graphs())
        .map_err(all_of)
}

fn modules(graph: Option<&Graph>) -> Result<Modules, Vec<Problem>> {
    let variable = std::env::var_os(search::PATH_VARIABLE);
    Modules::find(graph, variable.as_deref())
}

/// The file that is meant by what the user wrote for a graph: a path, or the name of a graph of some module. A file that is
/// there is always meant.
pub fn graph_file(written: &Path) -> anyhow::Result<PathBuf> {
    if written.exists() || written.components().count() != 1 || written.extension().is_some() {
        return Ok(written.to_owned());
    }
    let graphs = module_graphs()?;
    let mut meant = graphs
        .into_iter()
        .filter(|graph| Path::new(&graph.name) == written);
    let Some(first) = meant.next() else {
        return Ok(written.to_owned());
    };
    match meant.next() {
        None => Ok(first.file),
        Some(second) => Err(anyhow::anyhow!(
            "{} and {} are both named `{}`; give the path of the one you mean",
            first.file.display(),
            second.file.display(),
            first.name
        )),
    }
}

/// Every problem on a line of its own, the one to mend first at the front.
pub fn all_of(problems: Vec<Problem>) -> anyhow::Error {
    let mut problems = problems.into_iter();
    let first = problems
        .next()
        .map(anyhow::Error::from)
        .unwrap_or_else(|| anyhow::anyhow!("the graph was refused without a reason"));
    let rest: Vec<String> = problems.map(|p| format!("\n         {p}")).collect();
    if rest.is_empty() {
        first
    } else {
        anyhow::anyhow!("{first}{}", rest.concat())
    }
}

/// What this executable runs as a child of its own: helpers.
pub fn helpers() -> Vec<Runnable> {
    ephapse_drivers::helpers()
}
