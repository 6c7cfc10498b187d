//! A stage whose `process` is Python: the runner waits without the interpreter's lock and takes it for the call.

use crate::activation::Activation;
use crate::refused;
use ephapse_engine::abi::{PAGE, StageWords, segment, stage_state};
use ephapse_engine::runner::file::{Duty, StageDuty, StageFile};
use ephapse_engine::runner::{ProcessError, run_prepared};
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::stage::{Ctx, Inputs, Next, Outputs, Prepared, StageError};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::describe::Described;
use ephapse_rtconfig::stream_type::{Kind, StreamType};
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::Value;
use std::io::Write;

/// What a Python stage's `process` came to, as the package's `stage.py` says it.
#[derive(FromPyObject)]
enum Said {
    Number(u8),
    Stop(String),
}

struct PythonStage {
    /// The package's `_Runtime` around the user's stage.
    runtime: Py<PyAny>,
    activation: Py<Activation>,
    /// It is a plain loop: its variables hold the views of an activation until the next.
    patient: bool,
}

impl PythonStage {
    /// Ends the stage: the traceback goes to stderr, its last line to the launcher.
    fn fail(&self, py: Python<'_>, error: &PyErr) -> String {
        error.display(py);
        let why = last_line(py, error);
        self.activation.borrow(py).fail(why.clone());
        why
    }

    /// Calls into Python with inputs and outputs shown; what it said, or why it failed.
    fn call(
        &self,
        py: Python<'_>,
        method: &str,
        ctx: &mut Ctx<'_>,
        inputs: Option<&Inputs<'_>>,
        outputs: &mut Outputs<'_>,
    ) -> Result<Said, String> {
        let activation = self.activation.borrow(py);
        activation.open(ctx, inputs, outputs);
        let said = self
            .runtime
            .call_method0(py, method)
            .and_then(|said| said.extract::<Said>(py));
        let said = said.map_err(|error| self.fail(py, &error));
        let kept = activation.close(py, self.patient);
        let said = said?;
        match kept.first() {
            None => Ok(said),
            Some(name) => {
                let why = kept_view(name);
                eprintln!("{why}");
                activation.fail(why.clone());
                Err(why)
            }
        }
    }
}

fn kept_view(name: &str) -> String {
    format!(
        "a view of a block was kept: copy it ({name} is good until the activation is over, `.copy()` for ever)"
    )
}

impl Prepared for PythonStage {
    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &Inputs<'_>,
        outputs: &mut Outputs<'_>,
    ) -> Next {
        let said = Python::attach(|py| {
            let failed = self.activation.borrow(py).failure.borrow().clone();
            // A `reset` or `finish` that failed could not say so itself.
            failed.map_or_else(|| self.call(py, "process", ctx, Some(inputs), outputs), Err)
        });
        match said {
            Ok(Said::Number(0)) => Next::Continue,
            Ok(Said::Number(1)) => Next::Again,
            Ok(Said::Number(_)) => Next::Done,
            // A stage stops once: the text is needed until the process ends.
            Ok(Said::Stop(why)) | Err(why) => Next::Stop(why.leak()),
        }
    }

    fn reset(&mut self, state: &mut [u8]) {
        Python::attach(|py| {
            let activation = self.activation.borrow(py);
            let done = activation
                .lend_state(py, state)
                .and_then(|slot| self.runtime.call_method1(py, "reset", (slot,)));
            let kept = activation.close(py, false);
            if let Err(error) = done {
                self.fail(py, &error);
            } else if let Some(name) = kept.first() {
                eprintln!("{}", kept_view(name));
                activation.fail(kept_view(name));
            }
        });
    }

    fn tune(&mut self, params: &Value) -> Result<(), String> {
        Python::attach(|py| {
            let tuned = self.runtime.call_method1(py, "tune", (params.to_string(),));
            tuned.map(|_| ()).map_err(|error| last_line(py, &error))
        })
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>, outputs: &mut Outputs<'_>) {
        // What it failed with is left for the end of the run.
        let _ = Python::attach(|py| self.call(py, "finish", ctx, None, outputs));
    }
}

impl Drop for PythonStage {
    fn drop(&mut self) {
        // Before the rings are unmapped: a plain loop's variables go with it.
        Python::attach(|py| {
            if let Err(error) = self.runtime.call_method0(py, "close") {
                self.fail(py, &error);
            }
        });
    }
}

/// The traceback's last line: `ValueError: ...`.
fn last_line(py: Python<'_>, error: &PyErr) -> String {
    let lines = py
        .import("traceback")
        .and_then(|t| t.call_method1("format_exception_only", (error.value(py),)))
        .and_then(|lines| Ok(lines.cast_into::<PyList>()?))
        .and_then(|lines| lines.extract::<Vec<String>>());
    let text = lines.map_or_else(|_| error.to_string(), |lines| lines.concat());
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or("failed without saying why")
        .trim()
        .to_owned()
}

/// Runs the stage of this process as the launcher's stage file says. `make(activation, told)` gives the runtime around the
/// user's stage; `told` is JSON. Returns why the stage failed, or `None`.
#[pyfunction]
pub fn run(py: Python<'_>, make: Py<PyAny>) -> PyResult<Option<String>> {
    let file = StageFile::read().map_err(refused)?;
    // The launcher has blocked it before this process had a thread, so every thread has; this is for a launcher that did not.
    ephapse_engine::os::block_pacing_signal();
    let Duty::Stage(duty) = &file.duty else {
        return Err(refused(
            "the stage file is the timer's, and this is a stage",
        ));
    };
    let names = |ports: Vec<&String>| ports.into_iter().cloned().collect();
    let plan = &duty.plan;
    let activation = Py::new(
        py,
        Activation::new(
            names(plan.inputs.iter().map(|i| &i.port).collect()),
            names(plan.outputs.iter().map(|o| &o.port).collect()),
            plan.pacing,
        ),
    )?;
    let told = told(duty)?;
    let shown = activation.clone_ref(py);
    let ran = py.detach(|| {
        run_prepared(&file, duty, |_| {
            Python::attach(|py| {
                let made = make.call1(py, (shown.clone_ref(py), told));
                let made = made.and_then(|runtime| {
                    let patient = runtime.getattr(py, "patient")?.extract(py)?;
                    Ok(PythonStage {
                        runtime,
                        activation: shown.clone_ref(py),
                        patient,
                    })
                });
                made.map_err(|error| {
                    error.display(py);
                    ProcessError::Stage(last_line(py, &error))
                })
            })
        })
    });
    let activation = activation.borrow(py);
    if let Err(error) = ran {
        return Ok(Some(error.to_string()));
    }
    if let Some(name) = activation.still_held() {
        activation.fail(kept_view(&name));
        let why = activation.failure.borrow().clone().unwrap_or_default();
        leave_failed(&file, &why);
        eprintln!("{}: {why}", plan.name);
        // The rings are unmapped and somebody can still look at them: no Python code may run any more.
        let flushed = py.run(
            c"import sys; sys.stdout.flush(); sys.stderr.flush()",
            None,
            None,
        );
        drop(flushed);
        std::process::exit(1);
    }
    let failure = activation.failure.borrow().clone();
    if let Some(why) = &failure {
        leave_failed(&file, why);
    }
    Ok(failure)
}

/// Leaves the reason in the stage's segment, and its state at `failed`.
fn leave_failed(file: &StageFile, why: &str) {
    let words = Segment::open(&file.stage_segment, segment::STAGE, Access::ReadWrite)
        .and_then(|own| own.map(PAGE, PAGE, Access::ReadWrite));
    // Without its segment the session is gone, and with it whoever would read this.
    if let Ok(page) = words {
        let words = page.words::<StageWords>(0);
        ephapse_engine::text::store(&words.reason, why);
        words.state.store(stage_state::FAILED, Ordering::Release);
    }
}

/// What the package needs to know of the stage, as JSON.
fn told(duty: &StageDuty) -> PyResult<String> {
    let plan = &duty.plan;
    let pacing = plan.pacing.map(|p| &plan.inputs[p].stream_type);
    let inputs = plan.inputs.iter().map(|i| (&i.port, &i.stream_type));
    let outputs = plan.outputs.iter().zip(&duty.outputs);
    let outputs = outputs.map(|(o, edge)| {
        serde_json::json!({
            "port": o.port,
            "type": edge.stream_type,
            "as_pacing": pacing.is_some_and(|p| as_long(p, &edge.stream_type)),
        })
    });
    let told = serde_json::json!({
        "name": plan.name,
        "params": plan.params,
        "inputs": inputs.map(|(port, t)| serde_json::json!({"port": port, "type": t})).collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    });
    Ok(told.to_string())
}

/// The output's frames are the pacing input's one for one: a block shorter than the others gives one as short.
fn as_long(pacing: &StreamType, output: &StreamType) -> bool {
    output.kind == Kind::Frames
        && pacing.kind == Kind::Frames
        && output.rate == pacing.rate
        && output.frames_per_block() == pacing.frames_per_block()
}

/// Answers `--ephapse-describe`: question on stdin, answer on stdout. `describe(question)` takes and gives JSON and answers
/// `(described, None)` or `(None, refused)`.
#[pyfunction]
pub fn answer(py: Python<'_>, describe: Py<PyAny>) -> PyResult<()> {
    let mut failed = None;
    let answered = ephapse_engine::stage::answer(|question| {
        let told = serde_json::to_string(question)
            .map_err(|e| StageError::resource("question", e.to_string()))?;
        let said = describe
            .call1(py, (told,))
            .and_then(|said| said.extract::<(Option<String>, Option<String>)>(py));
        let (described, refusal) = said.map_err(|error| {
            let why = last_line(py, &error);
            failed = Some(error);
            StageError::resource("describe", why)
        })?;
        if let Some(refusal) = refusal {
            return Err(serde_json::from_str(&refusal)
                .unwrap_or_else(|e| StageError::resource("describe", e.to_string())));
        }
        serde_json::from_str::<Described>(&described.unwrap_or_default())
            .map_err(|e| StageError::resource("describe", format!("its answer is none: {e}")))
    });
    if let Some(error) = failed {
        return Err(error);
    }
    // The interpreter ends the process: nobody would flush Rust's stdout.
    answered
        .and_then(|()| {
            std::io::stdout()
                .flush()
                .map_err(|e| format!("stdout: {e}"))
        })
        .map_err(refused)
}
