//! Ten million numbered blocks between two processes, spinning and sleeping (`EPHAPSE_ITEMS` of them in `make accept`: 10^9).

mod child;
mod ends;
mod mixed;

use ends::header;
use ephapse_engine::abi::end_reason;
use ephapse_rtconfig::plan::Full;
use mixed::mixed;
use std::time::{Duration, Instant};

const SLOTS: u32 = 1024;
/// A wait that ends without having been woken means that a bell was lost.
const BOUND: Duration = Duration::from_secs(60);

fn items() -> u64 {
    std::env::var("EPHAPSE_ITEMS").map_or(10_000_000, |text| text.parse().unwrap())
}

/// Looks again and again; lets another thread of this CPU run now and then, for a machine may have only one.
fn spin_until(mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut looks = 0_u32;
    while !ready() {
        core::hint::spin_loop();
        looks += 1;
        if looks.is_multiple_of(1 << 7) {
            assert!(begun.elapsed() < BOUND, "the other side stands still");
            std::thread::yield_now();
        }
    }
}

#[test]
#[ignore = "the producer's process, started by the tests of this file"]
fn producer() {
    let Some(told) = child::told() else { return };
    let [ring, items, sleeps] = &told[..] else {
        panic!("told {told:?}")
    };
    let (items, sleeps): (u64, bool) = (items.parse().unwrap(), sleeps == "futex");
    let mut producer = ends::producer(&child::file(ring), 1);
    let mut next = 0;
    while next < items {
        // One block, or several with one store.
        let count = (1 + mixed(next) % 8).min(items - next);
        if sleeps {
            let begun = Instant::now();
            while producer.room(count) < count {
                producer.wait_for_room(count, BOUND);
                assert!(begun.elapsed() < BOUND, "nobody woke the producer");
            }
        } else {
            spin_until(|| producer.room(count) >= count);
        }
        for ahead in 0..count {
            let (slot, payload) = producer.slot(ahead);
            *slot = header(next + ahead);
            payload.copy_from_slice(&(!mixed(next + ahead)).to_le_bytes());
        }
        producer.publish(count);
        if sleeps {
            producer.ring_readers();
        }
        next += count;
    }
    producer.end(end_reason::FINISHED, 0);
    producer.ring_readers();
}

fn pass(mode: &str) {
    let items = items();
    let ring = ends::ring(SLOTS, 1, Full::Wait);
    let mut seat = ends::seat(&ring, 1);
    let told = [child::word(&ring), items.to_string(), mode.to_owned()];
    let mut maker = child::start("producer", &told);
    let begun = Instant::now();
    let (mut next, mut sum) = (0_u64, 0_u64);
    while !seat.done() {
        let there = seat.available();
        if there == 0 {
            if mode == "futex" {
                let waited = Instant::now();
                seat.wait(0, BOUND);
                assert!(waited.elapsed() < BOUND, "nobody woke the reader");
            } else {
                spin_until(|| seat.available() > 0 || seat.end().is_some());
            }
            continue;
        }
        for ahead in 0..there {
            let peeked = seat.at(ahead).unwrap();
            let number = u64::from_le_bytes(peeked.payload.try_into().unwrap());
            assert!(!peeked.damaged, "block {next}");
            assert_eq!(
                (peeked.header.position, peeked.header.user),
                (next, mixed(next))
            );
            sum = sum.wrapping_add(!number);
            next += 1;
        }
        seat.release(there);
        if mode == "futex" {
            seat.ring_producer();
        }
    }
    assert!(maker.wait().unwrap().success());
    assert_eq!(next, items);
    let expected = (0..items).fold(0_u64, |sum, number| sum.wrapping_add(mixed(number)));
    assert_eq!(sum, expected, "checksum of all payloads");
    println!(
        "{items} blocks in {:.1} s, {mode}",
        begun.elapsed().as_secs_f64()
    );
}

#[test]
fn every_block_comes_once_and_in_order_from_a_process_that_spins_or_sleeps() {
    // One after the other: four processes on two CPUs would only wait for each other.
    pass("spin");
    pass("futex");
}
