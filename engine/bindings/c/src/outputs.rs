//! What `process` and `finish` may do: write blocks in place, count a source's frames, ask for a stop.

use crate::header::{Header, Slot};
use crate::outcome::{Failure, failed};
use crate::stream_type::{Type, text_of};
use ephapse_engine::stage::Outputs as EngineOutputs;
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};

/// The outputs of one activation. Nothing of it is visible to readers before `process` has returned.
pub struct Outputs {
    /// Of the activation at hand.
    call: Cell<Option<NonNull<EngineOutputs<'static>>>>,
    ports: Vec<OutPort>,
}

struct OutPort {
    slot: Slot,
    begun: bool,
}

impl Outputs {
    /// For ports of these types.
    pub(crate) fn new(types: impl Iterator<Item = *const Type>) -> Self {
        let ports = types.map(|r#type| OutPort {
            slot: Slot {
                header: ptr::null_mut(),
                data: ptr::null_mut(),
                r#type,
                room: 0,
            },
            begun: false,
        });
        Outputs {
            call: Cell::new(None),
            ports: ports.collect(),
        }
    }

    /// Lends `outputs` to C while `call` runs. What was begun and not committed then is aborted.
    pub(crate) fn lend<R>(
        &mut self,
        outputs: &mut EngineOutputs<'_>,
        call: impl FnOnce(*mut Outputs) -> R,
    ) -> R {
        self.call.set(Some(NonNull::from(outputs).cast()));
        let this: *mut Outputs = self;
        let result = call(this);
        // SAFETY: made from `self` two lines above; C has returned.
        let this = unsafe { &mut *this };
        this.call.set(None);
        for port in &mut this.ports {
            port.begun = false;
        }
        result
    }
}

/// The port, and the engine's outputs of the activation at hand.
///
/// # Safety
/// `outputs` is null or what `process` or `finish` was called with, and that call has not returned.
unsafe fn port<'a>(
    outputs: *mut Outputs,
    index: usize,
    function: &str,
) -> Option<(&'a mut OutPort, &'a mut EngineOutputs<'static>)> {
    // SAFETY: the caller's obligation; between two calls from C no other reference to it is in use.
    let found = unsafe { outputs.as_mut() }.and_then(|outputs| {
        let call = outputs.call.get()?;
        // SAFETY: lent for the call at hand (`lend` takes it back), exclusively, and used by one call from C at a time.
        Some((outputs.ports.get_mut(index)?, unsafe {
            &mut *call.as_ptr()
        }))
    });
    if found.is_none() {
        failed(Failure::argument(format!(
            "{function}: no output {index} here: count from 0 in the order of the manifest, and only in process and finish"
        )));
    }
    found
}

/// The next block of output `port`, to be filled and kept with `ephapse_commit`; a block not committed is as if never
/// begun. Its header is preset from the pacing block: origin, stamps, flags, settling; for an output with the pacing
/// input's rate also `first_frame` and `lost`. At most as many blocks per call as the description's `parts_per_call` have
/// room for certain. Null if there is no such output (`ephapse_last_error`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_begin(outputs: *mut Outputs, port: usize) -> *const Slot {
    // SAFETY: C's obligation (head of the header).
    let Some((own, call)) = (unsafe { self::port(outputs, port, "ephapse_begin") }) else {
        return ptr::null();
    };
    let mut block = call.block(port);
    own.slot.room = block.room() as u32;
    let (header, payload) = block.parts();
    own.slot.header = (&raw mut *header).cast::<Header>();
    own.slot.data = payload.as_mut_ptr().cast::<c_void>();
    own.begun = true;
    &raw const own.slot
}

/// Keeps the block begun at output `port`, with `frames` valid frames (records, bytes), 0 included; more than its `room` is
/// cut to that. False if none was begun (`ephapse_last_error`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_commit(outputs: *mut Outputs, port: usize, frames: usize) -> bool {
    // SAFETY: C's obligation.
    let Some((own, call)) = (unsafe { self::port(outputs, port, "ephapse_commit") }) else {
        return false;
    };
    if !std::mem::take(&mut own.begun) {
        failed(Failure::argument(format!(
            "ephapse_commit: no block was begun at output {port}: call ephapse_begin first"
        )));
        return false;
    }
    call.begun(port).commit(frames);
    true
}

/// For a source's account: its device, file or driver has delivered `frames` more frames (records) for output `port`. At the
/// end of the run they are compared with the frames published and lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_count_source(
    outputs: *mut Outputs,
    port: usize,
    frames: u64,
) -> bool {
    // SAFETY: C's obligation.
    match unsafe { self::port(outputs, port, "ephapse_count_source") } {
        Some((_, call)) => {
            call.count_source(port, frames);
            true
        }
        None => false,
    }
}

/// What `process` returns: go on.
pub const EPHAPSE_CONTINUE: i32 = 0;
/// What `process` returns: a source has nothing to give at the moment; nothing was committed. Ask again.
pub const EPHAPSE_AGAIN: i32 = 1;
/// What `process` returns: end my streams; a finite source has come to its end.
pub const EPHAPSE_DONE: i32 = 2;
/// What `process` returns: ask the session to stop. With a reason: return what `ephapse_stop` returns.
pub const EPHAPSE_STOP: i32 = 3;

/// What a stage may know of the world during an activation.
#[repr(C)]
pub struct Context {
    /// Tick; a logical one in an unpaced run.
    pub tick: u64,
    /// The only clock of a stage: CLOCK_MONOTONIC ns at the start of the activation, logical time in an unpaced run.
    pub now_ns: u64,
    /// `state_bytes` of state, aligned to 64 bytes, as the previous activation left it, to be changed in place: what the
    /// next call must know. A stage killed at any instruction and started again goes on from here.
    pub state: *mut c_void,
    /// How many.
    pub state_bytes: usize,
    /// The append-only region; null if there is none.
    pub append: *mut c_void,
    /// Its bytes.
    pub append_bytes: usize,
    /// Parameter epoch.
    pub epoch: u32,
    /// Stimulation has been switched off, or is held while a process is dead: a stage that stimulates must refuse whatever it is told.
    pub off: bool,
}

/// A [`Context`] with what C leaves there. C holds a pointer to the first field.
#[repr(C)]
pub(crate) struct FullContext {
    pub seen: Context,
    /// Why it asks for a stop.
    pub why: Cell<Option<String>>,
}

/// Says why the session should stop (one line), and returns `EPHAPSE_STOP`, so that `process` can return its answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_stop(context: *const Context, why: *const c_char) -> i32 {
    // SAFETY: C's obligation: what `process` was called with, which is the first field of a whole (`repr(C)`).
    let (context, why) = unsafe { (context.cast::<FullContext>().as_ref(), text_of(why, "why")) };
    if let (Some(context), Ok(Some(why))) = (context, why) {
        context.why.set(Some(why.to_owned()));
    }
    EPHAPSE_STOP
}
