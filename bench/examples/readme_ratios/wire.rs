//! What the two processes of a hop tell each other between rounds: lines over the consumer's stdin and stdout.

use crate::block::Stamp;
use anyhow::{Context, bail};

/// Which ring a round goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// The engine's.
    Engine,
    /// The yardstick.
    Bare,
}

/// What the consumer is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take so many blocks.
    Round {
        /// From this ring.
        ring: Ring,
        /// Blocks.
        blocks: usize,
    },
    /// Send so many pings back.
    Ping {
        /// Round trips.
        trips: u64,
    },
}

impl Order {
    /// As a line.
    pub fn line(self) -> String {
        match self {
            Order::Round { ring, blocks } => {
                let ring = match ring {
                    Ring::Engine => "engine",
                    Ring::Bare => "bare",
                };
                format!("{ring} {blocks}")
            }
            Order::Ping { trips } => format!("ping {trips}"),
        }
    }

    /// From a line.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &str) -> anyhow::Result<Self> {
        let (what, count) = line
            .trim()
            .split_once(' ')
            .context("an order without a count")?;
        let count: u64 = count.parse().context("an order with a bad count")?;
        let blocks = usize::try_from(count)?;
        Ok(match what {
            "engine" => Order::Round {
                ring: Ring::Engine,
                blocks,
            },
            "bare" => Order::Round {
                ring: Ring::Bare,
                blocks,
            },
            "ping" => Order::Ping { trips: count },
            other => bail!("an unknown order: {other}"),
        })
    }
}

/// The two ways of stamping, with the words of the table.
pub const STAMPS: [(Stamp, &str); 2] = [
    (
        Stamp::Commit,
        "24,000 B hop, committed to last byte read, p50",
    ),
    (Stamp::Claim, "24,000 B hop, claim and write included, p50"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_line() {
        for order in [
            Order::Round {
                ring: Ring::Engine,
                blocks: 7,
            },
            Order::Round {
                ring: Ring::Bare,
                blocks: 2_000,
            },
            Order::Ping { trips: 20 },
        ] {
            assert_eq!(Order::parse(&order.line()).unwrap(), order);
        }
    }

    #[test]
    fn a_line_that_is_no_order_is_refused() {
        for line in ["", "bare", "bare x", "square 3"] {
            assert!(Order::parse(line).is_err(), "{line:?}");
        }
    }
}
