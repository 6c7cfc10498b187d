//! The two ends of a ring in C: `claim -> commit` and `peek -> release`, in place.

use crate::header::{Block, EPHAPSE_END_FINISHED, EPHAPSE_END_NONE, Header, Slot};
use crate::outcome::{
    EPHAPSE_ENDED, EPHAPSE_NOTHING, EPHAPSE_OK, Failure, Outcome, failed, guarded,
};
use crate::ring::{Ring, hand_over, handle, take_back};
use crate::stream_type::{Shown, Type, read};
use ephapse_engine::abi::SlotHeader;
use ephapse_engine::os;
use ephapse_engine::ring::{HoldSeat, Producer as EngineProducer};
use ephapse_rtconfig::stream_type::StreamType;
use std::ptr;
use std::time::Duration;

/// A wait looks up this often, whether it was rung or not (ABI.md, I10).
const BOUND_NS: u64 = 100_000_000;

/// The producer of a ring, at most one per ring. For one thread at a time.
pub struct Producer {
    inner: EngineProducer,
    /// Free slots that are known of: what a call costs more than in Rust is saved by looking at the seats less often.
    room: u64,
    ended: bool,
    /// The block being written; its header is null if none is.
    slot: Slot,
    _shown: Shown,
}

/// The owner of a `hold` seat, one per seat. For one thread at a time.
pub struct Reader {
    inner: HoldSeat,
    block: Block,
    header: SlotHeader,
    _shown: Shown,
}

/// First generation of this process: there is no launcher that counts.
fn owner() -> u64 {
    1 << 32 | u64::from(std::process::id())
}

/// The type that C expects; null: whatever the ring has.
///
/// # Safety
/// As [`read`].
unsafe fn expected(ring: &Ring, given: *const Type) -> Result<StreamType, Failure> {
    if given.is_null() {
        return Ok(ring.stream_type.clone());
    }
    // SAFETY: the caller's obligation.
    unsafe { read(given) }
}

/// Waits until `ready` has an answer, at most `timeout_ns`; `sleep` sleeps at most as long as it is told.
fn wait(timeout_ns: u64, mut ready: impl FnMut(Option<Duration>) -> Option<Outcome>) -> Outcome {
    let until_ns = os::monotonic_ns().saturating_add(timeout_ns);
    loop {
        if let Some(answer) = ready(None) {
            return answer;
        }
        let left_ns = until_ns.saturating_sub(os::monotonic_ns());
        if left_ns == 0 {
            return EPHAPSE_NOTHING;
        }
        ready(Some(Duration::from_nanos(left_ns.min(BOUND_NS))));
    }
}

/// CLOCK_MONOTONIC, ns: what all stamps are in.
#[unsafe(no_mangle)]
pub extern "C" fn ephapse_now_ns() -> u64 {
    os::monotonic_ns()
}

/// Becomes the producer of `ring`. `expected` is the type that the ring must carry; null takes what there is. The role is
/// taken once in a ring's life, until its launcher has seen the process dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_open(
    ring: *mut Ring,
    expected: *const Type,
    producer: *mut *mut Producer,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let ring = unsafe { handle(ring, "ring") }?;
        // SAFETY: as above.
        let expected = unsafe { self::expected(ring, expected) }?;
        let inner = EngineProducer::attach(&ring.segment, &expected, owner())?;
        inner.touch();
        let shown = Shown::new(&expected);
        let made = Producer {
            slot: Slot {
                header: ptr::null_mut(),
                data: ptr::null_mut(),
                r#type: shown.as_ptr(),
                room: expected.frames_per_block(),
            },
            inner,
            room: 0,
            ended: false,
            _shown: shown,
        };
        // SAFETY: as above.
        unsafe { hand_over(made, producer) }
    })
}

/// The next slot, to be written in place and published with `ephapse_producer_commit`. Its header is zero but for
/// `position`; `first_frame`, the stamps and what else means something are the caller's to set. Null if every slot is held by a
/// reader: wait (`ephapse_producer_wait`), or drop the block and say so in the next one's `lost`. No system call. Claimed
/// again before it is committed, it is the same slot with a fresh header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_claim(producer: *mut Producer) -> *const Slot {
    // SAFETY: C's obligation (head of the header): a handle, never null.
    let producer = unsafe { &mut *producer };
    if producer.room == 0 {
        look_for_room(producer);
        if producer.room == 0 {
            return ptr::null();
        }
    }
    let position = producer.inner.published();
    // SAFETY: `room` counts what `Producer::room` said, less what was published since.
    let (header, payload) = unsafe { producer.inner.slot_granted(0) };
    *header = SlotHeader {
        position,
        ..SlotHeader::default()
    };
    producer.slot.header = (&raw mut *header).cast::<Header>();
    producer.slot.data = payload.as_mut_ptr().cast();
    &raw const producer.slot
}

// Functions that never unwind, so that nothing need be saved for a panic in them.

#[inline(never)]
extern "C" fn look_for_room(producer: &mut Producer) {
    if !producer.ended {
        producer.room = producer.inner.room(1);
    }
}

#[cold]
extern "C" fn unclaimed() -> Outcome {
    failed(Failure::argument(
        "ephapse_producer_commit: no slot is claimed: call ephapse_producer_claim first",
    ))
}

/// Publishes the slot claimed, with `frames` valid frames (records, bytes), 0 included; more than fit are cut. No system
/// call: readers that sleep are woken by `ephapse_producer_ring`, which comes last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_commit(producer: *mut Producer, frames: u32) -> Outcome {
    // SAFETY: C's obligation (head of the header): a handle, never null.
    let producer = unsafe { &mut *producer };
    // SAFETY: null, or set by `claim` to a header in the mapped slot, which nobody else writes until it is published.
    match unsafe { producer.slot.header.as_mut() } {
        Some(header) => {
            header.valid = frames.min(producer.slot.room);
            producer.slot.header = ptr::null_mut();
            producer.room -= 1;
            producer.inner.publish(1);
            EPHAPSE_OK
        }
        None => unclaimed(),
    }
}

/// Wakes readers that sleep; a system call only if one does. After everything else of an activation: a reader of higher
/// priority on this CPU runs before this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_ring(producer: *mut Producer) {
    // SAFETY: C's obligation (head of the header).
    if let Some(producer) = unsafe { producer.as_ref() } {
        producer.inner.ring_readers();
    }
}

/// Waits until a slot is free, at most `timeout_ns`: `EPHAPSE_OK` or `EPHAPSE_NOTHING`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_wait(
    producer: *mut Producer,
    timeout_ns: u64,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let inner = &mut unsafe { handle(producer, "producer") }?.inner;
        Ok(wait(timeout_ns, |sleep| {
            if let Some(at_most) = sleep {
                inner.wait_for_room(1, at_most);
            }
            (inner.room(1) > 0).then_some(EPHAPSE_OK)
        }))
    })
}

/// Ends the stream behind the last published block, once, and wakes the readers: `reason` is `EPHAPSE_END_FINISHED`,
/// `_STOPPED` or `_FAULT`; `lost` frames would have followed. There is nothing to claim or commit afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_end(
    producer: *mut Producer,
    reason: u64,
    lost: u64,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let producer = unsafe { handle(producer, "producer") }?;
        if reason == EPHAPSE_END_NONE || reason > crate::header::EPHAPSE_END_DIED {
            return Err(Failure::argument(format!(
                "reason {reason}: is none of EPHAPSE_END_FINISHED (1) to EPHAPSE_END_DIED (4)"
            )));
        }
        producer.inner.end(reason, lost);
        (producer.ended, producer.room) = (true, 0);
        producer.slot.header = ptr::null_mut();
        producer.inner.ring_readers();
        Ok(EPHAPSE_OK)
    })
}

/// Ends the stream (finished), if that has not been done, and lets go of the ring. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_producer_close(producer: *mut Producer) {
    // SAFETY: C's obligation (head of the header): a handle, closed once.
    if let Some(mut producer) = unsafe { take_back(producer) } {
        producer.inner.end(EPHAPSE_END_FINISHED, 0);
        producer.inner.ring_readers();
    }
}

/// Takes seat `seat` of `ring` (from 0; a `hold` seat). `expected` as in `ephapse_producer_open`. A seat is taken once in a
/// ring's life, until its launcher has seen the process dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_open(
    ring: *mut Ring,
    seat: u32,
    expected: *const Type,
    reader: *mut *mut Reader,
) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let ring = unsafe { handle(ring, "ring") }?;
        // SAFETY: as above.
        let expected = unsafe { self::expected(ring, expected) }?;
        let inner = HoldSeat::attach(&ring.segment, seat, &expected, owner())?;
        inner.touch();
        let shown = Shown::new(&expected);
        let made = Reader {
            block: Block {
                header: ptr::null(),
                data: ptr::null(),
                r#type: shown.as_ptr(),
                frames: 0,
                port: 0,
                damaged: false,
            },
            header: SlotHeader::default(),
            inner,
            _shown: shown,
        };
        // SAFETY: as above; what was handed over stays where it is until it is closed.
        unsafe {
            let outcome = hand_over(made, reader)?;
            let made = *reader;
            (*made).block.header = (&raw const (*made).header).cast::<Header>();
            Ok(outcome)
        }
    })
}

/// The oldest block not yet released, in place; null if none is there (yet). Valid until it is released. No system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_peek(reader: *mut Reader) -> *const Block {
    // SAFETY: C's obligation (head of the header): a handle, never null.
    let reader = unsafe { &mut *reader };
    let Some((payload, damaged)) = reader.inner.peek_into(0, &mut reader.header) else {
        return ptr::null();
    };
    reader.block.data = payload.as_ptr().cast();
    reader.block.frames = reader.header.valid;
    reader.block.damaged = damaged;
    &raw const reader.block
}

/// Gives the oldest block back to the producer, peeked or not; nothing if there is none. No system call: a producer that
/// sleeps is woken by `ephapse_reader_ring`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_release(reader: *mut Reader) {
    // SAFETY: C's obligation (head of the header): a handle, never null.
    unsafe { &mut *reader }.inner.release(1);
}

/// Wakes the producer if it sleeps for room; a system call only then. After everything else of an activation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_ring(reader: *mut Reader) {
    // SAFETY: C's obligation (head of the header).
    if let Some(reader) = unsafe { reader.as_ref() } {
        reader.inner.ring_producer();
    }
}

/// Waits until there is a block to peek, at most `timeout_ns`: `EPHAPSE_OK`, `EPHAPSE_NOTHING`, or `EPHAPSE_ENDED` when the
/// stream has ended and every block was released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_wait(reader: *mut Reader, timeout_ns: u64) -> Outcome {
    guarded(|| {
        // SAFETY: C's obligation (head of the header).
        let inner = &mut unsafe { handle(reader, "reader") }?.inner;
        Ok(wait(timeout_ns, |sleep| {
            if let Some(at_most) = sleep {
                inner.wait(0, at_most);
            }
            if inner.peek(0).is_some() {
                Some(EPHAPSE_OK)
            } else {
                inner.done().then_some(EPHAPSE_ENDED)
            }
        }))
    })
}

/// Why the stream has ended, `EPHAPSE_END_*`; `EPHAPSE_END_NONE` while it is open. Blocks before the end may still be there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_end_reason(reader: *const Reader) -> u64 {
    // SAFETY: C's obligation (head of the header).
    let reader = unsafe { reader.as_ref() };
    reader
        .and_then(|reader| reader.inner.end())
        .map_or(EPHAPSE_END_NONE, |(_, reason)| reason)
}

/// Lets go of the seat. What was not released stays held: the producer waits for it. Null does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ephapse_reader_close(reader: *mut Reader) {
    // SAFETY: C's obligation (head of the header): a handle, closed once.
    drop(unsafe { take_back(reader) });
}
