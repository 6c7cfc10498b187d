//! The few system calls that no crate of the base offers: futex, signals, clocks, limits, descriptors of processes.
#![allow(unsafe_code, reason = "system calls")]

#[cfg(not(loom))]
use crate::sync::AtomicU32;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// CLOCK_MONOTONIC, ns. Served by the vDSO: no system call.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// CLOCK_MONOTONIC_RAW, ns.
pub fn monotonic_raw_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC_RAW)
}

/// CLOCK_REALTIME, ns since the epoch.
pub fn realtime_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the call to write.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    }
}

/// Clock ticks per second in which `/proc` counts time.
pub fn clock_ticks_per_s() -> u64 {
    // SAFETY: no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|t| *t > 0).unwrap_or(100)
}

/// From now on a file that may not become longer (`ulimit -f`) is an error of the call, which can be named, and not the end
/// of this process.
pub fn expect_file_limits() {
    // SAFETY: no handler, nothing that could be interrupted.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// This thread runs only when nobody else wants its CPU.
pub fn yield_to_everybody() {
    // SAFETY: no pointers; 0 is the calling thread. It goes on as it is if that is refused.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

/// Sleeps until CLOCK_MONOTONIC reaches `deadline_ns`; may return early when a signal comes.
pub fn sleep_until(deadline_ns: u64) {
    let time = timespec(deadline_ns);
    // SAFETY: `time` is valid; the remainder is not asked for with an absolute time.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &time,
            core::ptr::null_mut(),
        )
    };
}

#[cfg(loom)]
pub use crate::sync::modelled::{futex_wait, futex_wake_all};

/// Sleeps while `word` holds `seen`, at most `timeout`.
#[cfg(not(loom))]
pub fn futex_wait(word: &AtomicU32, seen: u32, timeout: Duration) {
    let time = timespec(timeout.as_nanos() as u64);
    // SAFETY: `word` is a live, aligned 32-bit word; `time` is a relative timeout.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            seen,
            &time,
            core::ptr::null::<u32>(),
            0,
        )
    };
}

/// Wakes everybody who sleeps on `word`.
#[cfg(not(loom))]
pub fn futex_wake_all(word: &AtomicU32) {
    // SAFETY: `word` is a live, aligned 32-bit word.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            i32::MAX,
            core::ptr::null::<libc::timespec>(),
            core::ptr::null::<u32>(),
            0,
        )
    };
}

/// The pacing signal: the first real-time signal that glibc leaves to programs.
pub fn pacing_signal() -> i32 {
    libc::SIGRTMIN()
}

fn pacing_set() -> libc::sigset_t {
    // SAFETY: `set` is written by sigemptyset before it is read.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, pacing_signal());
        set
    }
}

/// Blocks the pacing signal in this thread; inherited over exec. Async-signal-safe.
pub fn block_pacing_signal() {
    let set = pacing_set();
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, core::ptr::null_mut()) };
}

/// Ignores SIGALRM until a program installs a handler of its own; inherited over exec. Async-signal-safe.
pub fn ignore_alarms() {
    // SAFETY: a valid signal and a disposition that runs no code.
    unsafe { libc::signal(libc::SIGALRM, libc::SIG_IGN) };
}

/// Waits for the (blocked) pacing signal, at most `timeout`. True if it came.
pub fn wait_for_pacing_signal(timeout: Duration) -> bool {
    let set = pacing_set();
    let time = timespec(timeout.as_nanos() as u64);
    // SAFETY: all pointers are to live, initialised values; no siginfo is asked for.
    unsafe { libc::sigtimedwait(&set, core::ptr::null_mut(), &time) == pacing_signal() }
}

/// A descriptor that names a process for good, and reports its death to `poll`.
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens one.
    ///
    /// # Errors
    /// ESRCH if no such process exists.
    pub fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: plain numbers; the descriptor returned is owned here.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is a fresh descriptor that nobody else owns.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
    }

    /// Sends a signal without siginfo: it carries nothing and cannot fail for lack of queue.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        // SAFETY: a null siginfo asks the kernel to fill in its own.
        let rc = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                core::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if rc < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Descriptor for `poll`.
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// True once the process is dead (a zombie counts).
    pub fn is_dead(&self) -> bool {
        poll_in(&[self.raw()], Duration::ZERO)
            .first()
            .copied()
            .unwrap_or(false)
    }
}

/// Polls descriptors for input (or hang-up); one answer per descriptor.
pub fn poll_in(fds: &[RawFd], timeout: Duration) -> Vec<bool> {
    let mut polled: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd {
            fd: *fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the array is live and as long as said.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) };
    polled.iter().map(|p| p.revents != 0).collect()
}

/// True if the other end of the lifeline pipe is gone. One system call, no allocation.
pub fn lifeline_cut(fd: RawFd) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: one live pollfd.
    unsafe {
        libc::poll(&mut polled, 1, 0) > 0 && polled.revents & (libc::POLLHUP | libc::POLLERR) != 0
    }
}

/// Counts of this thread since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
    /// Minor page faults.
    pub minor_faults: u64,
    /// Major page faults.
    pub major_faults: u64,
}

/// `getrusage(RUSAGE_THREAD)`.
pub fn usage() -> Usage {
    // SAFETY: an all-zero rusage is valid, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = core::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    Usage {
        voluntary: usage.ru_nvcsw as u64,
        involuntary: usage.ru_nivcsw as u64,
        minor_faults: usage.ru_minflt as u64,
        major_faults: usage.ru_majflt as u64,
    }
}

/// CPU this thread runs on.
pub fn current_cpu() -> u32 {
    // SAFETY: no arguments.
    u32::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}

/// Locks all memory of this process, now and later.
///
/// # Errors
/// EPERM or ENOMEM without the privilege or the limit.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: flags only.
    if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// CPUs this process may run on, by raw id.
pub fn allowed_cpus() -> Vec<u32> {
    // SAFETY: an all-zero cpu_set_t is valid; the call fills it in; CPU_ISSET is asked only for ids inside the set.
    unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as u32)
            .filter(|cpu| libc::CPU_ISSET(*cpu as usize, &set))
            .collect()
    }
}

/// Policy (`SCHED_FIFO` or not) and priority of this thread, as the kernel says.
pub fn scheduling() -> (bool, u32) {
    // SAFETY: pid 0 is this thread; the parameter block is live.
    unsafe {
        let policy = libc::sched_getscheduler(0);
        let mut param: libc::sched_param = core::mem::zeroed();
        libc::sched_getparam(0, &mut param);
        (
            policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO,
            u32::try_from(param.sched_priority).unwrap_or(0),
        )
    }
}

/// Limits the CPU time a FIFO thread may use without blocking: a runaway is killed instead of taking the CPU for ever.
pub fn limit_runaway(limit: Duration) {
    let micros = limit.as_micros() as libc::rlim_t;
    let limit = libc::rlimit {
        rlim_cur: micros,
        // At the hard limit comes SIGKILL, which does not say why: SIGXCPU comes first.
        rlim_max: micros + micros / 2,
    };
    // SAFETY: a live rlimit. Lowering a limit is always permitted; a failure leaves the process as it was.
    unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &limit) };
}

/// Ends this process at once, as `kill -9` does.
pub fn kill_self() {
    // SAFETY: plain numbers.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// Limits how long a process may make its files, or lifts that limit as far as it may be lifted.
///
/// # Errors
/// There is no such process, or it is somebody else's.
pub fn limit_file_size(pid: u32, bytes: Option<u64>) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: live rlimits, of which the call reads one and writes the other.
    unsafe {
        if libc::prlimit(pid, libc::RLIMIT_FSIZE, core::ptr::null(), &mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        limit.rlim_cur = bytes.map_or(limit.rlim_max, |bytes| bytes.min(limit.rlim_max));
        match libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, core::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Asks the kernel for the shallowest idle state as long as the file is open: idle CPUs poll, and wake in microseconds.
///
/// # Errors
/// EACCES without the permission, ENOENT on a host without it.
pub fn hold_cpu_latency() -> io::Result<File> {
    let mut file = File::options().write(true).open("/dev/cpu_dma_latency")?;
    file.write_all(&0_i32.to_ne_bytes())?;
    Ok(file)
}

/// Nice value of this process.
pub fn set_nice(nice: i8) {
    // SAFETY: plain numbers; a refusal leaves the old value.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, libc::c_int::from(nice)) };
}

/// Asks the kernel to kill this process when the thread that started it ends.
pub fn die_with_parent() {
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Makes this process leader of a group of its own, out of the terminal's Ctrl-C. Async-signal-safe.
pub fn own_process_group() {
    // SAFETY: plain numbers.
    unsafe { libc::setpgid(0, 0) };
}

/// Kills every process of a group.
pub fn kill_group(leader: u32) {
    // SAFETY: plain numbers. A group that is gone is what was wanted.
    unsafe { libc::kill(-(leader as libc::pid_t), libc::SIGKILL) };
}

/// A pipe: (read end, write end), both closed on exec.
///
/// # Errors
/// What the system said.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors; both are owned by the answer.
    unsafe {
        if libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// Lets a pipe hold up to so many bytes, or as many of them as this user may have. Async-signal-safe.
pub fn enlarge_pipe(fd: RawFd, bytes: i32) {
    // A user's pipes together have a limit, too: half of what was asked for is better than nothing.
    let mut bytes = bytes;
    // SAFETY: plain numbers.
    while bytes > 0 && unsafe { libc::fcntl(fd, libc::F_SETPIPE_SZ, bytes) } < 0 {
        bytes /= 2;
    }
}

/// From now on reading from this descriptor does not wait.
pub fn never_wait(fd: RawFd) {
    // SAFETY: plain numbers.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

/// Where a process writes when nobody reads any more.
static NOWHERE: core::sync::atomic::AtomicI32 = core::sync::atomic::AtomicI32::new(-1);

/// Read ends of the pipes in which this process's stdout and stderr end.
static EARS: [core::sync::atomic::AtomicI32; 2] =
    [const { core::sync::atomic::AtomicI32::new(-1) }; 2];

/// As soon as the other end of the lifeline pipe is gone, what this process writes to stdout and stderr goes to /dev/null.
///
/// Both are pipes that only the launcher empties; `ears` are their read ends, which never wait, open in this process. Without
/// this, a process that writes much after the launcher has died would fill its pipe, and sleep in `write` for ever instead of
/// switching off and leaving. The kernel tells it by a signal (SIGURG, which means nothing to anybody else); the handler
/// puts /dev/null in the place of both and empties the pipes, so that whoever slept in `write` goes on. The calling thread is
/// the one that is told.
///
/// # Errors
/// What the system said; then everything is as it was.
pub fn fall_silent_when_cut(lifeline_fd: RawFd, ears: [RawFd; 2]) -> io::Result<()> {
    use core::sync::atomic::Ordering;
    use std::os::fd::IntoRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    let nowhere = File::options().write(true).open("/dev/null")?;
    // A description of its own: whom the kernel tells stands in it, and the inherited one is everybody's.
    let lifeline = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{lifeline_fd}"))?;
    let fd = lifeline.as_raw_fd();
    NOWHERE.store(nowhere.into_raw_fd(), Ordering::Release);
    for (place, ear) in EARS.iter().zip(ears) {
        place.store(ear, Ordering::Release);
    }
    // SAFETY: `action` is all zero (no flags, empty mask) before it is filled in; the handler makes only async-signal-safe
    // calls; the owner is a live structure of the shape that F_SETOWN_EX takes.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        let handler: extern "C" fn(libc::c_int) = fall_silent;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        let owner = [F_OWNER_TID, libc::gettid()];
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if libc::sigaction(libc::SIGURG, &action, core::ptr::null_mut()) != 0
            || libc::fcntl(fd, F_SETOWN_EX, owner.as_ptr()) != 0
            || libc::fcntl(fd, F_SETSIG, libc::SIGURG) != 0
            || libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    // It is needed for as long as the process lives.
    let _ = lifeline.into_raw_fd();
    if lifeline_cut(lifeline_fd) {
        fall_silent(libc::SIGURG);
    }
    Ok(())
}

/// Of `fcntl` on Linux; the libc crate does not have them.
const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;
const F_OWNER_TID: libc::c_int = 0;

extern "C" fn fall_silent(_: libc::c_int) {
    use core::sync::atomic::Ordering;
    let nowhere = NOWHERE.load(Ordering::Acquire);
    let mut unread = [0_u8; 4096];
    // SAFETY: plain numbers, and room for what is read. All calls are async-signal-safe, and `errno` is left as it was found.
    // The reads end: whoever writes from now on finds /dev/null, and a pipe holds a megabyte.
    unsafe {
        let errno = *libc::__errno_location();
        libc::dup2(nowhere, libc::STDOUT_FILENO);
        libc::dup2(nowhere, libc::STDERR_FILENO);
        for ear in &EARS {
            let ear = ear.load(Ordering::Acquire);
            while libc::read(ear, unread.as_mut_ptr().cast(), unread.len()) > 0 {}
        }
        *libc::__errno_location() = errno;
    }
}

/// Lets a descriptor live over exec, in the child. Async-signal-safe.
pub fn keep_over_exec(fd: RawFd) {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
}

/// User.
pub fn uid() -> u32 {
    // SAFETY: no arguments.
    unsafe { libc::geteuid() }
}

/// Takes an exclusive lock on a file without waiting. False if somebody holds it.
pub fn try_lock(file: &std::fs::File) -> bool {
    // SAFETY: an open descriptor.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Free bytes of the file system that holds shared memory.
pub fn shm_free_bytes() -> Option<u64> {
    free_bytes(Path::new("/dev/shm"))
}

/// Free bytes of the file system that a folder is on.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: a valid path; an all-zero statvfs is filled in by the call.
    unsafe {
        let mut stat: libc::statvfs = core::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stat) == 0)
            .then(|| stat.f_bavail as u64 * stat.f_frsize as u64)
    }
}
