//! The same executables in the hands of a user without any privilege.

use crate::finished::Report;
use crate::loop_graph::LOOP;
use crate::place::{EPHAPSE, LEAN, Place};
use crate::turns::alone;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const NOBODY: u32 = 65_534;

/// A place that belongs to a user without privileges, with executables that this user can read.
fn place() -> Place {
    let place = Place::new();
    let programs = place.path().join("bin");
    fs::create_dir(&programs).unwrap();
    for program in [EPHAPSE, LEAN] {
        let name = Path::new(program).file_name().unwrap();
        fs::copy(program, programs.join(name)).unwrap();
    }
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place.report()).unwrap();
    if root() {
        for folder in [place.path().join("run"), place.report()] {
            chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let program = programs.join("ephapse");
    place.with_program(program)
}

fn root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The command as that user gives it; who runs the tests without being root has no privileges to lose.
fn as_nobody(command: Command) -> Command {
    if !root() {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--bounding-set=-all", "--inh-caps=-all"])
        .args(["env", "HOME=/nonexistent"])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(key, value);
        }
    }
    wrapped
}

const DEMO: [&str; 5] = [
    "demo",
    "--duration",
    "2s",
    "--set",
    "stage.detect.params.calibrate_s=0.5",
];

#[test]
fn without_privileges_the_demo_runs_and_says_what_it_lacks() {
    let _turn = alone();
    let place = place();
    let ended = place
        .finish(as_nobody(place.session_command(&DEMO)), 60)
        .expect(0);
    place.expect_nothing_left();
    let report = Report::read(&place.report());
    assert_eq!(report.0["verdict"], "passed");
    report.expect_accounts(&["ticks", "rings", "edges", "sources"]);
    if report.0["rt"]["active"] == true {
        println!("SKIPPED: this user may run in real time");
        return;
    }
    let why = report.0["rt"]["why"].as_str().unwrap();
    assert!(
        why.contains("CAP_SYS_NICE") || why.contains("memory is not locked"),
        "{why}"
    );
    assert!(ended.stdout.contains("CAP_SYS_NICE"), "{}", ended.stdout);
}

#[test]
fn without_privileges_required_real_time_is_refused_in_one_line() {
    let _turn = alone();
    let place = place();
    // The recording is made first, so that what follows has nothing to say but no.
    let mut make = place.session_command(&DEMO);
    make.arg("--unpaced");
    place.finish(as_nobody(make), 60).expect(0);
    let mut command = place.session_command(&DEMO);
    command.arg("--require-rt");
    let ended = place.finish(as_nobody(command), 60);
    place.expect_nothing_left();
    if !root() && ended.code == Some(0) {
        println!("SKIPPED: this user may run in real time");
        return;
    }
    let ended = ended.expect(1);
    let line = ended.only_line();
    assert!(line.contains("real time is required"), "{line}");
}

#[test]
fn a_report_folder_of_somebody_else_is_refused_in_one_line() {
    if !root() {
        println!("SKIPPED: only root can make a folder of somebody else");
        return;
    }
    let _turn = alone();
    let place = place();
    place.write("loop.toml", LOOP);
    chown(place.report(), Some(0), Some(0)).unwrap();
    let run = ["run", "loop.toml", "--unpaced", "--duration", "1s"];
    let ended = place.finish(as_nobody(place.session_command(&run)), 30);
    place.expect_nothing_left();
    let ended = ended.expect(1);
    let line = ended.only_line();
    assert!(
        line.contains("report") && line.contains("--report"),
        "{line}"
    );
}
