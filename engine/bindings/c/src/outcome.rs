//! How functions say that something did not work: a code, and a line of text per thread.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a function of the ring level came to: 0 done; above 0 nothing wrong, but nothing done; below 0 an error, about which
/// `ephapse_last_error` has a line.
pub type Outcome = i32;

/// Done.
pub const EPHAPSE_OK: Outcome = 0;
/// Nothing there (no block, no room) within the time allowed. No error.
pub const EPHAPSE_NOTHING: Outcome = 1;
/// The stream has ended and everything in it was read. No error.
pub const EPHAPSE_ENDED: Outcome = 2;
/// An argument cannot be: a null pointer, a number out of range, a text that is not UTF-8.
pub const EPHAPSE_BAD_ARGUMENT: Outcome = -1;
/// The segment is not what it should be: another type, another version, damaged, a role that somebody holds.
pub const EPHAPSE_REFUSED: Outcome = -2;
/// The system said no: no such file, no memory, no permission.
pub const EPHAPSE_SYSTEM: Outcome = -3;
/// A fault of the library itself, contained.
pub const EPHAPSE_PANICKED: Outcome = -4;

/// Why something cannot be done: a code and one line.
#[derive(Debug)]
pub(crate) struct Failure {
    pub code: Outcome,
    pub why: String,
}

impl Failure {
    pub fn argument(why: impl Into<String>) -> Self {
        Failure {
            code: EPHAPSE_BAD_ARGUMENT,
            why: why.into(),
        }
    }

    pub fn system(why: impl Into<String>) -> Self {
        Failure {
            code: EPHAPSE_SYSTEM,
            why: why.into(),
        }
    }
}

impl From<ephapse_engine::shm::ShmError> for Failure {
    fn from(error: ephapse_engine::shm::ShmError) -> Self {
        use ephapse_engine::shm::ShmError;
        Failure {
            code: match &error {
                ShmError::Refused { .. } | ShmError::Exists { .. } => EPHAPSE_REFUSED,
                ShmError::NoSpace { .. } | ShmError::Io { .. } => EPHAPSE_SYSTEM,
            },
            why: error.to_string(),
        }
    }
}

impl From<ephapse_engine::launch::LaunchError> for Failure {
    fn from(error: ephapse_engine::launch::LaunchError) -> Self {
        use ephapse_engine::launch::LaunchError;
        match error {
            LaunchError::Shm(error) => error.into(),
            LaunchError::Running { .. } | LaunchError::Orphans { .. } => Failure {
                code: EPHAPSE_REFUSED,
                why: error.to_string(),
            },
            _ => Failure::system(error.to_string()),
        }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Text for C: what stands behind a zero byte would be lost, so there is none.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// Leaves a failure's line for `ephapse_last_error` and gives its code.
pub(crate) fn failed(failure: Failure) -> Outcome {
    LAST.with_borrow_mut(|last| *last = c_text(&failure.why));
    failure.code
}

/// Does `work`; an error or a panic becomes a code and a line.
pub(crate) fn guarded(work: impl FnOnce() -> Result<Outcome, Failure>) -> Outcome {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| {
        Err(Failure {
            code: EPHAPSE_PANICKED,
            why: "libephapse: a fault of the library (its message is on stderr): please report it"
                .into(),
        })
    })
    .unwrap_or_else(failed)
}

/// One line about the newest error of the calling thread: what, where, why, what to do. Empty if there was none. UTF-8,
/// valid until the thread's next error.
#[unsafe(no_mangle)]
pub extern "C" fn ephapse_last_error() -> *const c_char {
    LAST.with_borrow(|last| last.as_ptr())
}
