//! A stand-in: a process that is prepared and waits until the one it stands in for has died.

use crate::os;
use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, RawFd};
use std::time::Duration;

/// Waits for the word to begin. `None`: the launcher is gone, or needs no stand-in any more.
#[allow(
    unsafe_code,
    reason = "takes over a descriptor that the launcher left open"
)]
pub(super) fn wait_for_generation(parked_fd: RawFd, lifeline_fd: RawFd) -> Option<u32> {
    // SAFETY: the launcher left this descriptor open over exec for this process alone, which uses it here and nowhere else.
    let mut pipe = unsafe { File::from_raw_fd(parked_fd) };
    loop {
        let ready = os::poll_in(&[parked_fd, lifeline_fd], Duration::from_secs(1));
        if ready[0] {
            let mut generation = [0; 4];
            return pipe
                .read_exact(&mut generation)
                .is_ok()
                .then(|| u32::from_le_bytes(generation));
        }
        if os::lifeline_cut(lifeline_fd) {
            return None;
        }
    }
}
