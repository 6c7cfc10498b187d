//! Places where the kill tests end a process: between any two stores to a ring that another process can see
//! (`tests/kills.rs`) or to the spool (`tests/spool_kills.rs`, `recorder` of the command line), and between any two steps of the
//! launcher that outlive it (`launcher_kills` there).
//!
//! Only in builds with debug assertions; in others a trap is nothing.
#![cfg_attr(debug_assertions, allow(unsafe_code, reason = "kills its own process"))]

/// Where a process can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Point {
    /// Mapped, not yet the owner.
    Attach = 1,
    /// The owner, positions not yet read.
    Attached,
    /// A slot is claimed, nothing written.
    Claim,
    /// A slot is half written: in the kill tests' own stages.
    Write,
    /// Blocks are written, not published.
    Commit,
    /// Blocks are published, nobody has been told.
    Committed,
    /// The reason of an end is stored, the end is not.
    End,
    /// A block is about to be shown.
    Peek,
    /// Blocks are read, not released.
    Release,
    /// Blocks are released, nobody has been told.
    Released,
    /// The waiting flag is up.
    Wait,

    /// The session file is there, empty and not locked.
    SessionFile,
    /// The session file is locked; nothing else of the session is there.
    Locked,
    /// A segment has its name, and nothing in it.
    Segment,
    /// A segment is whole.
    Published,
    /// A process's stage file is written, the process is not there.
    StageFile,
    /// A process runs and is not in the session file.
    Spawned,
    /// The session file's successor is written, the old one stands in its place.
    Record,
    /// The session file says who belongs to the session.
    Recorded,
    /// Nobody is ready yet.
    Preparing,
    /// Everybody is ready.
    Ready,
    /// The control socket listens under a name that nobody looks for.
    Unheard,
    /// The control socket can be found.
    Listening,
    /// A stand-in runs and is not in the session file.
    Parked,
    /// The start is decided and not told.
    Start,
    /// The start is told.
    Started,
    /// A turn of the launcher begins, running or draining.
    Turn,
    /// A process is seen dead and reaped, nothing done about it.
    Death,
    /// The roles of a dead process are free.
    Freed,
    /// The generation of its successor is told, the successor not there.
    Generation,
    /// Its successor runs and is not in the session file.
    Restarted,
    /// The sources are told to end, the session still says that it runs.
    Stop,
    /// Draining.
    Draining,
    /// The stop tick is told.
    StopTick,
    /// Every process has left.
    Exited,
    /// The state says how it ended, the accounts are not drawn up.
    Closed,
    /// A segment is about to lose its name.
    Unlink,
    /// The folder of the session is gone, its file is not.
    Folder,

    /// An entry is in the spool, nothing says so.
    Entry,
    /// The last intent is void, the next not written.
    Void,
    /// The next intent is written, and not when it holds.
    Intent,
    /// The intent says when it holds, the head is not there.
    Meant,
    /// The head is there, the account is not.
    Head,
    /// The account is there too.
    Account,
    /// The writer's next place is written and does not yet hold.
    Place,
    /// It holds, and what it has taken is not free yet.
    Flipped,
    /// The capture has a record that the place does not know.
    Appended,
}

#[cfg(debug_assertions)]
#[cfg(debug_assertions)]
pub use armed::{LAUNCHER, RING, SPOOL, VARIABLE, arm, arm_as_told, trap};

#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) const fn trap(_: Point) {}

/// Nothing in this build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn arm_as_told() {}

#[cfg(debug_assertions)]
mod armed {
    use super::Point;
    use core::sync::atomic::{AtomicU32, Ordering};

    /// Those of a ring's ends.
    pub const RING: [Point; 11] = [
        Point::Attach,
        Point::Attached,
        Point::Claim,
        Point::Write,
        Point::Commit,
        Point::Committed,
        Point::End,
        Point::Peek,
        Point::Release,
        Point::Released,
        Point::Wait,
    ];

    /// Those of the launcher, in the order in which it comes to them.
    pub const LAUNCHER: [Point; 27] = [
        Point::SessionFile,
        Point::Locked,
        Point::Segment,
        Point::Published,
        Point::StageFile,
        Point::Spawned,
        Point::Record,
        Point::Recorded,
        Point::Preparing,
        Point::Ready,
        Point::Unheard,
        Point::Listening,
        Point::Parked,
        Point::Start,
        Point::Started,
        Point::Turn,
        Point::Death,
        Point::Freed,
        Point::Generation,
        Point::Restarted,
        Point::Stop,
        Point::Draining,
        Point::StopTick,
        Point::Exited,
        Point::Closed,
        Point::Unlink,
        Point::Folder,
    ];

    /// Those of the spool's two ends.
    pub const SPOOL: [Point; 9] = [
        Point::Entry,
        Point::Void,
        Point::Intent,
        Point::Meant,
        Point::Head,
        Point::Account,
        Point::Place,
        Point::Flipped,
        Point::Appended,
    ];

    /// Tells a launcher, or its recorder, where it dies: `POINT:PASS`.
    pub const VARIABLE: &str = "EPHAPSE_TRAP";

    static ARMED: AtomicU32 = AtomicU32::new(0);
    static LEFT: AtomicU32 = AtomicU32::new(0);

    /// This process dies when it comes to `point` for the `pass`-th time from now on.
    pub fn arm(point: Point, pass: u32) {
        LEFT.store(pass, Ordering::Relaxed);
        ARMED.store(point as u32, Ordering::Relaxed);
    }

    /// Arms what [`VARIABLE`] names: launcher and recorder are other programs than the test that kills them.
    ///
    /// # Panics
    /// The variable names nothing: a test that kills nobody would prove nothing.
    pub fn arm_as_told() {
        let Ok(told) = std::env::var(VARIABLE) else {
            return;
        };
        let found = told.split_once(':').and_then(|(point, pass)| {
            let point = LAUNCHER
                .iter()
                .chain(&SPOOL)
                .find(|p| format!("{p:?}") == point)?;
            Some((*point, pass.parse().ok()?))
        });
        let Some((point, pass)) = found else {
            panic!(
                "{VARIABLE}={told} names no trap: say POINT:PASS, one of {LAUNCHER:?} or {SPOOL:?}"
            );
        };
        arm(point, pass);
    }

    /// Dies here if this is the point and the pass.
    #[inline]
    pub fn trap(point: Point) {
        if ARMED.load(Ordering::Relaxed) == point as u32
            && LEFT.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // SAFETY: plain system calls; the process does not outlive the first.
            unsafe {
                libc::kill(libc::getpid(), libc::SIGKILL);
                libc::pause();
            }
        }
    }
}
