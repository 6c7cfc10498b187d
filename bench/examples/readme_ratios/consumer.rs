//! The consuming process of a hop: this program started again, bound to CPU 1.

use crate::bare_ring::{BareConsumer, Memory};
use crate::block::stream_type;
use crate::ends::Receiver;
use crate::placement::place;
use crate::stats::median;
use crate::wire::{Order, Ring};
use crate::{hop, ping};
use anyhow::Context;
use ephapse_engine::abi::segment;
use ephapse_engine::ring::HoldSeat;
use ephapse_engine::shm::Segment;
use std::fs::File;
use std::io::{BufRead, Write};

/// Opens a descriptor that the parent left open, through its name under /proc: no ownership is taken from a number.
fn inherited(fd: &str) -> anyhow::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .open(format!("/proc/self/fd/{fd}"))
        .with_context(|| format!("descriptor {fd} was not handed over"))
}

/// Follows orders until stdin ends. Answers `ready POLICY` first, then per order `go` and the median, ns.
///
/// # Errors
/// What went wrong with the rings; the parent sees it on stderr.
pub fn run(bare_fd: &str, engine_fd: &str) -> anyhow::Result<()> {
    let fifo = place(hop::CONSUMER_CPU)?;
    let memory = Memory::map(&inherited(bare_fd)?)?;
    let mut bare = BareConsumer::new(memory.clone());
    let file = inherited(engine_fd)?;
    let segment = Segment::from_files("engine ring", file.try_clone()?, Some(file), segment::RING)?;
    let mut engine = HoldSeat::attach(&segment, 0, &stream_type(), u64::from(std::process::id()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", if fifo { "fifo" } else { "other" })?;
    for line in std::io::stdin().lock().lines() {
        let order = Order::parse(&line?)?;
        writeln!(out, "go")?;
        out.flush()?;
        let median_ns = match order {
            Order::Round {
                ring: Ring::Bare,
                blocks,
            } => round(&mut bare, blocks)?,
            Order::Round {
                ring: Ring::Engine,
                blocks,
            } => round(&mut engine, blocks)?,
            Order::Ping { trips } => {
                ping::answer(&memory, trips)?;
                0.0
            }
        };
        writeln!(out, "{median_ns}")?;
    }
    Ok(())
}

/// Median time of `blocks` blocks on their way, ns.
fn round(from: &mut impl Receiver, blocks: usize) -> anyhow::Result<f64> {
    let mut taken_ns = vec![0.0; blocks];
    for taken in &mut taken_ns {
        *taken = from.receive()? as f64;
    }
    median(&taken_ns).context("a round without blocks")
}
