//! `new-stage`: a stage of the user's own, to start from.

use crate::cli::{Language, NewStageArgs};
use crate::output::sayln;
use crate::templates::{filled, graph, source};
use anyhow::{Context, bail};
use ephapse_rtconfig::resolve::names;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest kind, bytes.
const LONGEST_KIND: usize = 64;

/// `ephapse new-stage`.
pub fn new_stage(args: &NewStageArgs) -> anyhow::Result<ExitCode> {
    let (kind, name) = kind_and_name(&args.name)?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&name));
    let empty = fs::read_dir(&folder).map(|mut found| found.next().is_none());
    if folder.symlink_metadata().is_ok() && !empty.unwrap_or(false) {
        bail!(
            "{}: is there already, and nothing is written over; give another NAME, or a DIR: ephapse new-stage {} DIR",
            folder.display(),
            args.name
        );
    }
    let readme = filled(args.lang.readme(), &kind, &name);
    let loop_graph = graph(args.lang, &kind, &name, "..");
    write(&folder.join("README.md"), &readme)?;
    write(&folder.join(format!("graphs/{name}.toml")), &loop_graph)?;
    write_stage(args.lang, &folder.join("stages").join(&name), &kind, &name)?;
    sayln!("{}: {kind}. Next:", folder.display());
    sayln!("  cd {}", folder.display());
    let program = program_from_anywhere();
    for command in commands(&readme) {
        match command.strip_prefix("ephapse ") {
            Some(arguments) => sayln!("  {program} {arguments}"),
            None => sayln!("  {command}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// This program as it can be typed in any folder.
fn program_from_anywhere() -> String {
    let typed = std::env::args().next().unwrap_or_default();
    if typed.contains('/')
        && let Ok(path) = std::path::absolute(&typed)
    {
        path.display().to_string()
    } else {
        "ephapse".to_owned()
    }
}

/// Writes the folder of a stage. Whoever cannot build it as it is, for want of the source, is told.
pub fn write_stage(lang: Language, folder: &Path, kind: &str, name: &str) -> anyhow::Result<()> {
    for (file, text) in lang.files() {
        write(&folder.join(file), &filled(text, kind, name))?;
    }
    match (source(), lang) {
        // The versions that are known to work together.
        (Some(source), Language::Rust) => {
            let locked = fs::read_to_string(source.join("Cargo.lock"));
            locked.map_or(Ok(()), |text| write(&folder.join("Cargo.lock"), &text))
        }
        (None, Language::Rust | Language::C) => {
            let file = if lang == Language::C {
                "Makefile"
            } else {
                "Cargo.toml"
            };
            eprintln!(
                "ephapse: {}: put the folder of Ephapse's source in the place of /path/to/ephapse: it is no more where this program was built",
                folder.join(file).display()
            );
            Ok(())
        }
        (_, Language::C | Language::Python) => Ok(()),
    }
}

/// Writes a file that is not there, and the folders that it lies in.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("{}: cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    let mut file = fs::File::create_new(path).with_context(cannot)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(cannot)
}

/// What a graph's `use` says, and the last word of it.
fn kind_and_name(given: &str) -> anyhow::Result<(String, String)> {
    let kind = if given.contains('.') {
        given.to_owned()
    } else {
        format!("mylab.{given}")
    };
    let word = |word: &str| {
        let mut all = word.bytes();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        !word.is_empty() && !word.starts_with('-') && all.all(allowed)
    };
    let name = kind.rsplit('.').next().unwrap_or_default().to_owned();
    if kind.len() > LONGEST_KIND || !kind.split('.').all(word) {
        bail!(
            "`{given}`: is no name of a stage; write a-z, 0-9, `_` and `-`, as `decoder`, or words of them joined by dots, as `mylab.decoder`, at most {LONGEST_KIND} bytes"
        );
    }
    // The graph gives stage and session its name.
    if let Some((what, remedy)) = names::fault(&name) {
        bail!("`{given}`: {what}; {remedy}");
    }
    Ok((kind, name))
}

/// The commands of a README: what stands in its `sh` blocks.
fn commands(readme: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    readme.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside = if fence { *line == "```sh" } else { inside };
        inside && !fence
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_kind_of_ones_own_lab_unless_it_says_whose() {
        let of = |given| kind_and_name(given).unwrap();
        assert_eq!(of("decoder"), ("mylab.decoder".into(), "decoder".into()));
        assert_eq!(of("a.b.c-1"), ("a.b.c-1".into(), "c-1".into()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(33);
        for given in [
            "", ".", "a.", ".a", "a..b", "Decoder", "de coder", "../x", "a/b", "-x", "timer",
            "session", "é", &long,
        ] {
            assert!(kind_and_name(given).is_err(), "{given}");
        }
    }
}
