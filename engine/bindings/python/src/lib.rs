//! The native half of the Python package `ephapse`: what touches shared memory. Everything that only arranges it for
//! numpy stands in `ephapse/*.py`, and there is its documentation.
//!
//! A view of a slot is a `Slot`: it lends the bytes through the buffer protocol and counts who has them, so that a
//! view kept too long is found and named.
#![warn(missing_docs)]

mod activation;
mod capture;
mod header;
mod observer;
mod ring;
mod session;
mod slot;
mod stage;

use pyo3::prelude::*;

pyo3::create_exception!(
    ephapse,
    EphapseError,
    pyo3::exceptions::PyRuntimeError,
    "What went wrong, where, why, and what to do, in one line."
);

/// Any error of the engine, in its own words.
fn refused(error: impl std::fmt::Display) -> PyErr {
    EphapseError::new_err(error.to_string())
}

/// Native half of the package `ephapse`.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("EphapseError", module.py().get_type::<EphapseError>())?;
    module.add("DESCRIBE", ephapse_engine::stage::DESCRIBE_ARGUMENT)?;
    module.add_class::<activation::Activation>()?;
    module.add_class::<capture::CaptureFile>()?;
    module.add_class::<capture::CapturedBlocks>()?;
    module.add_class::<header::Header>()?;
    module.add_class::<observer::Observer>()?;
    module.add_class::<ring::OneRingSession>()?;
    module.add_class::<ring::RingProducer>()?;
    module.add_class::<ring::RingReader>()?;
    module.add_class::<slot::Slot>()?;
    module.add_function(wrap_pyfunction!(capture::capture_of, module)?)?;
    module.add_function(wrap_pyfunction!(session::sessions, module)?)?;
    module.add_function(wrap_pyfunction!(stage::answer, module)?)?;
    module.add_function(wrap_pyfunction!(stage::run, module)?)?;
    Ok(())
}
