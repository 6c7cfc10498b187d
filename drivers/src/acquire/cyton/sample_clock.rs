//! When a Cyton took a frame.
//!
//! Packets come in deliveries, every `latency_timer` ms: what waited longest came first. The newest frame of a delivery
//! waited least, and the least delayed of the deliveries of a second hardly at all. One such pair (frame, arrival) per
//! second goes into the regression of the frame count, see [`crate::clock_fit`]; no single arrival is ever a sample's time.
//! What the adapter and the radio always need stays unseen: frame times are those at which a packet could have been
//! here at the earliest. That supposes that deliveries wander against the packets, as they do when the adapter's timer
//! starts anew with each; an adapter in step with the board to the microsecond would hide up to one packet's time more.

use super::frames::PACKETS_PER_S;
use crate::clock_fit::ClockFit;
use ephapse_rtconfig::stream_type::Rate;

/// Forgetting of the regression, s: crystals warm up within minutes.
const HORIZON_S: f64 = 60.0;
/// Pairs from which on the regression's own slope is used.
const ENOUGH: u64 = 3;

/// A frame and when the host had it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    frame: u64,
    arrived_ns: u64,
}

/// The least delayed frame of a stretch.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    begin: u64,
    least: Pair,
}

/// Regression of the frame count on least delayed arrivals.
#[derive(Clone, Debug)]
pub struct SampleClock {
    ns_per_frame: f64,
    frames_per_stretch: u64,
    fit: ClockFit,
    stretch: Option<Stretch>,
    /// The least delayed of all, as long as the regression does not know enough.
    least: Option<Pair>,
}

impl SampleClock {
    /// A clock for frames of `rate`.
    pub fn new(rate: Rate) -> Self {
        SampleClock {
            ns_per_frame: 1e9 / rate.as_f64(),
            frames_per_stretch: (rate.as_f64().round() as u64).clamp(1, PACKETS_PER_S),
            fit: ClockFit::new(rate, HORIZON_S),
            stretch: None,
            least: None,
        }
    }

    /// The newest frame of a delivery, numbered with lost ones counted, and when the delivery came.
    pub fn delivered(&mut self, frame: u64, arrived_ns: u64) {
        let pair = Pair { frame, arrived_ns };
        if self
            .least
            .is_none_or(|least| self.is_less_delayed(pair, least))
        {
            self.least = Some(pair);
        }
        match self.stretch {
            Some(stretch) if frame < stretch.begin + self.frames_per_stretch => {
                if self.is_less_delayed(pair, stretch.least) {
                    self.stretch = Some(Stretch {
                        least: pair,
                        ..stretch
                    });
                }
            }
            other => {
                if let Some(stretch) = other {
                    self.fit
                        .observe(stretch.least.frame, stretch.least.arrived_ns);
                }
                self.stretch = Some(Stretch {
                    begin: frame,
                    least: pair,
                });
            }
        }
    }

    fn is_less_delayed(&self, pair: Pair, than: Pair) -> bool {
        let frames = pair.frame as f64 - than.frame as f64;
        let later_ns = pair.arrived_ns as f64 - than.arrived_ns as f64;
        later_ns < frames * self.ns_per_frame
    }

    /// When a frame was taken, CLOCK_MONOTONIC ns; 0 before the first delivery.
    pub fn sampled_ns(&self, frame: u64) -> u64 {
        if self.fit.estimate().observations >= ENOUGH {
            return self.fit.sampled_ns(frame);
        }
        let Some(least) = self.least else {
            return 0;
        };
        let frames = frame as f64 - least.frame as f64;
        let since_ns = (frames * self.ns_per_frame).round() as i64;
        (least.arrived_ns as i64).saturating_add(since_ns).max(0) as u64
    }

    /// How much faster than nominal the board counts, parts per million; `None` before that is known.
    pub fn drift_ppm(&self) -> Option<f64> {
        let estimate = self.fit.estimate();
        (estimate.observations >= ENOUGH).then_some(estimate.drift_ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same sequence of numbers in [0, 1) every time.
    fn jitter(i: u64) -> f64 {
        let mut x = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((x >> 11) as f64) / (1_u64 << 53) as f64
    }

    const START_NS: f64 = 7e12;

    /// When the packet of frame `frame` reaches the adapter of a board that is `ppm` fast.
    fn truth_ns(frame: u64, ppm: f64) -> f64 {
        START_NS + frame as f64 * 4e6 / (1.0 + ppm * 1e-6)
    }

    /// Deliveries of an adapter: `latency_ns` after the last one it hands on what it has, within the ms in which the bus asks it,
    /// and the host is up to 50 us late, 20 ms now and then. Returns (newest frame, arrival) of `seconds`.
    fn deliveries(latency_ns: f64, ppm: f64, seconds: u64) -> Vec<(u64, u64)> {
        let mut at_ns = START_NS + 1.3e6;
        let mut next_frame = 0;
        let mut deliveries = Vec::new();
        for turn in 0_u64.. {
            at_ns += latency_ns + 1e6 * jitter(2 * turn);
            let held = next_frame;
            while truth_ns(next_frame, ppm) <= at_ns {
                next_frame += 1;
            }
            if next_frame > held {
                let stall = if turn % 701 == 3 { 2e7 } else { 0.0 };
                let arrived = at_ns + 5e4 * jitter(2 * turn + 1) + stall;
                deliveries.push((next_frame - 1, arrived as u64));
            }
            if next_frame > seconds * 250 {
                return deliveries;
            }
        }
        deliveries
    }

    /// Largest distance of reconstructed times from the truth, ns, once `after_s` have passed.
    fn worst_ns(latency_ns: f64, ppm: f64, after_s: u64) -> f64 {
        let mut clock = SampleClock::new(Rate::hz(250));
        let mut worst: f64 = 0.0;
        for (frame, arrived_ns) in deliveries(latency_ns, ppm, 300) {
            clock.delivered(frame, arrived_ns);
            if frame >= after_s * 250 {
                for frame in frame.saturating_sub(4)..=frame {
                    let error = clock.sampled_ns(frame) as f64 - truth_ns(frame, ppm);
                    worst = worst.max(error.abs());
                }
            }
        }
        worst
    }

    #[test]
    fn deliveries_every_16_ms_give_frame_times_within_1_ms() {
        for ppm in [-60.0, -7.0, 0.0, 13.0, 50.0] {
            let worst = worst_ns(16e6, ppm, 5);
            assert!(worst < 1e6, "{ppm} ppm: {worst} ns");
        }
    }

    #[test]
    fn deliveries_every_ms_give_frame_times_within_200_us() {
        for ppm in [-60.0, -7.0, 0.0, 13.0, 50.0] {
            let worst = worst_ns(1e6, ppm, 5);
            assert!(worst < 2e5, "{ppm} ppm: {worst} ns");
        }
    }

    #[test]
    fn before_a_regression_is_possible_frames_are_even_and_none_is_early() {
        let mut clock = SampleClock::new(Rate::hz(250));
        assert_eq!(clock.sampled_ns(0), 0);
        for (frame, arrived_ns) in deliveries(16e6, 20.0, 1) {
            clock.delivered(frame, arrived_ns);
            assert!(clock.sampled_ns(frame) <= arrived_ns);
            assert_eq!(
                clock.sampled_ns(frame) - clock.sampled_ns(frame - 1),
                4_000_000
            );
        }
    }

    #[test]
    fn the_boards_drift_is_known_after_a_minute() {
        let mut clock = SampleClock::new(Rate::hz(250));
        assert_eq!(clock.drift_ppm(), None);
        for (frame, arrived_ns) in deliveries(1e6, 40.0, 60) {
            clock.delivered(frame, arrived_ns);
        }
        let drift = clock.drift_ppm().unwrap();
        assert!((drift - 40.0).abs() < 5.0, "{drift} ppm");
    }
}
