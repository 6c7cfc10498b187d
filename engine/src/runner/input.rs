//! One input of a stage: which blocks of its seat an activation sees, and what becomes of them.

use super::file::EdgeDuty;
use super::memory::{get, put};
use super::script::Seen;
use crate::abi::{InputAccount, SlotHeader, flag};
use crate::adapt::{Chain, Kept, breaks};
use crate::ring::{HoldSeat, LapSeat, Peeked};
use crate::shm::{Segment, ShmError};
use ephapse_rtconfig::plan::{InputPlan, Read, SeatKind};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// Most blocks of one input that an activation sees (`read = "all"`).
const MOST_BLOCKS: usize = 8;

enum Seat {
    Hold(HoldSeat),
    Lap {
        seat: LapSeat,
        buffers: Vec<(SlotHeader, Vec<u8>)>,
    },
}

/// One input.
pub(crate) struct InputPort {
    seat: Seat,
    pub read: Read,
    pub feedback: bool,
    /// Edge adapters: one chain for each block that a turn sees.
    pub chains: Vec<Chain>,
    /// Type behind the adapters.
    pub stream_type: StreamType,
    /// Blocks this turn sees: `chosen` blocks from the seat's position (hold) or the first buffers (lap).
    chosen: usize,
    /// The block at the seat's position has been seen by an earlier turn (`newest` keeps it until a newer one comes).
    seen: bool,
    /// What this turn saw of a `lap` seat are not the last blocks before its position: some between were overwritten.
    pub scattered: bool,
    /// Blocks counted as consumed and not yet released.
    releasing: u64,
    /// One more than the position of a block that is passed over: shown empty, as a gap. 0: none.
    poison: u64,
    consumed: u64,
    jumped: u64,
    lapped: u64,
    gaps: u64,
    lost_frames: u64,
    faults: u64,
}

/// What a turn may do about a further input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Blocks (perhaps none) were chosen.
    Ready,
    /// A block that belongs to this turn may still come.
    NotYet,
}

impl InputPort {
    pub fn on(
        segment: &Segment,
        duty: &EdgeDuty,
        plan: &InputPlan,
        owner: u64,
    ) -> Result<Self, ShmError> {
        let seat = match plan.seat_kind {
            SeatKind::Hold => Seat::Hold(HoldSeat::attach(
                segment,
                plan.seat,
                &duty.stream_type,
                owner,
            )?),
            SeatKind::Lap => {
                let seat = LapSeat::attach(segment, plan.seat, &duty.stream_type, owner)?;
                let buffers = (0..MOST_BLOCKS)
                    .map(|_| (SlotHeader::default(), vec![0; seat.payload_bytes()]))
                    .collect();
                Seat::Lap { seat, buffers }
            }
        };
        let seen = match plan.read {
            Read::All if !plan.adapters.is_empty() => MOST_BLOCKS,
            _ => 1,
        };
        let chains: Result<_, _> = (0..seen)
            .map(|_| Chain::new(&plan.adapters, &duty.stream_type))
            .collect();
        Ok(InputPort {
            seat,
            read: plan.read,
            feedback: plan.feedback,
            chains: chains.map_err(|what| ShmError::refused(segment.name(), what))?,
            stream_type: plan.stream_type.clone(),
            chosen: 0,
            seen: false,
            scattered: false,
            releasing: 0,
            poison: 0,
            consumed: 0,
            jumped: 0,
            lapped: 0,
            gaps: 0,
            lost_frames: 0,
            faults: 0,
        })
    }

    /// Takes over the account: blocks that a predecessor had dealt with and not yet released are released, and a `lap` seat
    /// goes back to where the account stands. `poison` is one more than the position of a block to be passed over.
    pub fn load(&mut self, account: &InputAccount, poison: u64) {
        let position = get(&account.position);
        match &mut self.seat {
            Seat::Hold(seat) => {
                seat.refresh();
                seat.release(position.saturating_sub(seat.position()));
            }
            Seat::Lap { seat, .. } => seat.resume_at(position),
        }
        self.poison = poison;
        self.consumed = get(&account.consumed);
        self.jumped = get(&account.jumped);
        self.lapped = get(&account.lapped);
        self.gaps = get(&account.gaps);
        self.lost_frames = get(&account.lost_frames);
        self.faults = get(&account.faults);
    }

    pub fn store(&self, account: &InputAccount) {
        put(&account.position, self.position());
        put(&account.consumed, self.consumed);
        put(&account.jumped, self.jumped);
        put(&account.lapped, self.lapped);
        put(&account.gaps, self.gaps);
        put(&account.lost_frames, self.lost_frames);
        put(&account.faults, self.faults);
    }

    /// Next position: what is behind this turn is before it.
    pub fn position(&self) -> u64 {
        match &self.seat {
            Seat::Hold(seat) => seat.position() + self.releasing,
            Seat::Lap { seat, .. } => seat.position(),
        }
    }

    /// Most blocks that a turn sees of it.
    pub fn most_blocks(&self) -> usize {
        match self.read {
            Read::All => MOST_BLOCKS,
            Read::Same | Read::Newest => 1,
        }
    }

    pub fn touch(&self) {
        if let Seat::Hold(seat) = &self.seat {
            seat.touch();
        }
    }

    /// True when the stream has ended and everything was dealt with.
    pub fn done(&self) -> bool {
        match &self.seat {
            Seat::Hold(seat) => seat.done(),
            Seat::Lap { seat, .. } => seat.done() && self.chosen == 0,
        }
    }

    /// Why the stream ended; `None` while it is open.
    pub fn end_reason(&self) -> Option<u64> {
        match &self.seat {
            Seat::Hold(seat) => seat.end().map(|(_, reason)| reason),
            Seat::Lap { seat, .. } => seat.end_reason(),
        }
    }

    /// Sleeps on the data bell until there is more than is known of now.
    pub fn wait(&mut self, timeout: Duration) {
        match &mut self.seat {
            Seat::Hold(seat) => {
                let known = seat.available();
                seat.wait(if known > 0 { known } else { 0 }, timeout);
            }
            Seat::Lap { seat, .. } => seat.wait(timeout),
        }
    }

    /// Chooses the next block, if there is one: this input paces.
    pub fn choose_next(&mut self) -> Option<SlotHeader> {
        if self.chosen == 0 {
            match &mut self.seat {
                Seat::Hold(seat) => {
                    if self.read == Read::Newest {
                        let behind = seat.available().saturating_sub(1);
                        if behind > 0 {
                            seat.refresh();
                            let behind = seat.available().saturating_sub(1);
                            seat.release(behind);
                            self.jumped += behind;
                        }
                    }
                    let peeked = seat.peek(0)?;
                    self.chosen = 1;
                    return Some(shown(&peeked, self.poison));
                }
                Seat::Lap { seat, buffers } => {
                    if self.read == Read::Newest {
                        self.jumped += seat.jump_to_newest(1);
                    }
                    let (header, buffer) = buffers.first_mut()?;
                    *header = seat.take(buffer)?;
                    self.lapped += seat.take_lapped();
                }
            }
            self.chosen = 1;
        }
        self.block(0).map(|(header, _)| header)
    }

    /// Chooses the blocks of a further input that belong to the pacing block whose newest origin frame is `origin`.
    /// With `strict` (unpaced runs) the choice depends on origin frames alone, never on what happens to have arrived.
    pub fn choose_beside(&mut self, origin: u64, strict: bool) -> Choice {
        if self.feedback {
            self.choose_arrived();
            return Choice::Ready;
        }
        let strict = strict || self.read == Read::Same;
        if strict && matches!(self.seat, Seat::Hold(_)) {
            return self.choose_by_origin(origin);
        }
        self.choose_arrived();
        Choice::Ready
    }

    /// In a replay: chooses the blocks that the turn saw when it was recorded, and passes over what is before them. `NotYet`
    /// while they may still come.
    ///
    /// # Errors
    /// Position at which the stream ends, before they have come.
    pub fn choose_told(&mut self, seen: Seen) -> Result<Choice, u64> {
        self.chosen = 0;
        let Seat::Hold(seat) = &mut self.seat else {
            return Ok(Choice::NotYet);
        };
        seat.refresh();
        let behind = seen
            .first
            .saturating_sub(seat.position())
            .min(seat.available());
        self.pass_over(behind);
        let Seat::Hold(seat) = &mut self.seat else {
            return Ok(Choice::NotYet);
        };
        if behind > 0 {
            // Its producer may be what this turn waits for.
            seat.ring_producer();
        }
        if seat.position() == seen.first && seat.available() >= seen.count {
            self.chosen = seen.count as usize;
            return Ok(Choice::Ready);
        }
        match seat.end() {
            Some((end, _)) if end < seen.first + seen.count => Err(end),
            _ => Ok(Choice::NotYet),
        }
    }

    /// In a replay: whether the block chosen next is shown empty, as it was when it was recorded.
    pub fn pass_over_told(&mut self, first: u64, passed_over: bool) {
        self.poison = if passed_over { first + 1 } else { 0 };
    }

    /// Blocks that are there and not yet released.
    pub fn available(&mut self) -> u64 {
        match &mut self.seat {
            Seat::Hold(seat) => seat.available(),
            Seat::Lap { seat, .. } => seat.available(),
        }
    }

    /// Chooses the block that is merged with the pacing one: the one of the same frames. `NotYet` while it may still come.
    pub fn choose_partner(&mut self, head: &SlotHeader) -> Choice {
        let Seat::Hold(seat) = &mut self.seat else {
            return Choice::Ready;
        };
        // An empty or damaged block has no partner, and its frames are not to be trusted.
        let mut passed = 0;
        let mut damaged = 0;
        self.chosen = 0;
        let choice = loop {
            if head.valid == 0 {
                break Choice::Ready;
            }
            let Some(peeked) = seat.peek(passed) else {
                let ended = seat
                    .end()
                    .is_some_and(|(end, _)| seat.position() + passed >= end);
                break if ended { Choice::Ready } else { Choice::NotYet };
            };
            let order = if peeked.damaged {
                damaged += 1;
                core::cmp::Ordering::Less
            } else {
                order_in_time(&peeked.header, head)
            };
            match order {
                core::cmp::Ordering::Less => passed += 1,
                core::cmp::Ordering::Equal => {
                    self.chosen = 1;
                    break Choice::Ready;
                }
                core::cmp::Ordering::Greater => break Choice::Ready,
            }
        };
        self.faults += damaged;
        self.pass_over(passed);
        choice
    }

    /// Counts a pacing block that was not merged, because another stream has none of the same frames.
    pub fn count_unmerged(&mut self, frames: u32) {
        self.gaps += 1;
        self.lost_frames += u64::from(frames);
    }

    /// By origin frames: `same` takes the block that ends where the pacing block ends, `newest` the last that ends no
    /// later, `all` everything that ends no later.
    fn choose_by_origin(&mut self, origin: u64) -> Choice {
        let Seat::Hold(seat) = &mut self.seat else {
            return Choice::Ready;
        };
        let mut fitting = 0;
        let beyond = loop {
            match seat.peek(fitting) {
                Some(peeked) if peeked.header.origin_frame <= origin => fitting += 1,
                Some(_) => break true,
                None => break false,
            }
        };
        let ends_here = fitting > 0
            && seat
                .at(fitting - 1)
                .is_some_and(|p| p.header.origin_frame == origin);
        let known = beyond
            || ends_here
            || seat
                .end()
                .is_some_and(|(end, _)| seat.position() + fitting >= end);
        if !known {
            return Choice::NotYet;
        }
        let (pass, chosen) = match self.read {
            Read::Same if ends_here => (fitting - 1, 1),
            Read::Same => (fitting, 0),
            Read::Newest => (fitting.saturating_sub(1), fitting.min(1)),
            Read::All => (0, fitting.min(MOST_BLOCKS as u64)),
        };
        self.pass_over(pass);
        self.chosen = chosen as usize;
        Choice::Ready
    }

    /// By arrival: what is there now.
    fn choose_arrived(&mut self) {
        match &mut self.seat {
            Seat::Hold(seat) => {
                seat.refresh();
                let available = seat.available();
                if self.read == Read::All {
                    self.chosen = available.min(MOST_BLOCKS as u64) as usize;
                } else {
                    self.pass_over(available.saturating_sub(1));
                    self.chosen = available.min(1) as usize;
                }
            }
            Seat::Lap { seat, buffers } => {
                if self.read == Read::All {
                    self.chosen = 0;
                    for (header, buffer) in buffers.iter_mut() {
                        let Some(taken) = seat.take(buffer) else {
                            break;
                        };
                        *header = taken;
                        self.chosen += 1;
                    }
                    self.consumed += self.chosen as u64;
                } else {
                    self.jumped += seat.jump_to_newest(1);
                    let (header, buffer) = &mut buffers[0];
                    if let Some(taken) = seat.take(buffer) {
                        *header = taken;
                        self.chosen = 1;
                        self.consumed += 1;
                    }
                }
                self.lapped += seat.take_lapped();
            }
        }
    }

    /// Releases `count` blocks unseen; the first may have been seen by an earlier turn.
    fn pass_over(&mut self, count: u64) {
        let Seat::Hold(seat) = &mut self.seat else {
            return;
        };
        if count == 0 {
            return;
        }
        seat.release(count);
        let seen = u64::from(core::mem::take(&mut self.seen));
        self.consumed += seen;
        self.jumped += count - seen;
    }

    /// Blocks chosen for this turn.
    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// Chosen block `index`: header (damaged ones are empty and carry GAP) and payload as the ring has it.
    pub fn block(&self, index: usize) -> Option<(SlotHeader, &[u8])> {
        if index >= self.chosen {
            return None;
        }
        match &self.seat {
            Seat::Hold(seat) => {
                let peeked = seat.at(index as u64)?;
                let header = shown(&peeked, self.poison);
                // Passed over, a block shows none of its rows.
                let rows = if header.valid == 0 {
                    0
                } else {
                    peeked.payload.len()
                };
                Some((header, &peeked.payload[..rows]))
            }
            Seat::Lap { buffers, .. } => {
                let (header, payload) = buffers.get(index)?;
                Some((
                    *header,
                    &payload[..header.valid as usize * self.ring_row_bytes()],
                ))
            }
        }
    }

    fn ring_row_bytes(&self) -> usize {
        match &self.seat {
            Seat::Hold(seat) => seat.stream_type().row_bytes(),
            Seat::Lap { seat, .. } => seat.stream_type().row_bytes(),
        }
    }

    /// Counts what the headers of the chosen blocks say.
    pub fn count_headers(&mut self) {
        for index in 0..self.chosen {
            let (header, damaged) = match &self.seat {
                Seat::Hold(seat) => match seat.at(index as u64) {
                    Some(peeked) => (peeked.header, peeked.damaged),
                    None => return,
                },
                Seat::Lap { buffers, .. } => match buffers.get(index) {
                    Some((header, _)) => (*header, false),
                    None => return,
                },
            };
            self.faults += u64::from(damaged);
            if breaks(&header) || damaged {
                self.gaps += 1;
            }
            self.lost_frames += header.lost;
        }
    }

    /// True if the block of this turn is one that is passed over.
    pub fn passes_over(&self) -> bool {
        self.poison != 0
            && self
                .block(0)
                .is_some_and(|(h, _)| h.position + 1 == self.poison)
    }

    /// Applies the adapters of a further input to its chosen blocks. (`check` allows there only those that keep nothing.)
    pub fn adapt(&mut self) {
        let mut chains = core::mem::take(&mut self.chains);
        for (index, chain) in chains.iter_mut().enumerate() {
            if chain.is_empty() {
                break;
            }
            if let Some((header, payload)) = self.block(index) {
                chain.feed(&mut Kept::default(), &header, payload);
            }
        }
        self.chains = chains;
    }

    /// Payload of chosen block `index` of a further input, behind its adapters.
    pub fn adapted(&self, index: usize) -> &[u8] {
        match (self.block(index), self.chains.get(index)) {
            (Some((header, payload)), Some(chain)) => chain.output(payload, header.valid as usize),
            // Without adapters there is one chain, whatever is read.
            (Some((_, payload)), None) => payload,
            (None, _) => &[],
        }
    }

    /// Counts the blocks of this turn as dealt with, before the flip that makes the count current.
    pub fn settle_positions(&mut self, paces: bool) {
        let keeps = !paces && self.read == Read::Newest;
        match &self.seat {
            Seat::Hold(_) if keeps => self.seen |= self.chosen > 0,
            Seat::Hold(_) => {
                self.consumed += self.chosen as u64;
                self.releasing = self.chosen as u64;
                self.seen = false;
            }
            Seat::Lap { seat, buffers } => {
                let first = seat.position().wrapping_sub(self.chosen as u64);
                let mut chosen = (first..).zip(&buffers[..self.chosen]);
                self.scattered = chosen.any(|(position, (header, _))| header.position != position);
                self.consumed += u64::from(paces);
            }
        }
    }

    /// Gives the blocks of this turn back to the producer. `newest` keeps its block for further turns.
    pub fn release(&mut self, paces: bool) {
        match &mut self.seat {
            Seat::Hold(seat) => {
                seat.release(core::mem::take(&mut self.releasing));
                self.chosen = 0;
            }
            Seat::Lap { .. } if paces || self.read == Read::All => self.chosen = 0,
            Seat::Lap { .. } => {}
        }
    }

    /// Passes over all there is: the pacing input has ended, but nobody upstream may be kept waiting.
    pub fn drain(&mut self) {
        self.chosen = 0;
        match &mut self.seat {
            Seat::Hold(seat) => {
                seat.refresh();
                let available = seat.available();
                self.pass_over(available);
            }
            Seat::Lap { seat, .. } => self.jumped += seat.jump_to_newest(0),
        }
    }

    /// Wakes a producer that waits for room.
    pub fn ring_producer(&self) {
        if let Seat::Hold(seat) = &self.seat {
            seat.ring_producer();
        }
    }
}

/// The header as stages see it: a damaged one carries GAP, and so does the one that is passed over, whose frames are lost.
fn shown(peeked: &Peeked<'_>, poison: u64) -> SlotHeader {
    let mut header = peeked.header;
    if peeked.damaged {
        header.flags |= flag::GAP;
    }
    if header.position + 1 == poison {
        header.flags |= flag::GAP;
        header.lost += u64::from(header.valid);
        header.first_frame += u64::from(header.valid);
        header.valid = 0;
    }
    header
}

/// Which of two blocks of merged streams is earlier: by the newest origin frame, and where a block upstream has become
/// several of the same origin, by their number.
fn order_in_time(block: &SlotHeader, head: &SlotHeader) -> core::cmp::Ordering {
    let parts = block.parts == head.parts;
    let part = |header: &SlotHeader| if parts { header.part } else { 0 };
    (block.origin_frame, part(block)).cmp(&(head.origin_frame, part(head)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::segment;
    use crate::ring::{Producer, RingSpec, SeatSpec};
    use ephapse_rtconfig::plan::{Adapter, Full};
    use ephapse_rtconfig::stream_type::{Dtype, Rate};
    use zerocopy::IntoBytes;

    #[test]
    fn every_block_of_a_further_input_stands_behind_its_adapters() {
        for (seat_kind, kind) in [(SeatKind::Hold, "hold"), (SeatKind::Lap, "lap")] {
            let stream_type = StreamType::frames(Dtype::I16, 2, 3, Rate::hz(1000), "count");
            let spec = RingSpec {
                stream_type: stream_type.clone(),
                slots: 8,
                full: Full::Wait,
                seats: vec![SeatSpec {
                    kind: seat_kind,
                    stage: "reader".into(),
                    port: "more".into(),
                    sleepless: false,
                }],
                spare_seats: 0,
                stream: 0,
                origin: 0,
                sleepless: false,
            };
            let file = spec.create_anonymous().unwrap();
            let other = file.try_clone().unwrap();
            let segment = Segment::from_files("more", other, Some(file), segment::RING).unwrap();
            let mut producer = Producer::attach(&segment, &stream_type, 1).unwrap();
            let duty = EdgeDuty {
                segment: "more".into(),
                stream_type: stream_type.clone(),
            };
            let plan = InputPlan {
                port: "more".into(),
                stream: 0,
                seat: 0,
                seat_kind,
                read: Read::All,
                feedback: false,
                adapters: vec![Adapter::Select(vec![2, 0]), Adapter::Cast(Dtype::F32)],
                stream_type,
            };
            let mut input = InputPort::on(&segment, &duty, &plan, 2).unwrap();
            for block in 0..3_i16 {
                let (header, payload) = producer.slot(0);
                *header = SlotHeader {
                    position: block as u64,
                    valid: 2,
                    ..SlotHeader::default()
                };
                let rows: Vec<i16> = (0..6).map(|n| block * 10 + n).collect();
                payload[..12].copy_from_slice(rows.as_bytes());
                producer.publish(1);
            }
            assert!(input.choose_beside(0, false) == Choice::Ready);
            input.adapt();
            assert_eq!(input.chosen(), 3, "{kind}");
            for block in 0..3_u8 {
                let at = f32::from(block) * 10.0;
                let expected = [at + 2.0, at, at + 5.0, at + 3.0];
                assert_eq!(input.adapted(block.into()), expected.as_bytes(), "{kind}");
            }
        }
    }
}
