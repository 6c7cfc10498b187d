//! A place of its own for every test: session files, report, session name, and what must be gone from it at the end.

use crate::finished::Finished;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The command line under test; the lean executable lies beside it.
pub const EPHAPSE: &str = env!("CARGO_BIN_EXE_ephapse");
/// Named so that cargo builds it too.
pub const LEAN: &str = env!("CARGO_BIN_EXE_ephapse-stage");

static PLACES: AtomicU32 = AtomicU32::new(0);

/// Folders and session name of one test.
pub struct Place {
    folder: TempDir,
    session: String,
    program: PathBuf,
}

/// A program that runs. Dropped, it is killed; what it started ends by itself.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        Place {
            folder,
            session: format!("test-{}-{number}", std::process::id()),
            program: PathBuf::from(EPHAPSE),
        }
    }

    /// Uses another copy of the command line.
    pub fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn session(&self) -> &str {
        &self.session
    }

    /// The folder that `--report` names.
    pub fn report(&self) -> PathBuf {
        self.path().join("report")
    }

    /// Writes a file of the test.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A command that runs a graph under this place's session name and with its report folder.
    pub fn session_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command
            .arg("--set")
            .arg(format!("name={:?}", self.session))
            .arg("--report")
            .arg(self.report());
        command
    }

    /// Any command, in this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"));
        command
    }

    /// Starts a command; its output goes to files, so that it never waits for a reader.
    pub fn start(&self, mut command: Command) -> Running {
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let stdout = self.path().join(format!("stdout.{number}"));
        let stderr = self.path().join(format!("stderr.{number}"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Runs a command to its end, which must come within so many seconds.
    #[track_caller]
    pub fn finish(&self, command: Command, within_s: u64) -> Finished {
        self.start(command).wait(within_s)
    }

    /// Runs a graph under this place's session name.
    #[track_caller]
    pub fn run_session(&self, arguments: &[&str], within_s: u64) -> Finished {
        self.finish(self.session_command(arguments), within_s)
    }

    /// Runs a command that takes no session name.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.finish(self.command(arguments), 20)
    }

    /// Segments, session files and processes that are still there.
    pub fn left(&self) -> Vec<String> {
        let mut left = self.segments();
        left.extend(entries(&self.path().join("run/ephapse")));
        left.extend(self.processes().iter().map(|pid| format!("process {pid}")));
        left
    }

    /// Segments of this session, whoever the user.
    pub fn segments(&self) -> Vec<String> {
        let part = format!(".{}.", self.session);
        let mut all = entries(Path::new("/dev/shm"));
        all.retain(|name| name.starts_with("ephapse.") && name.contains(&part));
        all
    }

    /// The processes of the session by its file, launcher first: name and pid. Empty before there is one.
    pub fn session_processes(&self) -> Vec<(String, u32)> {
        let path = format!("run/ephapse/{}.session", self.session());
        let text = fs::read(self.path().join(path)).unwrap_or_default();
        let record: Value = serde_json::from_slice(&text).unwrap_or_default();
        let all = record["processes"].as_array().into_iter().flatten();
        all.filter_map(|p| Some((p["name"].as_str()?.to_owned(), p["pid"].as_u64()? as u32)))
            .collect()
    }

    /// Living processes that were started in this place, by their environment or their program's path.
    pub fn processes(&self) -> Vec<u32> {
        let ours = self.path().as_os_str().as_encoded_bytes();
        let holds = |text: Vec<u8>| text.windows(ours.len()).any(|w| w == ours);
        let mut found: Vec<u32> = entries(Path::new("/proc"))
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|pid| {
                ["environ", "cmdline"]
                    .iter()
                    .filter_map(|file| fs::read(format!("/proc/{pid}/{file}")).ok())
                    .any(holds)
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Fails the test if the session has left anything.
    #[track_caller]
    pub fn expect_nothing_left(&self) {
        assert_eq!(self.left(), Vec::<String>::new());
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It has not left anything to wait for but its exit.
    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/exe", self.pid())).exists()
    }

    /// What it has written so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self, within_s: u64) -> Finished {
        let deadline = Instant::now() + Duration::from_secs(within_s);
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "not over within {within_s} s\nstdout:\n{}\nstderr:\n{}",
                text(&self.stdout),
                text(&self.stderr)
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        Finished {
            code: status.code(),
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that a test has started.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill -s {name} {pid}");
}

/// Waits until a condition holds; fails the test after so many seconds.
#[track_caller]
pub fn wait_until(what: &str, within_s: u64, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(within_s);
    while !holds() {
        assert!(Instant::now() < deadline, "not within {within_s} s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Names in a folder, sorted; none if there is no folder.
pub fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|found| {
            found
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
