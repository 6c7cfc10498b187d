//! The spool: a segment in shared memory in which what is recorded waits for the disk.
//!
//! One end fills it (the recorder's pump thread), one empties it (its writer thread), and either may be killed at any
//! instruction: a successor goes on behind what the accounts say, and nothing is kept twice or missing.
//!
//! ```text
//! 0      SegmentHeader (a)     4096   FillWords    head, intent        12288  OrderWords     the launcher's
//! 128    SpoolGeometry (a)     8192   EmptyWords   taken, two places   16384  SourceAccount  a line for each source
//!                                                                      ...    entries: a byte ring
//! ```
//!
//! \[H\] `head` Release behind an entry's bytes, Acquire before they are read. \[K\] `taken` Release behind the last use of an
//! entry, Acquire before its bytes are written over. Every other store is a Release too: whoever is killed leaves a prefix of
//! its stores, in the order of the program.
//!
//! **What flips.** An entry and the account that counts it become true together: the account as it will be is written into
//! the *intent*, with the `head` at which it holds; then `head` is stored; then the account. Who finds `head` where the
//! intent says so writes the account again from there. The emptying end has its place in the capture in two copies, and
//! `flip` says which holds.

mod account;
mod emptying;
mod entry;
mod filling;
mod layout;
mod place;
#[cfg(test)]
mod tests;
mod view;

pub use account::Account;
pub use emptying::{Emptying, Found};
pub use entry::{ALIGNMENT, Kind, SpoolEntry, Why, stride};
pub use filling::Filling;
pub use layout::{
    ACCOUNTS_AT, EmptyWords, FillWords, ORDERS_AT, OrderWords, SourceAccount, SpoolGeometry,
    create, create_anonymous,
};
pub use place::Place;
pub use view::SpoolView;
