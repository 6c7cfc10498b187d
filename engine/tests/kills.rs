//! Any process may be killed at any instruction: a source and a relay are killed with SIGKILL between any two stores that
//! another process can see, and at random times, and started again. At the other end of the relay every position comes
//! exactly once, nobody hangs, and who survives waits or drops as the ring's policy says.
//!
//! `EPHAPSE_KILLS` of them (100 at least); at every trap point `src/trap.rs` at least 20.
#![cfg(debug_assertions)]

mod child;
mod ends;
mod mixed;

use ends::header;
use ephapse_engine::abi::{
    PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords, end_reason,
};
use ephapse_engine::ring::{HoldSeat, Producer};
use ephapse_engine::shm::Access;
use ephapse_engine::sync::Ordering;
use ephapse_engine::trap::{Point, RING, arm, trap};
use ephapse_rtconfig::plan::Full;
use mixed::mixed;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

const SLOTS: u32 = 4;
const NUMBERS: u32 = 4;
/// Blocks of a round.
const BLOCKS: u64 = 300;
/// Deaths in a round, after which everybody may live.
const DEATHS: u32 = 40;
/// Who dies before it has rung wakes nobody: the others look again by themselves.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Writes the block at `published`, in two halves.
fn write(producer: &mut Producer) {
    let position = producer.published();
    let (slot, payload) = producer.slot(0);
    *slot = header(position);
    slot.valid = NUMBERS;
    let words = payload.as_chunks_mut::<8>().0;
    for (index, word) in words.iter_mut().enumerate() {
        if index == NUMBERS as usize / 2 {
            trap(Point::Write);
        }
        *word = mixed(position + index as u64).to_le_bytes();
    }
}

fn assert_whole(seat: &mut HoldSeat, position: u64) {
    let peeked = seat.peek(0).expect("it was there");
    assert!(!peeked.damaged, "block {position}");
    assert_eq!(
        (peeked.header.position, peeked.header.user),
        (position, mixed(position))
    );
    for (index, word) in peeked.payload.as_chunks::<8>().0.iter().enumerate() {
        assert_eq!(
            *word,
            mixed(position + index as u64).to_le_bytes(),
            "block {position} is torn"
        );
    }
}

/// Waits for room as the ring's policy says: with `drop_newest`, what has no room gets no position.
fn room(producer: &mut Producer) -> bool {
    match producer.full() {
        Full::Wait => producer.wait_for_room(1, LOOK_AGAIN),
        Full::DropNewest | Full::Fault => producer.room(1) > 0,
    }
}

fn source(output: &mut Producer, blocks: u64) {
    while output.published() < blocks {
        if room(output) {
            write(output);
            output.publish(1);
            output.ring_readers();
        } else if output.full() != Full::Wait {
            std::thread::yield_now();
        }
    }
}

/// Makes block p of its output from block p of its input; publishes first, then releases. What it finds published beyond
/// its input it does not publish again.
fn relay(input: &mut HoldSeat, output: &mut Producer) {
    while !input.done() {
        if input.available() == 0 {
            input.wait(0, LOOK_AGAIN);
            continue;
        }
        let position = input.position();
        assert_whole(input, position);
        if output.published() == position {
            while !room(output) {
                std::thread::yield_now();
            }
            write(output);
            output.publish(1);
        }
        assert_eq!(output.published(), position + 1);
        input.release(1);
        input.ring_producer();
        output.ring_readers();
    }
}

#[test]
#[ignore = "a process that is killed, started by the test of this file"]
fn stage() {
    let Some(told) = child::told() else { return };
    let [input, output, point, pass] = &told[..] else {
        panic!("told {told:?}")
    };
    if let Some(point) = RING.iter().find(|p| format!("{p:?}") == *point) {
        arm(*point, pass.parse().unwrap());
    }
    let mut output = ends::producer(&child::file(output), NUMBERS);
    if !output.ended() {
        if input == "none" {
            source(&mut output, BLOCKS);
        } else {
            relay(&mut ends::seat(&child::file(input), NUMBERS), &mut output);
        }
    }
    output.end(end_reason::FINISHED, 0);
    output.ring_readers();
}

/// A stage as its launcher sees it.
struct Stage {
    name: &'static str,
    input: Option<File>,
    output: File,
    child: Option<child::Process>,
    /// The trap that it runs into, perhaps.
    armed: Option<Point>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0) % end
    }
}

/// Which deaths there have been.
#[derive(Default)]
struct Deaths {
    at: BTreeMap<(&'static str, Point), u64>,
    at_random: u64,
}

impl Deaths {
    fn all(&self) -> u64 {
        self.at.values().sum::<u64>() + self.at_random
    }
}

/// The points that a stage can come to.
fn points(stage: &Stage) -> impl Iterator<Item = Point> + '_ {
    let reads = [Point::Peek, Point::Release, Point::Released];
    let points = RING.into_iter();
    points.filter(move |point| stage.input.is_some() || !reads.contains(point))
}

impl Stage {
    fn start(&mut self, deaths: &Deaths, random: &mut Random, may_die: bool) {
        // The point that has been hit least, and now and then none, for a death at a random time.
        let hits = |point: &Point| deaths.at.get(&(self.name, *point)).copied();
        let least = points(self).min_by_key(|p| (hits(p).unwrap_or(0), random.below(8)));
        self.armed = least.filter(|_| may_die && random.below(8) != 0);
        let input = self.input.as_ref().map_or("none".into(), child::word);
        let point = self.armed.map_or("none".into(), |p| format!("{p:?}"));
        let pass = 1 + match self.armed {
            // Come to once or twice in a life.
            Some(Point::Attach | Point::Attached | Point::End | Point::Wait) => 0,
            _ => random.below(6),
        };
        let told = [input, child::word(&self.output), point, pass.to_string()];
        self.child = Some(child::start("stage", &told));
    }

    /// What the launcher does when it has seen a stage dead: its roles are free again.
    fn bury(&self) {
        let page = |file: &File, at: fn(&RingGeometry) -> u64| {
            let segment = ends::segment(file);
            let geometry = &segment.fixed()[RING_GEOMETRY_AT..RING_GEOMETRY_AT + 128];
            let geometry = RingGeometry::read_from_bytes(geometry).unwrap();
            segment
                .map(at(&geometry) as usize, PAGE, Access::ReadWrite)
                .unwrap()
        };
        let producer = page(&self.output, |g| g.producer_at).words::<ProducerWords>(0);
        producer.owner.store(0, Ordering::Release);
        if let Some(input) = &self.input {
            let seat = page(input, |g| g.seats_at).words::<SeatWords>(0);
            seat.owner.store(0, Ordering::Release);
        }
    }
}

/// One run of source, relay and sink under kills.
fn round(full: Full, deaths: &mut Deaths, random: &mut Random) {
    let [first, second] = [0, 1].map(|_| ends::ring(SLOTS, NUMBERS, full));
    let mut sink = ends::seat(&second, NUMBERS);
    let stage = |name, input, output| Stage {
        name,
        input,
        output,
        child: None,
        armed: None,
    };
    let mut stages = [
        stage("source", None, first.try_clone().unwrap()),
        stage("relay", Some(first), second),
    ];
    let until = deaths.all() + u64::from(DEATHS);
    for stage in &mut stages {
        stage.start(deaths, random, true);
    }
    let begun = Instant::now();
    let mut next = 0;
    while stages.iter().any(|stage| stage.child.is_some()) || !sink.done() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{full:?}: stands still at block {next}"
        );
        while sink.available() > 0 {
            assert_whole(&mut sink, next);
            sink.release(1);
            sink.ring_producer();
            next += 1;
        }
        sink.wait(0, Duration::from_micros(300));
        for stage in &mut stages {
            let Some(child) = &mut stage.child else {
                continue;
            };
            if stage.armed.is_none() && deaths.all() < until && random.below(12) == 0 {
                // Ours, not yet waited for: the number is still its own.
                child.kill().unwrap();
            }
            let Some(status) = child.try_wait().unwrap() else {
                continue;
            };
            stage.child = None;
            if status.success() {
                continue;
            }
            assert_eq!(
                status.signal(),
                Some(libc::SIGKILL),
                "{}: {status}",
                stage.name
            );
            match stage.armed {
                Some(point) => *deaths.at.entry((stage.name, point)).or_default() += 1,
                None => deaths.at_random += 1,
            }
            stage.bury();
            let may_die = deaths.all() < until;
            stage.start(deaths, random, may_die);
        }
    }
    assert_eq!(
        (next, sink.end()),
        (BLOCKS, Some((BLOCKS, end_reason::FINISHED)))
    );
}

#[test]
fn whoever_is_killed_wherever_it_stands_every_position_comes_once() {
    let number = |name, otherwise| {
        std::env::var(name).map_or(otherwise, |text: String| text.parse().unwrap())
    };
    let (kills, seed) = (number("EPHAPSE_KILLS", 100), number("EPHAPSE_KILL_SEED", 1));
    let (mut deaths, mut random) = (Deaths::default(), Random(seed));
    let hit = |deaths: &Deaths, point: Point| -> u64 {
        let at = deaths.at.iter().filter(|((_, p), _)| *p == point);
        at.map(|(_, hits)| hits).sum()
    };
    let enough = |deaths: &Deaths| {
        deaths.all() >= kills
            && deaths.at_random >= 20
            && RING.iter().all(|point| hit(deaths, *point) >= 20)
    };
    let mut rounds = 0;
    while !enough(&deaths) {
        let full = if rounds % 2 == 0 {
            Full::Wait
        } else {
            Full::DropNewest
        };
        round(full, &mut deaths, &mut random);
        rounds += 1;
        assert!(
            rounds < 100 + kills,
            "some point is never come to: {:?}",
            deaths.at
        );
    }
    for point in RING {
        println!("killed at {point:?}: {}", hit(&deaths, point));
    }
    println!(
        "killed at random times: {}; {} in all, seed {seed}",
        deaths.at_random,
        deaths.all()
    );
}
