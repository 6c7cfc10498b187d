//! A Redis server of our own: private Unix socket, no TCP port, nothing written to disk.
#![allow(unsafe_code, reason = "a death signal for the child")]

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The executable.
pub const PROGRAM: &str = "redis-server";
/// How long it may take to listen.
const START: Duration = Duration::from_secs(10);

/// Where it listens.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

/// The server, a child of this process; it is killed when this process dies.
pub struct RedisServer(Child);

impl RedisServer {
    /// Starts one in a private folder and waits until it listens.
    ///
    /// # Errors
    /// One line: why it does not.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let failed = |why: String| format!("{PROGRAM}: {why}; install it with `make bench-peers`");
        let log = folder.join("redis.log");
        let mut command = Command::new(PROGRAM);
        command
            .args(["--port", "0", "--unixsocketperm", "700"])
            .arg("--unixsocket")
            .arg(socket(folder))
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder)
            .arg("--logfile")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: prctl is async-signal-safe and takes plain numbers here; nothing else runs between fork and exec.
        unsafe {
            command.pre_exec(|| {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            });
        }
        let mut server = RedisServer(command.spawn().map_err(|e| failed(e.to_string()))?);
        let began = Instant::now();
        while UnixStream::connect(socket(folder)).is_err() {
            let ended = server.0.try_wait().map_err(|e| failed(e.to_string()))?;
            if ended.is_some() || began.elapsed() > START {
                server.stop();
                let log = fs::read_to_string(&log).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it does not listen");
                return Err(failed(last.to_owned()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(server)
    }

    /// Kills it.
    pub fn stop(mut self) {
        // An error means that it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
