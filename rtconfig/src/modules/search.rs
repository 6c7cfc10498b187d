//! Where modules are looked for, and what lies there.

use crate::graph::Graph;
use crate::problem::{Place, Problem};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Environment variable that names folders of modules, separated by `:`.
pub const PATH_VARIABLE: &str = "EPHAPSE_PATH";

/// Files found, in the order of the folders and then of their names; none twice.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Every `stages/*/stage.toml`.
    pub manifests: Vec<PathBuf>,
    /// Every `graphs/*.toml`.
    pub graphs: Vec<PathBuf>,
}

/// Looks into the folders of a graph's `[modules] path`, then into those of `EPHAPSE_PATH`, given as `variable`.
///
/// # Errors
/// A folder that is not there or holds neither stages nor graphs, at the place that names it.
pub fn files(graph: Option<&Graph>, variable: Option<&OsStr>) -> Result<Files, Vec<Problem>> {
    let mut found = Files::default();
    let mut problems = Vec::new();
    for (at, written) in graph
        .iter()
        .flat_map(|graph| graph.keys().modules.path.iter().enumerate())
    {
        let Some(graph) = graph else { continue };
        let place = graph.place_of_element(&["modules", "path"], at);
        let folder = place.settle(written);
        if let Err(what) = look(&folder, &mut found) {
            let mut problem = graph.problem(&["modules", "path"], what, REMEDY);
            problem.place = place.clone();
            problems.push(problem);
        }
    }
    let named = variable.map(std::env::split_paths).into_iter().flatten();
    for folder in named.filter(|folder| !folder.as_os_str().is_empty()) {
        if let Err(what) = look(&folder, &mut found) {
            problems.push(Problem {
                place: Place::Variable(PATH_VARIABLE),
                key: String::new(),
                what,
                remedy: REMEDY.to_owned(),
            });
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

const REMEDY: &str = "name a folder that holds `stages/` or `graphs/`";

fn look(folder: &Path, found: &mut Files) -> Result<(), String> {
    if !folder.is_dir() {
        return Err(format!("there is no folder {}", folder.display()));
    }
    let (stages, graphs) = (folder.join("stages"), folder.join("graphs"));
    if !stages.is_dir() && !graphs.is_dir() {
        return Err(format!(
            "the folder {} has neither stages nor graphs in it",
            folder.display()
        ));
    }
    let manifests = entries(&stages)?
        .into_iter()
        .map(|stage| stage.join("stage.toml"))
        .filter(|file| file.exists());
    add(&mut found.manifests, manifests);
    let is_graph = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "toml");
    add(
        &mut found.graphs,
        entries(&graphs)?.into_iter().filter(is_graph),
    );
    Ok(())
}

/// What a folder holds, in order of the names; nothing if it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        all.push(entry.map_err(cannot)?.path());
    }
    all.sort();
    Ok(all)
}

/// A folder may be named by the graph and by the environment, under two names even.
fn add(list: &mut Vec<PathBuf>, files: impl Iterator<Item = PathBuf>) {
    let real = |file: &Path| file.canonicalize().unwrap_or_else(|_| file.to_owned());
    for file in files {
        if !list.iter().any(|known| real(known) == real(&file)) {
            list.push(file);
        }
    }
}
