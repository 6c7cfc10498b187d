//! The header of a block, as Python sees it.

use ephapse_engine::abi::SlotHeader;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;

/// A copy of a block's header.
#[pyclass(frozen, module = "ephapse")]
#[derive(Clone, Copy)]
pub struct Header(pub SlotHeader);

/// Getters with their documentation, one per field.
macro_rules! fields {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty),* $(,)?) => {
        #[pymethods]
        impl Header {
            $($(#[doc = $doc])* #[getter] fn $name(&self) -> $type { self.0.$name })*

            fn __repr__(&self) -> String {
                let h = &self.0;
                format!(
                    "Header(position={}, first_frame={}, valid={}, lost={}, flags={})",
                    h.position, h.first_frame, h.valid, h.lost, h.flags
                )
            }
        }
    };
}

fields! {
    /// Position of the block in its ring, from 0.
    position: u64,
    /// Tick in which it was made (logical tick in an unpaced run; 0 for a source that knows none).
    tick: u64,
    /// Frames (records) of this stream before the block, lost ones included.
    first_frame: u64,
    /// Stream, by its number in the graph, of the pacing source.
    origin_stream: u32,
    /// Bits: `ephapse.GAP`, `LATE`, `SYNTHETIC`, `RESET`, `REPLAY`, and two bits of clock quality.
    flags: u32,
    /// Oldest frame of the pacing source that has contributed.
    origin_first: u64,
    /// Newest frame of the pacing source that has contributed.
    origin_frame: u64,
    /// Position after which the maker stood on its pacing input; the tick, for a source.
    cause: u64,
    /// Number of this block among those of the same cause, from 0.
    part: u16,
    /// Blocks published for this cause.
    parts: u16,
    /// Valid frames (records, bytes) in the block.
    valid: u32,
    /// Frames lost before the block.
    lost: u64,
    /// Frames from the block's start that do not yet mean what they should.
    settling: u32,
    /// Parameter epoch of the maker.
    epoch: u32,
    /// When the last frame was taken, CLOCK_MONOTONIC ns.
    sampled_ns: u64,
    /// When the host had it, ns.
    arrived_ns: u64,
    /// When the maker committed it, ns.
    committed_ns: u64,
    /// For the maker's own use.
    user: u64,
}

/// Sets a field that a stage may change.
pub fn set(header: &mut SlotHeader, name: &str, value: u64) -> PyResult<()> {
    let narrow = || {
        u32::try_from(value).map_err(|_| {
            pyo3::exceptions::PyOverflowError::new_err(format!(
                "{name}: {value} needs more than 32 bits"
            ))
        })
    };
    match name {
        "first_frame" => header.first_frame = value,
        "flags" => header.flags = narrow()?,
        "origin_first" => header.origin_first = value,
        "origin_frame" => header.origin_frame = value,
        "lost" => header.lost = value,
        "settling" => header.settling = narrow()?,
        "sampled_ns" => header.sampled_ns = value,
        "arrived_ns" => header.arrived_ns = value,
        "user" => header.user = value,
        _ => {
            return Err(PyAttributeError::new_err(format!(
                "`{name}` of a header is not a stage's to set"
            )));
        }
    }
    Ok(())
}
