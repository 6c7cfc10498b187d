//! The package's own tests, written in Python.

use ephapse_driven::interpreter;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../../../../../tools/tests/executables/made_capture.rs"]
#[allow(dead_code, reason = "the command line's tests need more of it")]
mod made_capture;

/// The command line of this build, for the tests that want a running session.
fn ephapse() -> PathBuf {
    let program = interpreter::target_folder().join("ephapse");
    if !program.exists() {
        // `cargo test -p ephapse-python` alone does not build it.
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--offline",
                "-p",
                "ephapse",
                "--target-dir",
            ])
            .arg(interpreter::target_folder().parent().unwrap())
            .arg("--manifest-path")
            .arg(Path::new(interpreter::PACKAGE).join("../../../Cargo.toml"))
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "cannot build ephapse"
        );
    }
    program
}

#[test]
fn the_packages_own_tests_pass() {
    let Some(mut command) = interpreter::command() else {
        return;
    };
    let run = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        run.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    let capture = run.path().join("made.cap");
    made_capture::made(&capture);
    let said = command
        .env("EPHAPSE_CAPTURE", &capture)
        .args(["-m", "unittest", "discover", "-v", "-s"])
        .arg(Path::new(interpreter::PACKAGE).join("tests"))
        .current_dir(run.path())
        .env("XDG_RUNTIME_DIR", run.path())
        .env("EPHAPSE", ephapse())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    eprintln!("{stderr}");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stdout)
    );
    assert!(
        stderr.contains("Ran ") && !stderr.contains("Ran 0 tests"),
        "{stderr}"
    );
}
