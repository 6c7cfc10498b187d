//! Two threads on two CPUs that begin together.

use ephapse_bench::ends::{Class, place};
use ephapse_bench::hop::{Receiver, Sender};
use ephapse_engine::os::monotonic_ns;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// As the contestants of `ephapse bench ring` run.
const CLASS: Class = Class::Fifo(80);
/// Polls without success after which a loop that looks at no clock gives up: many seconds.
const POLLS: u64 = 1 << 30;

/// Are both CPUs' threads under SCHED_FIFO?
pub fn fifo(cpus: [u32; 2]) -> Result<bool, String> {
    let placed = |cpu| move || place(cpu, CLASS);
    thread::scope(|scope| {
        let asked = cpus.map(|cpu| scope.spawn(placed(cpu)));
        let [first, second] = asked.map(join);
        Ok(first? && second?)
    })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    let ended = thread.join();
    ended.map_err(|_| "a measuring thread panicked".to_owned())?
}

/// Opens both sides, each on its CPU, then runs both at once; from the start of the first to the end of the last, ns.
pub fn timed<A, B>(
    cpus: [u32; 2],
    open_first: impl FnOnce() -> Result<A, String> + Send,
    open_second: impl FnOnce() -> Result<B, String> + Send,
) -> Result<u64, String>
where
    A: FnOnce() -> Result<(), String>,
    B: FnOnce() -> Result<(), String>,
{
    let gate = Gate {
        barrier: Barrier::new(2),
        failed: AtomicBool::new(false),
    };
    let gate = &gate;
    thread::scope(|scope| {
        let [first_cpu, second_cpu] = cpus;
        let first = scope.spawn(move || gate.run(first_cpu, open_first));
        let second = scope.spawn(move || gate.run(second_cpu, open_second));
        let (first, second) = (join(first), join(second));
        let ((from_a, to_a), (from_b, to_b)) = (first?, second?);
        Ok(to_a.max(to_b) - from_a.min(from_b))
    })
}

struct Gate {
    barrier: Barrier,
    failed: AtomicBool,
}

impl Gate {
    fn run<R: FnOnce() -> Result<(), String>>(
        &self,
        cpu: u32,
        open: impl FnOnce() -> Result<R, String>,
    ) -> Result<(u64, u64), String> {
        let opened = place(cpu, CLASS).and_then(|_| open());
        if opened.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        // Passed by both, whatever became of them.
        self.barrier.wait();
        let run = opened?;
        if self.failed.load(Ordering::SeqCst) {
            return Err("the other thread could not open its side".to_owned());
        }
        let from_ns = monotonic_ns();
        run()?;
        Ok((from_ns, monotonic_ns()))
    }
}

/// An adapter's side that sends first, or answers what it has received: `trips` times to and fro.
pub fn ping_pong(
    mut sender: impl Sender,
    mut receiver: impl Receiver,
    sends_first: bool,
    trips: u64,
) -> impl FnOnce() -> Result<(), String> {
    move || {
        for position in 0..trips {
            if sends_first {
                sender.send(position)?;
            }
            let (seen, _) = receiver.receive()?;
            seen.check(position)?;
            if !sends_first {
                sender.send(position)?;
            }
        }
        Ok(())
    }
}

/// Polls with nothing between two polls, as peers' own loops do.
pub fn poll(what: &str, mut ready: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    for _ in 0..POLLS {
        if ready()? {
            return Ok(());
        }
    }
    Err(format!("no {what}: the other thread is gone"))
}
