//! Bytes of a slot, lent through Python's buffer protocol and counted.
#![allow(unsafe_code, reason = "the buffer protocol hands out raw memory")]

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes of one block (or of a stage's state) for as long as they may be looked at. A numpy array on them, and every slice
/// of it, counts as one loan until it is gone.
#[pyclass(frozen, module = "ephapse._native")]
pub struct Slot {
    address: usize,
    bytes: usize,
    read_only: bool,
    open: AtomicBool,
    loans: AtomicUsize,
}

impl Slot {
    /// Lends `bytes` bytes at `first`.
    ///
    /// # Safety
    /// They stay mapped (writable, unless `read_only`) until [`Slot::close`] and as long as [`Slot::loans`] is not 0, or no
    /// Python code runs any more; and no Rust reference to them is used meanwhile.
    pub unsafe fn new(first: *const u8, bytes: usize, read_only: bool) -> Self {
        Slot {
            address: first as usize,
            bytes,
            read_only,
            open: AtomicBool::new(true),
            loans: AtomicUsize::new(0),
        }
    }

    /// Lends nothing more.
    pub fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Arrays that still look at the bytes.
    pub fn loans(&self) -> usize {
        self.loans.load(Ordering::Relaxed)
    }
}

#[pymethods]
impl Slot {
    fn __len__(&self) -> usize {
        self.bytes
    }

    /// Address of the first byte in this process: what `array.__array_interface__["data"][0]` must say of a view.
    #[getter]
    fn address(&self) -> usize {
        self.address
    }

    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let slot = slf.get();
        if !slot.open.load(Ordering::Relaxed) {
            return Err(PyBufferError::new_err(
                "this block is over: look at it before `process` returns, or copy it",
            ));
        }
        // SAFETY: `view` is the interpreter's to fill. The bytes are those given to `new`, whose caller keeps them mapped while
        // the slot is open or lent; to a read-only slot this function itself refuses writers.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                slot.address as *mut std::ffi::c_void,
                slot.bytes as ffi::Py_ssize_t,
                c_int::from(slot.read_only),
                flags,
            )
        };
        if filled != 0 {
            return Err(PyErr::fetch(slf.py()));
        }
        slot.loans.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.loans.fetch_sub(1, Ordering::Relaxed);
    }
}
