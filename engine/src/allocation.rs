//! Counts heap allocations, so that "no allocation after start" is a figure and not a promise.
#![allow(unsafe_code, reason = "implements GlobalAlloc")]

use crate::sync::{AtomicU64, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting. Executables of stages declare it their `#[global_allocator]`.
pub struct CountingAllocator;

// SAFETY: every call goes to `System` unchanged, which upholds the contract.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's obligations are System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are System's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's obligations are System's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Allocations of this process so far; always 0 where [`CountingAllocator`] is not the allocator.
pub fn count() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}
