//! The engine's own ring, seats, bells and attach under loom, which tries every order that the memory model allows
//! (`make proofs`; `src/sync/modelled.rs` says how). Small on purpose: one or two slots, a few blocks, three threads.
//!
//! `tests/mutations.rs` breaks the engine in one place after the other and demands that a model here fails.
#![cfg(loom)]

use ephapse_engine::abi::{
    self, Bank, BellWords, OPEN, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords,
    SegmentHeader, SessionWords, SlotHeader, TimerWords, end_reason, segment,
};
use ephapse_engine::doorbell::{Announced, DueTicks, Rung, TickWords, Waited, announce, next_due};
use ephapse_engine::ring::{HoldSeat, LapSeat, Observer, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::{self, Access, Segment};
use ephapse_engine::sync::{Ordering, modelled};
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Duration;
use zerocopy::FromBytes;

const HOLD: SeatKind = SeatKind::Hold;
const LAP: SeatKind = SeatKind::Lap;
const OWNER: u64 = 1 << 32 | 4242;
/// Models have no clock: who waits is woken or deadlocks.
const EVER: Duration = Duration::ZERO;

/// Tries every order with at most so many preemptions (`LOOM_MAX_PREEMPTIONS` if set).
fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(move || {
        modelled::fresh();
        body();
    });
}

/// Blocks of one number.
fn numbers() -> StreamType {
    StreamType::frames(Dtype::U64, 1, 1, Rate::hz(1000), "count")
}

/// A ring whose words are all watched; of a slot, one word at the header's start, one at its end and the payload.
struct Ring {
    file: File,
    geometry: RingGeometry,
}

impl Ring {
    fn new(slots: u32, seats: &[SeatKind]) -> Self {
        let seats = seats.iter().map(|kind| SeatSpec {
            kind: *kind,
            stage: "reader".into(),
            port: "in".into(),
            sleepless: false,
        });
        let spec = RingSpec {
            stream_type: numbers(),
            slots,
            full: Full::Wait,
            seats: seats.collect(),
            spare_seats: 0,
            stream: 0,
            origin: 0,
            sleepless: false,
        };
        let file = spec.create_anonymous().unwrap();
        let mut bytes = [0; size_of::<RingGeometry>()];
        file.read_exact_at(&mut bytes, RING_GEOMETRY_AT as u64)
            .unwrap();
        let geometry = RingGeometry::read_from_bytes(&bytes).unwrap();
        let ring = Ring { file, geometry };
        ring.watch(spec.seats.len());
        ring
    }

    fn watch(&self, seats: usize) {
        let g = &self.geometry;
        let watch = |at: u64, offset: usize| modelled::watch(&self.file, at + offset as u64);
        let watch_u32 =
            |at: u64, offset: usize| modelled::watch_u32(&self.file, at + offset as u64);
        watch(g.producer_at, offset_of!(ProducerWords, published));
        watch(g.producer_at, offset_of!(ProducerWords, end));
        watch(g.producer_at, offset_of!(ProducerWords, end_reason));
        watch_u32(g.producer_at, offset_of!(ProducerWords, waiting));
        for seat in 0..seats {
            let at = g.seats_at + (seat * abi::PAGE) as u64;
            watch(at, offset_of!(SeatWords, owner));
            watch(at, offset_of!(SeatWords, closed));
            watch(at, offset_of!(SeatWords, position));
            watch_u32(at, offset_of!(SeatWords, waiting));
        }
        watch_u32(g.bells_at, offset_of!(BellWords, data));
        watch_u32(g.bells_at, offset_of!(BellWords, room));
        for slot in 0..u64::from(g.slots) {
            let at = g.slots_at + slot * g.slot_stride;
            watch(at, offset_of!(SlotHeader, position));
            watch(at, offset_of!(SlotHeader, user));
            watch(at, size_of::<SlotHeader>());
        }
    }

    fn segment(&self) -> Segment {
        let copy = || self.file.try_clone().unwrap();
        Segment::from_files("raw", copy(), Some(copy()), segment::RING).unwrap()
    }

    fn producer(&self) -> Producer {
        Producer::attach(&self.segment(), &numbers(), OWNER).unwrap()
    }

    fn hold(&self, seat: u32) -> HoldSeat {
        HoldSeat::attach(&self.segment(), seat, &numbers(), OWNER).unwrap()
    }

    fn lap(&self, seat: u32) -> LapSeat {
        LapSeat::attach(&self.segment(), seat, &numbers(), OWNER).unwrap()
    }

    fn observer(&self) -> Observer {
        Observer::attach(&self.segment()).unwrap()
    }

    /// What the launcher does when it has seen the owner of a role dead.
    fn free_producer(&self) {
        let page = self.segment().map(
            self.geometry.producer_at as usize,
            abi::PAGE,
            Access::ReadWrite,
        );
        let words = page.unwrap().words::<ProducerWords>(0);
        words.owner.store(0, Ordering::Release);
    }

    fn free_seat(&self, seat: usize) {
        let at = self.geometry.seats_at as usize + seat * abi::PAGE;
        let page = self.segment().map(at, abi::PAGE, Access::ReadWrite);
        let words = page.unwrap().words::<SeatWords>(0);
        words.owner.store(0, Ordering::Release);
    }
}

/// Every block has its position in all words that are watched.
fn write(producer: &mut Producer, ahead: u64) {
    let position = producer.published() + ahead;
    let (header, payload) = producer.slot(ahead);
    *header = SlotHeader {
        position,
        user: position + 100,
        valid: 1,
        ..SlotHeader::default()
    };
    payload.copy_from_slice(&(position + 200).to_le_bytes());
}

/// Publishes one block if there is room.
fn push(producer: &mut Producer) -> bool {
    let room = producer.room(1) > 0;
    if room {
        write(producer, 0);
        producer.publish(1);
    }
    room
}

fn assert_whole(header: &SlotHeader, payload: &[u8], position: u64) {
    let number = u64::from_le_bytes(payload.try_into().unwrap());
    assert_eq!(
        (header.position, header.user, number),
        (position, position + 100, position + 200),
        "block {position} is torn"
    );
}

/// Reads and releases one block if it is there; its position must be the one that is next.
fn take(seat: &mut HoldSeat) -> bool {
    let position = seat.position();
    let there = match seat.peek(0) {
        Some(peeked) => {
            assert!(!peeked.damaged);
            assert_whole(&peeked.header, peeked.payload, position);
            true
        }
        None => false,
    };
    if there {
        seat.release(1);
    }
    there
}

#[test]
fn every_block_is_read_whole_and_no_slot_is_overwritten_under_its_reader() {
    model(3, || {
        let ring = Ring::new(2, &[HOLD]);
        let (mut producer, mut seat) = (ring.producer(), ring.hold(0));
        let writer = thread::spawn(move || (0..4).filter(|_| push(&mut producer)).count());
        let mut taken = (0..3).filter(|_| take(&mut seat)).count();
        let published = writer.join().unwrap();
        while take(&mut seat) {
            taken += 1;
        }
        assert_eq!(taken, published);
    });
}

#[test]
fn several_blocks_published_by_one_store_and_a_claim_given_up_are_seen_whole() {
    model(4, || {
        let ring = Ring::new(2, &[HOLD]);
        let (mut producer, mut seat) = (ring.producer(), ring.hold(0));
        let writer = thread::spawn(move || {
            write(&mut producer, 0);
            // Given up, and made anew.
            write(&mut producer, 0);
            write(&mut producer, 1);
            producer.publish(2);
            producer.warm();
            u64::from(push(&mut producer)) + 2
        });
        let mut taken = 0;
        if seat.available() == 2 {
            for ahead in 0..2 {
                let peeked = seat.at(ahead).unwrap();
                assert_whole(&peeked.header, peeked.payload, ahead);
            }
            seat.release(2);
            taken += 2;
        }
        let published = writer.join().unwrap();
        while take(&mut seat) {
            taken += 1;
        }
        assert_eq!(taken, published);
    });
}

#[test]
fn the_slower_of_two_seats_is_never_passed() {
    model(2, || {
        let ring = Ring::new(1, &[HOLD, HOLD]);
        let mut producer = ring.producer();
        assert!(push(&mut producer));
        let readers = [0, 1].map(|seat| {
            let mut seat = ring.hold(seat);
            thread::spawn(move || take(&mut seat))
        });
        for _ in 0..2 {
            push(&mut producer);
        }
        for reader in readers {
            assert!(reader.join().unwrap());
        }
    });
}

#[test]
fn neither_side_sleeps_through_the_other_ones_bell() {
    model(2, || {
        let ring = Ring::new(1, &[HOLD]);
        let (mut producer, mut seat) = (ring.producer(), ring.hold(0));
        let writer = thread::spawn(move || {
            for _ in 0..2 {
                while !producer.wait_for_room(1, EVER) {}
                assert!(push(&mut producer));
                producer.ring_readers();
            }
        });
        for _ in 0..2 {
            while seat.available() == 0 {
                seat.wait(0, EVER);
            }
            assert!(take(&mut seat));
            seat.ring_producer();
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_lap_seat_does_not_sleep_through_the_bell_or_the_end() {
    model(2, || {
        let ring = Ring::new(2, &[LAP]);
        let (mut producer, mut seat) = (ring.producer(), ring.lap(0));
        let writer = thread::spawn(move || {
            assert!(push(&mut producer));
            producer.ring_readers();
            producer.end(end_reason::FINISHED, 0);
            producer.ring_readers();
        });
        let mut payload = [0; 8];
        while seat.take(&mut payload).is_none() {
            seat.wait(EVER);
        }
        while !seat.done() {
            seat.wait(EVER);
        }
        writer.join().unwrap();
    });
}

#[test]
fn the_end_is_seen_with_its_reason_and_behind_the_last_block() {
    model(3, || {
        let ring = Ring::new(2, &[HOLD]);
        let (mut producer, mut seat) = (ring.producer(), ring.hold(0));
        let writer = thread::spawn(move || {
            push(&mut producer);
            producer.end(end_reason::FINISHED, 0);
        });
        if let Some((end, reason)) = seat.end() {
            assert_eq!((end, reason), (1, end_reason::FINISHED));
            assert!(take(&mut seat), "a block stands before the end");
            assert!(seat.done());
        }
        writer.join().unwrap();
    });
}

#[test]
fn an_observer_never_takes_a_torn_copy_for_a_block() {
    model(3, || {
        let ring = Ring::new(2, &[]);
        let (mut producer, observer) = (ring.producer(), ring.observer());
        assert!(push(&mut producer));
        let writer = thread::spawn(move || {
            push(&mut producer);
            push(&mut producer);
        });
        let mut payload = [0; 8];
        for position in 0..2 {
            if let Some(header) = observer.copy(position, &mut payload) {
                assert_whole(&header, &payload, position);
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn an_observer_never_takes_a_warmed_slot_or_a_claim_given_up_for_a_block() {
    model(3, || {
        let ring = Ring::new(2, &[]);
        let (mut producer, observer) = (ring.producer(), ring.observer());
        assert!(push(&mut producer));
        let writer = thread::spawn(move || {
            push(&mut producer);
            producer.warm();
            write(&mut producer, 0);
        });
        let mut payload = [0; 8];
        if let Some(header) = observer.copy(0, &mut payload) {
            assert_whole(&header, &payload, 0);
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_lap_seat_accounts_for_every_block() {
    model(2, || {
        let ring = Ring::new(2, &[LAP]);
        let (mut producer, mut seat) = (ring.producer(), ring.lap(0));
        let writer = thread::spawn(move || {
            for _ in 0..3 {
                assert!(push(&mut producer), "a lap seat holds nobody back");
            }
        });
        let (mut payload, mut taken) = ([0; 8], 0);
        let mut take = |seat: &mut LapSeat| match seat.take(&mut payload) {
            Some(header) => {
                assert_whole(&header, &payload, seat.position() - 1);
                taken += 1;
                true
            }
            None => false,
        };
        take(&mut seat);
        writer.join().unwrap();
        while take(&mut seat) {}
        assert_eq!(taken + seat.take_lapped(), 3);
    });
}

#[test]
fn a_reader_that_is_started_again_goes_on_where_the_dead_one_stood() {
    model(2, || {
        let ring = Ring::new(2, &[HOLD]);
        let (mut producer, mut first) = (ring.producer(), ring.hold(0));
        let writer = thread::spawn(move || (0..3).filter(|_| push(&mut producer)).count());
        // It dies while it holds a block that it has read and not released.
        let dead = thread::spawn(move || {
            take(&mut first);
            first.peek(0);
            first.position()
        });
        let stood = dead.join().unwrap();
        ring.free_seat(0);
        let mut second = ring.hold(0);
        assert_eq!(second.position(), stood);
        take(&mut second);
        let published = writer.join().unwrap() as u64;
        while take(&mut second) {}
        assert_eq!(second.position(), published);
    });
}

#[test]
fn a_producer_that_is_started_again_goes_on_behind_what_was_published() {
    model(2, || {
        let ring = Ring::new(2, &[HOLD]);
        let (mut first, mut seat) = (ring.producer(), ring.hold(0));
        let reader = thread::spawn(move || {
            for _ in 0..2 {
                take(&mut seat);
            }
            seat
        });
        // It dies between the writing and the publishing of a block.
        let dead = thread::spawn(move || {
            push(&mut first);
            if first.room(1) > 0 {
                write(&mut first, 0);
            }
            first.published()
        });
        let published = dead.join().unwrap();
        ring.free_producer();
        let mut second = ring.producer();
        assert_eq!(second.published(), published);
        push(&mut second);
        let mut seat = reader.join().unwrap();
        while take(&mut seat) {}
        assert_eq!(seat.position(), second.published());
    });
}

/// The seats of a ring exist before the first tick: until an owner comes, its seat holds the producer back.
#[test]
fn a_seat_whose_owner_comes_late_has_lost_nothing() {
    model(3, || {
        let ring = Rc::new(Ring::new(2, &[HOLD]));
        let mut producer = ring.producer();
        let late = Rc::clone(&ring);
        let reader = thread::spawn(move || {
            let mut seat = late.hold(0);
            take(&mut seat);
            seat
        });
        let published = (0..4).filter(|_| push(&mut producer)).count() as u64;
        let mut seat = reader.join().unwrap();
        while take(&mut seat) {}
        assert_eq!(seat.position(), published, "blocks passed the seat by");
    });
}

#[test]
fn a_segment_is_seen_whole_or_not_at_all() {
    // Made under a name, as the launcher does it; each execution of a model is over before the next begins.
    let name = format!("/ephapse.loom.{}", std::process::id());
    model(3, move || {
        let mut owned = shm::Owned::create(&name, abi::PAGE).unwrap();
        let file = File::open(shm::path_of(&name)).unwrap();
        // Magic, version, kind and checksum, both lengths, and one word of what the checksum covers.
        for at in [0, 8, 24, 32, 40, 128] {
            modelled::watch(&file, at);
        }
        let maker = thread::spawn(move || {
            owned.bytes_mut()[128..136].copy_from_slice(&77_u64.to_le_bytes());
            owned.publish(SegmentHeader {
                kind: segment::EVENTS,
                fixed_bytes: 256,
                ..SegmentHeader::default()
            });
            owned
        });
        match Segment::from_files("events", file, None, segment::EVENTS) {
            Ok(segment) => assert_eq!(segment.fixed()[128], 77),
            Err(error) => {
                let why = error.to_string();
                let unmade = why.contains("not yet written") || why.contains("magic");
                assert!(unmade, "half of a segment was seen: {why}");
            }
        }
        maker.join().unwrap();
    });
}

/// A session's tick and a stage's `ran`, in a segment, and a bell that stays rung until it is heard (a blocked signal stays
/// pending).
struct Session {
    owned: shm::Owned,
    rung: Mutex<bool>,
    ring: Condvar,
}

const SESSION_AT: usize = abi::PAGE;
const TIMER_AT: usize = 2 * abi::PAGE;
const BANK_AT: usize = 3 * abi::PAGE;

impl Session {
    fn new(name: &str) -> Self {
        let owned = shm::Owned::create(name, 4 * abi::PAGE).unwrap();
        let file = File::open(shm::path_of(name)).unwrap();
        modelled::watch(&file, (TIMER_AT + offset_of!(TimerWords, tick)) as u64);
        modelled::watch(&file, (BANK_AT + offset_of!(Bank, ran)) as u64);
        let words: &SessionWords = owned.words(SESSION_AT);
        words.stop_tick.store(OPEN, Ordering::Relaxed);
        Session {
            owned,
            rung: Mutex::new(false),
            ring: Condvar::new(),
        }
    }

    fn bank(&self) -> &Bank {
        self.owned.words(BANK_AT)
    }

    fn timer(&self) -> &TimerWords {
        self.owned.words(TIMER_AT)
    }

    fn wait(&self) -> Waited {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
        Waited::Rung
    }
}

/// The stage as its timer sees it.
struct Told {
    announced: Announced,
    session: Rc<Session>,
}

impl Rung for Told {
    fn announced(&mut self) -> &mut Announced {
        &mut self.announced
    }

    fn ran(&self) -> u64 {
        self.session.bank().ran.load(Ordering::Relaxed)
    }

    fn ring(&self) {
        *self.session.rung.lock().unwrap() = true;
        self.session.ring.notify_one();
    }
}

#[test]
fn no_tick_is_lost_between_a_stage_that_goes_to_sleep_and_a_timer_that_does_not_ring() {
    const EVERY: DueTicks = DueTicks {
        divider: 1,
        phase: 0,
    };
    let name = format!("/ephapse.loom-bell.{}", std::process::id());
    model(4, move || {
        let session = Rc::new(Session::new(&name));
        let told = Told {
            announced: Announced::new(EVERY, 1),
            session: Rc::clone(&session),
        };
        let timer = thread::spawn(move || {
            let mut stages = [told];
            for tick in 1..=2 {
                let words = stages[0].session.clone();
                announce(&words.timer().tick, tick, &mut stages);
            }
        });
        let (mut last, mut spurious) = (0, 0);
        let session_words: &SessionWords = session.owned.words(SESSION_AT);
        while last < 2 {
            let words = TickWords {
                tick: &session.timer().tick,
                stop_tick: &session_words.stop_tick,
            };
            last = next_due(words, EVERY, last, &mut spurious, || session.wait()).unwrap();
            session.bank().ran.store(last, Ordering::Release);
        }
        timer.join().unwrap();
    });
}
