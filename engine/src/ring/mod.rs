//! The ring: fixed-size lock-free queue of slots in shared memory, one producer, one cursor per seat.
//!
//! Verbs: `claim -> commit` ([`Producer`]), `peek -> release` ([`HoldSeat`]), copy and validate ([`LapSeat`], [`Observer`]).
//!
//! Orderings come in named pairs. \[P\] `published` Release by the producer, Acquire by readers. \[R\] a seat's `position`
//! Release by its owner, Acquire by the producer. \[E\] `end` Release, Acquire. \[W\] waiting flag and position: each side
//! stores its own word, SeqCst fence, loads the other's. \[L\] the producer's fence before it overwrites, the lap reader's
//! fence before it looks at `published` again.

mod credit;
mod geometry;
mod hold;
mod lap;
mod producer;
mod type_block;
mod view;

pub use credit::room_behind;
pub use geometry::{RingSpec, SeatSpec, SlotLayout};
pub use hold::{HoldSeat, Peeked};
pub use lap::{LapSeat, Observer};
pub use producer::Producer;
pub use view::{End, Owner, RingView, SeatNow};

use crate::shm::{Segment, ShmError};
use crate::sync::AtomicU32;
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// Sleeps on a bell until it no longer holds `seen`, something rings it, or `timeout` has passed. A return says nothing:
/// the caller looks at the positions again.
pub(crate) fn sleep_on(bell: &AtomicU32, seen: u32, timeout: Duration) {
    crate::os::futex_wait(bell, seen, timeout);
}

/// How long a sleepless end naps before it looks again.
const NAP: Duration = Duration::from_micros(100);

/// For ends declared sleepless, which nobody rings: naps until `ready` or `timeout`.
pub(crate) fn nap_until(timeout: Duration, mut ready: impl FnMut() -> bool) {
    let until_ns = crate::os::monotonic_ns().saturating_add(timeout.as_nanos() as u64);
    while !ready() && crate::os::monotonic_ns() < until_ns {
        std::thread::sleep(NAP);
    }
}

/// Refuses a ring whose stream is not of the expected type.
fn expect_type(
    segment: &Segment,
    found: &StreamType,
    expected: &StreamType,
) -> Result<(), ShmError> {
    if found == expected {
        return Ok(());
    }
    Err(ShmError::refused(
        segment.name(),
        format!(
            "carries {}, expected {} (made by pid {})",
            found.summary(),
            expected.summary(),
            segment.header().launcher_pid
        ),
    ))
}
