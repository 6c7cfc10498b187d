//! Places where the kill tests end their process (`tests/kills.rs`): between any two stores that another process can see.
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
}

#[cfg(debug_assertions)]
pub use armed::{POINTS, arm, trap};

#[cfg(not(debug_assertions))]
#[inline(always)]
pub(super) const fn trap(_: Point) {}

#[cfg(debug_assertions)]
mod armed {
    use super::Point;
    use core::sync::atomic::{AtomicU32, Ordering};

    /// All of them.
    pub const POINTS: [Point; 11] = [
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

    static ARMED: AtomicU32 = AtomicU32::new(0);
    static LEFT: AtomicU32 = AtomicU32::new(0);

    /// This process dies when it comes to `point` for the `pass`-th time from now on.
    pub fn arm(point: Point, pass: u32) {
        LEFT.store(pass, Ordering::Relaxed);
        ARMED.store(point as u32, Ordering::Relaxed);
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
