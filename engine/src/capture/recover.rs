//! Ends the capture of a session in which nobody lives any more: what spool, rings and telemetry rings still hold is
//! appended before they are removed. It is the recorder's successor, once and for all.

use super::pump::Pump;
use super::spool::SpoolView;
use super::writer::{RecordError, Writer};
use super::{AppendError, CaptureLock, seal_why};
use crate::abi::{PAGE, RING_GEOMETRY_AT, RingGeometry, SeatWords, segment};
use crate::runner::file::{Duty, RecorderDuty, StageFile};
use crate::shm::{Access, Segment, ShmError, read_at};
use crate::sync::Ordering;
use ephapse_rtconfig::plan::RECORDER;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A recorder whose launcher is gone has left by then.
const LEAVES_WITHIN: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Debug)]
pub struct Recovered {
    /// The capture.
    pub capture: PathBuf,
    /// Bytes that were still in the spool or in rings and are in the capture now.
    pub bytes: u64,
    /// Why it could not be ended; `None`: it is whole and sealed.
    pub error: Option<RecordError>,
}

impl Recovered {
    /// True if what is left must be kept, for it may be appended later: the disk is full, or cannot be written now.
    pub fn may_be_tried_again(&self) -> bool {
        match &self.error {
            Some(RecordError::Append(AppendError::NoSpace { .. }) | RecordError::Taken { .. }) => {
                true
            }
            // A capture that was taken away will not come back.
            Some(RecordError::Append(AppendError::Io { source, .. })) => {
                source.kind() != io::ErrorKind::NotFound
            }
            _ => false,
        }
    }
}

/// Ends the capture of the session whose processes have their files in `folder`. `None` if it has none.
///
/// The caller has made sure that all of its processes are dead.
pub fn recover(folder: &Path) -> Option<Recovered> {
    let (session_segment, duty) = recorder_duty(folder)?;
    let session = Segment::open(&session_segment, segment::SESSION, Access::ReadOnly);
    let appended = session
        .map_err(RecordError::from)
        .and_then(|session| append_rest(&session, &duty));
    let (bytes, error) = match appended {
        Ok(bytes) => (bytes, None),
        Err(error) => (0, Some(error)),
    };
    Some(Recovered {
        capture: duty.capture,
        bytes,
        error,
    })
}

/// The session's segment, and what its recorder was told. `None` if it has none.
pub(crate) fn recorder_duty(folder: &Path) -> Option<(String, RecorderDuty)> {
    let text = std::fs::read_to_string(folder.join(format!("{RECORDER}.json"))).ok()?;
    let file: StageFile = serde_json::from_str(&text).ok()?;
    match file.duty {
        Duty::Recorder(duty) => Some((file.session_segment, *duty)),
        _ => None,
    }
}

/// Appends what is left and seals the capture. Returns how many bytes there were.
///
/// # Errors
/// A segment that is damaged or not there any more, or a capture that cannot be written.
pub fn append_rest(session: &Segment, duty: &RecorderDuty) -> Result<u64, RecordError> {
    let _lock = CaptureLock::take(&duty.capture, LEAVES_WITHIN)?;
    let spool = session.open_beside(&duty.spool_segment, segment::SPOOL)?;
    if SpoolView::attach(&spool)?.is_sealed() {
        return Ok(0);
    }
    for recorded in &duty.streams {
        free_seat(session, &recorded.edge.segment, recorded.seat)?;
    }
    // Before the writer is: what a killed recorder had put into the spool and not yet said is said now.
    let mut pump = Pump::attach(session, duty, u64::from(std::process::id()))?;
    let mut writer = Writer::attach(session, duty)?;
    let before = writer.appended_bytes();
    while pump.round(true) || !pump.took_all() {
        writer.append_waiting()?;
    }
    writer.append_waiting()?;
    let bytes = writer.appended_bytes() - before;
    writer.finish(true, seal_why::RECOVERED)?;
    Ok(bytes)
}

/// Sets the owner of a dead process's seat back to nobody.
fn free_seat(session: &Segment, ring: &str, seat: u32) -> Result<(), ShmError> {
    let ring = session.open_beside(ring, segment::RING)?;
    let g: RingGeometry = read_at(ring.fixed(), RING_GEOMETRY_AT).unwrap_or_default();
    if seat >= g.seats {
        return Err(ShmError::refused(
            ring.name(),
            format!("has no seat {seat}"),
        ));
    }
    let at = g.seats_at as usize + seat as usize * PAGE;
    let words = ring.map(at, PAGE, Access::ReadWrite)?.words::<SeatWords>(0);
    words.owner.store(0, Ordering::Release);
    Ok(())
}
