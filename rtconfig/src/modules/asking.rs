//! Runs a command with a deadline: text in, text out, nothing left behind.
#![allow(
    unsafe_code,
    reason = "a process group is awaited and ended by system calls"
)]

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Most bytes that are read of an answer.
pub const LONGEST_ANSWER: usize = 4 << 20;
/// Rhythm in which the command is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// From the end of the command to the end of its output. Only a process that left the command's group can need longer.
const OUTPUT_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A command that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a command has no end to tell of.
pub enum NotEnded {
    /// It could not be started.
    Start(io::Error),
    /// It had not ended in time, and has been killed.
    Late,
}

/// Runs `command` in a process group of its own with `input` on its stdin. Whatever of the group still lives when the command
/// ends, or when its time is over, is killed.
pub fn run(mut command: Command, input: Vec<u8>, within: Duration) -> Result<Ended, NotEnded> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    die_with_us(&mut command);
    let deadline = Instant::now() + within;
    let mut child = command.spawn().map_err(NotEnded::Start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // On a thread of its own: a command that does not read must not hold us. Nor need it read: a failure tells nothing.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let in_time = ends_before(&child, deadline);
    kill_group(&child);
    let status = child.wait().map_err(NotEnded::Start)?;
    if !in_time {
        return Err(NotEnded::Late);
    }
    let text = |output: Receiver<Vec<u8>>| {
        output
            .recv_timeout(OUTPUT_ENDS_WITHIN)
            .map_err(|_| NotEnded::Late)
    };
    Ok(Ended {
        status,
        stdout: text(stdout)?,
        stderr: text(stderr)?,
    })
}

/// Reads a pipe on a thread of its own, to its end or just beyond the longest answer.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (give, take) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(pipe) = pipe {
            // What came before an error is the answer as far as there is one.
            let _ = pipe.take(LONGEST_ANSWER as u64 + 1).read_to_end(&mut text);
        }
        // Nobody listens any more once the deadline is over.
        let _ = give.send(text);
    });
    take
}

/// A command that waits for ever must not outlive a killed command line.
fn die_with_us(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one async-signal-safe system call with constant arguments and touches
    // no memory.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// True once the command has ended, false if its time is over. It is not reaped here: until then its id, which is that of
/// its group, cannot be given to another process.
fn ends_before(child: &Child, deadline: Instant) -> bool {
    loop {
        // SAFETY: `info` is a plain C struct for which zero is a value, alive during the call that writes it.
        let ended = unsafe {
            let mut info: libc::siginfo_t = core::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, child.id(), &mut info, options) == 0 && info.si_pid() != 0
        };
        if ended {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

fn kill_group(child: &Child) {
    // SAFETY: plain numbers. The child leads its group and is not reaped yet, so the number means no other group. A failure
    // means that nobody of it is left.
    unsafe { libc::killpg(child.id().cast_signed(), libc::SIGKILL) };
}
