//! What is said of a board's stream, three things apart: packets that did not come, deliveries far from each other, and
//! deliveries that came late.
//!
//! They have different causes. Packets are lost on the radio. Deliveries are far apart when the adapter collects
//! (`latency_timer`): nothing is lost, and the newest packet is fresh. A late delivery held even its newest packet back:
//! the host, or the bus, was slow.

use super::frames::Assembler;
use super::parser::ByteCounts;
use std::fmt;

/// A delivery whose newest frame was taken longer ago came late, ns.
const LATE_NS: u64 = 20_000_000;
/// Deliveries further from each other are counted, ns: an adapter set to 1 ms has none, for every 4 ms there is a packet.
const FAR_APART_NS: u64 = 10_000_000;

/// Counts from one start of the helper to its end, over all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Bytes and packets, of connections that have ended.
    pub bytes: ByteCounts,
    /// Packets that did not come, of connections that have ended.
    pub lost_packets: u64,
    /// Places at which packets did not come.
    pub gaps: u64,
    /// Frames that were not taken while the board was away, by the host's clock.
    pub away_frames: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Deliveries that held at least one frame.
    pub deliveries: u64,
    /// Most packets in one delivery.
    pub most_packets: u64,
    /// Deliveries more than 10 ms after the one before.
    pub far_apart: u64,
    /// Longest time from delivery to delivery, ns.
    pub furthest_ns: u64,
    /// Deliveries whose newest frame was older than 20 ms.
    pub late: u64,
    /// Greatest age of the newest frame of a delivery, ns.
    pub latest_ns: u64,
    /// How much faster than nominal the board counts on this host's clock, parts per million; unknown in the first seconds.
    pub drift_ppm: Option<f64>,
    last_ns: u64,
}

impl Arrivals {
    /// A delivery of so many packets; its newest frame was taken at `sampled_ns`.
    pub fn delivery(&mut self, packets: u64, arrived_ns: u64, sampled_ns: u64) {
        self.deliveries += 1;
        self.most_packets = self.most_packets.max(packets);
        if self.last_ns > 0 {
            let apart_ns = arrived_ns.saturating_sub(self.last_ns);
            self.furthest_ns = self.furthest_ns.max(apart_ns);
            self.far_apart += u64::from(apart_ns > FAR_APART_NS);
        }
        self.last_ns = arrived_ns;
        let age_ns = arrived_ns.saturating_sub(sampled_ns);
        self.latest_ns = self.latest_ns.max(age_ns);
        self.late += u64::from(age_ns > LATE_NS);
    }

    /// A connection has ended.
    pub fn connection(&mut self, bytes: ByteCounts, assembler: &Assembler) {
        let sum = &mut self.bytes;
        sum.pushed += bytes.pushed;
        sum.packets += bytes.packets;
        sum.repeated += bytes.repeated;
        sum.answer_bytes += bytes.answer_bytes;
        sum.discarded += bytes.discarded;
        self.lost_packets += assembler.lost_packets();
        self.gaps += assembler.gaps();
        self.last_ns = 0;
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        writeln!(
            f,
            "sequence: {} packets, {} lost in {} gaps, {} repeated, {} bytes discarded; away {} times, {} frames",
            self.bytes.packets,
            self.lost_packets,
            self.gaps,
            self.bytes.repeated,
            self.bytes.discarded,
            self.reconnects,
            self.away_frames
        )?;
        writeln!(
            f,
            "spacing: {} deliveries of at most {} packets, {} more than {} ms apart, at most {:.1} ms",
            self.deliveries,
            self.most_packets,
            self.far_apart,
            FAR_APART_NS / 1_000_000,
            ms(self.furthest_ns)
        )?;
        write!(
            f,
            "lateness: {} deliveries with nothing newer than {} ms, at most {:.1} ms",
            self.late,
            LATE_NS / 1_000_000,
            ms(self.latest_ns)
        )?;
        match self.drift_ppm {
            Some(ppm) => write!(f, "; the board counts {ppm:+.1} ppm fast"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_slow_adapter_is_far_apart_and_not_late() {
        let mut arrivals = Arrivals::default();
        for turn in 1..=100 {
            let at_ns = turn * 16 * MS;
            arrivals.delivery(4, at_ns, at_ns - MS);
        }
        assert_eq!((arrivals.far_apart, arrivals.furthest_ns), (99, 16 * MS));
        assert_eq!(
            (arrivals.late, arrivals.most_packets, arrivals.lost_packets),
            (0, 4, 0)
        );
    }

    #[test]
    fn a_host_that_is_behind_is_late_and_its_deliveries_are_close() {
        let mut arrivals = Arrivals::default();
        for turn in 10..=109 {
            let at_ns = turn * 4 * MS;
            arrivals.delivery(1, at_ns, at_ns - 30 * MS);
        }
        assert_eq!((arrivals.late, arrivals.latest_ns), (100, 30 * MS));
        assert_eq!((arrivals.far_apart, arrivals.lost_packets), (0, 0));
    }

    #[test]
    fn the_time_away_is_no_spacing() {
        let mut arrivals = Arrivals::default();
        arrivals.delivery(1, 10 * MS, 9 * MS);
        arrivals.connection(ByteCounts::default(), &Assembler::new(false));
        arrivals.delivery(1, 5000 * MS, 4999 * MS);
        assert_eq!((arrivals.far_apart, arrivals.furthest_ns), (0, 0));
    }
}
