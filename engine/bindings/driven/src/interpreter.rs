//! A Python that can import the package: the one named by `EPHAPSE_PYTHON`, where it is installed, or `python3` (the system's
//! if the first in `PATH` has no numpy) with the package laid out of this build, for which the test must depend on
//! `ephapse-python`. Without a Python of 3.11 or newer that has numpy the tests say so and pass.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The first that has numpy: the system's own may have it where another one comes first in `PATH`.
const PROGRAMS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// The package's folder in the tree.
pub const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python");

struct Python {
    program: String,
    /// Folder that holds `ephapse`, unless it is installed.
    path: Option<TempDir>,
}

/// Folder of this build's executables and libraries.
pub fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

fn python() -> Option<&'static Python> {
    static PYTHON: OnceLock<Option<Python>> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            if let Ok(program) = std::env::var("EPHAPSE_PYTHON") {
                return Some(Python {
                    program,
                    path: None,
                });
            }
            let fits = |program: &&&str| {
                let asked = Command::new(**program)
                    .args([
                        "-c",
                        "import sys, numpy; sys.exit(sys.version_info < (3, 11))",
                    ])
                    .output();
                asked.is_ok_and(|asked| asked.status.success())
            };
            let program = PROGRAMS.iter().find(fits)?;
            Some(Python {
                program: (*program).to_owned(),
                path: Some(lay_out()),
            })
        })
        .as_ref()
}

/// The package as an installation would have it.
fn lay_out() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("ephapse");
    std::fs::create_dir(&package).unwrap();
    for entry in std::fs::read_dir(Path::new(PACKAGE).join("ephapse")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), package.join(entry.file_name())).unwrap();
        }
    }
    // Cargo makes it beside the test itself, whether or not it was asked for it.
    let native = target_folder().join("deps/libephapse_python.so");
    std::fs::copy(&native, package.join("_native.abi3.so"))
        .unwrap_or_else(|e| panic!("{}: {e}", native.display()));
    folder
}

/// A command of that Python; `None`, said on stderr, if there is none.
pub fn command() -> Option<Command> {
    let Some(python) = python() else {
        // Past the test harness, which shows nothing of tests that pass.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no python3 of 3.11 or newer with numpy (apt-get install python3-numpy)"
        );
        return None;
    };
    let mut command = Command::new(&python.program);
    lend(python, &mut command);
    Some(command)
}

/// There is such a Python.
#[allow(dead_code, reason = "not every test that shares this module needs it")]
pub fn is_there() -> bool {
    python().is_some()
}

/// Lets what a command starts as `python3` be that Python; `false`, said on stderr, if there is none.
#[allow(dead_code, reason = "not every test that shares this module needs it")]
pub fn give_to(command: &mut Command) -> bool {
    let Some(of_its_own) = self::command() else {
        return false;
    };
    let folder = Path::new(of_its_own.get_program()).parent();
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).unwrap());
    }
    python().inspect(|python| lend(python, command)).is_some()
}

fn lend(python: &Python, command: &mut Command) {
    if let Some(path) = &python.path {
        command.env("PYTHONPATH", path.path());
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
}
