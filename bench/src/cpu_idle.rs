//! What CPUs do when they are idle: poll, as long as somebody holds `/dev/cpu_dma_latency` at 0, or halt.

use ephapse_engine::os;
use std::fs::File;
use std::io::Read;

/// The kernel's file.
const FILE: &str = "/dev/cpu_dma_latency";

/// State of idle CPUs while something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// They poll.
    Polling,
    /// They halt, as the kernel sees fit.
    Halted,
}

impl Idle {
    /// As in tags and tables.
    pub fn word(self) -> &'static str {
        match self {
            Idle::Polling => "polling",
            Idle::Halted => "halted",
        }
    }

    /// Keeps idle CPUs in this state as long as the answer lives.
    ///
    /// # Errors
    /// What the system said, and what to do.
    pub fn hold(self) -> Result<Option<File>, String> {
        match self {
            Idle::Halted => Ok(None),
            Idle::Polling => os::hold_cpu_latency().map(Some).map_err(|error| {
                format!("idle CPUs that poll: {FILE}: {error}: measure as a user who may write it")
            }),
        }
    }

    /// That somebody else on this machine keeps idle CPUs from being in this state, if so.
    pub fn spoiled(self) -> Option<String> {
        (self == Idle::Halted && constraint_us() == Some(0)).then(|| {
            format!("idle CPUs that halt: another process holds {FILE} at 0, so they poll: measure again without it")
        })
    }
}

/// The strictest wish of all processes, us, if it may be read.
fn constraint_us() -> Option<i32> {
    let mut bytes = [0; 4];
    File::open(FILE).ok()?.read_exact(&mut bytes).ok()?;
    Some(i32::from_ne_bytes(bytes))
}
