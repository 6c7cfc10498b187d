//! The header: as the library is, complete, and accepted by C11 and C++17 alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// Files of the library, in the order in which the header tells of them.
const SOURCES: [&str; 11] = [
    "outcome",
    "stream_type",
    "header",
    "setup",
    "params",
    "program",
    "outputs",
    "stage",
    "ring",
    "ends",
    "observer",
];

fn own(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(own("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        builder = builder.with_src(own("src").join(format!("{name}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

fn checked_in() -> String {
    std::fs::read_to_string(own("include/ephapse.h")).unwrap()
}

#[test]
fn the_header_in_the_tree_is_what_the_library_has() {
    let now = generated();
    if std::env::var_os("EPHAPSE_REGENERATE").is_some() {
        std::fs::write(own("include/ephapse.h"), &now).unwrap();
    }
    assert!(
        checked_in() == now,
        "include/ephapse.h is not what src/ says: make it with EPHAPSE_REGENERATE=1 cargo test -p ephapse-c --test header"
    );
}

/// Every exported function of the sources.
fn exported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(own("src")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "#[unsafe(no_mangle)]" {
                let function = lines.next().unwrap().split("fn ").nth(1).unwrap();
                names.insert(function.split('(').next().unwrap().to_owned());
            }
        }
    }
    names
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn every_function_of_the_library_is_in_the_header_with_a_comment_before_it() {
    let header = checked_in();
    let lines: Vec<&str> = header.lines().collect();
    let names = exported();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let call = format!("{name}(");
        let at = lines
            .iter()
            .position(|line| !is_comment(line) && line.contains(&call));
        let at = at.unwrap_or_else(|| panic!("{name} is not in the header"));
        assert!(is_comment(lines[at - 1]), "{name} has no comment");
    }
}

#[test]
fn every_type_field_and_constant_of_the_header_has_a_comment_before_it() {
    let header = checked_in();
    let lines: Vec<&str> = header.lines().collect();
    let (mut inside, mut told) = (false, 0);
    let mut missing = String::new();
    for (number, line) in lines.iter().enumerate() {
        let item = line.starts_with("typedef ") || line.starts_with("#define EPHAPSE_");
        // What a field that is a function takes goes on further to the right.
        let field = inside && line.starts_with("    ") && !line.starts_with("     ");
        if (item || field) && !is_comment(line) && *line != "#define EPHAPSE_H" {
            told += 1;
            if !is_comment(lines[number - 1]) {
                let _ = writeln!(missing, "{}: {line}", number + 1);
            }
        }
        inside = (inside || line.ends_with('{')) && !line.starts_with('}');
    }
    assert!(told > 120, "only {told} items found");
    assert!(missing.is_empty(), "without a comment:\n{missing}");
}

/// Whether a compiler takes `text`; true, with a notice, where there is none.
fn accepts([compiler, standard, file]: [&str; 3], warnings: &[&str], text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(file);
    std::fs::write(&source, text).unwrap();
    let compiled = Command::new(compiler)
        .args([format!("-std={standard}"), "-fsyntax-only".into()])
        .args(warnings)
        .arg("-Werror")
        .arg("-I")
        .arg(own("include"))
        .arg(&source)
        .output();
    match compiled {
        Ok(output) => {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            output.status.success()
        }
        Err(error) => {
            eprintln!("SKIPPED: {file} as {standard}: no `{compiler}` here ({error})");
            true
        }
    }
}

#[test]
fn the_header_alone_compiles_as_c11_and_as_cpp17_without_a_warning() {
    // Something must be there: ISO C has no empty program.
    let text = "#include \"ephapse.h\"\nint alone(void);\nint alone(void) { return EPHAPSE_OK; }\n";
    let strict = ["-Wall", "-Wextra", "-Wpedantic"];
    assert!(accepts(["cc", "c11", "alone.c"], &strict, text));
    assert!(accepts(["c++", "c++17", "alone.cpp"], &strict, text));
}

#[test]
fn what_the_readme_shows_compiles() {
    let readme = std::fs::read_to_string(own("README.md")).unwrap();
    let shown: Vec<&str> = readme.split("```c\n").skip(1).collect();
    let [stage, rings] = shown[..] else {
        panic!("{} examples, not a stage and a ring", shown.len());
    };
    let code = |text: &str| text.split("```").next().unwrap().to_owned();
    let stage = "#include <ephapse.h>\n".to_owned() + &code(stage);
    assert!(accepts(["cc", "c11", "stage.c"], &["-Wall"], &stage));
    let rings = format!(
        "#include <ephapse.h>\nvoid shown(ephapse_ring *ring, ephapse_producer *producer, ephapse_reader *reader) {{\n{}\n(void)slot;\n}}\n",
        code(rings).replace("/* read block->data */", "(void)block;")
    );
    assert!(accepts(["cc", "c11", "rings.c"], &["-Wall"], &rings));
}
