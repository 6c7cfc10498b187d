//! Orders to an end and its answers: one JSON line each, over its stdin and stdout.

use super::place::Class;
use serde::{Deserialize, Serialize};

/// Which role an end plays on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Writes.
    Sender,
    /// Reads.
    Receiver,
    /// Both, in this one process (a link between threads, or one whose processes are made by the end itself).
    Both,
}

/// How the receiver waits for the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Looks again and again.
    Spin,
    /// Sleeps in the kernel until it is told.
    Sleep,
}

impl Wait {
    /// As in tags and tables.
    pub fn word(self) -> &'static str {
        match self {
            Wait::Spin => "spin",
            Wait::Sleep => "futex",
        }
    }
}

/// What a round measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One block each period; a value is one block's way, from before it is claimed to after its last byte was read, ns.
    Paced,
    /// Blocks as fast as they are taken; a value is the time of `batch` blocks at the receiver, ns.
    Stream {
        /// Blocks of a batch.
        batch: u32,
    },
}

/// A link to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSpec {
    /// Which mechanism.
    pub link: String,
    /// Names this link in further orders, and among all links of this run.
    pub key: u32,
    /// Bytes of a block's payload; a multiple of 8, at least 64.
    pub payload: usize,
    /// Slots (queue depth) of the link.
    pub slots: u32,
    /// How its receiver waits.
    pub wait: Wait,
    /// Shared memory that the driver has made for it, as a path that both ends can open; empty if the link makes its own.
    #[serde(default)]
    pub memory: String,
    /// A word that no other run uses: what a link's own names, sockets or services are called after.
    pub run: String,
    /// CPUs of sender and receiver, for ends that make a second process or thread themselves.
    pub cpus: [u32; 2],
}

/// One round over an open link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The link.
    pub key: u32,
    /// Blocks that count.
    pub blocks: u32,
    /// Blocks before them that do not.
    pub warm_up: u32,
    /// What is measured.
    pub mode: Mode,
    /// From block to block (paced), ns.
    pub period_ns: u64,
    /// When the first block is due, CLOCK_MONOTONIC, ns.
    pub start_ns: u64,
}

/// What an end is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Bind this end's measuring thread to a CPU and a scheduling class.
    Place {
        /// Raw CPU id.
        cpu: u32,
        /// Policy and priority.
        class: Class,
    },
    /// Open this side of a link.
    Open {
        /// The link.
        link: LinkSpec,
        /// This end's side.
        side: Side,
    },
    /// Run a round.
    Run {
        /// The round.
        round: Round,
    },
    /// Close a link.
    Close {
        /// The link.
        key: u32,
    },
}

/// What came of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Why it could not be carried out, one line; empty if it was.
    #[serde(default)]
    pub error: String,
    /// Measured values, ns, in order; the end that measures has them.
    #[serde(default)]
    pub values: Vec<u64>,
    /// Only [`Order::Place`]: the kernel says SCHED_FIFO.
    #[serde(default)]
    pub fifo: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_line() {
        let round = Round {
            key: 3,
            blocks: 2_000,
            warm_up: 64,
            mode: Mode::Stream { batch: 256 },
            period_ns: 50_000,
            start_ns: u64::MAX / 2,
        };
        for order in [
            Order::Run { round },
            Order::Close { key: 3 },
            Order::Place {
                cpu: 1,
                class: Class::Fifo(80),
            },
        ] {
            let line = serde_json::to_string(&order).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
        }
    }
}
