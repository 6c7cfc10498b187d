//! One block through either ring, as both ends do it: claim, write in place, publish; see, read in place, release.

use crate::bare_ring::{BareConsumer, BareProducer};
use crate::block::{Stamp, expected_sum, fill, header, sum};
use anyhow::bail;
use ephapse_engine::os::monotonic_ns;
use ephapse_engine::ring::{HoldSeat, Producer};

/// No block and no free slot for so long means that the other process is gone.
const GIVE_UP_NS: u64 = 2_000_000_000;

/// The producing end of a ring.
pub trait Sender {
    /// Sends the next block.
    ///
    /// # Errors
    /// If the other end gives nothing back for two seconds.
    fn send(&mut self, stamp: Stamp) -> anyhow::Result<()>;
}

/// The consuming end of a ring.
pub trait Receiver {
    /// Waits (spinning) for the next block, reads all of it and answers how long it was on its way, ns.
    ///
    /// # Errors
    /// If no block comes for two seconds, or it is not what was sent.
    fn receive(&mut self) -> anyhow::Result<u64>;
}

/// Spins until `ready`; looks at the clock only now and then.
///
/// # Errors
/// After two seconds, naming `what` did not come.
pub fn spin_until(what: &str, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
    let mut since_ns = None;
    loop {
        for _ in 0..4096 {
            if ready() {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        let now_ns = monotonic_ns();
        if now_ns - *since_ns.get_or_insert(now_ns) > GIVE_UP_NS {
            bail!("no {what} for 2 s: the other process is gone");
        }
    }
}

fn check(position: u64, found: u64, sum: u32) -> anyhow::Result<()> {
    if found != position || sum != expected_sum(position) {
        bail!("block {position} arrived as block {found} with another payload");
    }
    Ok(())
}

impl Sender for BareProducer {
    fn send(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        let position = self.published();
        let claim_ns = (stamp == Stamp::Claim).then(monotonic_ns);
        spin_until("free slot", || self.has_room())?;
        let (head, payload) = self.slot();
        fill(payload, position);
        *head = header(position, claim_ns.unwrap_or_else(monotonic_ns));
        self.publish();
        Ok(())
    }
}

impl Receiver for BareConsumer {
    fn receive(&mut self) -> anyhow::Result<u64> {
        spin_until("block", || self.has_block())?;
        let Some((head, payload)) = self.peek() else {
            bail!("a published block is gone");
        };
        let sum = sum(payload);
        let now_ns = monotonic_ns();
        let position = self.released();
        self.release();
        check(position, head.position, sum)?;
        Ok(now_ns - head.committed_ns)
    }
}

/// The engine's ends ring their bells after each block, as the stage runner does: nobody sleeps here, so it costs a fence
/// and a look at the waiting flags.
impl Sender for Producer {
    fn send(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        let position = self.published();
        let claim_ns = (stamp == Stamp::Claim).then(monotonic_ns);
        spin_until("free slot", || self.room(1) > 0)?;
        let (head, payload) = self.slot(0);
        fill(payload, position);
        *head = header(position, claim_ns.unwrap_or_else(monotonic_ns));
        self.publish(1);
        self.ring_readers();
        Ok(())
    }
}

impl Receiver for HoldSeat {
    fn receive(&mut self) -> anyhow::Result<u64> {
        spin_until("block", || self.available() > 0)?;
        let position = self.position();
        let Some(block) = self.peek(0) else {
            bail!("a published block is gone");
        };
        let sum = sum(block.payload);
        let now_ns = monotonic_ns();
        let (damaged, found, stamped_ns) = (
            block.damaged,
            block.header.position,
            block.header.committed_ns,
        );
        self.release(1);
        self.ring_producer();
        anyhow::ensure!(!damaged, "block {position} arrived damaged");
        check(position, found, sum)?;
        Ok(now_ns - stamped_ns)
    }
}
