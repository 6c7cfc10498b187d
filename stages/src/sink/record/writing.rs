//! The thread that writes the capture.

use super::said;
use ephapse_engine::capture::{Step, Writer, seal_why};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Nothing to write, or nothing that can be written: it looks again after so long.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Writes until the pump has said that there is no more.
pub fn write(mut writer: Writer, heard: &AtomicU32) {
    loop {
        let said = heard.load(Ordering::Acquire);
        let step = writer.step();
        match (said, step) {
            (said::FINISH, Step::Idle | Step::Refused) => {
                // The reason stands in the spool's words, and the launcher reports it.
                let _ = writer.finish(false, seal_why::CLOSED);
                return;
            }
            (said::LEAVE, _) => return,
            (_, Step::Wrote) => {}
            (_, Step::Idle | Step::Refused) => std::thread::sleep(LOOK_AGAIN),
        }
    }
}
