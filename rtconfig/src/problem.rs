//! What is wrong with a graph, in one line: where it stands, what it is, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of keys: a graph, an overlay, a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as the user named it, or as a file that extends it did.
    pub file: String,
    /// The folder from which its relative paths count, absolute.
    pub folder: PathBuf,
}

impl Source {
    /// A file, and the folder in which it lies.
    pub fn of(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Source {
            file: path.display().to_string(),
            folder: absolute.parent().map(Path::to_owned).unwrap_or_default(),
        }
    }
}

/// Where a key of the graph was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Line of a file, from 1.
    Line(Arc<Source>, u32),
    /// A `--set key=value` argument, as given.
    Set(String),
    /// An environment variable, by its name.
    Variable(&'static str),
}

impl Place {
    /// Both are lines of the same file.
    pub fn is_in_file_of(&self, other: &Place) -> bool {
        matches!((self, other), (Place::Line(one, _), Place::Line(two, _)) if one == two)
    }

    /// A path that was written here: relative ones count from the folder of the file, and those typed on the command line
    /// from where they were typed.
    pub fn settle(&self, written: &str) -> PathBuf {
        match self {
            Place::Line(source, _) => source.folder.join(written),
            Place::Set(_) | Place::Variable(_) => {
                std::path::absolute(written).unwrap_or_else(|_| written.into())
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(source, line) => write!(f, "{}:{line}", source.file),
            Place::Set(argument) => write!(f, "--set {argument}"),
            Place::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that keeps a graph from running (or a warning about one that may run).
///
/// Displays as one line: ``FILE:LINE: what, in `key.path`; what to do``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of a file, or argument.
    pub place: Place,
    /// Dotted path of the key, empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it; may be empty if `what` says it already.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}: {}", self.place, self.what);
        if !self.key.is_empty() {
            line.push_str(&format!(", in `{}`", self.key));
        }
        if !self.remedy.is_empty() {
            line.push_str("; ");
            line.push_str(&self.remedy);
        }
        f.write_str(&one_line(&line))
    }
}

impl std::error::Error for Problem {}

/// Folds line breaks and other control characters, so that whatever a file holds stays on one line of the terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The candidate that a mistyped word most probably meant, if one is close enough to be worth naming.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            // A third of the letters wrong is a typing error; more is another word. Whole words left out
            // (`period` for `period_ns`) are the other thing people do.
            let longest = wanted.chars().count().max(candidate.chars().count());
            *distance * 3 <= longest
                || (wanted.len() >= 3 && candidate.to_lowercase().starts_with(&wanted))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?" if a candidate is close, else the list of all.
pub fn suggest(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => choices(candidates),
    }
}

/// The possible words, for the end of an error line.
pub fn choices(candidates: &[&str]) -> String {
    if candidates.is_empty() {
        return "there are none to choose from".to_owned();
    }
    let names: Vec<String> = candidates.iter().map(|c| format!("`{c}`")).collect();
    format!("possible: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_even_if_its_text_is_not() {
        let problem = Problem {
            place: Place::Line(Arc::new(Source::of(Path::new("g.toml"))), 7),
            key: "stage.a.cpu".to_owned(),
            what: "no CPU\n\t9".to_owned(),
            remedy: "name another".to_owned(),
        };
        assert_eq!(
            problem.to_string(),
            "g.toml:7: no CPU 9, in `stage.a.cpu`; name another"
        );
    }

    #[test]
    fn the_nearest_word_is_named_only_if_it_is_near() {
        let keys = ["period_ns", "cpu", "priority", "spin_ns"];
        assert_eq!(nearest("periodns", keys), Some("period_ns"));
        assert_eq!(nearest("period", keys), Some("period_ns"));
        assert_eq!(nearest("CPU", keys), Some("cpu"));
        assert_eq!(nearest("colour", keys), None);
    }
}
