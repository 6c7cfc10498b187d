//! One block's way from one process to another, through the engine's ring and through what it is measured against.
//!
//! ```text
//! clock ─> claim ─> write every word ─> publish ══ link ══> see ─> read every word ─> clock
//! ```

mod bare_ring;
mod engine_ring;
mod links;
mod memory_copy;
pub mod payload;
mod ping;
mod round;
mod scripted;

pub use engine_ring::stream_type;
pub use links::{COPY, ENGINE, FLOOR, FLOOR_WARMED, NAKED, OwnLinks, PING, SCRIPTED, memory};
pub use memory_copy::copy_batch;
pub use round::{
    Receive, Receiver, Receiving, Send, Sender, Sending, sleep_until, spin_until, wait_until,
};
