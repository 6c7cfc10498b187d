//! What a Python stage sees of one activation: the runner's inputs and outputs behind one object that is good until
//! `process` returns.
#![allow(
    unsafe_code,
    reason = "keeps the runner's references while Python code runs"
)]

use crate::header::{self, Header};
use crate::slot::Slot;
use ephapse_engine::stage::{Block, Ctx, Inputs, OutBlock, Outputs};
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

/// The runner's references, without their lifetimes: they are good between `open` and `close`, and nowhere else.
#[derive(Clone, Copy)]
struct Turn {
    /// Absent when the inputs have ended.
    inputs: Option<NonNull<Inputs<'static>>>,
    outputs: NonNull<Outputs<'static>>,
    state: (*const u8, usize),
    append: (*const u8, usize),
}

/// A view lent in an activation, and what its user calls it.
type Lent = (Py<Slot>, String);

/// One activation after the other of a stage in Python. Only the thread that runs the stage may use it.
#[pyclass(unsendable, module = "ephapse._native")]
pub struct Activation {
    input_names: Vec<String>,
    output_names: Vec<String>,
    pacing: Option<usize>,
    turn: Cell<Option<Turn>>,
    tick: Cell<u64>,
    now_ns: Cell<u64>,
    epoch: Cell<u32>,
    off: Cell<bool>,
    /// Per output: a block has been begun and neither committed nor given up.
    begun: RefCell<Vec<bool>>,
    lent: RefCell<Vec<Lent>>,
    /// What the activation before had lent: a plain loop's variables still hold it while the loop waits.
    lent_before: RefCell<Vec<Lent>>,
    /// Why the stage has failed.
    pub failure: RefCell<Option<String>>,
}

impl Activation {
    /// For a stage with these ports.
    pub fn new(input_names: Vec<String>, output_names: Vec<String>, pacing: Option<usize>) -> Self {
        Activation {
            begun: RefCell::new(vec![false; output_names.len()]),
            input_names,
            output_names,
            pacing,
            turn: Cell::new(None),
            tick: Cell::new(0),
            now_ns: Cell::new(0),
            epoch: Cell::new(0),
            off: Cell::new(false),
            lent: RefCell::default(),
            lent_before: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Shows the runner's inputs and outputs until [`Activation::close`], which the caller calls before they go.
    pub fn open(&self, ctx: &mut Ctx<'_>, inputs: Option<&Inputs<'_>>, outputs: &mut Outputs<'_>) {
        let (state, append) = ctx.state.parts_mut();
        self.turn.set(Some(Turn {
            inputs: inputs.map(|inputs| NonNull::from(inputs).cast()),
            outputs: NonNull::from(outputs).cast(),
            state: (state.as_ptr(), state.len()),
            append: (append.as_ptr(), append.len()),
        }));
        self.tick.set(ctx.tick);
        self.now_ns.set(ctx.now_ns);
        self.epoch.set(ctx.epoch);
        self.off.set(ctx.off || ctx.held);
        self.begun.borrow_mut().fill(false);
    }

    /// Lends the state that `reset` writes, until [`Activation::close`].
    pub fn lend_state(&self, py: Python<'_>, state: &mut [u8]) -> PyResult<Py<Slot>> {
        let first = (state.as_mut_ptr().cast_const(), state.len());
        self.lend(py, first, false, "the state given to `reset`".to_owned())
    }

    /// Shows nothing more. Names the views that are still held: of this activation, or with `patient` of the one before.
    pub fn close(&self, py: Python<'_>, patient: bool) -> Vec<String> {
        self.turn.set(None);
        let lent = self.lent.take();
        for (slot, _) in &lent {
            slot.get().close();
        }
        let due = if patient {
            self.lent_before.replace(lent)
        } else {
            lent
        };
        let held = |(slot, _): &Lent| slot.get().loans() > 0;
        if due.iter().any(held) {
            // Perhaps only by a cycle of objects that nobody can reach: an exception that was caught and its frame. If the
            // collector cannot be asked, what it would have freed counts as kept.
            let _ = py.import("gc").and_then(|gc| gc.call_method0("collect"));
        }
        let kept: Vec<Lent> = due.into_iter().filter(held).collect();
        let names = kept.iter().map(|(_, name)| name.clone()).collect();
        self.lent_before.borrow_mut().extend(kept);
        names
    }

    /// Any view of any activation that is still held at the end of the run.
    pub fn still_held(&self) -> Option<String> {
        let before = self.lent_before.borrow();
        let held = before.iter().find(|(slot, _)| slot.get().loans() > 0)?;
        Some(held.1.clone())
    }

    /// The stage has failed; the first reason counts.
    pub fn fail(&self, why: String) {
        self.failure.borrow_mut().get_or_insert(why);
    }

    fn turn(&self) -> PyResult<Turn> {
        self.turn.get().ok_or_else(|| {
            PyRuntimeError::new_err(
                "this activation is over: inputs and outputs are good until `process` returns",
            )
        })
    }

    fn with_outputs<R>(
        &self,
        port: usize,
        act: impl FnOnce(&mut Outputs<'static>) -> R,
    ) -> PyResult<R> {
        let turn = self.turn()?;
        if port >= self.output_names.len() {
            return Err(PyIndexError::new_err(format!("there is no output {port}")));
        }
        // SAFETY: `turn` is set, so the runner's `&mut Outputs` is alive and lent to this object alone (`open`). The object
        // belongs to one thread, and no `act` below calls into Python or back here: the reference is the only one.
        Ok(act(unsafe { &mut *turn.outputs.as_ptr() }))
    }

    /// The same with the block begun on a port.
    fn with_begun<R>(&self, port: usize, act: impl FnOnce(OutBlock<'_>) -> R) -> PyResult<R> {
        if self.begun.borrow().get(port) != Some(&true) {
            return Err(PyRuntimeError::new_err(format!(
                "output {port}: no block has been begun"
            )));
        }
        self.with_outputs(port, |outputs| act(outputs.begun(port)))
    }

    fn inputs(&self) -> PyResult<Option<&Inputs<'static>>> {
        // SAFETY: as in `with_outputs`; the runner's `&Inputs` is alive as long as `turn` is set, which is until Python code
        // has returned: no method holds it longer.
        Ok(self
            .turn()?
            .inputs
            .map(|inputs| unsafe { &*inputs.as_ptr() }))
    }

    fn block(&self, port: usize, index: usize) -> PyResult<Block<'static>> {
        self.inputs()?
            .and_then(|inputs| inputs.all(port).nth(index))
            .ok_or_else(|| PyIndexError::new_err(format!("input {port} has no block {index} now")))
    }

    fn lend(
        &self,
        py: Python<'_>,
        (first, bytes): (*const u8, usize),
        read_only: bool,
        name: String,
    ) -> PyResult<Py<Slot>> {
        // SAFETY: the bytes lie in a ring, a stage segment or an adapter of the runner, which are mapped or allocated until
        // `run_prepared` returns. `close` closes the slot before that, and if it is still lent then, `run` leaves the process
        // without running Python code again (`still_held`). Between the calls into Python the runner touches a slot only
        // by raw pointers or fresh references; a stage that keeps a view meanwhile reads bytes that change, and is ended.
        let slot = Py::new(py, unsafe { Slot::new(first, bytes, read_only) })?;
        self.lent.borrow_mut().push((slot.clone_ref(py), name));
        Ok(slot)
    }
}

#[pymethods]
impl Activation {
    /// Tick.
    #[getter]
    fn tick(&self) -> u64 {
        self.tick.get()
    }

    /// The stage's only clock, ns.
    #[getter]
    fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    /// Parameter epoch.
    #[getter]
    fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    /// Stimulation has been switched off, or is held while a process is dead.
    #[getter]
    fn off(&self) -> bool {
        self.off.get()
    }

    /// Number of the pacing input; `None` in a source.
    #[getter]
    fn pacing(&self) -> Option<usize> {
        self.pacing
    }

    /// Blocks of an input in this activation.
    fn blocks(&self, port: usize) -> PyResult<usize> {
        Ok(self.inputs()?.map_or(0, |inputs| inputs.all(port).count()))
    }

    /// Header of a block of an input.
    fn header(&self, port: usize, index: usize) -> PyResult<Header> {
        Ok(Header(*self.block(port, index)?.header))
    }

    /// Bytes of a block of an input, read-only.
    fn payload(&self, py: Python<'_>, port: usize, index: usize) -> PyResult<Py<Slot>> {
        let payload = self.block(port, index)?.payload;
        let name = format!("inputs.{}", self.input_names[port]);
        self.lend(py, (payload.as_ptr(), payload.len()), true, name)
    }

    /// Begins the next block of an output; its bytes, writable.
    fn begin(&self, py: Python<'_>, port: usize) -> PyResult<Py<Slot>> {
        if self.begun.borrow().get(port) == Some(&true) {
            return Err(PyRuntimeError::new_err(format!(
                "output {port}: a block has been begun already"
            )));
        }
        let first = self.with_outputs(port, |outputs| {
            let mut block = outputs.block(port);
            let payload = block.payload();
            (payload.as_mut_ptr().cast_const(), payload.len())
        })?;
        self.begun.borrow_mut()[port] = true;
        self.lend(
            py,
            first,
            false,
            format!("outputs.{}", self.output_names[port]),
        )
    }

    /// Frames that may be written in the block begun.
    fn room(&self, port: usize) -> PyResult<usize> {
        self.with_begun(port, |block| block.room())
    }

    /// Header of the block begun, as it stands.
    fn begun_header(&self, port: usize) -> PyResult<Header> {
        self.with_begun(port, |mut block| Header(*block.header()))
    }

    /// Sets a field of the header of the block begun.
    fn set(&self, port: usize, field: &str, value: u64) -> PyResult<()> {
        self.with_begun(port, |mut block| header::set(block.header(), field, value))?
    }

    /// Keeps the block begun with `valid` frames.
    fn commit(&self, port: usize, valid: usize) -> PyResult<()> {
        let name = self.output_names.get(port);
        self.with_begun(port, |block| {
            let room = block.room();
            if valid > room {
                return Err(PyValueError::new_err(format!(
                    "outputs.{}: {valid} frames do not fit in a block of {room}",
                    name.map_or("", String::as_str)
                )));
            }
            block.commit(valid);
            Ok(())
        })??;
        self.begun.borrow_mut()[port] = false;
        Ok(())
    }

    /// Gives the block begun up: nothing of it is published.
    fn abort(&self, port: usize) -> PyResult<()> {
        self.with_begun(port, |_| ())?;
        self.begun.borrow_mut()[port] = false;
        Ok(())
    }

    /// Source account: so many more frames were delivered by the device, file or driver.
    fn count_source(&self, port: usize, frames: u64) -> PyResult<()> {
        self.with_outputs(port, |outputs| outputs.count_source(port, frames))
    }

    /// The state that the next activation will find, writable.
    fn state(&self, py: Python<'_>) -> PyResult<Py<Slot>> {
        let state = self.turn()?.state;
        self.lend(py, state, false, "ctx.state".to_owned())
    }

    /// The append-only state, writable.
    fn append(&self, py: Python<'_>) -> PyResult<Py<Slot>> {
        let append = self.turn()?.append;
        self.lend(py, append, false, "ctx.append".to_owned())
    }
}
