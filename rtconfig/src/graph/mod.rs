//! A graph file: read, checked key by key, changed by `--set`.
//!
//! What is judged here is what one can judge without knowing the stages: that the text is TOML, that every key exists and
//! has a value of the right form. [`crate::resolve`] does the rest.

mod adapter_keys;
mod edge;
mod experiment;
mod keys;
mod reader;
mod record_keys;
mod set;
mod tree;
mod words;

pub use adapter_keys::{Pick, Scale, Select};
pub use edge::{FeedbackFrames, FeedbackType, InputKeys, InputTable, WindowKeys};
pub use experiment::{Experiment, TextOrNumber};
pub use keys::{DefaultKeys, GraphKeys, ModulesKeys, StageKeys, StreamKeys, TimerKeys};
pub use record_keys::{RecordKeys, RecordTable};
pub use tree::{Node, Value};
pub use words::{OverrunWord, Reserved};

use crate::problem::{Place, Problem};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A graph as written, with every key's place.
#[derive(Clone, Debug)]
pub struct Graph {
    keys: GraphKeys,
    tree: Node,
    file: String,
    path: Option<PathBuf>,
    folder: PathBuf,
}

impl Graph {
    /// Reads a graph file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that does not exist or does not fit.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Problem> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Problem {
            file: file.clone(),
            place: Place::Line(1),
            key: String::new(),
            what: format!("the graph cannot be read: {error}"),
            remedy: "name a readable graph file".to_owned(),
        })?;
        let mut graph = Self::from_str(&text, &file)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        graph.folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        graph.path = Some(absolute);
        Ok(graph)
    }

    /// Reads a graph from its text; messages call it `file`. Its relative paths count from the current directory.
    ///
    /// # Errors
    /// As [`Graph::from_path`].
    pub fn from_str(text: &str, file: &str) -> Result<Self, Problem> {
        let tree = parse(text, file)?;
        Ok(Graph {
            keys: read(&tree, file)?,
            tree,
            file: file.to_owned(),
            path: None,
            folder: std::env::current_dir().unwrap_or_default(),
        })
    }

    /// Replaces or adds one key, given as `key=value` with a dotted key; the value is TOML, or a bare word for text.
    ///
    /// # Errors
    /// No such key, or a value that does not fit; the problem names the argument. The graph is then as it was.
    pub fn apply_set(&mut self, argument: &str) -> Result<(), Problem> {
        let mut tree = self.tree.clone();
        set::apply(&mut tree, argument, &self.file)?;
        self.keys = read(&tree, &self.file)?;
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

    /// The folder from which relative paths count, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The value at a path of keys, if it was written.
    pub fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.tree, |node, key| node.get(key))
    }

    /// A problem at a path of keys; it stands at the deepest key that was written.
    pub fn problem(
        &self,
        path: &[&str],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            place: self.tree.place_of(path).clone(),
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

/// TOML text as a tree whose values know their lines; problems call it `file`.
pub(crate) fn parse(text: &str, file: &str) -> Result<Node, Problem> {
    tree::parse(text).map_err(|(place, words)| Problem {
        file: file.to_owned(),
        place,
        key: String::new(),
        what: format!("this is not TOML: {words}"),
        remedy: "correct the line".to_owned(),
    })
}

/// A tree as the keys it must be; a problem stands at the key that does not fit.
pub(crate) fn read<T: DeserializeOwned>(tree: &Node, file: &str) -> Result<T, Problem> {
    T::deserialize(tree).map_err(|error| Problem {
        file: file.to_owned(),
        place: error.place.unwrap_or_else(|| tree.place.clone()),
        key: error.path.join("."),
        what: error.what,
        remedy: error.remedy,
    })
}
