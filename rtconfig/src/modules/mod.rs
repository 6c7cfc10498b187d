#![doc = include_str!("../../MODULES.md")]

mod asking;
pub mod external;
mod input_port;
mod keys;
mod manifest;
mod output_port;
mod parameter;
pub mod question;
mod record;
pub mod search;
mod words;

pub use input_port::InputPort;
pub use keys::{ManifestKeys, StateKeys};
pub use manifest::Manifest;
pub use output_port::{AxisKeys, OutputPort};
pub use parameter::{Parameter, ParameterType};
pub use record::{OwnField, OwnRecord, RecordKeys, Standard};
pub use words::AnyOf;

use crate::describe::{Catalogue, DescribeError, Described, KindInfo};
use crate::graph::Graph;
use crate::problem::Problem;
use crate::stream_type::StreamType;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// Manifests and graphs of all modules.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    manifests: Vec<Manifest>,
    graphs: Vec<PathBuf>,
}

impl Modules {
    /// Finds and reads the modules that a graph names, then those of the environment: `variable` is the value of
    /// [`search::PATH_VARIABLE`].
    ///
    /// # Errors
    /// Every folder that is not there, every manifest that is wrong, every name that two manifests have.
    pub fn find(graph: Option<&Graph>, variable: Option<&OsStr>) -> Result<Self, Vec<Problem>> {
        let files = search::files(graph, variable)?;
        let mut manifests: Vec<Manifest> = Vec::new();
        let mut problems = Vec::new();
        for file in &files.manifests {
            match Manifest::from_path(file) {
                Err(wrong) => problems.extend(wrong),
                Ok(manifest) => {
                    let same = manifests
                        .iter()
                        .find(|known| known.name() == manifest.name());
                    if let Some(first) = same {
                        problems.push(manifest.problem(
                            &["name"],
                            format!(
                                "`{}` is also the name in {}",
                                manifest.name(),
                                first.file().display()
                            ),
                            "give one of the two another name",
                        ));
                    }
                    manifests.push(manifest);
                }
            }
        }
        if problems.is_empty() {
            Ok(Modules {
                manifests,
                graphs: files.graphs,
            })
        } else {
            Err(problems)
        }
    }

    /// The graphs, by the name that stands in them; one that cannot be read comes with its problem, under its file's name.
    pub fn graphs(&self) -> Vec<ModuleGraph> {
        let read = |file: &PathBuf| {
            let graph = Graph::from_path(file);
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            ModuleGraph {
                name: graph
                    .as_ref()
                    .map_or_else(|_| stem.into_owned(), |graph| graph.keys().name.clone()),
                file: file.clone(),
                problem: graph.err(),
            }
        };
        self.graphs.iter().map(read).collect()
    }
}

/// A graph that lies in a module.
#[derive(Clone, Debug)]
pub struct ModuleGraph {
    /// Its `name`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Why it cannot be read.
    pub problem: Option<Problem>,
}

/// The kinds of a catalogue and those of modules, as one.
pub struct WithModules<C> {
    own: C,
    modules: Modules,
    kinds: Vec<KindInfo>,
    describe_within: Duration,
}

impl<C: Catalogue> WithModules<C> {
    /// # Errors
    /// A module takes a name that the catalogue has.
    pub fn new(own: C, modules: Modules) -> Result<Self, Vec<Problem>> {
        let taken: Vec<Problem> = modules
            .manifests
            .iter()
            .filter(|manifest| own.kind(manifest.name()).is_some())
            .map(|manifest| {
                let what = format!("`{}` is a kind of Ephapse's own", manifest.name());
                manifest.problem(
                    &["name"],
                    what,
                    "choose another name, begun with your lab's",
                )
            })
            .collect();
        if !taken.is_empty() {
            return Err(taken);
        }
        let mut kinds = own.kinds().to_vec();
        kinds.extend(modules.manifests.iter().map(Manifest::kind_info));
        kinds.sort_by(|a, b| a.kind.cmp(&b.kind));
        Ok(WithModules {
            own,
            modules,
            kinds,
            describe_within: external::DESCRIBE_WITHIN,
        })
    }

    /// Another time in which a command must describe itself.
    pub fn describe_within(mut self, within: Duration) -> Self {
        self.describe_within = within;
        self
    }

    fn manifest(&self, kind: &str) -> Option<&Manifest> {
        self.modules
            .manifests
            .iter()
            .find(|manifest| manifest.name() == kind)
    }
}

impl<C: Catalogue> Catalogue for WithModules<C> {
    fn kinds(&self) -> &[KindInfo] {
        &self.kinds
    }

    fn describe(
        &self,
        kind: &str,
        params: &Value,
        inputs: &[(&str, &StreamType)],
    ) -> Result<Described, DescribeError> {
        match self.manifest(kind) {
            Some(manifest) => manifest.describe(params, inputs, self.describe_within),
            None => self.own.describe(kind, params, inputs),
        }
    }

    fn budget_ns(&self, kind: &str) -> Option<u64> {
        match self.manifest(kind) {
            Some(manifest) => manifest.budget_ns(),
            None => self.own.budget_ns(kind),
        }
    }
}

/// The JSON schema of `stage.toml`, for editors.
pub fn manifest_schema() -> Value {
    let mut schema = schemars::schema_for!(ManifestKeys).to_value();
    schema["title"] = json!("Ephapse stage manifest");
    schema
}
