//! The one door through which atomics enter the engine, so that a model checker can be switched in: with `--cfg loom` they
//! are `modelled`'s, which the same code uses without knowing.
#![allow(
    unsafe_code,
    reason = "a locked instruction as a fence, and words at any address"
)]

#[cfg(loom)]
pub mod modelled;

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{Ordering, fence};
#[cfg(loom)]
pub use modelled::{AtomicU32, AtomicU64};

/// The fence between a store to one's own word and the load of another's: `fence(SeqCst)`, but on x86-64 as a locked
/// instruction. That orders stores before later loads as `mfence` does, which the compiler would take, and takes less time
/// (a producer pays for it with every block).
#[inline]
pub fn store_load_fence() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: adds zero to the word at the top of the stack, which is this thread's own; the default clobbers keep the
    // compiler from moving memory accesses over it.
    unsafe {
        core::arch::asm!("lock or dword ptr [rsp], 0");
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}
