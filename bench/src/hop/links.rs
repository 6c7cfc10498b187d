//! The mechanisms of this program, by name.

use super::bare_ring::{BareReceiver, BareSender, Shape};
use super::engine_ring::{self, EngineReceiver, EngineSender};
use super::memory_copy::Copying;
use super::ping::{self, Ping};
use super::round::{Receive, Receiver, Receiving, Send, Sender, Sending};
use super::scripted::Scripted;
use crate::ends::{LinkSpec, OpenLinks, Side, Sides};
use crate::wake::Mechanism;
use ephapse_engine::shm;
use std::fs::File;

/// The engine's ring.
pub const ENGINE: &str = "engine";
/// A bare ring with header and commit stamp.
pub const FLOOR: &str = "floor";
/// The same, its next slot warmed between two blocks as the engine does.
pub const FLOOR_WARMED: &str = "floor-warmed";
/// A bare ring with neither.
pub const NAKED: &str = "naked";
/// A cache line to and fro.
pub const PING: &str = "ping";
/// A copy on one CPU.
pub const COPY: &str = "copy";
/// Answers values it was given: for the proof of the measuring chain.
pub const SCRIPTED: &str = "scripted";

/// Opens this program's links.
pub struct OwnLinks;

fn shape(link: &LinkSpec) -> Shape {
    Shape {
        payload: link.payload,
        slots: link.slots,
        headed: link.link != NAKED,
        warmed: link.link == FLOOR_WARMED,
    }
}

/// Memory for a link of this program; `None` if it needs none, or is none of ours.
///
/// # Errors
/// What the system said.
pub fn memory(link: &LinkSpec) -> std::io::Result<Option<File>> {
    Ok(match link.link.as_str() {
        ENGINE => Some(engine_ring::create(link.payload, link.slots, link.wait)?),
        FLOOR | FLOOR_WARMED | NAKED => Some(shm::anonymous(shape(link).bytes())?),
        PING => Some(shm::anonymous(ping::BYTES)?),
        _ => None,
    })
}

fn sending(link: impl Sender + 'static) -> Box<dyn Send> {
    Box::new(Sending::new(link))
}

fn receiving(
    link: impl Receiver + core::marker::Send + 'static,
) -> Box<dyn Receive + core::marker::Send> {
    Box::new(Receiving::new(link))
}

impl OpenLinks for OwnLinks {
    fn open(&mut self, link: &LinkSpec, side: Side) -> Result<Sides, String> {
        if link.link == SCRIPTED {
            let scripted = Box::new(Scripted::parse(&link.memory)?);
            return Ok(match side {
                Side::Sender => Sides::Sender(scripted),
                _ => Sides::Receiver(scripted),
            });
        }
        if link.link == COPY {
            let copying = Box::new(Copying::new(link.payload, link.slots));
            return Ok(match side {
                Side::Sender => Sides::Sender(copying),
                _ => Sides::Receiver(copying),
            });
        }
        let opened = File::options().read(true).write(true).open(&link.memory);
        let file = opened.map_err(|e| format!("{}: {e}", link.memory))?;
        if let Some(mechanism) = Mechanism::of_link(&link.link) {
            return mechanism.open(&file, side);
        }
        let failed = |e: std::io::Error| e.to_string();
        match (link.link.as_str(), side) {
            (ENGINE, Side::Sender) => Ok(Sides::Sender(sending(EngineSender::open(&file, link)?))),
            (ENGINE, Side::Receiver) => Ok(Sides::Receiver(receiving(EngineReceiver::open(
                &file, link,
            )?))),
            (FLOOR | FLOOR_WARMED | NAKED, Side::Sender) => Ok(Sides::Sender(sending(
                BareSender::open(&file, shape(link), link.wait).map_err(failed)?,
            ))),
            (FLOOR | FLOOR_WARMED | NAKED, Side::Receiver) => Ok(Sides::Receiver(receiving(
                BareReceiver::open(&file, shape(link), link.wait).map_err(failed)?,
            ))),
            (PING, Side::Sender) => Ok(Sides::Sender(Box::new(Ping::open(&file).map_err(failed)?))),
            (PING, Side::Receiver) => Ok(Sides::Receiver(Box::new(
                Ping::open(&file).map_err(failed)?,
            ))),
            (other, side) => Err(format!("no link `{other}` with side {side:?} here")),
        }
    }
}
