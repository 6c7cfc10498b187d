//! Who may run beside whom: tests of one program share two CPUs.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static CPUS: RwLock<()> = RwLock::new(());

/// For a paced session: nothing else runs meanwhile. A test that failed has left its lock in order.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    CPUS.write().unwrap_or_else(PoisonError::into_inner)
}

/// For sessions in logical time and commands that start none: they may run beside each other.
pub fn shared() -> RwLockReadGuard<'static, ()> {
    CPUS.read().unwrap_or_else(PoisonError::into_inner)
}
