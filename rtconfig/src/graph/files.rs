//! A graph's files: each read with all those that it extends.

use super::overlay::lay;
use super::tree::Node;
use super::{parse, read};
use crate::problem::{Place, Problem, Source, nearest};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most steps from a file to one that it extends, to one that this extends, and so on.
const DEEPEST: usize = 16;

/// The one key that is read before the files are put together; the tree is read whole afterwards.
#[derive(Deserialize)]
struct Extends {
    #[serde(default)]
    extends: Vec<String>,
}

/// A file that is being read, because the one before it in the list extends it.
struct Opened {
    /// Under the same name however it was reached.
    real: PathBuf,
    /// As it was named.
    file: String,
}

/// Reads a file, and lays it over those that it extends; messages call it `what`.
///
/// # Errors
/// One of the files cannot be read, is not TOML, is extended by itself, or does not fit over another.
pub fn from_path(path: &Path, what: &str) -> Result<Node, Problem> {
    let source = Arc::new(Source::of(path));
    let text = std::fs::read_to_string(path).map_err(|error| Problem {
        place: Place::Line(Arc::clone(&source), 1),
        key: String::new(),
        what: format!("the {what} cannot be read: {error}"),
        remedy: beside(path).map_or_else(
            || format!("name a readable {what} file"),
            |file| format!("did you mean `{file}`?"),
        ),
    })?;
    extended(&text, source, path, &mut Vec::new())
}

/// As [`from_path`], from a text. The files that it extends count from the current directory.
///
/// # Errors
/// As [`from_path`].
pub fn from_text(text: &str, source: Source) -> Result<Node, Problem> {
    extended(text, Arc::new(source), Path::new(""), &mut Vec::new())
}

fn extended(
    text: &str,
    source: Arc<Source>,
    path: &Path,
    opened: &mut Vec<Opened>,
) -> Result<Node, Problem> {
    let mut tree = parse(text, &source)?;
    let Extends { extends } = read(&tree)?;
    let Some(list) = tree.take("extends") else {
        return Ok(tree);
    };
    opened.push(Opened {
        real: path.canonicalize().unwrap_or_default(),
        file: source.file.clone(),
    });
    let mut whole: Option<Node> = None;
    for (at, name) in extends.iter().enumerate() {
        let refuse = |what: String, remedy: &str| Problem {
            place: list.place_of_element(at).clone(),
            key: "extends".to_owned(),
            what,
            remedy: remedy.to_owned(),
        };
        if extends[..at].contains(name) {
            let what = format!("`{name}` is named twice");
            return Err(refuse(what, "name every file once"));
        }
        let base = path.with_file_name("").join(name);
        check_chain(&base, opened).map_err(|(what, remedy)| refuse(what, remedy))?;
        let text = std::fs::read_to_string(&base).map_err(|error| {
            let what = format!("{} cannot be read: {error}", base.display());
            match beside(&base) {
                Some(file) => refuse(what, &format!("did you mean `{file}`?")),
                None if base.exists() => refuse(what, "name a TOML file"),
                None => refuse(what, "a relative name counts from the folder of this file"),
            }
        })?;
        let base = extended(&text, Arc::new(Source::of(&base)), &base, opened)?;
        match &mut whole {
            None => whole = Some(base),
            Some(whole) => lay(whole, base)?,
        }
    }
    opened.pop();
    let Some(mut whole) = whole else {
        return Ok(tree);
    };
    // What is missing as a whole is missing in the file that the user named.
    whole.place = tree.place.clone();
    lay(&mut whole, tree)?;
    Ok(whole)
}

/// Refuses to open a file within itself, or too deep.
fn check_chain(base: &Path, opened: &[Opened]) -> Result<(), (String, &'static str)> {
    let real = base.canonicalize().ok();
    let chain = |from: usize| {
        let names = opened[from..].iter().map(|open| open.file.clone());
        let names: Vec<String> = names.chain([base.display().to_string()]).collect();
        names.join(" -> ")
    };
    if let Some(from) = opened
        .iter()
        .position(|open| Some(&open.real) == real.as_ref())
    {
        let what = format!("these files extend each other: {}", chain(from));
        return Err((what, "take one of them out"));
    }
    if opened.len() > DEEPEST {
        let what = format!("more than {DEEPEST} files extend each other in a chain");
        return Err((what, "name the last ones in the `extends` of the first"));
    }
    Ok(())
}

/// The file that was meant by the name of one that is not there, in the same folder.
fn beside(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let mut files: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.ends_with(".toml"))
        .collect();
    // Of two that are as near, the same one on every host.
    files.sort();
    nearest(
        path.file_name()?.to_str()?,
        files.iter().map(String::as_str),
    )
    .map(str::to_owned)
}
