//! The engine's own ring as a link: the very calls that the stage runner makes for a block.

use super::payload::{self, Seen};
use super::round::{Receiver, Sender, sleep_until, spin_until};
use crate::ends::{LinkSpec, Wait};
use ephapse_engine::abi::{SlotHeader, segment};
use ephapse_engine::os;
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::Segment;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use std::fs::File;
use std::time::Duration;

/// Sleeps are bounded by this and look again.
const BOUND: Duration = Duration::from_millis(100);

/// A stream whose blocks have `payload` bytes: 60 x 100 i32 for 24,000 B, 1024 x 30 i16 for 61,440 B, one row of i32
/// otherwise.
pub fn stream_type(payload: usize) -> StreamType {
    let (dtype, frames, channels) = match payload {
        24_000 => (Dtype::I32, 100, 60),
        61_440 => (Dtype::I16, 30, 1024),
        other => (Dtype::I32, 1, (other / 4) as u32),
    };
    StreamType::frames(dtype, frames, channels, Rate::hz(20_000), "count")
}

/// A ring with one `hold` seat, in memory without a name. Ends that spin say so, as the launcher does for stages that spin
/// or follow the tick.
///
/// # Errors
/// What the system said.
pub fn create(payload: usize, slots: u32, wait: Wait) -> std::io::Result<File> {
    RingSpec {
        stream_type: stream_type(payload),
        slots,
        full: Full::Wait,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "receiver".into(),
            port: "frames".into(),
            sleepless: wait == Wait::Spin,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: wait == Wait::Spin,
    }
    .create_anonymous()
}

fn segment_in(file: &File) -> Result<Segment, String> {
    let copy = |f: &File| f.try_clone().map_err(|e| e.to_string());
    Segment::from_files("engine ring", copy(file)?, Some(copy(file)?), segment::RING)
        .map_err(|e| e.to_string())
}

/// The producer.
pub struct EngineSender {
    producer: Producer,
    rows: u32,
}

impl EngineSender {
    /// Attaches to the ring in `file`.
    ///
    /// # Errors
    /// The engine's own.
    pub fn open(file: &File, link: &LinkSpec) -> Result<Self, String> {
        let stream_type = stream_type(link.payload);
        let producer = Producer::attach(
            &segment_in(file)?,
            &stream_type,
            u64::from(std::process::id()),
        )
        .map_err(|e| e.to_string())?;
        producer.touch();
        Ok(EngineSender {
            producer,
            rows: stream_type.frames_per_block(),
        })
    }
}

impl Sender for EngineSender {
    fn send(&mut self, position: u64) -> Result<(), String> {
        let began_ns = os::monotonic_ns();
        let valid = self.rows;
        let producer = &mut self.producer;
        spin_until("free slot", || producer.room(1) > 0)?;
        let (header, payload) = producer.slot(0);
        payload::fill(payload, position, began_ns);
        *header = SlotHeader {
            position,
            cause: position,
            first_frame: position * u64::from(valid),
            parts: 1,
            valid,
            committed_ns: os::monotonic_ns(),
            ..SlotHeader::default()
        };
        producer.publish(1);
        producer.ring_readers();
        Ok(())
    }

    fn idle(&mut self, until_ns: u64) {
        // As a stage that waits: the next slot is warmed once the block has been read.
        while !self.producer.all_read() {
            if os::monotonic_ns() >= until_ns {
                return;
            }
            core::hint::spin_loop();
        }
        self.producer.warm();
    }
}

/// A `hold` seat.
pub struct EngineReceiver {
    seat: HoldSeat,
    wait: Wait,
}

impl EngineReceiver {
    /// Attaches to the ring in `file`.
    ///
    /// # Errors
    /// The engine's own.
    pub fn open(file: &File, link: &LinkSpec) -> Result<Self, String> {
        let seat = HoldSeat::attach(
            &segment_in(file)?,
            0,
            &stream_type(link.payload),
            u64::from(std::process::id()),
        )
        .map_err(|e| e.to_string())?;
        seat.touch();
        Ok(EngineReceiver {
            seat,
            wait: link.wait,
        })
    }
}

impl Receiver for EngineReceiver {
    fn receive(&mut self) -> Result<(Seen, u64), String> {
        let seat = core::cell::RefCell::new(&mut self.seat);
        match self.wait {
            Wait::Spin => spin_until("block", || seat.borrow_mut().available() > 0)?,
            Wait::Sleep => sleep_until(
                "block",
                || seat.borrow_mut().available() > 0,
                || seat.borrow_mut().wait(0, BOUND),
            )?,
        }
        let seat = seat.into_inner();
        let position = seat.position();
        let Some(block) = seat.peek(0) else {
            return Err("a published block is gone".to_owned());
        };
        let seen = payload::read(block.payload);
        let now_ns = os::monotonic_ns();
        let sound = !block.damaged && block.header.position == position;
        seat.release(1);
        seat.ring_producer();
        if sound {
            Ok((seen, now_ns))
        } else {
            Err(format!("block {position} arrived damaged"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_bytes_that_were_asked_for() {
        for payload in [64, 240, 24_000, 61_440] {
            assert_eq!(stream_type(payload).block_bytes(), payload);
        }
    }
}
