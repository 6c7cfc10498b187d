//! What a stage is told before it starts: parameters, and the types of its ports. And how it refuses.

use crate::outcome::{Failure, c_text};
use crate::stream_type::{Shown, Type, text_of};
use ephapse_engine::stage::StageError;
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// A port and the type of its stream.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Port {
    /// Name.
    pub name: *const c_char,
    /// Type; of an input behind its adapters.
    pub r#type: *const Type,
}

/// What a stage is told. It stays where it is until the stage's `drop` has returned, and all it points to.
#[repr(C)]
pub struct Setup {
    /// Name of the stage in the graph; empty in `describe`.
    pub name: *const c_char,
    /// All parameters, defaults filled in, as a JSON object. `ephapse_param_*` read it.
    pub params: *const c_char,
    /// Input ports, in the order of the manifest.
    pub inputs: *const Port,
    /// How many.
    pub input_count: usize,
    /// Output ports, in the order of the manifest; none in `describe`.
    pub outputs: *const Port,
    /// How many.
    pub output_count: usize,
    /// Bytes of state, as described; 0 in `describe`.
    pub state_bytes: usize,
    /// Bytes of append-only state, as described; 0 in `describe`.
    pub append_bytes: usize,
}

/// Ports with everything their table points to.
struct Ports {
    table: Vec<Port>,
    _names: Vec<CString>,
    _types: Vec<Shown>,
}

impl Ports {
    fn new<'a>(ports: impl Iterator<Item = (&'a str, &'a StreamType)>) -> Self {
        let (names, types): (Vec<CString>, Vec<Shown>) = ports
            .map(|(name, stream_type)| (c_text(name), Shown::new(stream_type)))
            .unzip();
        let table = names.iter().zip(&types).map(|(name, shown)| Port {
            name: name.as_ptr(),
            r#type: shown.as_ptr(),
        });
        Ports {
            table: table.collect(),
            _names: names,
            _types: types,
        }
    }
}

/// A [`Setup`] with everything behind it. C holds a pointer to the first field: that is a pointer to the whole.
#[repr(C)]
pub(crate) struct FullSetup {
    seen: Setup,
    params: Value,
    refusal: RefCell<Option<StageError>>,
    /// Texts handed out, kept for as long as the stage may look at them.
    texts: RefCell<Vec<CString>>,
    inputs: Ports,
    outputs: Ports,
    _name: CString,
}

impl FullSetup {
    pub fn new<'a>(
        name: &str,
        params: Value,
        inputs: impl Iterator<Item = (&'a str, &'a StreamType)>,
        outputs: impl Iterator<Item = (&'a str, &'a StreamType)>,
        [state_bytes, append_bytes]: [usize; 2],
    ) -> Box<Self> {
        let (inputs, outputs) = (Ports::new(inputs), Ports::new(outputs));
        let name = c_text(name);
        let mut setup = Box::new(FullSetup {
            seen: Setup {
                name: name.as_ptr(),
                params: ptr::null(),
                inputs: inputs.table.as_ptr(),
                input_count: inputs.table.len(),
                outputs: outputs.table.as_ptr(),
                output_count: outputs.table.len(),
                state_bytes,
                append_bytes,
            },
            params: Value::Null,
            refusal: RefCell::default(),
            texts: RefCell::default(),
            inputs,
            outputs,
            _name: name,
        });
        setup.set_params(params);
        setup
    }

    /// Shows other parameters from now on; returns the old ones.
    pub fn set_params(&mut self, params: Value) -> Value {
        self.seen.params = self.keep(&params.to_string());
        std::mem::replace(&mut self.params, params)
    }

    pub fn as_ptr(&self) -> *const Setup {
        (&raw const *self).cast()
    }

    pub fn input_type(&self, port: usize) -> *const Type {
        self.inputs.table[port].r#type
    }

    pub fn output_types(&self) -> impl Iterator<Item = *const Type> {
        self.outputs.table.iter().map(|port| port.r#type)
    }

    pub fn params(&self) -> &Value {
        &self.params
    }

    /// A text that C may look at until the stage is over.
    pub fn keep(&self, text: &str) -> *const c_char {
        let mut texts = self.texts.borrow_mut();
        texts.push(c_text(text));
        texts.last().map_or(ptr::null(), |text| text.as_ptr())
    }

    pub fn refuse(&self, why: StageError) {
        *self.refusal.borrow_mut() = Some(why);
    }

    /// Why `function` said no, in its own words if it left some.
    pub fn refusal(&self, function: &str) -> StageError {
        self.refusal.take().unwrap_or_else(|| {
            StageError::resource(
                function,
                "the stage refused and did not say why: let it return what ephapse_refuse_* returns",
            )
        })
    }
}

/// The whole behind what C holds.
///
/// # Safety
/// `setup` is null, or [`FullSetup::as_ptr`] of one that lives.
pub(crate) unsafe fn full<'a>(setup: *const Setup) -> Option<&'a FullSetup> {
    // SAFETY: `seen` is the first field of a `repr(C)` struct, and the pointer was made from the whole of it.
    unsafe { setup.cast::<FullSetup>().as_ref() }
}

/// # Safety
/// As [`full`] and [`text_of`].
unsafe fn refuse(
    setup: *const Setup,
    [what, why]: [*const c_char; 2],
    error: fn(&str, &str) -> StageError,
) -> *mut c_void {
    // SAFETY: the caller's obligation.
    let (setup, what, why) = unsafe { (full(setup), text_of(what, "what"), text_of(why, "why")) };
    if let Some(setup) = setup {
        let or_nothing = |text: Result<Option<&str>, Failure>| {
            text.ok().flatten().unwrap_or("(no text)").to_owned()
        };
        setup.refuse(error(&or_nothing(what), &or_nothing(why)));
    }
    ptr::null_mut()
}

/// Says that parameter `key` cannot be used, and why (one line: what is wrong, what would be right). Returns null, so that
/// `describe`, `prepare` and `tune` can return its answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_refuse_parameter(
    setup: *const Setup,
    key: *const c_char,
    why: *const c_char,
) -> *mut c_void {
    // SAFETY: C's obligation (head of the header).
    unsafe {
        refuse(setup, [key, why], |key, why| {
            StageError::parameter(key, why)
        })
    }
}

/// Says that the stream at input `port` cannot be used, and why. Returns null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_refuse_input(
    setup: *const Setup,
    port: *const c_char,
    why: *const c_char,
) -> *mut c_void {
    // SAFETY: C's obligation.
    unsafe { refuse(setup, [port, why], |port, why| StageError::input(port, why)) }
}

/// Says that something the stage needs (a file, a device, memory) cannot be had, and why. Returns null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_refuse_resource(
    setup: *const Setup,
    what: *const c_char,
    why: *const c_char,
) -> *mut c_void {
    // SAFETY: C's obligation.
    unsafe {
        refuse(setup, [what, why], |what, why| {
            StageError::resource(what, why)
        })
    }
}
