//! An anonymous reader of a ring.

use crate::header::Header;
use crate::refused;
use ephapse_engine::abi::segment;
use ephapse_engine::launch::segment_name;
use ephapse_engine::ring;
use ephapse_engine::shm::{Access, Segment};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

/// Reads a ring without a seat: holds nothing back, is in no account, copies and checks that nobody overwrote meanwhile.
#[pyclass(frozen, module = "ephapse._native")]
pub struct Observer(ring::Observer);

#[pymethods]
impl Observer {
    /// Attaches to a stream of a session.
    #[new]
    fn new(session: &str, stream: &str) -> PyResult<Self> {
        let name = segment_name(session, stream);
        let segment = Segment::open(&name, segment::RING, Access::ReadOnly).map_err(refused)?;
        ring::Observer::attach(&segment)
            .map(Observer)
            .map_err(refused)
    }

    /// The stream's type, as JSON.
    #[getter]
    fn type_json(&self) -> PyResult<String> {
        type_json(self.0.stream_type())
    }

    /// Next position to be published.
    #[getter]
    fn published(&self) -> u64 {
        self.0.published()
    }

    /// Oldest position that may still be read.
    #[getter]
    fn oldest(&self) -> u64 {
        self.0.oldest()
    }

    /// Position at which the stream ends; `None` while it is open.
    #[getter]
    fn end(&self) -> Option<u64> {
        self.0.end()
    }

    /// Header and bytes of the block at a position; `None` if it is not there yet, or not any more.
    fn copy<'py>(
        &self,
        py: Python<'py>,
        position: u64,
    ) -> PyResult<Option<(Header, Bound<'py, PyByteArray>)>> {
        let stream_type = self.0.stream_type();
        let mut found = None;
        let bytes = PyByteArray::new_with(py, stream_type.block_bytes(), |payload| {
            found = self.0.copy(position, payload);
            Ok(())
        })?;
        let Some(header) = found else {
            return Ok(None);
        };
        bytes.resize(header.valid as usize * stream_type.row_bytes())?;
        Ok(Some((Header(header), bytes)))
    }
}

/// A type as JSON.
pub fn type_json(stream_type: &ephapse_rtconfig::stream_type::StreamType) -> PyResult<String> {
    serde_json::to_string(stream_type).map_err(|e| PyValueError::new_err(e.to_string()))
}
