//! A program in C of this tree, made by the system's compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How it is made.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// C11 with `libephapse.a`.
    Static,
    /// C11 with `libephapse.so`.
    Shared,
    /// C++17 with `libephapse.so`.
    Cpp,
}

/// An executable, there as long as this is.
pub struct Compiled {
    pub program: PathBuf,
    _folder: TempDir,
}

/// Folder of this build's libraries: cargo builds them beside the tests that need them.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// The static library of this build; `None`, with a notice, where there is no compiler to link it.
pub fn library() -> Option<PathBuf> {
    match Command::new("cc").arg("--version").output() {
        Ok(_) => Some(libraries().join("libephapse.a")),
        Err(error) => {
            eprintln!("SKIPPED: no `cc` here ({error})");
            None
        }
    }
}

/// `source`, a path below `engine/bindings/c`; `None`, with a notice, where there is no compiler. The test that asks must
/// depend on `ephapse-c`, so that its libraries are there.
pub fn compiled(source: &str, how: How) -> Option<Compiled> {
    let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../c"));
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let libraries = libraries();
    let (compiler, standard, language) = match how {
        How::Static | How::Shared => ("cc", "-std=gnu11", "c"),
        How::Cpp => ("c++", "-std=gnu++17", "c++"),
    };
    let mut command = Command::new(compiler);
    command
        .args([standard, "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(own.join("include"))
        .args(["-x", language])
        .arg(own.join(source))
        .args(["-x", "none", "-o"])
        .arg(&program);
    match how {
        How::Static => command.arg(libraries.join("libephapse.a")),
        How::Shared | How::Cpp => command
            .arg(libraries.join("libephapse.so"))
            .arg(format!("-Wl,-rpath,{}", libraries.display())),
    };
    let output = match command.args(["-lpthread", "-ldl", "-lm"]).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: {source}: no `{compiler}` here ({error})");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{how:?} {source}: {said}");
    Some(Compiled {
        program,
        _folder: folder,
    })
}
