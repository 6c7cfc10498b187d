//! The one door through which atomics enter the engine, so that a model checker can be switched in.

pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
