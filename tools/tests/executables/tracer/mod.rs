//! The system calls of one stage in a running session, each with what the stage had recorded at that instant.

mod judge;
mod ptrace;
mod records;

pub use judge::{Counted, activations, begins, out_of_order};
pub use records::Records;

use ephapse_engine::abi::ActivationRecord;
use ephapse_engine::os::monotonic_ns;
use ptrace::{Stop, Traced};
use std::io;
use std::time::Duration;

/// One system call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Number of the call on this architecture.
    pub number: i64,
    /// Its second argument: what a futex call does.
    pub operation: u64,
    /// CLOCK_MONOTONIC while the stage stood still at the entry, ns.
    pub entered_ns: u64,
    /// Activation records that the stage had published at the entry.
    pub records_before: u64,
    /// The same at the return.
    pub records_behind: u64,
    /// What it returned; a negative `errno` if it failed.
    pub value: i64,
}

/// The calls of a stage over some time.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Number of the first record published under the tracer's eyes.
    pub first: u64,
    /// Records `first` and up, as many as were published.
    pub records: Vec<ActivationRecord>,
    /// Calls entered behind record `first`, in order.
    pub calls: Vec<Call>,
    /// How long it was looked at, ns.
    pub length_ns: u64,
}

/// Follows a process until it has published `wanted` more records, at most for `within`.
///
/// # Errors
/// EPERM if tracing is not permitted.
pub fn trace(pid: u32, records: &Records, wanted: u64, within: Duration) -> io::Result<Trace> {
    let mut traced = Traced::seize(pid)?;
    let begun_ns = monotonic_ns();
    // The call in which the tracer came is interrupted by it: what counts begins behind the first record.
    let first = records.published();
    let last = first + wanted;
    let mut trace = Trace {
        first,
        ..Trace::default()
    };
    let mut open: Option<Call> = None;
    while records.published() < last && monotonic_ns() - begun_ns < within.as_nanos() as u64 {
        match traced.next()? {
            Stop::Entry { number, operation } => {
                open = Some(Call {
                    number,
                    operation,
                    entered_ns: monotonic_ns(),
                    records_before: records.published(),
                    records_behind: 0,
                    value: 0,
                });
            }
            Stop::Exit { value } => {
                if let Some(call) = open.take().filter(|call| call.records_before > first) {
                    trace.calls.push(Call {
                        records_behind: records.published(),
                        value,
                        ..call
                    });
                }
            }
            Stop::Other => {}
            Stop::Gone => return Err(io::Error::other("the stage ended while it was traced")),
        }
    }
    trace.records = records.read(first, records.published());
    trace.length_ns = monotonic_ns() - begun_ns;
    Ok(trace)
}
