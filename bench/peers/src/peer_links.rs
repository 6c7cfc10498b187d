//! The rivals, by name.

use crate::iceoryx::{self, IceoryxReceiver, IceoryxSender, Services};
use crate::keeper::{Keeper, Lodger, Lodging};
use crate::listing::{ICEORYX2, ICEORYX2_EVENT, PYTHON_QUEUE, REDIS_STREAMS, RTRB, peer};
use crate::python_queue::PythonQueue;
use crate::redis_streams::{RedisReceiver, RedisSender};
use crate::rtrb_ring;
use crate::same_thread::SameThread;
use ephapse_bench::ends::{LinkSpec, OpenLinks, Round, Side, Sides};
use ephapse_bench::hop::{Receive, Receiving, Send, Sending};

/// Opens this program's links.
pub struct PeerLinks {
    keeper: Keeper,
}

impl PeerLinks {
    /// With a keeper that was started before this process was bound to a CPU.
    pub fn new(keeper: Keeper) -> Self {
        PeerLinks { keeper }
    }

    fn services(&self, link: &LinkSpec, side: Side) -> Result<(Services, Lodging), String> {
        let mut prefix = String::new();
        let make = side == Side::Sender;
        let lodging = self.keeper.lodge(link, make, |id| {
            prefix = iceoryx::prefix(id);
            Lodger::Iceoryx {
                prefix: prefix.clone(),
            }
        })?;
        let config = iceoryx::config(lodging.folder(), &prefix)?;
        Ok((Services::open(&config, &link.link, link)?, lodging))
    }
}

impl OpenLinks for PeerLinks {
    fn open(&mut self, link: &LinkSpec, side: Side) -> Result<Sides, String> {
        let name = link.link.as_str();
        let known = peer(name).ok_or_else(|| format!("no link `{name}` here: see --list"))?;
        if !known.available {
            return Err(format!("{name}: {}: {}", known.missing, known.install));
        }
        if !known.waits.contains(&link.wait) {
            let can = &known.waits;
            return Err(format!("{name}: its receiver waits {can:?} only"));
        }
        Ok(match (name, side) {
            (ICEORYX2 | ICEORYX2_EVENT, Side::Sender) => {
                let (services, lodging) = self.services(link, side)?;
                let sender = Sending::new(IceoryxSender::open(&services, link)?);
                Sides::Sender(Box::new(Lodged::new(sender, lodging)))
            }
            (ICEORYX2 | ICEORYX2_EVENT, Side::Receiver) => {
                let (services, lodging) = self.services(link, side)?;
                let receiver = Receiving::new(IceoryxReceiver::open(&services, link)?);
                Sides::Receiver(Box::new(Lodged::new(SameThread::new(receiver), lodging)))
            }
            (RTRB, Side::Both) => {
                let (sender, receiver) = rtrb_ring::ring(link);
                let [_, receiver_cpu] = link.cpus;
                Sides::Both {
                    sender: Box::new(Sending::new(sender)),
                    receiver: Box::new(Receiving::new(receiver)),
                    receiver_cpu,
                }
            }
            (REDIS_STREAMS, Side::Sender) => {
                let lodging = self.keeper.lodge(link, true, |_| Lodger::RedisServer)?;
                let sender = Sending::new(RedisSender::open(lodging.folder(), link)?);
                Sides::Sender(Box::new(Lodged::new(sender, lodging)))
            }
            (REDIS_STREAMS, Side::Receiver) => {
                let lodging = self.keeper.lodge(link, false, |_| Lodger::RedisServer)?;
                let receiver = Receiving::new(RedisReceiver::open(lodging.folder(), link)?);
                Sides::Receiver(Box::new(Lodged::new(receiver, lodging)))
            }
            // The queue's processes are its own; values come from the one that measures.
            (PYTHON_QUEUE, Side::Both) => Sides::Sender(Box::new(PythonQueue::open(link)?)),
            (name, side) => return Err(format!("no link `{name}` with side {side:?} here")),
        })
    }
}

/// A side, and where it lives: left after the side is closed.
struct Lodged<T> {
    side: T,
    _lodging: Lodging,
}

impl<T> Lodged<T> {
    fn new(side: T, lodging: Lodging) -> Self {
        Lodged {
            side,
            _lodging: lodging,
        }
    }
}

impl<T: Send> Send for Lodged<T> {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        self.side.run(round)
    }
}

impl<T: Receive> Receive for Lodged<T> {
    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        self.side.run(round)
    }
}
