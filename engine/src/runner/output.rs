//! One output of a stage: blocks are staged in the ring's free slots and published together when the turn is over.

use super::file::EdgeDuty;
use super::memory::{get, put};
use super::script::Given;
use crate::abi::{OutputAccount, SlotHeader, circumstance, flag};
use crate::ring::Producer;
use crate::shm::{Segment, ShmError};
use ephapse_rtconfig::plan::Full;
use ephapse_rtconfig::stream_type::{Kind, Rate, StreamType};
use std::time::Duration;

/// When a source's frames are taken: at an even pace from a common start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceClock {
    /// When frame 0 begins, ns.
    pub start_ns: u64,
    /// Frames per second of the recording.
    pub rate: Rate,
    /// Times faster than the recording.
    pub speed: f64,
    /// Unpaced: all stamps are logical.
    pub logical: bool,
}

impl SourceClock {
    /// When the last of the first `frames` frames is over, ns.
    pub fn at(&self, frames: u64) -> u64 {
        let ns = self.rate.ns_of_frames(frames).unwrap_or(0);
        // Exact at the usual speed: f64 has 53 bits, a long run has more nanoseconds.
        self.start_ns
            + if self.speed == 1.0 {
                ns
            } else {
                (ns as f64 / self.speed) as u64
            }
    }
}

/// Where the block being written stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the next free slot.
    Slot,
    /// In private memory: there is no room, the block will be dropped and counted.
    Dropped,
    /// In private memory: a predecessor published it before it was killed.
    Withheld,
}

impl Given {
    /// Where a block that was kept goes: in a replay, dropped is what was dropped when it was recorded.
    fn place(&mut self, place: Place, first_frame: u64) -> Place {
        match &mut self.kept {
            Some(kept) if place == Place::Slot => match kept.first() {
                Some(next) if *next == first_frame => {
                    kept.remove(0);
                    place
                }
                _ => Place::Dropped,
            },
            _ => place,
        }
    }
}

/// One output.
pub(crate) struct OutputPort {
    producer: Producer,
    scratch_header: SlotHeader,
    scratch: Vec<u8>,
    place: Place,
    /// Blocks kept in this turn.
    pending: u64,
    /// Header as the runner presets it for this call.
    preset: SlotHeader,
    /// Frame counts follow the pacing input's, frame for frame.
    follows: bool,
    /// A source's own clock: its frames are the origin of everything behind them.
    clock: Option<SourceClock>,
    /// The output of a source whose device says when a frame was taken: an origin without a clock of ours.
    origin: bool,
    /// Frames a source may still give in this call.
    limit: Option<u32>,
    withhold: u64,
    /// So many of the next blocks find no room, whatever there is: a fault on purpose.
    lose: u32,
    /// What the record of this turn has to say: blocks dropped, blocks withheld.
    pub circumstances: u16,
    /// In a replay: what is on record of this turn.
    told: Given,
    /// A block was dropped although the stream's policy calls that a fault.
    pub faulted: bool,
    offered: u64,
    dropped: u64,
    next_frame: u64,
    counted: u64,
    valid: u64,
    lost: u64,
    owed: u64,
}

impl OutputPort {
    pub fn on(
        segment: &Segment,
        duty: &EdgeDuty,
        owner: u64,
        follows: bool,
    ) -> Result<Self, ShmError> {
        let producer = Producer::attach(segment, &duty.stream_type, owner)?;
        Ok(OutputPort {
            scratch_header: SlotHeader::default(),
            scratch: vec![0; duty.stream_type.block_bytes()],
            place: Place::Slot,
            pending: 0,
            preset: SlotHeader::default(),
            follows,
            clock: None,
            origin: false,
            limit: None,
            withhold: 0,
            lose: 0,
            circumstances: 0,
            told: Given::default(),
            faulted: false,
            offered: 0,
            dropped: 0,
            next_frame: 0,
            counted: 0,
            valid: 0,
            lost: 0,
            owed: 0,
            producer,
        })
    }

    /// Takes over the account; what the ring already has beyond it will be withheld.
    pub fn load(&mut self, account: &OutputAccount) {
        self.withhold = self
            .producer
            .published()
            .saturating_sub(get(&account.published));
        self.offered = get(&account.offered);
        self.dropped = get(&account.dropped);
        self.next_frame = get(&account.next_frame);
        self.counted = get(&account.counted);
        self.valid = get(&account.valid);
        self.lost = get(&account.lost);
        self.owed = get(&account.owed);
    }

    pub fn store(&self, account: &OutputAccount) {
        put(&account.published, self.producer.published());
        put(&account.offered, self.offered);
        put(&account.dropped, self.dropped);
        put(&account.next_frame, self.next_frame);
        put(&account.counted, self.counted);
        put(&account.valid, self.valid);
        put(&account.lost, self.lost);
        put(&account.owed, self.owed);
    }

    pub fn published(&self) -> u64 {
        self.producer.published()
    }

    pub fn touch(&self) {
        self.producer.touch();
    }

    /// True if `parts` blocks fit, or the stream's policy does not wait for room.
    pub fn has_credit(&mut self, parts: u64) -> bool {
        self.producer.full() != Full::Wait || self.producer.room(parts) >= parts
    }

    /// In a replay: what the turn that follows gave when it was recorded.
    pub fn tell(&mut self, given: Given) {
        self.told = given;
    }

    /// Free slots, looked at again if `wanted` are not known to be.
    pub fn slots_free(&mut self, wanted: u64) -> u64 {
        self.producer.room(wanted)
    }

    /// Slots of the ring.
    pub fn slots(&self) -> u64 {
        self.producer.slots()
    }

    /// Sleeps on the room bell.
    pub fn wait(&mut self, parts: u64, timeout: Duration) {
        self.producer.wait_for_room(parts, timeout);
    }

    /// Sets what the next blocks' headers begin with; `pacing_lost` frames were lost before the pacing block; a source may
    /// give `limit` more frames.
    pub fn preset(&mut self, preset: SlotHeader, pacing_lost: u64, limit: Option<u32>) {
        self.preset = preset;
        self.limit = limit;
        if self.follows {
            self.preset.lost = pacing_lost;
        } else if self.stream_type().kind == Kind::Frames {
            // Settling is told in the stream's own frames, which are not the pacing input's.
            self.preset.settling = 0;
        }
    }

    /// Frames published and lost so far, of a source: its next frame's number.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Makes this the output of a source.
    pub fn set_clock(&mut self, clock: SourceClock) {
        self.clock = Some(clock);
    }

    /// Makes this the output of a source that its device paces.
    pub fn be_origin(&mut self) {
        self.origin = true;
    }

    /// Type of the stream.
    pub fn stream_type(&self) -> &StreamType {
        self.producer.stream_type()
    }

    /// Begins the next block of this call.
    pub fn begin(&mut self) {
        self.place = if self.withhold > 0 {
            Place::Withheld
        } else if self.lose > 0 || self.producer.room(self.pending + 1) <= self.pending {
            Place::Dropped
        } else {
            Place::Slot
        };
        let mut header = self.preset;
        if !self.follows {
            header.first_frame = self.next_frame;
        }
        *self.stage().0 = header;
    }

    /// Header and payload of the block begun.
    pub fn stage(&mut self) -> (&mut SlotHeader, &mut [u8]) {
        match self.place {
            Place::Slot => self.producer.slot(self.pending),
            Place::Dropped | Place::Withheld => (&mut self.scratch_header, &mut self.scratch),
        }
    }

    /// Frames that may be written in the block begun.
    pub fn room(&self) -> u32 {
        let capacity = self.producer.stream_type().frames_per_block();
        self.limit.map_or(capacity, |limit| limit.min(capacity))
    }

    /// Keeps the block begun.
    pub fn keep(&mut self) {
        let (owed, follows, place) = (self.owed, self.follows, self.place);
        let header = self.stage().0;
        if !follows {
            header.first_frame += header.lost;
        }
        let (own_lost, valid) = (header.lost, u64::from(header.valid));
        if owed > 0 {
            header.lost += owed;
            header.flags |= flag::GAP;
        }
        let next_frame = header.first_frame + valid;
        let first_frame = header.first_frame;
        let place = self.told.place(place, first_frame);
        self.limit = self.limit.map(|limit| limit.saturating_sub(valid as u32));
        self.offered += 1;
        self.next_frame = next_frame;
        if place == Place::Dropped {
            self.lose = self.lose.saturating_sub(1);
            self.circumstances |= circumstance::DROPPED;
            self.dropped += 1;
            self.owed += own_lost + valid;
            let replayed = self.told.kept.is_some();
            self.faulted |= self.producer.full() != Full::DropNewest && !replayed;
            return;
        }
        self.valid += valid;
        self.lost += own_lost + owed;
        self.owed = 0;
        match place {
            Place::Withheld => {
                self.circumstances |= circumstance::WITHHELD;
                self.withhold -= 1;
            }
            _ => self.pending += 1,
        }
    }

    /// The next blocks find no room.
    pub fn lose(&mut self, blocks: u32) {
        self.lose += blocks;
    }

    /// Counts frames the device, file or driver has delivered.
    pub fn count_source(&mut self, frames: u64) {
        self.counted += frames;
    }

    /// Finishes the headers of the blocks kept.
    pub fn seal(&mut self, cause: u64, epoch: u32, committed_ns: u64) {
        let parts = self.pending;
        let base = self.producer.published();
        let clock = self.clock;
        for part in 0..parts {
            let header = self.producer.slot(part).0;
            header.position = base + part;
            header.cause = cause;
            header.epoch = epoch;
            header.part = part as u16;
            header.parts = parts as u16;
            header.committed_ns = committed_ns;
            let behind = header.first_frame + u64::from(header.valid);
            if clock.is_some() || self.origin {
                header.origin_first = header.first_frame;
                header.origin_frame = behind.saturating_sub(1);
            }
            if let Some(clock) = clock {
                header.sampled_ns = clock.at(behind);
                if clock.logical {
                    header.arrived_ns = header.sampled_ns;
                    header.committed_ns = header.sampled_ns;
                }
            }
        }
        if let Some(recorded) = &self.told.stamped_as {
            for part in 0..parts {
                let header = self.producer.slot(part).0;
                header.tick = recorded.tick;
                header.epoch = recorded.epoch;
                header.committed_ns = recorded.committed_ns;
            }
        }
    }

    /// Makes the sealed blocks visible.
    pub fn publish(&mut self) {
        self.producer.publish(self.pending);
        self.pending = 0;
    }

    /// Header of the last block kept in this turn, as it will be published.
    pub fn staged_header(&mut self) -> Option<SlotHeader> {
        let last = self.pending.checked_sub(1)?;
        Some(*self.producer.slot(last).0)
    }

    /// Blocks kept in this turn.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Makes the next slot ready to be written.
    pub fn warm(&mut self) {
        self.producer.warm();
    }

    /// The same if every reader has read all there is.
    pub fn warm_if_read(&mut self) {
        if !self.producer.is_warm() && self.producer.all_read() {
            self.producer.warm();
        }
    }

    /// Wakes readers that sleep.
    pub fn ring_readers(&self) {
        self.producer.ring_readers();
    }

    /// True once the stream has been ended.
    pub fn ended(&self) -> bool {
        self.producer.ended()
    }

    /// Ends the stream; what is still owed is lost beside the end.
    pub fn end(&mut self, reason: u64) {
        if !self.producer.ended() {
            self.lost += self.owed;
            let owed = core::mem::take(&mut self.owed);
            self.producer.end(reason, owed);
        }
    }
}
