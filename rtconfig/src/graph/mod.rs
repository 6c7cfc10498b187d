//! A graph: its files read and laid over each other, checked key by key, changed by `--set`.
//!
//! What is judged here is what one can judge without knowing the stages: that the text is TOML, that every key exists and
//! has a value of the right form. [`crate::resolve`] does the rest.

mod adapter_keys;
mod chaos_keys;
mod edge;
mod experiment;
mod files;
mod keys;
mod on;
mod overlay;
mod reader;
mod record_keys;
mod set;
mod short_form;
mod tree;
mod words;

pub use adapter_keys::{Pick, Scale, Select};
pub use chaos_keys::{ChaosKeys, FaultWord, InjectKeys};
pub use edge::{FeedbackFrames, FeedbackType, InputKeys, InputTable, WindowKeys};
pub use experiment::{Experiment, TextOrNumber};
pub use keys::{DefaultKeys, GraphKeys, ModulesKeys, StageKeys, StreamKeys, TimerKeys};
pub use on::OnKeys;
pub use record_keys::{RecordKeys, RecordTable};
pub use tree::{Node, Value};
pub use words::{OverrunWord, Reserved};

use crate::problem::{Place, Problem, Source};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A graph as written, with every key's place.
#[derive(Clone, Debug)]
pub struct Graph {
    keys: GraphKeys,
    tree: Node,
    path: Option<PathBuf>,
    folder: PathBuf,
}

impl Graph {
    /// Reads a graph file, over those that it extends.
    ///
    /// # Errors
    /// A file cannot be read, is not TOML, or has a key that does not exist or does not fit.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Problem> {
        Self::with_overlays(path, &[])
    }

    /// Reads a graph file and lays overlays over it, in their order, each over those that it extends: the later file wins,
    /// key by key, and lists are replaced. Relative paths count from the folder of the file they are written in.
    ///
    /// # Errors
    /// As [`Graph::from_path`]; a table where another file has a value is one more.
    pub fn with_overlays(path: impl AsRef<Path>, overlays: &[PathBuf]) -> Result<Self, Problem> {
        let path = path.as_ref();
        let mut tree = files::from_path(path, "graph")?;
        for overlay in overlays {
            overlay::lay(&mut tree, files::from_path(overlay, "overlay")?)?;
        }
        let folder = Source::of(path).folder;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::from_tree(tree, Some(path), folder)
    }

    /// Reads a graph from its text; messages call it `file`. Its relative paths count from the current directory.
    ///
    /// # Errors
    /// As [`Graph::from_path`].
    pub fn from_str(text: &str, file: &str) -> Result<Self, Problem> {
        let folder = std::env::current_dir().unwrap_or_default();
        let source = Source {
            file: file.to_owned(),
            folder: folder.clone(),
        };
        Self::from_tree(files::from_text(text, source)?, None, folder)
    }

    fn from_tree(tree: Node, path: Option<PathBuf>, folder: PathBuf) -> Result<Self, Problem> {
        overlay::check_stages(&tree)?;
        Ok(Graph {
            keys: read(&tree)?,
            tree,
            path,
            folder,
        })
    }

    /// Replaces or adds one key, given as `key=value` with a dotted key; the value is TOML, or a bare word for text.
    ///
    /// # Errors
    /// No such key, or a value that does not fit; the problem names the argument. The graph is then as it was.
    pub fn apply_set(&mut self, argument: &str) -> Result<(), Problem> {
        let mut tree = self.tree.clone();
        set::apply(&mut tree, argument)?;
        self.keys = read(&tree)?;
        self.tree = tree;
        Ok(())
    }

    /// Lays a file of faults over the graph: nothing but the table `chaos` may stand in it.
    ///
    /// # Errors
    /// As [`Graph::with_overlays`], or another key stands in it. The graph is then as it was.
    pub fn lay_chaos(&mut self, path: &Path) -> Result<(), Problem> {
        self.lay_faults(files::from_path(path, "chaos")?)
    }

    /// The same with the text of such a file; messages call it `file`.
    ///
    /// # Errors
    /// As [`Graph::lay_chaos`].
    pub fn lay_chaos_text(&mut self, text: &str, file: &str) -> Result<(), Problem> {
        let source = Source {
            file: file.to_owned(),
            folder: self.folder.clone(),
        };
        self.lay_faults(files::from_text(text, source)?)
    }

    fn lay_faults(&mut self, over: Node) -> Result<(), Problem> {
        if let Some(other) = over.keys().into_iter().find(|key| *key != "chaos") {
            return Err(Problem {
                place: over.place_of(&[other]).clone(),
                key: other.to_owned(),
                what: "a file of faults holds the table `chaos` and nothing else".to_owned(),
                remedy: "lay the file over the graph with `--with`".to_owned(),
            });
        }
        let mut tree = self.tree.clone();
        overlay::lay(&mut tree, over)?;
        self.keys = read(&tree)?;
        self.tree = tree;
        Ok(())
    }

    /// The keys, as written.
    pub fn keys(&self) -> &GraphKeys {
        &self.keys
    }

    /// The file the graph was read from, absolute.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The folder of that file, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All that was written, as a table.
    pub fn tree(&self) -> &Node {
        &self.tree
    }

    /// The value at a path of keys, if it was written.
    pub fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.tree, |node, key| node.get(key))
    }

    /// The place of the deepest key of a path that was written.
    pub fn place_of(&self, path: &[&str]) -> &Place {
        self.tree.place_of(path)
    }

    /// The place of an element of the list at a path of keys.
    pub fn place_of_element(&self, path: &[&str], at: usize) -> &Place {
        self.node(path)
            .map_or_else(|| self.place_of(path), |list| list.place_of_element(at))
    }

    /// A problem at a path of keys; it stands at the deepest key that was written.
    pub fn problem(
        &self,
        path: &[&str],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            place: self.place_of(path).clone(),
            key: path.join("."),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// As [`Graph::problem`] for an engine key of a stage, which may have come from `[defaults]`.
    pub fn stage_problem(
        &self,
        stage: &str,
        key: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        if self.node(&["stage", stage, key]).is_none() && self.node(&["defaults", key]).is_some() {
            let what = format!("{} (for stage `{stage}`)", what.into());
            return self.problem(&["defaults", key], what, remedy);
        }
        self.problem(&["stage", stage, key], what, remedy)
    }
}

/// TOML text as a tree whose values know their lines.
pub(crate) fn parse(text: &str, source: &Arc<Source>) -> Result<Node, Problem> {
    tree::parse(text, source).map_err(|(place, words)| Problem {
        place,
        key: String::new(),
        what: format!("this is not TOML: {words}"),
        remedy: "correct the line".to_owned(),
    })
}

/// A tree as the keys it must be; a problem stands at the key that does not fit.
pub(crate) fn read<T: DeserializeOwned>(tree: &Node) -> Result<T, Problem> {
    T::deserialize(tree).map_err(|error| Problem {
        place: error.place.unwrap_or_else(|| tree.place.clone()),
        key: error.path.join("."),
        what: error.what,
        remedy: error.remedy,
    })
}
