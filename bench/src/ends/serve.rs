//! An end's own loop: orders from stdin, answers to stdout, until stdin ends.

use super::place::place;
use super::protocol::{Answer, LinkSpec, Order, Round, Side};
use crate::hop::{Receive, Send};
use ephapse_engine::os;
use std::collections::HashMap;
use std::io::{self, BufRead, Write};

/// One or both sides of an open link.
pub enum Sides {
    /// The sending side.
    Sender(Box<dyn Send>),
    /// The receiving side.
    Receiver(Box<dyn Receive + core::marker::Send>),
    /// Both, in threads of this process: the receiver is run beside the sender, on its own CPU.
    Both {
        /// The sending side.
        sender: Box<dyn Send>,
        /// The receiving side.
        receiver: Box<dyn Receive + core::marker::Send>,
        /// The receiver's CPU.
        receiver_cpu: u32,
    },
}

/// Opens links by name: the program's own mechanisms.
pub trait OpenLinks {
    /// Opens one side of a link.
    ///
    /// # Errors
    /// One line: what, why.
    fn open(&mut self, link: &LinkSpec, side: Side) -> Result<Sides, String>;
}

/// Follows orders until stdin ends.
///
/// # Errors
/// If stdin cannot be read or stdout is closed.
pub fn serve(links: &mut dyn OpenLinks) -> io::Result<()> {
    // An end that hangs in a foreign library does not see its stdin end.
    os::die_with_parent();
    let mut end = End {
        links,
        open: HashMap::new(),
        class: super::Class::Other,
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Order>(&line?) {
            Ok(order) => end.follow(order).unwrap_or_else(|error| Answer {
                error,
                ..Answer::default()
            }),
            Err(error) => Answer {
                error: format!("not an order: {error}"),
                ..Answer::default()
            },
        };
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

struct End<'a> {
    links: &'a mut dyn OpenLinks,
    open: HashMap<u32, Sides>,
    class: super::Class,
}

impl End<'_> {
    fn follow(&mut self, order: Order) -> Result<Answer, String> {
        let mut answer = Answer::default();
        match order {
            Order::Place { cpu, class } => {
                self.class = class;
                answer.fifo = place(cpu, class)?;
            }
            Order::Open { link, side } => {
                let sides = self.links.open(&link, side)?;
                self.open.insert(link.key, sides);
            }
            Order::Run { round } => answer.values = self.run(&round)?,
            Order::Close { key } => {
                self.open.remove(&key);
            }
        }
        Ok(answer)
    }

    fn run(&mut self, round: &Round) -> Result<Vec<u64>, String> {
        let class = self.class;
        let sides = self
            .open
            .get_mut(&round.key)
            .ok_or_else(|| format!("link {} is not open", round.key))?;
        match sides {
            Sides::Sender(sender) => sender.run(round),
            Sides::Receiver(receiver) => receiver.run(round),
            Sides::Both {
                sender,
                receiver,
                receiver_cpu,
            } => std::thread::scope(|scope| {
                let cpu = *receiver_cpu;
                let receiving = scope.spawn(move || {
                    place(cpu, class)?;
                    receiver.run(round)
                });
                let sent = sender.run(round)?;
                let received = receiving
                    .join()
                    .map_err(|_| "the receiving thread panicked".to_owned())??;
                Ok(if received.is_empty() { sent } else { received })
            }),
        }
    }
}
