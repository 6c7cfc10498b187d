//! A ring against the plainest thing that does the same: a queue per seat.
//!
//! Any order of claims, claims given up, publications of several, peeks, releases, jumps to the newest, seats closed and
//! the end; `hold` and `lap` seats mixed; every full-ring policy, which the caller of a ring carries out.

use ephapse_engine::abi::segment;
use ephapse_engine::abi::{
    PAGE, RING_GEOMETRY_AT, RingGeometry, SeatWords, SlotHeader, end_reason,
};
use ephapse_engine::ring::{HoldSeat, LapSeat, Observer, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::VecDeque;
use zerocopy::FromBytes;

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Step {
    /// Offers so many blocks at once; without room the policy decides.
    Publish(u64),
    /// Writes into a slot and gives it up.
    GiveUp,
    Warm,
    /// A seat looks at the block so far ahead.
    Peek(Index, u64),
    /// A seat takes so many blocks from the front.
    Release(Index, u64),
    /// A seat passes over all but the newest block.
    Newest(Index),
    /// The launcher has seen the owner of a seat dead.
    Close(Index),
    /// A seat's owner dies and another one takes its place.
    Restart(Index),
    RestartProducer,
    Observe(u64),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let seat = any::<Index>;
    prop_oneof![
        6 => (1_u64..4).prop_map(Step::Publish),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Warm),
        3 => (seat(), 0_u64..4).prop_map(|(s, n)| Step::Peek(s, n)),
        6 => (seat(), 1_u64..4).prop_map(|(s, n)| Step::Release(s, n)),
        1 => seat().prop_map(Step::Newest),
        1 => seat().prop_map(Step::Close),
        1 => seat().prop_map(Step::Restart),
        1 => Just(Step::RestartProducer),
        2 => (0_u64..12).prop_map(Step::Observe),
        1 => Just(Step::End),
    ]
}

enum Seat {
    Hold(HoldSeat),
    Lap(LapSeat),
}

/// What a seat must see: the blocks that it has not taken, oldest first. A `lap` seat's queue is cut at its front when the
/// producer passes it.
#[derive(Default)]
struct Expected {
    queue: VecDeque<u64>,
    lapped: u64,
    closed: bool,
}

struct Both {
    segment: Segment,
    stream_type: StreamType,
    producer: Producer,
    seats: Vec<Seat>,
    expected: Vec<Expected>,
    slots: u64,
    full: Full,
    /// Blocks made and blocks dropped, by the model's count.
    next: u64,
    dropped: u64,
    stopped: bool,
}

const OWNER: u64 = 1 << 32 | 1;

impl Both {
    fn new(slots: u32, full: Full, kinds: &[SeatKind]) -> Self {
        let stream_type = StreamType::frames(Dtype::U64, 2, 1, Rate::hz(1000), "count");
        let seats = kinds.iter().map(|kind| SeatSpec {
            kind: *kind,
            stage: "reader".into(),
            port: "in".into(),
            sleepless: false,
        });
        let spec = RingSpec {
            stream_type: stream_type.clone(),
            slots,
            full,
            seats: seats.collect(),
            spare_seats: 0,
            stream: 0,
            origin: 0,
            sleepless: false,
        };
        let file = spec.create_anonymous().unwrap();
        let copy = file.try_clone().unwrap();
        let segment = Segment::from_files("model", file, Some(copy), segment::RING).unwrap();
        let producer = Producer::attach(&segment, &stream_type, OWNER).unwrap();
        let mut both = Both {
            segment,
            stream_type,
            producer,
            seats: Vec::new(),
            expected: Vec::new(),
            slots: u64::from(slots),
            full,
            next: 0,
            dropped: 0,
            stopped: false,
        };
        for (index, kind) in kinds.iter().enumerate() {
            let seat = both.attach(index, *kind);
            both.seats.push(seat);
            both.expected.push(Expected::default());
        }
        both
    }

    fn attach(&self, seat: usize, kind: SeatKind) -> Seat {
        let (segment, seat) = (&self.segment, seat as u32);
        match kind {
            SeatKind::Hold => {
                Seat::Hold(HoldSeat::attach(segment, seat, &self.stream_type, OWNER).unwrap())
            }
            SeatKind::Lap => {
                Seat::Lap(LapSeat::attach(segment, seat, &self.stream_type, OWNER).unwrap())
            }
        }
    }

    fn geometry(&self) -> RingGeometry {
        let bytes = &self.segment.fixed()[RING_GEOMETRY_AT..RING_GEOMETRY_AT + 128];
        RingGeometry::read_from_bytes(bytes).unwrap()
    }

    /// The launcher's store into a seat's page.
    fn order(&self, seat: usize, store: impl Fn(&SeatWords)) {
        let at = self.geometry().seats_at as usize + seat * PAGE;
        store(
            &self
                .segment
                .map(at, PAGE, Access::ReadWrite)
                .unwrap()
                .words(0),
        );
    }

    /// By the model: free slots behind the slowest open `hold` seat.
    fn room(&self) -> u64 {
        let held = self.seats.iter().zip(&self.expected);
        let held = held.filter(|(seat, e)| matches!(seat, Seat::Hold(_)) && !e.closed);
        let most = held.map(|(_, e)| e.queue.len() as u64).max();
        self.slots - most.unwrap_or(0)
    }

    fn write(&mut self, ahead: u64, number: u64) {
        let (header, payload) = self.producer.slot(ahead);
        *header = SlotHeader {
            position: number,
            user: !number,
            valid: 1 + (number % 2) as u32,
            ..SlotHeader::default()
        };
        for word in payload.as_chunks_mut::<8>().0 {
            *word = (number * 3).to_le_bytes();
        }
    }

    fn publish(&mut self, count: u64) {
        if self.stopped || count > self.slots {
            return;
        }
        assert_eq!(self.producer.room(count) >= count, self.room() >= count);
        assert_eq!(self.producer.room(self.slots), self.room());
        if self.room() < count {
            match self.full {
                // The activation does not begin.
                Full::Wait => {}
                Full::DropNewest => self.dropped += count,
                Full::Fault => {
                    self.producer.end(end_reason::FAULT, 0);
                    self.stopped = true;
                }
            }
            return;
        }
        for ahead in 0..count {
            self.write(ahead, self.next + ahead);
        }
        self.producer.publish(count);
        for number in self.next..self.next + count {
            for e in &mut self.expected {
                e.queue.push_back(number);
            }
        }
        self.next += count;
        assert_eq!(self.producer.published(), self.next);
    }

    /// A lap reader sees the newest `slots - 1` blocks at most; what it finds gone is lapped.
    fn pass(&mut self, seat: usize) {
        let e = &mut self.expected[seat];
        while e.queue.len() as u64 > self.slots - 1 {
            e.queue.pop_front();
            e.lapped += 1;
        }
    }

    fn check(header: &SlotHeader, payload: &[u8], number: u64) {
        assert_eq!((header.position, header.user), (number, !number));
        assert_eq!(u64::from(header.valid), 1 + number % 2);
        for word in payload
            .as_chunks::<8>()
            .0
            .iter()
            .take(header.valid as usize)
        {
            assert_eq!(*word, (number * 3).to_le_bytes());
        }
    }

    fn release(&mut self, seat: usize, count: u64) {
        if self.expected[seat].closed {
            return;
        }
        if matches!(self.seats[seat], Seat::Lap(_)) {
            let mut payload = [0; 64];
            for _ in 0..count {
                if !self.expected[seat].queue.is_empty() {
                    self.pass(seat);
                }
                let Seat::Lap(lap) = &mut self.seats[seat] else {
                    unreachable!("as just seen")
                };
                let header = lap.take(&mut payload);
                let number = self.expected[seat].queue.pop_front();
                assert_eq!(header.map(|h| h.position), number);
                if let Some(header) = header {
                    Self::check(&header, &payload, header.position);
                }
                assert_eq!(
                    lap.take_lapped(),
                    core::mem::take(&mut self.expected[seat].lapped)
                );
            }
            return;
        }
        let Seat::Hold(hold) = &mut self.seats[seat] else {
            unreachable!("as just seen")
        };
        let queue = &mut self.expected[seat].queue;
        let count = count.min(queue.len() as u64);
        assert_eq!(hold.peek(count).is_some(), queue.len() as u64 > count);
        hold.release(count);
        queue.drain(..count as usize);
        assert_eq!(hold.position() + queue.len() as u64, self.next);
    }

    fn peek(&mut self, seat: usize, ahead: u64) {
        let e = &self.expected[seat];
        let Seat::Hold(hold) = &mut self.seats[seat] else {
            return;
        };
        if e.closed {
            return;
        }
        match (hold.peek(ahead), e.queue.get(ahead as usize)) {
            (Some(peeked), Some(number)) => {
                assert!(!peeked.damaged);
                assert_eq!(peeked.payload.len(), 8 * peeked.header.valid as usize);
                Self::check(&peeked.header, peeked.payload, *number);
            }
            (found, expected) => assert_eq!(found.is_some(), expected.is_some()),
        }
    }

    fn newest(&mut self, seat: usize) {
        if self.expected[seat].closed {
            return;
        }
        let queue = &mut self.expected[seat].queue;
        let jumped = (queue.len() as u64).saturating_sub(1);
        queue.drain(..jumped as usize);
        match &mut self.seats[seat] {
            Seat::Lap(lap) => assert_eq!(lap.jump_to_newest(1), jumped),
            Seat::Hold(hold) => {
                hold.refresh();
                assert_eq!(hold.available().saturating_sub(1), jumped);
                hold.release(jumped);
            }
        }
    }

    fn restart(&mut self, seat: usize) {
        if self.expected[seat].closed {
            return;
        }
        self.order(seat, |words| words.owner.store(0, Ordering::Release));
        let kind = match self.seats[seat] {
            Seat::Hold(_) => SeatKind::Hold,
            Seat::Lap(_) => SeatKind::Lap,
        };
        self.seats[seat] = self.attach(seat, kind);
    }

    fn restart_producer(&mut self) {
        let at = self.geometry().producer_at as usize;
        let page = self.segment.map(at, PAGE, Access::ReadWrite).unwrap();
        let words = page.words::<ephapse_engine::abi::ProducerWords>(0);
        words.owner.store(0, Ordering::Release);
        self.producer = Producer::attach(&self.segment, &self.stream_type, OWNER).unwrap();
        assert_eq!(self.producer.published(), self.next);
    }

    fn observe(&self, back: u64) {
        let observer = Observer::attach(&self.segment).unwrap();
        let mut payload = [0; 64];
        let Some(position) = self.next.checked_sub(back) else {
            return;
        };
        let readable = (1..self.slots).contains(&back);
        let copied = observer.copy(position, &mut payload);
        assert_eq!(copied.is_some(), readable, "{back} blocks back");
        if let Some(header) = copied {
            Self::check(&header, &payload, position);
        }
    }

    fn take(&mut self, step: &Step) {
        let seats = self.seats.len();
        let at = |index: &Index| index.index(seats.max(1));
        match step {
            Step::Publish(count) => self.publish(*count),
            Step::GiveUp if self.room() > 0 => self.write(0, 0xdead),
            Step::GiveUp => {}
            Step::Warm => self.producer.warm(),
            Step::RestartProducer => self.restart_producer(),
            Step::Observe(back) => self.observe(*back),
            Step::End => {
                self.producer.end(end_reason::FINISHED, 5);
                self.stopped = true;
            }
            _ if seats == 0 => {}
            Step::Peek(seat, ahead) => self.peek(at(seat), *ahead),
            Step::Release(seat, count) => self.release(at(seat), *count),
            Step::Newest(seat) => self.newest(at(seat)),
            Step::Restart(seat) => self.restart(at(seat)),
            Step::Close(seat) => {
                let seat = at(seat);
                self.order(seat, |words| words.closed.store(1, Ordering::Release));
                self.expected[seat].closed = true;
            }
        }
    }

    /// Ends the stream, and every open seat takes what is left for it.
    fn drain(mut self) {
        self.take(&Step::End);
        for seat in 0..self.seats.len() {
            if self.expected[seat].closed {
                continue;
            }
            while !self.expected[seat].queue.is_empty() {
                self.release(seat, 1);
            }
            match &self.seats[seat] {
                Seat::Hold(hold) => assert!(hold.done() && hold.end().unwrap().0 == self.next),
                Seat::Lap(lap) => assert!(lap.done()),
            }
        }
        assert!(self.dropped == 0 || self.full == Full::DropNewest);
    }
}

fn kinds() -> impl Strategy<Value = Vec<SeatKind>> {
    prop::collection::vec(
        prop_oneof![2 => Just(SeatKind::Hold), 1 => Just(SeatKind::Lap)],
        0..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_does_what_a_queue_per_seat_does(
        slots in prop::sample::select(vec![1_u32, 2, 4, 8]),
        full in prop::sample::select(vec![Full::Wait, Full::DropNewest, Full::Fault]),
        kinds in kinds(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut both = Both::new(slots, full, &kinds);
        for step in &steps {
            both.take(step);
        }
        both.drain();
    }
}
