//! `ptrace`, as much of it as following one thread's system calls needs.
#![allow(unsafe_code, reason = "ptrace")]

use std::io;

/// A thread that stops at the entry and at the return of every system call. Dropped, it runs on by itself.
///
/// All calls must come from the thread that has seized it.
pub struct Traced {
    pid: libc::pid_t,
    /// Signal that it stopped for, delivered when it goes on.
    signal: libc::c_int,
    gone: bool,
}

/// Why it stands still.
pub enum Stop {
    /// Before a system call: its number and second argument.
    Entry { number: i64, operation: u64 },
    /// Behind one: what it returned.
    Exit { value: i64 },
    /// Anything else.
    Other,
    /// It has ended.
    Gone,
}

impl Traced {
    /// Seizes a process by its main thread and stops it.
    ///
    /// # Errors
    /// EPERM without permission.
    pub fn seize(pid: u32) -> io::Result<Self> {
        let pid = pid as libc::pid_t;
        // SAFETY: plain numbers.
        check(unsafe {
            libc::ptrace(
                libc::PTRACE_SEIZE,
                pid,
                0_usize,
                libc::PTRACE_O_TRACESYSGOOD as usize,
            )
        })?;
        let mut traced = Traced {
            pid,
            signal: 0,
            gone: false,
        };
        // SAFETY: plain numbers.
        check(unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0_usize, 0_usize) })?;
        traced.wait()?;
        Ok(traced)
    }

    /// Lets it run to its next stop.
    ///
    /// # Errors
    /// What the system said.
    pub fn next(&mut self) -> io::Result<Stop> {
        let signal = std::mem::take(&mut self.signal) as usize;
        // SAFETY: plain numbers; the thread stands still.
        check(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, self.pid, 0_usize, signal) })?;
        let status = self.wait()?;
        if self.gone {
            return Ok(Stop::Gone);
        }
        if libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80 {
            return self.call();
        }
        // A stop with an event (`status >> 16`) is the tracer's own doing; without, a signal is on its way to the stage.
        if status >> 16 == 0 {
            self.signal = libc::WSTOPSIG(status);
        }
        Ok(Stop::Other)
    }

    fn wait(&mut self) -> io::Result<libc::c_int> {
        let mut status = 0;
        // SAFETY: `status` is live.
        while unsafe { libc::waitpid(self.pid, &mut status, libc::__WALL) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.gone = libc::WIFEXITED(status) || libc::WIFSIGNALED(status);
        Ok(status)
    }

    /// The call it stopped at.
    fn call(&self) -> io::Result<Stop> {
        // SAFETY: all zero is a valid answer, and the kernel writes at most as much as it is told.
        let info = unsafe {
            let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
            check(libc::ptrace(
                libc::PTRACE_GET_SYSCALL_INFO,
                self.pid,
                size_of::<libc::ptrace_syscall_info>(),
                &mut info,
            ))?;
            info
        };
        Ok(match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                // SAFETY: `op` says that this member was written.
                let entry = unsafe { info.u.entry };
                Stop::Entry {
                    number: entry.nr as i64,
                    operation: entry.args[1],
                }
            }
            libc::PTRACE_SYSCALL_INFO_EXIT => Stop::Exit {
                // SAFETY: `op` says that this member was written.
                value: unsafe { info.u.exit }.sval,
            },
            _ => Stop::Other,
        })
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.gone {
            // SAFETY: plain numbers; between calls of `next` the thread stands still.
            unsafe { libc::ptrace(libc::PTRACE_DETACH, self.pid, 0_usize, self.signal as usize) };
        }
    }
}

fn check(answer: libc::c_long) -> io::Result<()> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
