//! The files that a process of the session runs and reads its parameters from, for the capture to name them.

use super::prepare::StartedFrom;
use crate::capture::NamedFile;
use ephapse_rtconfig::describe::Program;
use ephapse_rtconfig::plan::StagePlan;
use std::path::{Path, PathBuf};

/// What built-in stages, timer and recorder run.
const BUILT_IN: &str = "ephapse";
/// Beside an external stage's command.
const MANIFEST: &str = "stage.toml";

/// Executable, script and manifest, and the files that its parameters name. `stage`: of the graph; `None` for timer and
/// recorder.
pub(super) fn used_files(
    who: &str,
    started_from: &StartedFrom,
    stage: Option<&StagePlan>,
) -> Vec<NamedFile> {
    let external = stage.and_then(|stage| match &stage.program {
        Program::External { folder, .. } => Some(folder),
        Program::Lean | Program::Full => None,
    });
    let mut files = Vec::new();
    match external {
        None => {
            let program = started_from.words.first().map(PathBuf::from);
            files.extend(program.map(|path| named(BUILT_IN, path, env!("CARGO_PKG_VERSION"))));
        }
        Some(folder) => {
            let program = started_from.words.first().and_then(|word| found(word));
            let arguments = started_from.words.iter().skip(1);
            // An argument that names a file is its script, or what that reads.
            let scripts = arguments
                .map(|word| folder.join(word))
                .filter(|p| p.is_file());
            let manifest = Some(folder.join(MANIFEST)).filter(|p| p.is_file());
            let all = program.into_iter().chain(scripts).chain(manifest);
            files.extend(all.map(|path| named(who, path, "")));
        }
    }
    let params = stage.and_then(|stage| stage.params.as_object());
    for (key, value) in params.into_iter().flatten() {
        let path = Path::new(value.as_str().unwrap_or_default());
        if path.is_absolute() && path.is_file() {
            files.push(named(&format!("{who}.{key}"), path.to_owned(), ""));
        }
    }
    files
}

fn named(role: &str, path: PathBuf, version: &str) -> NamedFile {
    NamedFile {
        role: role.to_owned(),
        path,
        version: version.to_owned(),
    }
}

/// The program that a word means: a path, or a name in `PATH`.
fn found(word: &str) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(PathBuf::from(word));
    }
    let paths = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&paths).map(|folder| folder.join(word));
    all.find(|path| path.is_file())
}
