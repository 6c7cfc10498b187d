//! Captures as they are read.

use crate::header::Header;
use crate::observer::type_json;
use crate::refused;
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{self, Blocks, Item, Recorded};
use ephapse_engine::launch;
use ephapse_engine::text;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Mutex;

/// A record is appended at most so long after its blocks were committed.
const LATEST_NS: u64 = 30_000_000_000;

/// Header and rows of a block.
type Block<'py> = (Header, Bound<'py, PyBytes>);

/// A capture, open.
#[pyclass(frozen, module = "ephapse._native")]
pub struct CaptureFile(capture::Capture);

impl CaptureFile {
    fn number(&self, stream: &str) -> PyResult<u32> {
        let number = self.0.meta().stream(stream);
        number.ok_or_else(|| PyKeyError::new_err(stream.to_owned()))
    }
}

#[pymethods]
impl CaptureFile {
    /// Opens a capture by any of its files.
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        capture::Capture::open(&path)
            .map(CaptureFile)
            .map_err(refused)
    }

    /// The first file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Recorded streams, in the order of the graph.
    #[getter]
    fn streams(&self) -> Vec<String> {
        let meta = self.0.meta();
        let names = meta.streams.iter().map(|s| meta.stream_name(*s).to_owned());
        names.collect()
    }

    /// What was recorded, as JSON.
    #[getter]
    fn meta_json(&self) -> PyResult<String> {
        serde_json::to_string(self.0.meta()).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// A stream's type, as JSON.
    fn type_json(&self, stream: &str) -> PyResult<String> {
        let number = self.number(stream)?;
        let stream_type = self.0.meta().stream_type(number);
        type_json(stream_type.ok_or_else(|| PyKeyError::new_err(stream.to_owned()))?)
    }

    /// What there is of each stream, as JSON; reads the capture once.
    fn summary_json(&self, py: Python<'_>) -> PyResult<String> {
        let summary = py.detach(|| self.0.summary()).map_err(refused)?;
        serde_json::to_string(&summary).map_err(|e| PyValueError::new_err(e.to_string()))
    }

    /// Events, remarks and gaps, as JSON.
    fn notes_json(&self, py: Python<'_>) -> PyResult<String> {
        let notes = py.detach(|| {
            let (mut events, mut marks, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
            let mut cursor = self.0.items()?;
            let about = [kind::EVENTS, kind::GAP];
            while let Some(item) = cursor.next_item_of(|h| about.contains(&h.kind))? {
                match item {
                    Item::Event(e) => events.push(json!({
                        "at_ns": e.at_ns, "tick": e.tick, "who": text::of(&e.who), "what": text::of(&e.what),
                    })),
                    Item::Mark(note) => marks.push(note),
                    Item::Gap(note) => gaps.push(note),
                    _ => {}
                }
            }
            Ok::<_, capture::CaptureError>(json!({ "events": events, "marks": marks, "gaps": gaps }))
        });
        Ok(notes.map_err(refused)?.to_string())
    }

    /// Position behind the newest block of a stream, and that block's header; reads headers only.
    fn newest(&self, py: Python<'_>, stream: &str) -> PyResult<Option<Header>> {
        let number = self.number(stream)?;
        let newest = py.detach(|| {
            let (mut cursor, mut newest) = (self.0.items()?, None);
            while let Some((_, headers)) = cursor.next_headers(number)? {
                newest = headers.last().copied().or(newest);
            }
            Ok::<_, capture::CaptureError>(newest)
        });
        Ok(newest.map_err(refused)?.map(Header))
    }

    /// Blocks of a stream that were committed at `since_ns` or later and stand before `until`, in order.
    fn recent<'py>(
        &self,
        py: Python<'py>,
        stream: &str,
        since_ns: u64,
        until: u64,
    ) -> PyResult<Vec<Block<'py>>> {
        let number = self.number(stream)?;
        let paced = self.0.meta().plan.timer.is_some();
        let found = py.detach(|| {
            let mut cursor = self.0.items()?;
            // In logical time commits say nothing of when a record was appended.
            if paced {
                cursor.pass_until(since_ns.saturating_sub(LATEST_NS))?;
            }
            let (mut found, mut next) = (Vec::new(), 0);
            let wanted =
                |h: &capture::layout::RecordHeader| h.kind == kind::BLOCKS && h.source == number;
            while let Some(item) = cursor.next_item_of(wanted)? {
                if let Item::Block {
                    header, payload, ..
                } = item
                {
                    if header.position >= until {
                        break;
                    }
                    if header.position >= next && header.committed_ns >= since_ns {
                        next = header.position + 1;
                        found.push((header, payload));
                    }
                }
            }
            Ok::<_, capture::CaptureError>(found)
        });
        let found = found.map_err(refused)?.into_iter();
        Ok(found
            .map(|(header, payload)| (Header(header), PyBytes::new(py, &payload)))
            .collect())
    }

    /// The blocks of a stream, one after the other.
    fn blocks(&self, stream: &str) -> PyResult<CapturedBlocks> {
        let blocks = self.0.blocks(self.number(stream)?).map_err(refused)?;
        Ok(CapturedBlocks(Mutex::new(blocks)))
    }
}

/// Walks through the blocks of a stream.
#[pyclass(frozen, module = "ephapse._native")]
pub struct CapturedBlocks(Mutex<Blocks>);

#[pymethods]
impl CapturedBlocks {
    /// Header and rows of the next block, or `None` and how many are missing there; `None` at the end, for now.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<(Option<Block<'py>>, u64)>> {
        let found = py.detach(|| self.0.lock().ok().and_then(|mut blocks| blocks.next()));
        Ok(match found.transpose().map_err(refused)? {
            None => None,
            Some(Recorded::Block(header, payload)) => {
                Some((Some((Header(header), PyBytes::new(py, &payload))), 0))
            }
            Some(Recorded::Missing { count, .. }) => Some((None, count)),
        })
    }
}

/// What a running session is being recorded to; `None` if it is not.
#[pyfunction]
pub fn capture_of(session: &str) -> PyResult<Option<PathBuf>> {
    let found = launch::sessions().map_err(refused)?;
    let session = found.iter().find(|f| f.record.session == session);
    Ok(session.and_then(|f| capture::of_session(&f.record)))
}
