//! Rings without a graph: made or opened by two programs of one's own.

use crate::outcome::{EPHAPSE_OK, Failure, Outcome, guarded};
use crate::stream_type::{Shown, Type, read, text_of};
use ephapse_engine::abi::{PAGE, SegmentHeader, SessionWords, segment, session_state};
use ephapse_engine::launch::{ProcessRecord, SessionLock, SessionRecord, segment_name};
use ephapse_engine::ring::{Observer, RingSpec, SeatSpec};
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::StreamType;
use std::ffi::{c_char, c_int};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Most seats of a ring that a program makes by itself.
const MOST_SEATS: u32 = 16;

/// A ring that is open in this program. Its ends are opened from it and outlive it.
pub struct Ring {
    pub(crate) segment: Segment,
    pub(crate) stream_type: StreamType,
    shown: Shown,
    /// The descriptor of an unnamed one.
    file: Option<File>,
    /// What its maker removes, in this order: segments first, then the name of the session.
    _made: Option<(Owned, Owned, SessionLock)>,
}

impl Ring {
    fn new(
        segment: Segment,
        file: Option<File>,
        made: Option<(Owned, Owned, SessionLock)>,
    ) -> Result<Self, Failure> {
        let stream_type = Observer::attach(&segment)?.stream_type().clone();
        Ok(Ring {
            shown: Shown::new(&stream_type),
            segment,
            stream_type,
            file,
            _made: made,
        })
    }

    fn unnamed(file: File) -> Result<Self, Failure> {
        let system = |e: std::io::Error| Failure::system(format!("unnamed ring: {e}"));
        let read = file.try_clone().map_err(system)?;
        let write = file.try_clone().map_err(system)?;
        let segment = Segment::from_files("unnamed ring", read, Some(write), segment::RING)?;
        Ring::new(segment, Some(file), None)
    }

    fn named(session: &str, stream: &str, spec: &RingSpec) -> Result<Self, Failure> {
        let mut lock = SessionLock::take(session)?;
        let header = SegmentHeader {
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        };
        let mut own = Owned::create(&segment_name(session, "session"), 3 * PAGE)?;
        own.publish(SegmentHeader {
            kind: segment::SESSION,
            fixed_bytes: PAGE as u64,
            ..header
        });
        let words = own.words::<SessionWords>(PAGE);
        words.state.store(session_state::RUNNING, Ordering::Release);
        let name = segment_name(session, stream);
        let ring = spec.create(&name, header)?;
        lock.write(&SessionRecord {
            session: session.to_owned(),
            processes: vec![ProcessRecord::of("launcher", std::process::id())],
            streams: vec![stream.to_owned()],
            graph: None,
            log: None,
        })?;
        let segment = Segment::open(&name, segment::RING, Access::ReadWrite)?;
        Ring::new(segment, None, Some((ring, own, lock)))
    }
}

/// Gives `made` to C.
///
/// # Safety
/// `to` is null or can be written.
pub(crate) unsafe fn hand_over<T>(made: T, to: *mut *mut T) -> Result<Outcome, Failure> {
    if to.is_null() {
        return Err(Failure::argument("the place for the answer is null"));
    }
    // SAFETY: not null; the rest is the caller's obligation.
    unsafe { to.write(Box::into_raw(Box::new(made))) };
    Ok(EPHAPSE_OK)
}

/// Takes back what [`hand_over`] gave.
///
/// # Safety
/// `given` is null, or was handed over and not yet taken back.
pub(crate) unsafe fn take_back<T>(given: *mut T) -> Option<Box<T>> {
    // SAFETY: the caller's obligation.
    (!given.is_null()).then(|| unsafe { Box::from_raw(given) })
}

/// What C gave as a handle.
///
/// # Safety
/// `given` is null or a handle that has not been closed.
pub(crate) unsafe fn handle<'a, T>(given: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's obligation.
    unsafe { given.as_mut() }.ok_or_else(|| Failure::argument(format!("{what}: is null")))
}

/// A part of a segment's name that C gave.
///
/// # Safety
/// As [`text_of`].
unsafe fn name_of<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: the caller's obligation.
    let name = unsafe { text_of(text, what) }?.unwrap_or_default();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 32 || !name.chars().all(allowed) {
        return Err(Failure::argument(format!(
            "{what}: `{name}` is not a name: use a-z, 0-9, `_` and `-`, at most 32 of them"
        )));
    }
    Ok(name)
}

/// Makes a ring for streams of `type`, with `slots` slots (a power of two) and `seats` `hold` seats (0 to 16), and opens it.
/// With names it is the one stream of a session: this program counts as its launcher, `ephapse status` shows it and
/// observers find it; `ephapse_ring_close` removes it, `ephapse gc` does if this program is killed. Session and stream are
/// both null for a ring without a name, whose `ephapse_ring_descriptor` goes to a child or over a socket. Every seat holds
/// the producer back from the start, whether somebody has opened it or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_create(
    session: *const c_char,
    stream: *const c_char,
    r#type: *const Type,
    slots: u32,
    seats: u32,
    ring: *mut *mut Ring,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let stream_type = unsafe { read(r#type) }?;
        if !slots.is_power_of_two() || seats > MOST_SEATS {
            return Err(Failure::argument(format!(
                "{slots} slots, {seats} seats: slots must be a power of two, seats at most {MOST_SEATS}"
            )));
        }
        let seat = |index| SeatSpec {
            kind: SeatKind::Hold,
            stage: format!("reader{index}"),
            port: "in".into(),
            sleepless: false,
        };
        let spec = RingSpec {
            stream_type,
            slots,
            full: Full::Wait,
            seats: (0..seats).map(seat).collect(),
            spare_seats: 0,
            stream: 0,
            origin: 0,
            sleepless: false,
        };
        let made = if session.is_null() && stream.is_null() {
            let file = spec.create_anonymous();
            Ring::unnamed(file.map_err(|e| Failure::system(format!("unnamed ring: {e}")))?)?
        } else {
            // SAFETY: C's obligation.
            let (session, stream) =
                unsafe { (name_of(session, "session")?, name_of(stream, "stream")?) };
            Ring::named(session, stream, &spec)?
        };
        // SAFETY: C's obligation.
        unsafe { hand_over(made, ring) }
    })
}

/// Opens the ring of a stream of a session of this user, made by another program or by `ephapse run`. Refuses what is
/// damaged, of another version or somebody else's, by name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_open(
    session: *const c_char,
    stream: *const c_char,
    ring: *mut *mut Ring,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let (session, stream) =
            unsafe { (name_of(session, "session")?, name_of(stream, "stream")?) };
        let name = segment_name(session, stream);
        let segment = Segment::open(&name, segment::RING, Access::ReadWrite)?;
        // SAFETY: as above.
        unsafe { hand_over(Ring::new(segment, None, None)?, ring) }
    })
}

/// Opens the ring behind a descriptor that was handed over (`ephapse_ring_descriptor`). The descriptor stays the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_adopt(descriptor: c_int, ring: *mut *mut Ring) -> Outcome {
    guarded(|| {
        if descriptor < 0 {
            return Err(Failure::argument(format!(
                "descriptor {descriptor}: is none"
            )));
        }
        // SAFETY: not -1, and C says that it is open; it is only duplicated here.
        let file = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned();
        let file = file.map_err(|e| Failure::system(format!("descriptor {descriptor}: {e}")))?;
        // SAFETY: C's obligation (head of the header).
        unsafe { hand_over(Ring::unnamed(file.into())?, ring) }
    })
}

/// Descriptor of a ring without a name, valid until the ring is closed; -1 for one with a name. It is closed on `exec` unless the
/// caller says otherwise (`fcntl`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_descriptor(ring: *const Ring) -> c_int {
    // SAFETY: C's obligation (head of the header).
    let ring = unsafe { ring.as_ref() };
    ring.and_then(|ring| ring.file.as_ref())
        .map_or(-1, File::as_raw_fd)
}

/// Type of the ring's stream, valid until the ring is closed; null for a null ring.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_type(ring: *const Ring) -> *const Type {
    // SAFETY: C's obligation (head of the header).
    unsafe { ring.as_ref() }.map_or(ptr::null(), |ring| ring.shown.as_ptr())
}

/// Closes it; its maker removes it (a child that `fork` made of the maker leaves a ring with a name open, or it would). Ends
/// that were opened from it go on. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_ring_close(ring: *mut Ring) {
    // SAFETY: C's obligation (head of the header): a handle, closed once.
    drop(unsafe { take_back(ring) });
}
