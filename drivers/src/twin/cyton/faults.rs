//! What goes wrong with a real one.

use std::time::Duration;

/// Faults of a twin; by default there are none. Probabilities are per packet, 0 to 1; the same seed gives the same faults.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Packets that the radio loses.
    pub drop: f64,
    /// Packets that come twice.
    pub duplicate: f64,
    /// Packets behind which up to 40 random bytes come, 0xA0 often among them.
    pub garbage: f64,
    /// Packets behind which an answer comes that nobody asked for.
    pub chatter: f64,
    /// Bytes of one write at most; 0: no limit.
    pub split: usize,
    /// Bytes are handed over so often; zero: as they come. An adapter that nobody has tuned: 16 ms.
    pub delivery: Duration,
    /// The dongle is there and its board is off.
    pub board_off: bool,
    /// Unplugged so long after the start of the twin, once.
    pub unplug_after: Option<Duration>,
    /// Plugged in again so long after that.
    pub back_after: Duration,
    /// The stream falls silent so long after each start, the terminal staying there.
    pub silent_after: Option<Duration>,
    /// Of the random numbers.
    pub seed: u64,
}
