//! Pairs of rounds over both rings between two processes on two CPUs, interleaved.

use crate::bare_ring::{self, BareProducer, Memory};
use crate::block::{SLOTS, Stamp, stream_type};
use crate::ends::Sender;
use crate::ping;
use crate::placement::place;
use crate::wire::{Order, Ring, STAMPS};
use anyhow::{Context, ensure};
use ephapse_engine::abi::segment;
use ephapse_engine::os;
use ephapse_engine::ring::{Producer, RingSpec, SeatSpec};
use ephapse_engine::shm::{self, Segment};
use ephapse_rtconfig::plan::{Full, SeatKind};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const PRODUCER_CPU: u32 = 0;
/// CPU of the consuming process.
pub const CONSUMER_CPU: u32 = 1;
/// First argument of this program when it is the consumer.
pub const CONSUMER: &str = "--consumer";
/// Pairs of rounds for each row.
const PAIRS: usize = 15;
/// Blocks of a round.
const BLOCKS: usize = 2_000;
/// From block to block: far longer than a hop, so that none waits behind another.
const PERIOD_NS: u64 = 50_000;
/// Both CPUs are left to the others for so long after each round: two spinning FIFO threads would otherwise be throttled
/// by the kernel (50 ms in each second), in the middle of some round.
const REST: Duration = Duration::from_millis(25);

/// One row: medians of each round, pair by pair.
pub struct HopRow {
    /// What was measured.
    pub what: &'static str,
    /// The engine's ring, ns.
    pub engine_ns: Vec<f64>,
    /// The bare ring, ns.
    pub bare_ns: Vec<f64>,
}

/// What came out.
pub struct Hops {
    /// One row per way of stamping.
    pub rows: Vec<HopRow>,
    /// Half a round trip of a cache line before and after, ns.
    pub ping_ns: [f64; 2],
    /// Both ends ran under SCHED_FIFO.
    pub fifo: bool,
}

/// Measures. In a thread of its own: CPU and policy of the caller stay as they are.
///
/// # Errors
/// If the CPUs cannot be had, or a ring fails.
pub fn measure() -> anyhow::Result<Hops> {
    std::thread::spawn(measure_here)
        .join()
        .map_err(|_| anyhow::anyhow!("the producing thread panicked"))?
}

fn measure_here() -> anyhow::Result<Hops> {
    let bare_file = shm::anonymous(bare_ring::BYTES)?;
    let engine_file = engine_ring()?;
    // Started before this thread is placed: a child inherits CPU and policy.
    let mut consumer = Consumer::start(&bare_file, &engine_file)?;
    let consumer_fifo = consumer.read()? == "ready fifo";
    let fifo = place(PRODUCER_CPU)? && consumer_fifo;
    let memory = Memory::map(&bare_file)?;
    let mut bare = BareProducer::new(memory.clone());
    let segment = Segment::from_files(
        "engine ring",
        engine_file.try_clone()?,
        Some(engine_file),
        segment::RING,
    )?;
    let mut engine = Producer::attach(&segment, &stream_type(), u64::from(std::process::id()))?;

    let mut rows: Vec<HopRow> = STAMPS
        .iter()
        .map(|(_, what)| HopRow {
            what,
            engine_ns: Vec::new(),
            bare_ns: Vec::new(),
        })
        .collect();
    let before_ns = consumer.ping(&memory)?;
    // Every page, both caches and both branch predictors have seen either ring before anything counts.
    for ring in [Ring::Bare, Ring::Engine] {
        consumer.round(ring, Stamp::Commit, &mut bare, &mut engine)?;
    }
    for pair in 0..PAIRS {
        for (row, (stamp, _)) in rows.iter_mut().zip(STAMPS) {
            // Whichever comes first is at a disadvantage or an advantage in every other pair only.
            let mut order = [Ring::Bare, Ring::Engine];
            if pair % 2 == 1 {
                order.reverse();
            }
            for ring in order {
                let median_ns = consumer.round(ring, stamp, &mut bare, &mut engine)?;
                match ring {
                    Ring::Bare => row.bare_ns.push(median_ns),
                    Ring::Engine => row.engine_ns.push(median_ns),
                }
            }
        }
    }
    let after_ns = consumer.ping(&memory)?;
    consumer.end()?;
    Ok(Hops {
        rows,
        ping_ns: [before_ns, after_ns],
        fifo,
    })
}

fn engine_ring() -> anyhow::Result<File> {
    let spec = RingSpec {
        stream_type: stream_type(),
        slots: SLOTS,
        full: Full::Wait,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "consumer".into(),
            port: "frames".into(),
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
    };
    spec.create_anonymous()
        .context("cannot make the engine's ring")
}

/// The consuming process, seen from the producing one.
struct Consumer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Consumer {
    fn start(bare: &File, engine: &File) -> anyhow::Result<Self> {
        for file in [bare, engine] {
            os::keep_over_exec(file.as_raw_fd());
        }
        let own = std::env::current_exe().context("cannot find this program's own path")?;
        let mut child = Command::new(own)
            .arg(CONSUMER)
            .arg(bare.as_raw_fd().to_string())
            .arg(engine.as_raw_fd().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the consuming process")?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("the consuming process has no pipes");
        };
        Ok(Consumer {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    fn read(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(
            line.ends_with('\n'),
            "the consuming process has ended (its reason stands above)"
        );
        Ok(line.trim_end().to_owned())
    }

    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        std::thread::sleep(REST);
        writeln!(self.orders, "{}", order.line())?;
        let answer = self.read()?;
        ensure!(answer == "go", "the consuming process says: {answer}");
        Ok(())
    }

    /// One round through one ring; the median time of its blocks on their way, ns.
    fn round(
        &mut self,
        ring: Ring,
        stamp: Stamp,
        bare: &mut BareProducer,
        engine: &mut Producer,
    ) -> anyhow::Result<f64> {
        let blocks = BLOCKS;
        self.order(Order::Round { ring, blocks })?;
        match ring {
            Ring::Bare => send_round(bare, stamp)?,
            Ring::Engine => send_round(engine, stamp)?,
        }
        Ok(self.read()?.parse()?)
    }

    fn ping(&mut self, memory: &Memory) -> anyhow::Result<f64> {
        self.order(Order::Ping { trips: ping::TRIPS })?;
        let half_trip_ns = ping::measure(memory)?;
        self.read()?;
        Ok(half_trip_ns)
    }

    fn end(self) -> anyhow::Result<()> {
        let Consumer {
            mut child,
            orders,
            answers: _,
        } = self;
        drop(orders);
        let status = child.wait()?;
        ensure!(
            status.success(),
            "the consuming process ended with {status}"
        );
        Ok(())
    }
}

fn send_round(to: &mut impl Sender, stamp: Stamp) -> anyhow::Result<()> {
    // The first block waits until the consumer, which has just answered, spins.
    let mut due_ns = os::monotonic_ns() + 1_000_000;
    for _ in 0..BLOCKS {
        while os::monotonic_ns() < due_ns {
            core::hint::spin_loop();
        }
        to.send(stamp)?;
        // Counted from here: blocks missed while this process was away are not sent in a burst.
        due_ns = os::monotonic_ns() + PERIOD_NS;
    }
    Ok(())
}
