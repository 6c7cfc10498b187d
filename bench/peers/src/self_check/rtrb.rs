//! rtrb's benchmark `two_threads`, group `small`: one thread pushes, the other pops, through a ring of two items.
//!
//! The published crate leaves it out. Its loop is built here from the same calls as in `benches/two_threads.rs` of
//! <https://github.com/mgeier/rtrb>: both threads retry with a spin-loop hint, time runs until all items have been received.
//! As shipped an item is one byte; judged is the same loop with items of 64 B, which is what the adapter moves.

use super::{Check, link, pair};
use crate::listing::RTRB;
use crate::rtrb_ring::{self, Line};
use ephapse_bench::ends::Wait;
use ephapse_bench::hop::{Receiver, Sender};
use rtrb::RingBuffer;

const ITEMS: u64 = 200_000;
const SLOTS: u32 = 2;

pub fn check<'a>(cpus: [u32; 2]) -> Check<'a> {
    Check {
        peer: RTRB,
        pattern: "64 B through two slots, one item",
        own: "loop of benches/two_threads, group small, with items of 64 B",
        run_own: Box::new(move || own(cpus, |item| Line::of(item as u8))),
        shipped: Some((
            "items of one byte",
            Box::new(move || own(cpus, |item| item as u8)),
        )),
        run_adapter: Box::new(move || adapter(cpus)),
    }
}

fn own<T: PartialEq + Send>(cpus: [u32; 2], item_of: fn(u64) -> T) -> Result<f64, String> {
    let (mut producer, mut consumer) = RingBuffer::new(SLOTS as usize);
    let ns = pair::timed(
        cpus,
        || {
            Ok(move || {
                for item in 0..ITEMS {
                    pair::poll("free slot", || {
                        let pushed = producer.push(item_of(item)).is_ok();
                        if !pushed {
                            core::hint::spin_loop();
                        }
                        Ok(pushed)
                    })?;
                }
                Ok(())
            })
        },
        || {
            Ok(move || {
                for item in 0..ITEMS {
                    let mut popped = None;
                    pair::poll("item", || {
                        popped = consumer.pop().ok();
                        if popped.is_none() {
                            core::hint::spin_loop();
                        }
                        Ok(popped.is_some())
                    })?;
                    if popped != Some(item_of(item)) {
                        return Err(format!("item {item} arrived as another"));
                    }
                }
                Ok(())
            })
        },
    )?;
    Ok(ns as f64 / ITEMS as f64)
}

fn adapter(cpus: [u32; 2]) -> Result<f64, String> {
    let (mut sender, mut receiver) = rtrb_ring::ring(&link(RTRB, 3, SLOTS, Wait::Spin, cpus));
    let ns = pair::timed(
        cpus,
        || Ok(move || (0..ITEMS).try_for_each(|position| sender.send(position))),
        || {
            Ok(move || {
                for position in 0..ITEMS {
                    let (seen, _) = receiver.receive()?;
                    seen.check(position)?;
                }
                Ok(())
            })
        },
    )?;
    Ok(ns as f64 / ITEMS as f64)
}
