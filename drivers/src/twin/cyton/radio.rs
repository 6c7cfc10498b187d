//! What the way from board to host does to packets.

use super::faults::Faults;
use super::signal::hash;

/// Chances of a stream of packets, one after another.
pub(super) struct Radio {
    seed: u64,
    drawn: u64,
}

/// What became of packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Damage {
    pub dropped: u64,
    pub duplicated: u64,
    pub garbage_bytes: u64,
    pub answers: u64,
}

/// Sent without being asked for.
const CHATTER: &[u8] = b"Success: Sample rate is 250Hz$$$";
/// Bytes of garbage at most.
const MOST_GARBAGE: f64 = 40.0;

impl Radio {
    pub fn new(seed: u64) -> Self {
        Radio {
            seed: seed.wrapping_mul(0x5851_F42D_4C95_7F2D),
            drawn: 0,
        }
    }

    /// The next random number in [0, 1).
    pub fn draw(&mut self) -> f64 {
        self.drawn += 1;
        hash(self.seed.wrapping_add(self.drawn))
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.draw() < probability
    }

    /// Sends a packet, or what becomes of it.
    pub fn send(&mut self, packet: &[u8], faults: &Faults, to: &mut Vec<u8>, damage: &mut Damage) {
        if self.happens(faults.drop) {
            damage.dropped += 1;
        } else {
            to.extend_from_slice(packet);
            if self.happens(faults.duplicate) {
                damage.duplicated += 1;
                to.extend_from_slice(packet);
            }
        }
        if self.happens(faults.garbage) {
            let count = 1 + (self.draw() * MOST_GARBAGE) as u64;
            for _ in 0..count {
                let byte = (self.draw() * 320.0) as u16;
                to.push(u8::try_from(byte).unwrap_or(0xA0));
            }
            damage.garbage_bytes += count;
        }
        if self.happens(faults.chatter) {
            damage.answers += 1;
            to.extend_from_slice(CHATTER);
        }
    }
}
