//! A ring between two scripts: a session of one ring, its producer, its reader.
#![allow(unsafe_code, reason = "lends slots of mapped memory")]

use crate::header::{self, Header};
use crate::observer::type_json;
use crate::refused;
use crate::slot::Slot;
use ephapse_engine::abi::{
    PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords, SegmentHeader, SessionWords,
    SlotHeader, end_reason, segment, session_state,
};
use ephapse_engine::launch::{ProcessRecord, SessionLock, SessionRecord, segment_name};
use ephapse_engine::os;
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::sync::{AtomicU64, Ordering};
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::StreamType;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use zerocopy::FromBytes;

/// The one stream of such a session.
const STREAM: &str = "ring";

/// Generation 1 of an owner word, for this process.
fn owner() -> u64 {
    1 << 32 | u64::from(std::process::id())
}

fn no_longer() -> PyErr {
    PyRuntimeError::new_err("this ring has been closed")
}

/// A session of one ring, launched by this process: name, segments, and their removal.
#[pyclass(unsendable, module = "ephapse._native")]
pub struct OneRingSession {
    /// Segments go before the lock: whoever finds the name free finds no segment of it.
    made: RefCell<Option<(Owned, Owned, SessionLock)>>,
}

#[pymethods]
impl OneRingSession {
    /// Takes the name and makes the segments.
    #[new]
    fn new(name: &str, type_json: &str, slots: u32) -> PyResult<Self> {
        let stream_type: StreamType =
            serde_json::from_str(type_json).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let mut lock = SessionLock::take(name).map_err(refused)?;
        lock.write(&SessionRecord {
            session: name.to_owned(),
            processes: vec![ProcessRecord::of("launcher", std::process::id())],
            streams: vec![STREAM.to_owned()],
            graph: None,
            log: None,
        })
        .map_err(refused)?;
        let header = SegmentHeader {
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        };
        let spec = RingSpec {
            stream_type,
            slots,
            full: Full::Wait,
            seats: vec![SeatSpec {
                kind: SeatKind::Hold,
                stage: "reader".to_owned(),
                port: STREAM.to_owned(),
                sleepless: false,
            }],
            spare_seats: 0,
            stream: 0,
            origin: 0,
            sleepless: false,
        };
        let ring = spec
            .create(&segment_name(name, STREAM), header)
            .map_err(refused)?;
        let mut session =
            Owned::create(&segment_name(name, "session"), 3 * PAGE).map_err(refused)?;
        session.publish(SegmentHeader {
            kind: segment::SESSION,
            fixed_bytes: PAGE as u64,
            ..header
        });
        let words = session.words::<SessionWords>(PAGE);
        words.state.store(session_state::RUNNING, Ordering::Release);
        Ok(OneRingSession {
            made: RefCell::new(Some((session, ring, lock))),
        })
    }

    /// Removes segments and session file.
    fn close(&self) {
        self.made.borrow_mut().take();
    }
}

/// Opens the ring of such a session.
fn open(name: &str) -> PyResult<Segment> {
    Segment::open(
        &segment_name(name, STREAM),
        segment::RING,
        Access::ReadWrite,
    )
    .map_err(refused)
}

fn geometry(segment: &Segment) -> PyResult<RingGeometry> {
    let at = RING_GEOMETRY_AT..RING_GEOMETRY_AT + size_of::<RingGeometry>();
    let bytes = segment.fixed().get(at);
    bytes
        .and_then(|bytes| RingGeometry::read_from_bytes(bytes).ok())
        .ok_or_else(|| refused(format!("{}: its fixed region is too short", segment.name())))
}

/// Takes a role from an owner that is dead. Here no launcher watches over its processes, so whoever comes next looks.
fn free_if_dead(word: &AtomicU64) {
    let holder = word.load(Ordering::Acquire);
    let pid = (holder & 0xffff_ffff) as u32;
    if holder != 0 && os::PidFd::open(pid).map_or(true, |process| process.is_dead()) {
        // Lost against somebody else who looked: the role is then his.
        let _ = word.compare_exchange(holder, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The producing end.
#[pyclass(unsendable, module = "ephapse._native")]
pub struct RingProducer {
    producer: RefCell<Option<Producer>>,
    words: RefCell<Option<ephapse_engine::shm::Words<ProducerWords>>>,
    claimed: RefCell<Option<Py<Slot>>>,
    next_frame: Cell<u64>,
}

#[pymethods]
impl RingProducer {
    /// Attaches as the producer.
    #[new]
    fn new(name: &str) -> PyResult<Self> {
        let segment = open(name)?;
        let at = geometry(&segment)?.producer_at as usize;
        let page = segment.map(at, PAGE, Access::ReadWrite).map_err(refused)?;
        let words = page.words::<ProducerWords>(0);
        free_if_dead(&words.owner);
        let stream_type = stream_type_of(&segment)?;
        let producer = Producer::attach(&segment, &stream_type, owner()).map_err(refused)?;
        let next_frame = last_frame(&segment, producer.published())?;
        Ok(RingProducer {
            producer: RefCell::new(Some(producer)),
            words: RefCell::new(Some(words)),
            claimed: RefCell::new(None),
            next_frame: Cell::new(next_frame),
        })
    }

    /// The stream's type, as JSON.
    #[getter]
    fn type_json(&self) -> PyResult<String> {
        let producer = self.producer.borrow();
        type_json(producer.as_ref().ok_or_else(no_longer)?.stream_type())
    }

    /// Sleeps until a slot is free, at most so long, without the interpreter's lock. True if one is.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let mut producer = self.producer.borrow_mut();
        let producer = producer.as_mut().ok_or_else(no_longer)?;
        let timeout = Duration::try_from_secs_f64(timeout_s)
            .map_err(|e| PyValueError::new_err(e.to_string()))?;
        Ok(py.detach(|| producer.room(1) > 0 || producer.wait_for_room(1, timeout)))
    }

    /// The next free slot's payload, writable until the commit; `None` if there is none.
    fn claim(&self, py: Python<'_>) -> PyResult<Option<Py<Slot>>> {
        let mut producer = self.producer.borrow_mut();
        let producer = producer.as_mut().ok_or_else(no_longer)?;
        // One that was given up in an exception may still be held by the traceback.
        if held(&self.claimed) {
            return Err(refused(
                "a view of a block that was given up is still held: let it go before the next",
            ));
        }
        if producer.ended() {
            return Err(refused("the stream has ended"));
        }
        if producer.room(1) == 0 {
            return Ok(None);
        }
        let position = producer.published();
        let (header, payload) = producer.slot(0);
        let now_ns = os::monotonic_ns();
        *header = SlotHeader {
            position,
            first_frame: self.next_frame.get(),
            parts: 1,
            sampled_ns: now_ns,
            arrived_ns: now_ns,
            ..SlotHeader::default()
        };
        // SAFETY: the slot is mapped as long as the producer, which neither `commit` nor `close` lets go of while it is lent, and
        // `Drop` never; nobody reads or writes it before the commit (I5), and no reference to the payload is made until then
        // but in `slot`, which does not use it.
        let slot = unsafe { Slot::new(payload.as_ptr(), payload.len(), false) };
        let slot = Py::new(py, slot)?;
        *self.claimed.borrow_mut() = Some(slot.clone_ref(py));
        Ok(Some(slot))
    }

    /// Sets a field of the claimed block's header.
    fn set(&self, field: &str, value: u64) -> PyResult<()> {
        let mut producer = self.producer.borrow_mut();
        let producer = producer.as_mut().ok_or_else(no_longer)?;
        if self.claimed.borrow().is_none() {
            return Err(PyRuntimeError::new_err("no block has been claimed"));
        }
        header::set(producer.slot(0).0, field, value)
    }

    /// Publishes the claimed block with `valid` frames. An error if a view of it is still held.
    fn commit(&self, valid: u32) -> PyResult<()> {
        let mut producer = self.producer.borrow_mut();
        let producer = producer.as_mut().ok_or_else(no_longer)?;
        let claimed = self.claimed.borrow();
        let claimed = claimed
            .as_ref()
            .ok_or_else(|| PyRuntimeError::new_err("no block has been claimed"))?;
        let most = producer.stream_type().frames_per_block();
        if valid > most {
            return Err(PyValueError::new_err(format!(
                "{valid} frames do not fit in a block of {most}"
            )));
        }
        give_back(claimed.get())?;
        let header = producer.slot(0).0;
        header.valid = valid;
        header.committed_ns = os::monotonic_ns();
        let next = header.first_frame + u64::from(valid);
        self.next_frame.set(next);
        producer.publish(1);
        producer.ring_readers();
        Ok(())
    }

    /// Gives the claimed block up: nothing is published. Also what comes after a commit.
    fn forget(&self) {
        let mut claimed = self.claimed.borrow_mut();
        if let Some(slot) = claimed.as_ref() {
            slot.get().close();
            if slot.get().loans() == 0 {
                *claimed = None;
            }
        }
    }

    /// Ends the stream: its reader's loop is over when it has read the rest.
    fn end(&self) -> PyResult<()> {
        let mut producer = self.producer.borrow_mut();
        let producer = producer.as_mut().ok_or_else(no_longer)?;
        producer.end(end_reason::FINISHED, 0);
        producer.ring_readers();
        Ok(())
    }

    /// Leaves the role to the next. An error, and nothing done, while a view is held.
    fn close(&self) -> PyResult<()> {
        if let Some(slot) = self.claimed.borrow().as_ref() {
            give_back(slot.get())?;
        }
        self.forget();
        self.producer.borrow_mut().take();
        if let Some(words) = self.words.borrow_mut().take() {
            let _ = words
                .owner
                .compare_exchange(owner(), 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The reading end: the ring's one `hold` seat.
#[pyclass(unsendable, module = "ephapse._native")]
pub struct RingReader {
    seat: RefCell<Option<HoldSeat>>,
    words: RefCell<Option<ephapse_engine::shm::Words<SeatWords>>>,
    peeked: RefCell<Option<Py<Slot>>>,
}

#[pymethods]
impl RingReader {
    /// Attaches to the seat.
    #[new]
    fn new(name: &str) -> PyResult<Self> {
        let segment = open(name)?;
        let at = geometry(&segment)?.seats_at as usize;
        let page = segment.map(at, PAGE, Access::ReadWrite).map_err(refused)?;
        let words = page.words::<SeatWords>(0);
        free_if_dead(&words.owner);
        let stream_type = stream_type_of(&segment)?;
        let seat = HoldSeat::attach(&segment, 0, &stream_type, owner()).map_err(refused)?;
        Ok(RingReader {
            seat: RefCell::new(Some(seat)),
            words: RefCell::new(Some(words)),
            peeked: RefCell::new(None),
        })
    }

    /// The stream's type, as JSON.
    #[getter]
    fn type_json(&self) -> PyResult<String> {
        let seat = self.seat.borrow();
        type_json(seat.as_ref().ok_or_else(no_longer)?.stream_type())
    }

    /// Sleeps until a block is there or the stream has ended, at most so long, without the interpreter's lock. True if one is.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let mut seat = self.seat.borrow_mut();
        let seat = seat.as_mut().ok_or_else(no_longer)?;
        let timeout = Duration::try_from_secs_f64(timeout_s)
            .map_err(|e| PyValueError::new_err(e.to_string()))?;
        py.detach(|| seat.wait(0, timeout));
        Ok(seat.available() > 0)
    }

    /// Header and read-only payload of the next block; `None` if it is not there yet.
    fn peek(&self, py: Python<'_>) -> PyResult<Option<(Header, Py<Slot>)>> {
        let mut seat = self.seat.borrow_mut();
        let seat = seat.as_mut().ok_or_else(no_longer)?;
        // One that nobody looks at any more was left unread by an exception.
        if held(&self.peeked) {
            return Err(PyRuntimeError::new_err(
                "a block is being looked at already: leave its `with` first, and keep no view of it",
            ));
        }
        let Some(peeked) = seat.peek(0) else {
            return Ok(None);
        };
        // SAFETY: as in `claim`: the seat stays while the slot is lent, and the producer does not write here before the release
        // (I5), which is refused meanwhile.
        let slot = unsafe { Slot::new(peeked.payload.as_ptr(), peeked.payload.len(), true) };
        let slot = Py::new(py, slot)?;
        *self.peeked.borrow_mut() = Some(slot.clone_ref(py));
        Ok(Some((Header(peeked.header), slot)))
    }

    /// Gives the block back. An error, and nothing done, while a view of it is held.
    fn release(&self) -> PyResult<()> {
        let mut seat = self.seat.borrow_mut();
        let seat = seat.as_mut().ok_or_else(no_longer)?;
        let mut peeked = self.peeked.borrow_mut();
        let slot = peeked
            .as_ref()
            .ok_or_else(|| PyRuntimeError::new_err("no block is being looked at"))?;
        give_back(slot.get())?;
        *peeked = None;
        seat.release(1);
        seat.ring_producer();
        Ok(())
    }

    /// True when the stream has ended and everything was read.
    fn done(&self) -> PyResult<bool> {
        Ok(self.seat.borrow().as_ref().ok_or_else(no_longer)?.done())
    }

    /// Leaves the seat to the next. An error, and nothing done, while a view is held.
    fn close(&self) -> PyResult<()> {
        if let Some(slot) = self.peeked.borrow().as_ref() {
            give_back(slot.get())?;
        }
        self.peeked.borrow_mut().take();
        self.seat.borrow_mut().take();
        if let Some(words) = self.words.borrow_mut().take() {
            let _ = words
                .owner
                .compare_exchange(owner(), 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Drop for RingProducer {
    fn drop(&mut self) {
        if held(&self.claimed) {
            std::mem::forget(self.producer.take());
        }
    }
}

impl Drop for RingReader {
    fn drop(&mut self) {
        if held(&self.peeked) {
            std::mem::forget(self.seat.take());
        }
    }
}

/// Somebody can still look at the slot of an end that goes: its mapping has to stay.
fn held(slot: &RefCell<Option<Py<Slot>>>) -> bool {
    slot.borrow()
        .as_ref()
        .is_some_and(|slot| slot.get().loans() > 0)
}

/// Nobody looks at a slot any more, or an error that says what to do.
fn give_back(slot: &Slot) -> PyResult<()> {
    if slot.loans() > 0 {
        return Err(refused(
            "a view of a block was kept: copy it, or `del` it inside the `with`",
        ));
    }
    slot.close();
    Ok(())
}

fn stream_type_of(segment: &Segment) -> PyResult<StreamType> {
    let observer = ephapse_engine::ring::Observer::attach(segment).map_err(refused)?;
    Ok(observer.stream_type().clone())
}

/// The frame after the newest block: where a producer that takes over goes on.
fn last_frame(segment: &Segment, published: u64) -> PyResult<u64> {
    let observer = ephapse_engine::ring::Observer::attach(segment).map_err(refused)?;
    let newest = published
        .checked_sub(1)
        .and_then(|newest| observer.copy(newest, &mut []));
    Ok(newest.map_or(0, |h| h.first_frame + u64::from(h.valid)))
}
