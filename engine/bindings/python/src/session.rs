//! Sessions by their files.

use crate::refused;
use ephapse_engine::abi::{PAGE, SessionWords, TimerWords, segment, session_state};
use ephapse_engine::launch::{self, segment_name};
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::sync::Ordering;
use pyo3::prelude::*;

/// Name, state and newest tick, launcher's pid, launcher lives, streams.
type Found = (String, Option<(&'static str, u64)>, u32, bool, Vec<String>);

/// All sessions of this user.
#[pyfunction]
pub fn sessions() -> PyResult<Vec<Found>> {
    let found = launch::sessions().map_err(refused)?;
    let row = |f: launch::Found| {
        let launcher = f.record.processes.first().map_or(0, |p| p.pid);
        let state = state_of(&f.record.session);
        (
            f.record.session,
            state,
            launcher,
            f.running,
            f.record.streams,
        )
    };
    Ok(found.into_iter().map(row).collect())
}

/// State and newest tick, from the session's segment; `None` while that is being made, or once it is gone.
fn state_of(session: &str) -> Option<(&'static str, u64)> {
    let name = segment_name(session, "session");
    let segment = Segment::open(&name, segment::SESSION, Access::ReadOnly).ok()?;
    let page = |at| segment.map(at, PAGE, Access::ReadOnly).ok();
    let state = page(PAGE)?
        .words::<SessionWords>(0)
        .state
        .load(Ordering::Acquire);
    let tick = page(2 * PAGE)?
        .words::<TimerWords>(0)
        .tick
        .load(Ordering::Acquire);
    Some((session_state::NAMES.get(state as usize).copied()?, tick))
}
