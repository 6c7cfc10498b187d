//! A stage in C: a table of functions, between the same rings and with the same turns as one in Rust.

use crate::header::{Block, Header};
use crate::outputs::{
    Context, EPHAPSE_AGAIN, EPHAPSE_CONTINUE, EPHAPSE_DONE, EPHAPSE_STOP, FullContext, Outputs,
};
use crate::program::Description;
use crate::setup::{FullSetup, Setup};
use ephapse_engine::abi::MAX_PORTS;
use ephapse_engine::runner::ProcessError;
use ephapse_engine::runner::file::StageDuty;
use ephapse_engine::stage::{
    Ctx, Inputs as EngineInputs, Next, Outputs as EngineOutputs, Prepared,
};
use serde_json::Value;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

/// What a stage does. Zero the table and fill in what you have; only `process` must be there. `own` is always what
/// `prepare` returned. `process`, `reset` and `finish` run in real time: no allocation, lock, log or system call there.
/// No C++ exception and no `longjmp` may leave any of them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct StageFunctions {
    /// From parameters and input types to what the stage is: fills in `description` (`ephapse_describe_output` for each
    /// output) and returns true, or refuses with `return ephapse_refuse_parameter(...)` or another of these. Runs in a
    /// process of its own before the session (`--ephapse-describe`). Null: the manifest says it all.
    pub describe:
        Option<unsafe extern "C" fn(setup: *const Setup, description: *mut Description) -> bool>,
    /// Before the start: the last place that may allocate, open or plan. Returns the stage's own memory (anything but
    /// null; `(void *)setup` if it needs none), or refuses with `return ephapse_refuse_parameter(...)` or another of these.
    pub prepare: Option<unsafe extern "C" fn(setup: *const Setup) -> *mut c_void>,
    /// One block of the pacing input (for a source: one block to make). Returns `EPHAPSE_CONTINUE`, `EPHAPSE_AGAIN`,
    /// `EPHAPSE_DONE`, or what `ephapse_stop` returns.
    pub process: Option<
        unsafe extern "C" fn(
            own: *mut c_void,
            context: *const Context,
            inputs: *const Inputs,
            outputs: *mut Outputs,
        ) -> i32,
    >,
    /// Writes the initial state, at start and before the block that follows a gap, a seam or a RESET. Null: all zero.
    pub reset: Option<unsafe extern "C" fn(own: *mut c_void, state: *mut c_void, bytes: usize)>,
    /// New parameters, between activations; false if they cannot be (`ephapse_refuse_parameter`), and the old ones stay.
    /// Null: parameters do not change while it runs.
    pub tune: Option<unsafe extern "C" fn(own: *mut c_void, setup: *const Setup) -> bool>,
    /// The inputs have ended: publish what is held. Null: nothing is.
    pub finish: Option<
        unsafe extern "C" fn(own: *mut c_void, context: *const Context, outputs: *mut Outputs),
    >,
    /// Frees what `prepare` returned. Null: nothing to free.
    pub drop: Option<unsafe extern "C" fn(own: *mut c_void)>,
}

/// The blocks of one activation.
#[repr(C)]
pub struct Inputs {
    /// The pacing input's block first, then those of the other ports, port after port, oldest first. A port with
    /// `read = "all"` may have several, one with `read = "newest"` may have none yet.
    pub blocks: *const Block,
    /// How many; 0 in a source.
    pub count: usize,
}

/// The newest block of input `port`; null if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_newest(inputs: *const Inputs, port: u32) -> *const Block {
    // SAFETY: C's obligation: what `process` was called with.
    let blocks = unsafe {
        match inputs.as_ref() {
            Some(inputs) if inputs.count > 0 => {
                std::slice::from_raw_parts(inputs.blocks, inputs.count)
            }
            _ => &[],
        }
    };
    let newest = blocks.iter().rfind(|block| block.port == port);
    newest.map_or(ptr::null(), |block| &raw const *block)
}

/// Blocks that an activation can see: eight of each port at most.
const MOST_BLOCKS: usize = 8 * MAX_PORTS;

/// A stage in C, ready to process.
pub(crate) struct CStage {
    functions: StageFunctions,
    own: *mut c_void,
    setup: Box<FullSetup>,
    /// Input ports in the order in which C sees their blocks, the pacing one first.
    ports: Vec<usize>,
    blocks: Vec<Block>,
    outputs: Outputs,
}

impl CStage {
    /// # Safety
    /// `functions` are what [`StageFunctions`] says they are.
    pub unsafe fn prepare(
        duty: &StageDuty,
        functions: StageFunctions,
    ) -> Result<Self, ProcessError> {
        let plan = &duty.plan;
        let inputs = plan
            .inputs
            .iter()
            .map(|i| (i.port.as_str(), &i.stream_type));
        let outputs = plan.outputs.iter().zip(&duty.outputs);
        let outputs = outputs.map(|(o, edge)| (o.port.as_str(), &edge.stream_type));
        let sizes = [plan.described.state_bytes, plan.described.append_bytes];
        let setup = FullSetup::new(&plan.name, plan.params.clone(), inputs, outputs, sizes);
        let mut ports: Vec<usize> = (0..plan.inputs.len()).collect();
        ports.sort_by_key(|port| Some(*port) != plan.pacing);
        let own = match functions.prepare {
            // SAFETY: the caller's obligation; the setup lives until after `drop`.
            Some(prepare) => unsafe { prepare(setup.as_ptr()) },
            None => setup.as_ptr().cast_mut().cast(),
        };
        if own.is_null() {
            return Err(ProcessError::Stage(setup.refusal("prepare").to_string()));
        }
        Ok(CStage {
            functions,
            own,
            outputs: Outputs::new(setup.output_types()),
            setup,
            ports,
            blocks: Vec::with_capacity(MOST_BLOCKS),
        })
    }

    /// Shows the activation's blocks; never more than there is capacity for, so nothing is allocated.
    fn show(&mut self, inputs: &EngineInputs<'_>) -> Inputs {
        self.blocks.clear();
        for port in &self.ports {
            let r#type = self.setup.input_type(*port);
            for block in inputs.all(*port) {
                self.blocks.push(Block {
                    header: (&raw const *block.header).cast::<Header>(),
                    data: block.payload.as_ptr().cast(),
                    r#type,
                    frames: block.header.valid,
                    port: *port as u32,
                    damaged: false,
                });
            }
        }
        Inputs {
            blocks: self.blocks.as_ptr(),
            count: self.blocks.len(),
        }
    }
}

fn context(ctx: &mut Ctx<'_>) -> FullContext {
    let (tick, now_ns, epoch, off) = (ctx.tick, ctx.now_ns, ctx.epoch, ctx.off || ctx.held);
    let (state, append) = ctx.state.parts_mut();
    FullContext {
        seen: Context {
            tick,
            now_ns,
            state: state.as_mut_ptr().cast(),
            state_bytes: state.len(),
            append: if append.is_empty() {
                ptr::null_mut()
            } else {
                append.as_mut_ptr().cast()
            },
            append_bytes: append.len(),
            epoch,
            off,
        },
        why: Cell::new(None),
    }
}

impl Prepared for CStage {
    fn process(
        &mut self,
        ctx: &mut Ctx<'_>,
        inputs: &EngineInputs<'_>,
        outputs: &mut EngineOutputs<'_>,
    ) -> Next {
        let Some(process) = self.functions.process else {
            return Next::Done;
        };
        let inputs = self.show(inputs);
        let context = context(ctx);
        let own = self.own;
        // From the whole, for `ephapse_stop` comes back with it.
        let seen = (&raw const context).cast::<Context>();
        // SAFETY: `own` is what `prepare` returned; everything else lives until the call has returned.
        let next = self.outputs.lend(outputs, |outputs| unsafe {
            process(own, seen, &raw const inputs, outputs)
        });
        match next {
            EPHAPSE_CONTINUE => Next::Continue,
            EPHAPSE_AGAIN => Next::Again,
            EPHAPSE_DONE => Next::Done,
            EPHAPSE_STOP => Next::Stop(match context.why.take() {
                // Once in the life of a process, and its last activation.
                Some(why) => Box::leak(why.into_boxed_str()),
                None => "the stage asks for it",
            }),
            _ => Next::Stop(
                "process returned something else than EPHAPSE_CONTINUE, _AGAIN, _DONE or _STOP",
            ),
        }
    }

    fn reset(&mut self, state: &mut [u8]) {
        match self.functions.reset {
            // SAFETY: `own` is what `prepare` returned, `state` is valid and exclusive for the call.
            Some(reset) => unsafe { reset(self.own, state.as_mut_ptr().cast(), state.len()) },
            None => state.fill(0),
        }
    }

    fn tune(&mut self, params: &Value) -> Result<(), String> {
        let Some(tune) = self.functions.tune else {
            return Err("this stage takes no parameters while it runs".into());
        };
        let before = self.setup.set_params(params.clone());
        // SAFETY: `own` is what `prepare` returned, the setup lives.
        if unsafe { tune(self.own, self.setup.as_ptr()) } {
            return Ok(());
        }
        let why = self.setup.refusal("tune").to_string();
        self.setup.set_params(before);
        Err(why)
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>, outputs: &mut EngineOutputs<'_>) {
        let Some(finish) = self.functions.finish else {
            return;
        };
        let context = context(ctx);
        let own = self.own;
        let seen = (&raw const context).cast::<Context>();
        // SAFETY: as in `process`.
        self.outputs
            .lend(outputs, |outputs| unsafe { finish(own, seen, outputs) });
    }
}

impl Drop for CStage {
    fn drop(&mut self) {
        if let Some(drop) = self.functions.drop {
            // SAFETY: `own` is what `prepare` returned, and nothing uses it after this.
            unsafe { drop(self.own) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::ephapse_param_f64;
    use serde_json::json;

    /// Takes a gain that is above zero.
    unsafe extern "C" fn tune(own: *mut c_void, setup: *const Setup) -> bool {
        let mut gain = 0.0;
        // SAFETY: the setup is what `tune` was called with; `own` is a number of the test below.
        unsafe {
            if ephapse_param_f64(setup, c"gain".as_ptr(), &raw mut gain) && gain > 0.0 {
                own.cast::<f64>().write(gain);
                return true;
            }
        }
        false
    }

    #[test]
    fn live_parameters_are_taken_or_refused_and_the_old_ones_stay() {
        let mut own = 0.0_f64;
        let nothing = std::iter::empty;
        let setup = FullSetup::new("", json!({ "gain": 1.0 }), nothing(), nothing(), [0, 0]);
        let mut stage = CStage {
            functions: StageFunctions {
                describe: None,
                prepare: None,
                process: None,
                reset: None,
                tune: Some(tune),
                finish: None,
                drop: None,
            },
            own: (&raw mut own).cast(),
            setup,
            ports: Vec::new(),
            blocks: Vec::new(),
            outputs: Outputs::new(std::iter::empty()),
        };
        assert_eq!(stage.tune(&json!({ "gain": 2.5 })), Ok(()));
        assert_eq!(own, 2.5);
        let why = stage.tune(&json!({ "gain": "high" })).unwrap_err();
        assert_eq!(why, "parameter `gain`: is \"high\", not a number");
        assert_eq!(stage.setup.params(), &json!({ "gain": 2.5 }));
        stage.functions.tune = None;
        assert!(stage.tune(&json!({ "gain": 3.0 })).is_err());
    }
}
