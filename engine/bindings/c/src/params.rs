//! Parameters: enough JSON for a C author to need no library.

use crate::setup::{FullSetup, Setup, full};
use crate::stream_type::text_of;
use ephapse_engine::stage::StageError;
use serde_json::Value;
use std::ffi::c_char;
use std::ptr;

/// The parameter, as `take` understands it. If it is not there or something else, that is noted: a stage that then returns
/// null refuses with these words.
///
/// # Safety
/// As [`full`] and [`text_of`].
unsafe fn param<T>(
    setup: *const Setup,
    key: *const c_char,
    wanted: &str,
    take: impl FnOnce(&FullSetup, &Value) -> Option<T>,
) -> Option<T> {
    // SAFETY: the caller's obligation.
    let (setup, key) = unsafe { (full(setup)?, text_of(key, "key").ok().flatten()?) };
    let found = setup.params().get(key);
    let taken = found.and_then(|value| take(setup, value));
    if taken.is_none() {
        let why = match found {
            Some(value) => format!("is {value}, not {wanted}"),
            None => format!("is missing: give {wanted}"),
        };
        setup.refuse(StageError::parameter(key, why));
    }
    taken
}

/// Writes what was found; false if nothing was.
///
/// # Safety
/// `to` is null or can be written.
unsafe fn write<T>(found: Option<T>, to: *mut T) -> bool {
    let Some(value) = found else {
        return false;
    };
    if !to.is_null() {
        // SAFETY: not null; the rest is the caller's obligation.
        unsafe { to.write(value) };
    }
    true
}

/// The number `key` of the parameters. False if it is missing or no number: `value` is as it was, and a stage that then
/// returns null refuses with a line that says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_param_f64(
    setup: *const Setup,
    key: *const c_char,
    value: *mut f64,
) -> bool {
    // SAFETY: C's obligation (head of the header).
    unsafe { write(param(setup, key, "a number", |_, v| v.as_f64()), value) }
}

/// The whole number `key` of the parameters; else as `ephapse_param_f64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_param_i64(
    setup: *const Setup,
    key: *const c_char,
    value: *mut i64,
) -> bool {
    // SAFETY: C's obligation.
    unsafe {
        write(
            param(setup, key, "a whole number", |_, v| v.as_i64()),
            value,
        )
    }
}

/// The truth value `key` of the parameters; else as `ephapse_param_f64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_param_bool(
    setup: *const Setup,
    key: *const c_char,
    value: *mut bool,
) -> bool {
    // SAFETY: C's obligation.
    unsafe {
        write(
            param(setup, key, "true or false", |_, v| v.as_bool()),
            value,
        )
    }
}

/// The text `key` of the parameters, UTF-8, valid as long as the stage; null if it is missing or no text. Not for `process`:
/// it allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_param_string(
    setup: *const Setup,
    key: *const c_char,
) -> *const c_char {
    // SAFETY: C's obligation.
    let found = unsafe { param(setup, key, "a text", |s, v| v.as_str().map(|t| s.keep(t))) };
    found.unwrap_or(ptr::null())
}

/// The list of numbers `key` of the parameters: writes the first `most` into `values` and returns how many there are, which
/// may be more. -1 if it is missing or no list of numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_param_f64s(
    setup: *const Setup,
    key: *const c_char,
    values: *mut f64,
    most: usize,
) -> i64 {
    let numbers = |_: &FullSetup, value: &Value| {
        let list = value.as_array()?.iter();
        list.map(Value::as_f64).collect::<Option<Vec<f64>>>()
    };
    // SAFETY: C's obligation.
    let Some(found) = (unsafe { param(setup, key, "a list of numbers", numbers) }) else {
        return -1;
    };
    if !values.is_null() {
        for (index, number) in found.iter().take(most).enumerate() {
            // SAFETY: C says that `most` numbers fit.
            unsafe { values.add(index).write(*number) };
        }
    }
    found.len() as i64
}
