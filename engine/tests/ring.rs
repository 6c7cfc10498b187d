//! The ring as its two ends see it, on unnamed segments.

use ephapse_engine::abi::{
    self, OPEN, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords, SlotHeader, end_reason,
    segment,
};
use ephapse_engine::ring::{HoldSeat, LapSeat, Observer, Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::{Access, Segment, ShmError, Words};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::plan::{Full, SeatKind};
use ephapse_rtconfig::stream_type::{Dtype, Rate, StreamType};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};
use zerocopy::{FromBytes, IntoBytes};

const HOLD: SeatKind = SeatKind::Hold;
const LAP: SeatKind = SeatKind::Lap;
const PRODUCER: u64 = 1 << 32 | 4242;
const READER: u64 = 1 << 32 | 4343;

/// Frames of four channels.
fn frames(per_block: u32) -> StreamType {
    StreamType::frames(Dtype::U64, per_block, 4, Rate::hz(1000), "count")
}

fn ring(slots: u32, stream_type: &StreamType, seats: &[SeatKind]) -> File {
    spec(slots, stream_type, seats, false)
        .create_anonymous()
        .unwrap()
}

fn spec(slots: u32, stream_type: &StreamType, seats: &[SeatKind], sleepless: bool) -> RingSpec {
    RingSpec {
        stream_type: stream_type.clone(),
        slots,
        full: Full::Wait,
        seats: seats
            .iter()
            .map(|kind| SeatSpec {
                kind: *kind,
                stage: "reader".into(),
                port: "in".into(),
                sleepless,
            })
            .collect(),
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless,
    }
}

fn opened(file: &File) -> Result<Segment, ShmError> {
    let copy = || file.try_clone().unwrap();
    Segment::from_files("raw", copy(), Some(copy()), segment::RING)
}

/// Why something was refused.
fn refusal<T>(result: Result<T, ShmError>) -> String {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(error) => error.to_string(),
    }
}

fn geometry(file: &File) -> RingGeometry {
    let mut bytes = [0; size_of::<RingGeometry>()];
    file.read_exact_at(&mut bytes, RING_GEOMETRY_AT as u64)
        .unwrap();
    RingGeometry::read_from_bytes(&bytes).unwrap()
}

/// The producer's words, writable: what a broken producer could store there.
fn producer_words(file: &File) -> Words<ProducerWords> {
    let at = geometry(file).producer_at as usize;
    let page = opened(file).unwrap().map(at, abi::PAGE, Access::ReadWrite);
    page.unwrap().words(0)
}

fn seat_words(file: &File, seat: usize) -> Words<SeatWords> {
    let at = geometry(file).seats_at as usize + seat * abi::PAGE;
    let page = opened(file).unwrap().map(at, abi::PAGE, Access::ReadWrite);
    page.unwrap().words(0)
}

/// Spreads the bits of a number.
fn mixed(number: u64) -> u64 {
    (number ^ number >> 31)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(27)
}

/// Writes block `number` into the slot `ahead` of what is published: every word follows from the number.
fn write(producer: &mut Producer, ahead: u64, number: u64) {
    let rows = producer.stream_type().frames_per_block();
    let position = producer.published() + ahead;
    let (header, payload) = producer.slot(ahead);
    let made = SlotHeader {
        position,
        first_frame: number,
        user: mixed(number),
        valid: rows,
        ..SlotHeader::default()
    };
    put(header.as_mut_bytes(), |index| {
        u64::from_ne_bytes(made.as_bytes().as_chunks::<8>().0[index])
    });
    put(payload, |index| mixed(number.wrapping_add(index as u64)));
}

/// Stores words: plainly, as stages do it.
#[cfg(not(tsan))]
fn put(bytes: &mut [u8], value: impl Fn(usize) -> u64) {
    for (index, word) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *word = value(index).to_le_bytes();
    }
}

/// For ThreadSanitizer, to which a plain store under the load of a lap reader is the race that it is in the language.
#[cfg(tsan)]
#[allow(unsafe_code, reason = "atomic stores to words of a slot")]
fn put(bytes: &mut [u8], value: impl Fn(usize) -> u64) {
    use std::sync::atomic::AtomicU64;
    for (index, word) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        // SAFETY: slots and payloads are 64-aligned, and the reference is this thread's own.
        let word = unsafe { AtomicU64::from_ptr(word.as_mut_ptr().cast()) };
        word.store(value(index), Ordering::Relaxed);
    }
}

fn push(producer: &mut Producer, number: u64) {
    write(producer, 0, number);
    producer.publish(1);
}

/// True if header and every word of the payload belong to one block; asserts nothing else.
fn is_whole(header: &SlotHeader, payload: &[u8]) -> bool {
    let number = header.first_frame;
    header.user == mixed(number)
        && payload
            .as_chunks::<8>()
            .0
            .iter()
            .enumerate()
            .all(|(index, word)| *word == mixed(number.wrapping_add(index as u64)).to_le_bytes())
}

/// A producer and the `hold` seats of a fresh ring.
fn pair(slots: u32, seats: usize) -> (File, Producer, Vec<HoldSeat>) {
    let stream_type = frames(8);
    let file = ring(slots, &stream_type, &vec![HOLD; seats]);
    let segment = opened(&file).unwrap();
    let producer = Producer::attach(&segment, &stream_type, PRODUCER).unwrap();
    let seats = (0..seats as u32)
        .map(|seat| HoldSeat::attach(&segment, seat, &stream_type, READER).unwrap())
        .collect();
    (file, producer, seats)
}

#[test]
fn does_not_expose_a_slot_before_it_is_published() {
    let (file, mut producer, mut seats) = pair(8, 1);
    let observer = Observer::attach(&opened(&file).unwrap()).unwrap();
    let mut buffer = vec![0; producer.stream_type().block_bytes()];
    write(&mut producer, 0, 7);
    write(&mut producer, 1, 8);
    assert!(seats[0].peek(0).is_none(), "written, not published");
    assert!(observer.copy(0, &mut buffer).is_none());
    producer.publish(2);
    for number in [7, 8] {
        let peeked = seats[0].peek(0).unwrap();
        assert_eq!(peeked.header.first_frame, number);
        assert!(!peeked.damaged && is_whole(&peeked.header, peeked.payload));
        seats[0].release(1);
    }
    assert!(seats[0].peek(0).is_none());
    assert_eq!(observer.copy(1, &mut buffer).unwrap().first_frame, 8);
}

#[test]
fn a_claim_that_is_given_up_leaves_nothing_behind() {
    let (_file, mut producer, mut seats) = pair(4, 1);
    write(&mut producer, 0, 1);
    // Nothing is published of the first attempt; the second one takes the same slot.
    push(&mut producer, 2);
    assert_eq!(seats[0].peek(0).unwrap().header.first_frame, 2);
    assert_eq!(seats[0].available(), 1);
}

#[test]
fn a_hold_seat_is_never_passed() {
    let (_file, mut producer, mut seats) = pair(4, 2);
    for number in 0..4 {
        assert_eq!(producer.room(4), 4 - number);
        push(&mut producer, number);
    }
    assert_eq!(producer.room(1), 0);
    seats[0].peek(0);
    seats[0].release(4);
    assert_eq!(producer.room(1), 0, "the slowest seat decides");
    seats[1].peek(0);
    seats[1].release(1);
    assert_eq!(producer.room(4), 1);
    push(&mut producer, 4);
    assert_eq!(producer.room(1), 0);
    let held: Vec<u64> = (0..4)
        .map(|ahead| seats[1].peek(ahead).unwrap().header.first_frame)
        .collect();
    assert_eq!(
        held,
        [1, 2, 3, 4],
        "what the slow seat holds was not touched"
    );
}

#[test]
#[should_panic(expected = "a slot that a reader still holds was asked for")]
fn a_slot_that_a_seat_holds_cannot_be_claimed() {
    let (_file, mut producer, _seats) = pair(2, 1);
    push(&mut producer, 0);
    push(&mut producer, 1);
    producer.slot(0);
}

#[test]
fn a_reader_cannot_release_what_it_has_not_been_given() {
    let (_file, mut producer, mut seats) = pair(4, 1);
    push(&mut producer, 0);
    seats[0].peek(0);
    seats[0].release(100);
    assert_eq!(seats[0].position(), 1);
    assert_eq!(producer.room(4), 4);
}

#[test]
fn a_full_ring_lets_its_producer_wait_with_a_bound_and_wakes_it_when_there_is_room() {
    let (_file, mut producer, mut seats) = pair(2, 1);
    push(&mut producer, 0);
    push(&mut producer, 1);
    assert!(!producer.wait_for_room(1, Duration::from_millis(5)));
    let mut seat = seats.remove(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            seat.peek(0);
            seat.release(1);
            seat.ring_producer();
        });
        let deadline = Instant::now() + Duration::from_secs(5);
        while !producer.wait_for_room(1, Duration::from_secs(5)) {
            assert!(Instant::now() < deadline, "nobody woke the producer");
        }
    });
}

#[test]
fn a_closed_seat_holds_nothing_back() {
    let (file, mut producer, _seats) = pair(2, 1);
    push(&mut producer, 0);
    push(&mut producer, 1);
    assert_eq!(producer.room(1), 0);
    seat_words(&file, 0).closed.store(1, Ordering::Release);
    assert_eq!(producer.room(2), 2);
}

#[test]
fn a_seat_position_that_cannot_be_gives_the_producer_no_room() {
    let (file, mut producer, _seats) = pair(4, 1);
    for number in 0..4 {
        push(&mut producer, number);
    }
    for position in [5, 1000, u64::MAX] {
        seat_words(&file, 0)
            .position
            .store(position, Ordering::Release);
        assert_eq!(producer.room(1), 0, "position {position}");
    }
}

#[test]
fn the_end_is_seen_behind_the_last_block_needs_no_room_and_is_stored_once() {
    let (file, mut producer, mut seats) = pair(2, 1);
    push(&mut producer, 0);
    push(&mut producer, 1);
    assert_eq!(producer.room(1), 0);
    assert_eq!(seats[0].end(), None);
    producer.end(end_reason::FINISHED, 17);
    producer.end(end_reason::FAULT, 99);
    assert_eq!(seats[0].end(), Some((2, end_reason::FINISHED)));
    assert_eq!(
        producer_words(&file).end_lost.load(Ordering::Relaxed),
        17,
        "the second end changed nothing"
    );
    for _ in 0..2 {
        assert!(!seats[0].done(), "not before the last block is released");
        assert!(seats[0].peek(0).is_some());
        seats[0].release(1);
    }
    assert!(seats[0].done());
}

#[test]
fn another_type_is_refused_and_both_are_named() {
    let file = ring(4, &frames(8), &[HOLD, LAP]);
    let segment = opened(&file).unwrap();
    let other = StreamType::frames(Dtype::F32, 20, 60, Rate::hz(20_000), "uV");
    for text in [
        refusal(Producer::attach(&segment, &other, PRODUCER)),
        refusal(HoldSeat::attach(&segment, 0, &other, READER)),
        refusal(LapSeat::attach(&segment, 1, &other, READER)),
    ] {
        assert!(text.contains("raw"), "{text}");
        assert!(text.contains(&frames(8).summary()), "{text}");
        assert!(text.contains(&other.summary()), "{text}");
        assert!(
            text.contains(&format!("pid {}", std::process::id())),
            "{text}"
        );
    }
    assert!(
        Producer::attach(&segment, &frames(8), PRODUCER).is_ok(),
        "a refusal claims no role"
    );
}

#[test]
fn a_second_producer_and_a_second_owner_of_a_seat_are_refused_with_the_pid_of_the_first() {
    let file = ring(4, &frames(8), &[HOLD, LAP]);
    let segment = opened(&file).unwrap();
    let _producer = Producer::attach(&segment, &frames(8), PRODUCER).unwrap();
    let _hold = HoldSeat::attach(&segment, 0, &frames(8), READER).unwrap();
    let _lap = LapSeat::attach(&segment, 1, &frames(8), READER).unwrap();
    let text = refusal(Producer::attach(&segment, &frames(8), READER));
    assert!(text.contains("producer is pid 4242"), "{text}");
    let text = refusal(HoldSeat::attach(&segment, 0, &frames(8), PRODUCER));
    assert!(text.contains("seat 0 is pid 4343"), "{text}");
    let text = refusal(LapSeat::attach(&segment, 1, &frames(8), PRODUCER));
    assert!(text.contains("seat 1 is pid 4343"), "{text}");
}

#[test]
fn a_seat_is_only_what_it_was_planned_as() {
    let file = ring(4, &frames(8), &[HOLD, LAP]);
    let segment = opened(&file).unwrap();
    for text in [
        refusal(HoldSeat::attach(&segment, 1, &frames(8), READER)),
        refusal(HoldSeat::attach(&segment, 2, &frames(8), READER)),
    ] {
        assert!(text.contains("no `hold` seat"), "{text}");
    }
    let text = refusal(LapSeat::attach(&segment, 0, &frames(8), READER));
    assert!(text.contains("no `lap` seat 0"), "{text}");
}

#[test]
fn a_segment_without_a_version_or_of_another_major_is_refused_with_both_versions() {
    let file = ring(4, &frames(8), &[HOLD]);
    let version = |word: u64| {
        file.write_all_at(&word.to_le_bytes(), 8).unwrap();
        opened(&file)
    };
    let pid = format!("pid {}", std::process::id());
    let text = refusal(version(0));
    assert!(
        text.contains("not yet written") && text.contains(&pid),
        "{text}"
    );
    let text = refusal(version(7 << 32 | 3));
    let own = format!("{}.{}", abi::VERSION_MAJOR, abi::VERSION_MINOR);
    assert!(text.contains("7.3") && text.contains(&own), "{text}");
    assert!(text.contains(&pid), "{text}");
    assert!(
        version(abi::VERSION + 1).is_ok(),
        "a higher minor is understood"
    );
}

#[test]
fn a_segment_cut_short_is_refused() {
    let file = ring(4, &frames(8), &[HOLD]);
    file.set_len(geometry(&file).slots_at).unwrap();
    assert!(refusal(opened(&file)).contains("truncated"));
    file.set_len(64).unwrap();
    assert!(refusal(opened(&file)).contains("shorter than a header"));
}

#[test]
fn a_published_word_that_cannot_be_is_not_believed() {
    let (file, mut producer, mut seats) = pair(4, 1);
    for number in 0..3 {
        push(&mut producer, number);
    }
    seats[0].peek(0);
    seats[0].release(2);
    let words = producer_words(&file);
    // Behind the seat, or more than a ring ahead of it.
    for published in [0, 1, 7, 1000, u64::MAX] {
        words.published.store(published, Ordering::Release);
        seats[0].refresh();
        assert_eq!(seats[0].available(), 1, "published {published}");
        assert_eq!(seats[0].peek(0).unwrap().header.first_frame, 2);
        assert!(seats[0].peek(1).is_none());
    }
    words.published.store(3, Ordering::Release);
    push(&mut producer, 3);
    assert_eq!(seats[0].peek(1).unwrap().header.first_frame, 3);
}

#[test]
fn a_valid_or_a_position_out_of_range_comes_as_an_empty_damaged_block() {
    let (file, mut producer, mut seats) = pair(4, 1);
    let observer = Observer::attach(&opened(&file).unwrap()).unwrap();
    let rows = producer.stream_type().frames_per_block();
    let mut buffer = vec![0; producer.stream_type().block_bytes()];
    for (valid, position) in [(rows + 1, 0), (u32::MAX, 1), (rows, 77), (rows, u64::MAX)] {
        let at = producer.published();
        write(&mut producer, 0, at);
        let header = producer.slot(0).0;
        header.valid = valid;
        header.position = if valid == rows { position } else { at };
        producer.publish(1);
        let peeked = seats[0].peek(0).unwrap();
        assert!(peeked.damaged);
        assert!(peeked.payload.is_empty());
        assert_eq!((peeked.header.position, peeked.header.valid), (at, 0));
        assert!(observer.copy(at, &mut buffer).is_none());
        seats[0].release(1);
    }
    push(&mut producer, 4);
    let sound = seats[0].peek(0).unwrap();
    assert!(!sound.damaged && is_whole(&sound.header, sound.payload));
}

#[test]
fn a_lap_seat_holds_nobody_back_and_counts_what_it_missed() {
    let stream_type = frames(8);
    let file = ring(8, &stream_type, &[LAP]);
    let segment = opened(&file).unwrap();
    let mut producer = Producer::attach(&segment, &stream_type, PRODUCER).unwrap();
    let mut seat = LapSeat::attach(&segment, 0, &stream_type, READER).unwrap();
    let mut buffer = vec![0; seat.payload_bytes()];
    for number in 0..20 {
        assert_eq!(producer.room(8), 8);
        push(&mut producer, number);
    }
    let mut taken = Vec::new();
    while let Some(header) = seat.take(&mut buffer) {
        assert!(is_whole(&header, &buffer));
        taken.push(header.first_frame);
    }
    assert_eq!(
        taken,
        (13..20).collect::<Vec<_>>(),
        "one slot less than the ring has: the oldest may be being overwritten"
    );
    assert_eq!(seat.take_lapped(), 13);
    assert_eq!(seat.take_lapped(), 0, "counted once");
    push(&mut producer, 20);
    push(&mut producer, 21);
    assert_eq!(seat.jump_to_newest(1), 1);
    assert_eq!(seat.take(&mut buffer).unwrap().first_frame, 21);
    producer.end(end_reason::STOPPED, 0);
    assert!(seat.done());
    assert_eq!(seat.end_reason(), Some(end_reason::STOPPED));
}

#[test]
fn a_lap_seat_never_gets_a_torn_block_and_accounts_for_every_one() {
    let stream_type = frames(64);
    let file = ring(4, &stream_type, &[LAP]);
    let segment = opened(&file).unwrap();
    let mut producer = Producer::attach(&segment, &stream_type, PRODUCER).unwrap();
    let mut seat = LapSeat::attach(&segment, 0, &stream_type, READER).unwrap();
    let (taken, lapped, published) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let begun = Instant::now();
            let mut number = 0;
            while begun.elapsed() < Duration::from_secs(1) {
                push(&mut producer, number);
                number += 1;
                // Now and then the reader gets a chance to keep up; mostly it is overtaken while it copies.
                if number % 64 == 0 {
                    std::thread::yield_now();
                }
            }
            producer.end(end_reason::FINISHED, 0);
            number
        });
        let mut buffer = vec![0; seat.payload_bytes()];
        let (mut taken, mut last) = (0_u64, None);
        while !seat.done() {
            let Some(header) = seat.take(&mut buffer) else {
                std::thread::yield_now();
                continue;
            };
            assert!(
                is_whole(&header, &buffer),
                "block {} is torn",
                header.position
            );
            assert!(last < Some(header.position), "in order");
            last = Some(header.position);
            taken += 1;
        }
        (taken, seat.take_lapped(), writer.join().unwrap())
    });
    assert_eq!(taken + lapped, published);
    assert!(taken > 0, "the reader got nothing of {published} blocks");
}

#[test]
fn a_million_numbered_blocks_pass_between_two_threads_in_order_by_futex_waits() {
    pass_between_threads(1_000_000, false);
}

#[test]
fn ends_declared_sleepless_that_wait_all_the_same_are_not_left_waiting() {
    pass_between_threads(20_000, true);
}

fn pass_between_threads(blocks: u64, sleepless: bool) {
    let stream_type = frames(1);
    let file = spec(64, &stream_type, &[HOLD], sleepless)
        .create_anonymous()
        .unwrap();
    let segment = opened(&file).unwrap();
    let mut producer = Producer::attach(&segment, &stream_type, PRODUCER).unwrap();
    let mut seat = HoldSeat::attach(&segment, 0, &stream_type, READER).unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    let bound = Duration::from_secs(5);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..blocks {
                while producer.room(1) == 0 {
                    assert!(Instant::now() < deadline, "no room after {number} blocks");
                    producer.wait_for_room(1, bound);
                }
                push(&mut producer, number);
                producer.ring_readers();
            }
            producer.end(end_reason::FINISHED, 0);
            producer.ring_readers();
        });
        let mut next = 0;
        while !seat.done() {
            let Some(peeked) = seat.peek(0) else {
                assert!(Instant::now() < deadline, "stuck after {next} blocks");
                seat.wait(0, bound);
                continue;
            };
            assert!(!peeked.damaged && is_whole(&peeked.header, peeked.payload));
            assert_eq!(peeked.header.first_frame, next);
            assert_eq!(peeked.header.position, next);
            seat.release(1);
            seat.ring_producer();
            next += 1;
        }
        assert_eq!(next, blocks);
    });
}

/// This process's mappings of `file`: bytes of the file, and rights.
fn mapped(file: &File) -> Vec<(Range<u64>, String)> {
    let inode = file.metadata().unwrap().ino().to_string();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .filter(|line| line.contains("memfd:ephapse"))
        .filter_map(|line| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let (from, to) = parts[0].split_once('-')?;
            let at = hex(parts[2]);
            let range = at..at + hex(to) - hex(from);
            (parts[4] == inode).then(|| (range, parts[1].to_owned()))
        })
        .collect()
}

#[test]
fn a_reader_maps_slots_and_producer_words_read_only_and_no_seat_but_its_own() {
    let stream_type = frames(8);
    let file = ring(4, &stream_type, &[HOLD, HOLD, LAP]);
    let g = geometry(&file);
    let page = abi::PAGE as u64;
    let rights_of = |at: u64| -> Vec<String> {
        let covering = mapped(&file).into_iter().filter(|(r, _)| r.contains(&at));
        covering.map(|(_, rights)| rights).collect()
    };
    {
        let segment = opened(&file).unwrap();
        let _seat = HoldSeat::attach(&segment, 1, &stream_type, READER).unwrap();
        assert_eq!(rights_of(g.slots_at), ["r--s"]);
        assert_eq!(rights_of(g.producer_at), ["r--s"]);
        assert_eq!(
            rights_of(g.seats_at + page),
            ["rw-s"],
            "its own position is its to write"
        );
        assert_eq!(rights_of(g.bells_at), ["rw-s"]);
        assert_eq!(rights_of(g.seats_at), [""; 0], "another's seat");
        assert_eq!(rights_of(0), [""; 0], "the fixed region was copied");
    }
    {
        let _observer = Observer::attach(&opened(&file).unwrap()).unwrap();
        let all = mapped(&file);
        assert!(!all.is_empty());
        assert!(
            all.iter().all(|(_, rights)| rights == "r--s"),
            "an observer writes nothing: {all:?}"
        );
    }
    {
        let segment = opened(&file).unwrap();
        let _producer = Producer::attach(&segment, &stream_type, PRODUCER).unwrap();
        assert_eq!(rights_of(g.slots_at), ["rw-s"]);
        assert_eq!(
            rights_of(g.seats_at),
            ["r--s"],
            "a producer cannot move a reader"
        );
    }
    assert_eq!(mapped(&file), [], "nothing stays mapped");
}

#[test]
fn a_fresh_ring_is_open_and_empty() {
    let (file, producer, mut seats) = pair(4, 1);
    assert_eq!(producer_words(&file).end.load(Ordering::Acquire), OPEN);
    assert_eq!((producer.published(), seats[0].available()), (0, 0));
    assert!(!seats[0].done());
}
