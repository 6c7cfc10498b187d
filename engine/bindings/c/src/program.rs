//! An executable with one stage in C: what its `main` returns.

use crate::outcome::{Failure, failed};
use crate::setup::{FullSetup, Setup};
use crate::stage::{CStage, StageFunctions};
use crate::stream_type::{Type, read, text_of};
use ephapse_engine::os;
use ephapse_engine::runner::file::{Duty, StageFile};
use ephapse_engine::runner::{ProcessError, run_prepared};
use ephapse_engine::stage::{DESCRIBE_ARGUMENT, Described, Question, StageError, answer};
use ephapse_rtconfig::stream_type::StreamType;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a stage is, given parameters and input types. Zero at first, but for `parts_per_call`.
#[repr(C)]
pub struct Description {
    /// Bytes of state that must survive a restart (`context->state`). 0: the stage starts from RESET.
    pub state_bytes: usize,
    /// Bytes of append-only state (calibration buffers).
    pub append_bytes: usize,
    /// Delay of the signal through the stage, in frames of its pacing input.
    pub group_delay_frames: f64,
    /// Frames after a reset in which the outputs do not yet mean what they should.
    pub settle_frames: u64,
    /// Most blocks one call of `process` publishes per stream; 1 at first.
    pub parts_per_call: u32,
    /// Each block is made from its blocks alone: without state bytes, too, nothing behind a restart need be marked RESET.
    pub memoryless: bool,
}

/// A [`Description`] with its outputs. C holds a pointer to the first field.
#[repr(C)]
struct FullDescription {
    seen: Description,
    outputs: Vec<(String, StreamType)>,
    /// Why one of its outputs cannot be.
    fault: Option<String>,
}

/// Names output `port` and the type of its stream (copied), in the order of the manifest. Returns false if the type cannot
/// be (`ephapse_last_error`); the description is then refused whatever `describe` returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_describe_output(
    description: *mut Description,
    port: *const c_char,
    r#type: *const Type,
) -> bool {
    // SAFETY: C's obligation (head of the header): what `describe` was called with, the first field of a whole (`repr(C)`).
    let (description, port, given) = unsafe {
        (
            description.cast::<FullDescription>().as_mut(),
            text_of(port, "port"),
            read(r#type),
        )
    };
    let checked = port.and_then(|port| {
        let port = port.ok_or_else(|| Failure::argument("port: is null"))?;
        let named = |e: Failure| Failure::argument(format!("output `{port}`: {}", e.why));
        Ok((port.to_owned(), given.map_err(named)?))
    });
    match (description, checked) {
        (Some(description), Ok(output)) => {
            description.outputs.push(output);
            true
        }
        (Some(description), Err(failure)) => {
            description.fault = Some(failure.why.clone());
            failed(failure);
            false
        }
        (None, _) => {
            failed(Failure::argument("description: is null"));
            false
        }
    }
}

/// Runs a stage as this process's whole purpose, until the session ends: attaches to the rings that the launcher's stage
/// file names (`EPHAPSE_STAGE`), compares types, calls `prepare`, takes its CPU and policy, then calls `process` for every
/// activation. Asked with `--ephapse-describe` it answers that instead. To be returned from `main`: 0, or 1 after a line on
/// stderr that is left in the stage's segment, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_stage_main(
    argc: c_int,
    argv: *mut *mut c_char,
    functions: *const StageFunctions,
) -> c_int {
    let argument = |index| {
        // SAFETY: `main`'s own arguments: `argc` texts.
        unsafe { text_of(*argv.add(index), "argument") }
    };
    let arguments: Vec<&str> = (0..usize::try_from(argc).unwrap_or(0))
        .filter_map(|index| argument(index).ok().flatten())
        .collect();
    // SAFETY: C's obligation: null or a table.
    let functions = unsafe { functions.as_ref() };
    let run = || match functions {
        Some(functions) if functions.process.is_some() => {
            if arguments.contains(&DESCRIBE_ARGUMENT) {
                // SAFETY: C's obligation.
                answer(|question| unsafe { describe(question, functions) })
            } else {
                // SAFETY: as above.
                unsafe { launched(functions) }.map_err(|e| e.to_string())
            }
        }
        _ => Err("ephapse_stage_main: the table of functions has no `process`".into()),
    };
    // A panic has been told on stderr and in the segment by the runner's own hook.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => 0,
        Ok(Err(why)) => {
            let program = arguments
                .first()
                .map_or("stage", |path| path.rsplit('/').next().unwrap_or(path));
            eprintln!("{program}: {why}");
            1
        }
        Err(_) => 1,
    }
}

/// # Safety
/// `functions` are what [`StageFunctions`] says they are.
unsafe fn launched(functions: &StageFunctions) -> Result<(), ProcessError> {
    let file = StageFile::read()?;
    os::block_pacing_signal();
    match &file.duty {
        Duty::Stage(duty) => run_prepared(&file, duty, |duty| {
            // SAFETY: the caller's obligation.
            unsafe { CStage::prepare(duty, *functions) }
        }),
        Duty::Recorder(_) => Err(ProcessError::UnknownKind {
            kind: "recorder".into(),
        }),
        Duty::Timer(_) => Err(ProcessError::UnknownKind {
            kind: "timer".into(),
        }),
    }
}

/// # Safety
/// As [`launched`].
unsafe fn describe(
    question: &Question,
    functions: &StageFunctions,
) -> Result<Described, StageError> {
    let Some(describe) = functions.describe else {
        return Err(StageError::resource(
            "describe",
            "this stage has no such function: its manifest must say what it is",
        ));
    };
    let inputs = question.inputs.iter();
    let inputs = inputs.map(|input| (input.port.as_str(), &input.stream_type));
    let params = question.params.clone();
    let setup: Box<FullSetup> = FullSetup::new("", params, inputs, std::iter::empty(), [0, 0]);
    let mut description = FullDescription {
        seen: Description {
            state_bytes: 0,
            append_bytes: 0,
            group_delay_frames: 0.0,
            settle_frames: 0,
            parts_per_call: 1,
            memoryless: false,
        },
        outputs: Vec::new(),
        fault: None,
    };
    let seen = (&raw mut description).cast::<Description>();
    let setup_seen: *const Setup = setup.as_ptr();
    // SAFETY: the caller's obligation; both live until the call has returned.
    let described = unsafe { describe(setup_seen, seen) };
    if let Some(why) = description.fault {
        return Err(StageError::resource("describe", why));
    }
    if !described {
        return Err(setup.refusal("describe"));
    }
    Ok(Described {
        outputs: description.outputs,
        state_bytes: description.seen.state_bytes,
        append_bytes: description.seen.append_bytes,
        group_delay_frames: description.seen.group_delay_frames,
        settle_frames: description.seen.settle_frames,
        memoryless: description.seen.memoryless,
        parts_per_call: description.seen.parts_per_call,
        helpers: Vec::new(),
        guard: None,
    })
}
