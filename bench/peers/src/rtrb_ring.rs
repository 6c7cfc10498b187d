//! rtrb: a single-producer single-consumer ring between two threads of one process, written and read in place, spinning.
//!
//! Chunks are claimed, written and committed as on <https://docs.rs/rtrb/0.4.1/rtrb/chunks/index.html>. Its items are cache
//! lines and a block is a fixed number of them, so that slots of any payload are aligned like the engine's; the ring holds a
//! whole number of blocks, so that no block is wrapped.
#![allow(unsafe_code, reason = "uninitialised slots are written in place")]

use core::mem::MaybeUninit;
use ephapse_bench::ends::LinkSpec;
use ephapse_bench::hop::payload::{self, Seen};
use ephapse_bench::hop::{Receiver, Sender, spin_until};
use ephapse_engine::os::monotonic_ns;
use rtrb::{Consumer, Producer, RingBuffer};

/// What the ring's items are.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line([u8; 64]);

impl Line {
    /// Filled with one byte.
    pub fn of(byte: u8) -> Self {
        Line([byte; 64])
    }
}

/// Both ends of a ring for `slots` blocks, its memory touched.
pub fn ring(link: &LinkSpec) -> (RtrbSender, RtrbReceiver) {
    let lines = link.payload.div_ceil(size_of::<Line>());
    let (mut producer, mut consumer) = RingBuffer::new(lines * link.slots as usize);
    while producer.push(Line::of(0)).is_ok() {}
    while consumer.pop().is_ok() {}
    let payload = link.payload;
    (
        RtrbSender {
            producer,
            lines,
            payload,
        },
        RtrbReceiver {
            consumer,
            lines,
            payload,
        },
    )
}

/// The producer's thread.
pub struct RtrbSender {
    producer: Producer<Line>,
    lines: usize,
    payload: usize,
}

impl Sender for RtrbSender {
    fn send(&mut self, position: u64) -> Result<(), String> {
        let began_ns = monotonic_ns();
        let (lines, bytes) = (self.lines, self.payload);
        spin_until("free slot", || {
            let Ok(mut chunk) = self.producer.write_chunk_uninit(lines) else {
                return false;
            };
            let (slot, _) = chunk.as_mut_slices();
            payload::fill(bytes_mut(slot, bytes), position, began_ns);
            // SAFETY: every line was initialised when the ring was made (`ring`); lines have no destructor.
            unsafe { chunk.commit_all() };
            true
        })
    }
}

/// The first `bytes` bytes of a slot.
fn bytes_mut(slot: &mut [MaybeUninit<Line>], bytes: usize) -> &mut [u8] {
    let bytes = bytes.min(size_of_val(slot));
    // SAFETY: the bytes lie in the slice; `ring` has initialised every line of the ring, and any byte is a valid u8.
    unsafe { core::slice::from_raw_parts_mut(slot.as_mut_ptr().cast(), bytes) }
}

/// The consumer's thread.
pub struct RtrbReceiver {
    consumer: Consumer<Line>,
    lines: usize,
    payload: usize,
}

impl Receiver for RtrbReceiver {
    fn receive(&mut self) -> Result<(Seen, u64), String> {
        let (lines, bytes) = (self.lines, self.payload);
        let mut taken = None;
        spin_until("block", || {
            let Ok(chunk) = self.consumer.read_chunk(lines) else {
                return false;
            };
            let (slot, _) = chunk.as_slices();
            let seen = payload::read(bytes_of(slot, bytes));
            taken = Some((seen, monotonic_ns()));
            chunk.commit_all();
            true
        })?;
        taken.ok_or_else(|| "rtrb: no block".to_owned())
    }
}

/// The first `bytes` bytes of a slot.
fn bytes_of(slot: &[Line], bytes: usize) -> &[u8] {
    let bytes = bytes.min(size_of_val(slot));
    // SAFETY: the bytes lie in the slice, are initialised, and any byte is a valid u8.
    unsafe { core::slice::from_raw_parts(slot.as_ptr().cast(), bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_bench::ends::Wait;

    #[test]
    fn blocks_of_any_size_stay_whole_over_many_turns_of_the_ring() {
        for payload in [64, 240, 24_000] {
            let (mut sender, mut receiver) = ring(&LinkSpec {
                link: "rtrb".to_owned(),
                key: 1,
                payload,
                slots: 4,
                wait: Wait::Spin,
                memory: String::new(),
                run: "test".to_owned(),
                cpus: [0, 0],
            });
            for position in 0..50 {
                sender.send(position).unwrap();
                let (seen, _) = receiver.receive().unwrap();
                seen.check(position).unwrap();
            }
        }
    }
}
