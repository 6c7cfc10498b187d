//! Observers: they copy out, hold nothing back, and are in no account.

use crate::header::Header;
use crate::outcome::{EPHAPSE_NOTHING, EPHAPSE_OK, Failure, Outcome, guarded};
use crate::ring::{Ring, hand_over, handle, take_back};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::ring::Observer as EngineObserver;
use std::ffi::c_void;

/// An anonymous reader of a ring: any number of them, at any time.
pub struct Observer {
    inner: EngineObserver,
    block_bytes: usize,
}

/// Begins to observe `ring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_observer_open(
    ring: *mut Ring,
    observer: *mut *mut Observer,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let ring = unsafe { handle(ring, "ring") }?;
        let made = Observer {
            inner: EngineObserver::attach(&ring.segment)?,
            block_bytes: ring.stream_type.block_bytes(),
        };
        // SAFETY: as above.
        unsafe { hand_over(made, observer) }
    })
}

/// Next position to be published: the newest block stands one before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_observer_published(observer: *const Observer) -> u64 {
    // SAFETY: C's obligation (head of the header).
    unsafe { observer.as_ref() }.map_or(0, |observer| observer.inner.published())
}

/// Oldest position that can still be copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_observer_oldest(observer: *const Observer) -> u64 {
    // SAFETY: C's obligation (head of the header).
    unsafe { observer.as_ref() }.map_or(0, |observer| observer.inner.oldest())
}

/// Copies the block at `position` into `header` and `data`, which has room for `bytes`: a full block
/// (`frames_per_block * row_bytes`) must fit. `EPHAPSE_NOTHING` if it is not there yet, or was overwritten before or while it was
/// copied: `data` then holds nothing of use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_observer_copy(
    observer: *mut Observer,
    position: u64,
    header: *mut Header,
    data: *mut c_void,
    bytes: usize,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let observer = unsafe { handle(observer, "observer") }?;
        if header.is_null() || data.is_null() || bytes < observer.block_bytes {
            return Err(Failure::argument(format!(
                "ephapse_observer_copy: {bytes} bytes at {data:p}, header at {header:p}: a block has {} bytes",
                observer.block_bytes
            )));
        }
        // SAFETY: not null, and C says that so many bytes can be written there.
        let payload = unsafe { std::slice::from_raw_parts_mut(data.cast::<u8>(), bytes) };
        Ok(match observer.inner.copy(position, payload) {
            Some(copied) => {
                // SAFETY: not null, and C says that it can be written; the layouts are the same.
                unsafe { header.cast::<SlotHeader>().write(copied) };
                EPHAPSE_OK
            }
            None => EPHAPSE_NOTHING,
        })
    })
}

/// Ends it. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_observer_close(observer: *mut Observer) {
    // SAFETY: C's obligation (head of the header): a handle, closed once.
    drop(unsafe { take_back(observer) });
}
