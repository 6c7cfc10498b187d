//! A module in a temporary folder, with a graph beside it.
#![allow(dead_code, reason = "each test file uses its own part")]

use crate::kinds::{self, Kinds};
use ephapse_rtconfig::graph::Graph;
use ephapse_rtconfig::modules::{Modules, WithModules};
use ephapse_rtconfig::plan::Plan;
use ephapse_rtconfig::problem::Problem;
use ephapse_rtconfig::resolve::resolve;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stage that says everything itself.
pub const AVERAGE: &str = r#"name = "mylab.average"
about = "Mean over channels."
role = "process"
command = ["true"]
budget_ns = 300_000
settle_frames = 3
group_delay_frames = 1.5
parts_per_call = 2
state = { bytes = 16, append_bytes = 8 }

[in.frames]
kind = "frames"
dtype = ["f32", "f64"]
axes = ["time", "channel"]

[out.mean]
like = "frames"
channels = 1

[params.cutoff_hz]
type = "f64"
unit = "Hz"
min = 1.0
max = 1000.0
default = 10.0
live = true
about = "Corner."

[params.mode]
type = "string"
choices = ["slow", "fast"]
default = "slow"
"#;

/// A synthetic source before the stage `average`.
pub const GRAPH: &str = r#"name = "average"
timer = { period_ns = 1_000_000, cpu = 0 }

[modules]
path = ["."]

[defaults]
cpu = 1

[stage.source]
use = "acquire.synthetic"
cpu = 0
params = { channels = 8 }
out = { frames = "raw" }

[stage.average]
use = "mylab.average"
in = { frames = { from = "raw", cast = "f64" } }
out = { mean = "mean" }
"#;

/// `stages/` and `graphs/` of a module; gone when dropped.
pub struct Module(tempfile::TempDir);

impl Module {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        fs::create_dir(folder.path().join("stages")).unwrap_or_else(|error| panic!("{error}"));
        Module(folder)
    }

    /// With one stage in the folder `average`.
    pub fn with(manifest: &str) -> Self {
        let module = Module::new();
        module.write("stages/average/stage.toml", manifest);
        module
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders it lies in.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(self.path()))
            .and_then(|()| fs::write(&file, text))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        file
    }

    /// Writes a program for `/bin/sh`.
    pub fn script(&self, name: &str, lines: &str) -> PathBuf {
        let file = self.write(name, &format!("#!/bin/sh\n{lines}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
            .unwrap_or_else(|error| panic!("{error}"));
        file
    }

    /// A graph file in the module's folder.
    pub fn graph(&self, text: &str) -> Graph {
        let file = self.write("graph.toml", text);
        Graph::from_path(file).unwrap_or_else(|problem| panic!("{problem}"))
    }

    pub fn resolve(&self, text: &str) -> Result<Plan, Vec<Problem>> {
        let graph = self.graph(text);
        resolve(&graph, &catalogue(&graph)?, &kinds::two_cpus())
    }

    #[track_caller]
    pub fn planned(&self, text: &str) -> Plan {
        self.resolve(text)
            .unwrap_or_else(|problems| panic!("{}", kinds::lines(&problems)))
    }

    /// The lines of all problems of a graph that must not resolve.
    #[track_caller]
    pub fn refused(&self, text: &str) -> String {
        match self.resolve(text) {
            Ok(_) => panic!("was accepted:\n{text}"),
            Err(problems) => kinds::lines(&problems),
        }
    }
}

/// The imitated kinds and those of the graph's modules. Commands have two seconds to describe themselves.
pub fn catalogue(graph: &Graph) -> Result<WithModules<Kinds>, Vec<Problem>> {
    let modules = Modules::find(Some(graph), None)?;
    let all = WithModules::new(kinds::kinds(), modules)?;
    Ok(all.describe_within(Duration::from_secs(2)))
}
