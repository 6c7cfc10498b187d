//! `sink.record`: the recorder's process. One thread takes what comes from the rings into the spool and never waits for the
//! disk; the other writes what the spool holds to the capture.
//!
//! ```text
//! rings, telemetry ──> pump (SCHED_FIFO 30) ──> spool (shared memory) ──> writer (normal) ──> capture
//! ```
//!
//! It heeds no stop: the launcher tells it to finish when everybody else has left. Without a launcher it leaves as it is, and
//! the next command ends the capture.

mod pumping;
mod writing;

use ephapse_engine::capture::{CaptureLock, Pump, Writer};
use ephapse_engine::os;
use ephapse_engine::runner::file::{RecorderDuty, StageFile};
use ephapse_engine::runner::{Attendant, ProcessError};
use ephapse_engine::trap::arm_as_told;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A killed predecessor has let go by then.
const PREDECESSOR: Duration = Duration::from_secs(1);

/// What the pump has said to the writer.
mod said {
    /// It pumps.
    pub const MORE: u32 = 0;
    /// There will be no more: end the capture.
    pub const FINISH: u32 = 1;
    /// The launcher is gone: leave the rest to the next command.
    pub const LEAVE: u32 = 2;
}

/// Runs the recorder in this process.
///
/// # Errors
/// Whatever kept it from starting, or from ending the capture; the same line is left in its segment for the launcher.
pub fn run(file: &StageFile, duty: &RecorderDuty) -> Result<(), ProcessError> {
    arm_as_told();
    os::expect_file_limits();
    let mut attendant = Attendant::attach(file)?;
    let owner = attendant.owner();
    // Nobody else may end the capture as long as this process lives.
    let _lock = CaptureLock::take(&duty.capture, PREDECESSOR)
        .map_err(|error| attendant.fail(error.to_string()))?;
    // The pump first: what a killed predecessor had put into the spool and not yet said is said before the writer looks.
    let mut pump = Pump::attach(attendant.session(), duty, owner)
        .map_err(|error| attendant.fail(error.to_string()))?;
    let mut writer = Writer::attach(attendant.session(), duty)
        .map_err(|error| attendant.fail(error.to_string()))?;
    // These threads come before this one takes its priority, which they would inherit.
    writer
        .read_files()
        .map_err(|error| attendant.fail(format!("no thread to read files: {error}")))?;
    let said = Arc::new(AtomicU32::new(said::MORE));
    let heard = said.clone();
    let writing = std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || writing::write(writer, &heard))
        .map_err(|error| attendant.fail(format!("no thread for the writer: {error}")))?;
    attendant.place(duty.priority);
    let last = if attendant.wait_for_start() {
        pumping::pump(&mut pump, &mut attendant, duty)
    } else {
        said::LEAVE
    };
    drop(pump);
    said.store(last, Ordering::Release);
    match writing.join() {
        Ok(()) => {
            attendant.leave();
            Ok(())
        }
        // Its own words are in the segment already.
        Err(_) => Err(ProcessError::Stage("the writer panicked".into())),
    }
}
