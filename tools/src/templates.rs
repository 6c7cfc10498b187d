//! The files that `new-stage` and `new-graph` write. In `templates/` they are whole: they compile, and their tests pass,
//! with three texts in the place of what differs.

use crate::cli::Language;
use std::path::{Path, PathBuf};

/// Stands for the stage's kind.
const KIND: &str = "mylab.template-name";
/// Stands for its name.
const NAME: &str = "template-name";
/// Stands for where the source of this program is.
const SOURCE: &str = "/path/to/ephapse";

/// A graph without a stage of the user's own.
pub const SYNTHETIC: &str = include_str!("../templates/graphs/synthetic.toml");
/// A graph around a stage of the user's own.
pub const GRAPH: &str = include_str!("../templates/graphs/stage.toml");

const PYTHON: [(&str, &str); 3] = [
    ("stage.toml", include_str!("../templates/python/stage.toml")),
    ("stage.py", include_str!("../templates/python/stage.py")),
    (
        "test_stage.py",
        include_str!("../templates/python/test_stage.py"),
    ),
];
const C: [(&str, &str); 5] = [
    ("stage.toml", include_str!("../templates/c/stage.toml")),
    ("stage.c", include_str!("../templates/c/stage.c")),
    ("arithmetic.h", include_str!("../templates/c/arithmetic.h")),
    (
        "test_arithmetic.c",
        include_str!("../templates/c/test_arithmetic.c"),
    ),
    ("Makefile", include_str!("../templates/c/Makefile")),
];
const RUST: [(&str, &str); 3] = [
    ("stage.toml", include_str!("../templates/rust/stage.toml")),
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml")),
    ("src/main.rs", include_str!("../templates/rust/src/main.rs")),
];

impl Language {
    /// Files of a stage's folder, with their names there.
    pub fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Language::Rust => &RUST,
            Language::C => &C,
            Language::Python => &PYTHON,
        }
    }

    /// What stands beside `stages/` and `graphs/`. Its commands are what is to be done next.
    pub fn readme(self) -> &'static str {
        match self {
            Language::Rust => include_str!("../templates/rust/README.md"),
            Language::C => include_str!("../templates/c/README.md"),
            Language::Python => include_str!("../templates/python/README.md"),
        }
    }
}

/// Folder of the source that this program was built from, if it still is where it was.
pub fn source() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    source
        .join("engine/ABI.md")
        .exists()
        .then(|| source.to_owned())
}

/// A template as a user gets it.
pub fn filled(text: &str, kind: &str, name: &str) -> String {
    filled_from(source().as_deref(), text, kind, name)
}

/// Without the source its place is left to be filled in, and no editor is sent there.
fn filled_from(source: Option<&Path>, text: &str, kind: &str, name: &str) -> String {
    let text = text.replace(KIND, kind).replace(NAME, name);
    match source {
        Some(source) => text.replace(SOURCE, &source.display().to_string()),
        None => text
            .lines()
            .filter(|line| !line.starts_with("#:schema"))
            .flat_map(|line| [line, "\n"])
            .collect(),
    }
}

/// The graph around a stage in this language, whose module is the folder `module` from the graph's.
pub fn graph(language: Language, kind: &str, name: &str, module: &str) -> String {
    let graph = GRAPH.replace("[\"..\"]", &format!("[{module:?}]"));
    let used = format!("use = \"{KIND}\"\n");
    let graph = match language {
        Language::Python => graph.replace(
            &used,
            &format!(
                "{used}policy = \"other\"                               # the interpreter allocates and locks as it likes\n"
            ),
        ),
        Language::Rust | Language::C => graph,
    };
    filled(&graph, kind, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every template.
    fn all() -> Vec<&'static str> {
        let languages = [Language::Rust, Language::C, Language::Python];
        let files = languages.into_iter().flat_map(Language::files);
        let texts = files.map(|(_, text)| *text);
        let readmes = languages.into_iter().map(Language::readme);
        texts.chain(readmes).chain([SYNTHETIC, GRAPH]).collect()
    }

    #[test]
    fn nothing_of_a_template_is_left_for_the_user_to_fill_in() {
        for text in all() {
            let filled = filled_from(Some(Path::new("/src")), text, "a.b", "b");
            assert!(
                !filled.contains("template") && !filled.contains("/path/to"),
                "{filled}"
            );
        }
    }

    #[test]
    fn without_the_source_its_place_is_left_open_and_no_schema_is_named() {
        let without = |text| filled_from(None, text, "a.b", "b");
        let makefile = C.iter().find(|(name, _)| *name == "Makefile").unwrap();
        assert!(without(makefile.1).contains("\nEPHAPSE ?= /path/to/ephapse\n"));
        assert!(without(SYNTHETIC).starts_with("# A whole loop"));
    }

    #[test]
    fn a_graph_around_a_stage_in_python_does_not_ask_for_real_time() {
        let of = |language| graph(language, "a.b", "b", "..");
        assert!(of(Language::Python).contains("use = \"a.b\"\npolicy = \"other\" "));
        assert!(!of(Language::C).contains("\"other\""));
    }
}
