//! The events segment: entries that outlive whoever they tell of.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One entry of the events segment, 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EventEntry {
    /// 1-based number; written last.
    pub number: u64,
    /// CLOCK_MONOTONIC, ns.
    pub at_ns: u64,
    /// Tick.
    pub tick: u64,
    /// Stage, or `session`.
    pub who: [u8; 40],
    /// What happened.
    pub what: [u8; 192],
}

const _: () = {
    assert!(size_of::<EventEntry>() == 256);
};
