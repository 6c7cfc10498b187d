//! When a device took a frame: one regression of its frame count on the host's clock.
//!
//! A device counts frames with its own crystal; the host sees them arrive late, by a transport time that jitters. Over
//! pairs (frame count, arrival) [`ClockFit`] keeps the straight line
//!
//! ```text
//! arrival_ns = offset_ns + frame * ns_per_frame
//! ```
//!
//! by least squares with exponential forgetting, so it follows a crystal that warms up. The line gives frame times
//! without the jitter of single arrivals, the device's drift against the host, and how well both are known. What a
//! regression of arrivals cannot see is the mean transport time: times are those of an arrival after the mean delay.
//!
//! The state is plain data: it may stand in a stage's state block and survives a restart.

use ephapse_rtconfig::stream_type::Rate;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Running regression of arrival time on frame count.
///
/// Sums are kept about the running mean, and arrivals as their distance from the nominal rate's line: after days, with
/// counts of 10^10 and times of 10^15 ns, nothing is lost to rounding.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ClockFit {
    nominal_ns_per_frame: f64,
    horizon_frames: f64,
    first_frame: u64,
    first_arrival_ns: u64,
    newest_frame: u64,
    observations: u64,
    /// Sum of the weights, and of their squares.
    weight: f64,
    weight_squared: f64,
    /// Weighted means of x (frames since the first) and y (ns behind the nominal line).
    mean_x: f64,
    mean_y: f64,
    sum_xx: f64,
    sum_xy: f64,
    sum_yy: f64,
}

/// What the regression knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Host time of frame 0 on the fitted line, CLOCK_MONOTONIC ns; negative if the count began before the host did.
    pub offset_ns: f64,
    /// How much faster than its nominal rate the device counts, parts per million of the nominal rate, on the host's
    /// clock.
    pub drift_ppm: f64,
    /// Standard error of the fitted time of the newest frame, ns. Infinite below three observations.
    pub standard_error_ns: f64,
    /// Pairs seen.
    pub observations: u64,
}

impl ClockFit {
    /// A regression for a device of nominal rate `rate` that forgets with the time constant `horizon_s` (30 s is a good
    /// choice: crystals warm up within minutes, transport jitters within milliseconds).
    ///
    /// # Panics
    /// If the stream has no rate or `horizon_s` is not greater than 0: a fault of the driver.
    pub fn new(rate: Rate, horizon_s: f64) -> Self {
        let hz = rate.as_f64();
        assert!(hz > 0.0, "a clock fit needs a stream with a rate");
        assert!(
            horizon_s > 0.0,
            "a clock fit needs a horizon greater than 0 s"
        );
        ClockFit {
            nominal_ns_per_frame: 1e9 / hz,
            horizon_frames: horizon_s * hz,
            first_frame: 0,
            first_arrival_ns: 0,
            newest_frame: 0,
            observations: 0,
            weight: 0.0,
            weight_squared: 0.0,
            mean_x: 0.0,
            mean_y: 0.0,
            sum_xx: 0.0,
            sum_xy: 0.0,
            sum_yy: 0.0,
        }
    }

    /// Adds: the host had frame number `frame` (lost ones counted) at `arrival_ns`. A frame number that does not rise is
    /// passed over.
    pub fn observe(&mut self, frame: u64, arrival_ns: u64) {
        if self.observations == 0 {
            self.first_frame = frame;
            self.first_arrival_ns = arrival_ns;
        } else if frame <= self.newest_frame {
            return;
        }
        let passed = (frame - self.newest_frame.max(self.first_frame)) as f64;
        let keep = (-passed / self.horizon_frames).exp();
        let x = (frame - self.first_frame) as f64;
        let since_first_ns = arrival_ns as i64 - self.first_arrival_ns as i64;
        let y = since_first_ns as f64 - x * self.nominal_ns_per_frame;

        self.weight = keep * self.weight + 1.0;
        self.weight_squared = keep * keep * self.weight_squared + 1.0;
        let (dx, dy) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += dx / self.weight;
        self.mean_y += dy / self.weight;
        self.sum_xx = keep * self.sum_xx + dx * (x - self.mean_x);
        self.sum_xy = keep * self.sum_xy + dx * (y - self.mean_y);
        self.sum_yy = keep * self.sum_yy + dy * (y - self.mean_y);
        self.newest_frame = frame;
        self.observations += 1;
    }

    /// Slope against the nominal line, ns per frame.
    fn slope(&self) -> f64 {
        if self.sum_xx > 0.0 {
            self.sum_xy / self.sum_xx
        } else {
            0.0
        }
    }

    /// Fitted distance of a frame from the nominal line through the first arrival, ns.
    fn behind_nominal_ns(&self, frame: u64) -> f64 {
        let x = frame as f64 - self.first_frame as f64;
        self.mean_y + self.slope() * (x - self.mean_x)
    }

    /// Host time of a frame on the fitted line, CLOCK_MONOTONIC ns; before or after what was observed alike. 0 without
    /// an observation.
    pub fn sampled_ns(&self, frame: u64) -> u64 {
        if self.observations == 0 {
            return 0;
        }
        let x = frame as f64 - self.first_frame as f64;
        let since_first_ns = x * self.nominal_ns_per_frame + self.behind_nominal_ns(frame);
        (self.first_arrival_ns as i64)
            .saturating_add(since_first_ns.round() as i64)
            .max(0) as u64
    }

    /// Offset, drift and error as they are now.
    pub fn estimate(&self) -> Estimate {
        let slope = self.slope();
        let ns_per_frame = self.nominal_ns_per_frame + slope;
        let line_at_0 =
            self.behind_nominal_ns(0) - self.first_frame as f64 * self.nominal_ns_per_frame;
        Estimate {
            offset_ns: self.first_arrival_ns as f64 + line_at_0,
            drift_ppm: (self.nominal_ns_per_frame / ns_per_frame - 1.0) * 1e6,
            standard_error_ns: self.standard_error_ns(),
            observations: self.observations,
        }
    }

    fn standard_error_ns(&self) -> f64 {
        if self.observations < 3 || self.sum_xx <= 0.0 {
            return f64::INFINITY;
        }
        // Kish's effective number of equally weighted observations.
        let effective = self.weight * self.weight / self.weight_squared;
        let residual = (self.sum_yy - self.slope() * self.sum_xy).max(0.0) / self.weight;
        let variance = residual * effective / (effective - 2.0).max(1.0);
        let x = (self.newest_frame - self.first_frame) as f64 - self.mean_x;
        (variance * (1.0 / effective + x * x * self.weight / (self.sum_xx * effective))).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform jitter in [0, 1), the same every time.
    fn jitter(i: u64) -> f64 {
        let mut x = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((x >> 11) as f64) / (1u64 << 53) as f64
    }

    /// A device of 20 kHz whose frame 0 was taken at `start_ns`, arriving after 300 us and up to `jitter_ns` more.
    fn arrival(frame: u64, start_ns: f64, ppm: f64, jitter_ns: f64) -> u64 {
        let ns_per_frame = 50_000.0 / (1.0 + ppm * 1e-6);
        (start_ns + frame as f64 * ns_per_frame + 300_000.0 + jitter_ns * jitter(frame)) as u64
    }

    fn fitted(start_ns: f64, ppm: f64, jitter_ns: f64, blocks: u64) -> ClockFit {
        let mut fit = ClockFit::new(Rate::hz(20_000), 30.0);
        for block in 1..=blocks {
            let frame = block * 20;
            fit.observe(frame, arrival(frame, start_ns, ppm, jitter_ns));
        }
        fit
    }

    #[test]
    fn finds_a_drift_under_jitter_larger_than_a_frame() {
        for ppm in [-80.0, 0.0, 35.0] {
            let estimate = fitted(1e12, ppm, 200_000.0, 60_000).estimate();
            assert!(
                (estimate.drift_ppm - ppm).abs() < 0.3,
                "{ppm}: {estimate:?}"
            );
            // The mean of transport and jitter is all that it cannot tell from the offset.
            assert!(
                (estimate.offset_ns - 1e12 - 400_000.0).abs() < 10_000.0,
                "{estimate:?}"
            );
        }
    }

    #[test]
    fn frame_times_are_far_steadier_than_arrivals_and_the_standard_error_says_how_much() {
        let fit = fitted(5e9, 20.0, 1_000_000.0, 30_000);
        let frame = 600_000;
        let truth = arrival(frame, 5e9, 20.0, 0.0) as f64 + 500_000.0;
        let error = (fit.sampled_ns(frame) as f64 - truth).abs();
        let claimed = fit.estimate().standard_error_ns;
        assert!(
            error < 4.0 * claimed,
            "off by {error} ns, claims {claimed} ns"
        );
        assert!((1_000.0..20_000.0).contains(&claimed), "{claimed}");
    }

    #[test]
    fn without_jitter_every_frame_time_is_exact() {
        let fit = fitted(3e14, 50.0, 0.0, 2_000);
        for frame in [0, 1, 20, 39_999, 80_000] {
            let error = fit.sampled_ns(frame) as f64 - arrival(frame, 3e14, 50.0, 0.0) as f64;
            assert!(error.abs() < 3.0, "frame {frame}: {error} ns");
        }
    }

    #[test]
    fn forgets_the_drift_of_a_cold_crystal() {
        let mut fit = fitted(0.0, -40.0, 50_000.0, 60_000);
        let warm_from = 60_000 * 20;
        let warm_at = arrival(warm_from, 0.0, -40.0, 0.0) as f64 - 300_000.0;
        for block in 1..=240_000 {
            let frame = block * 20;
            fit.observe(warm_from + frame, arrival(frame, warm_at, 10.0, 50_000.0));
        }
        assert!(
            (fit.estimate().drift_ppm - 10.0).abs() < 0.5,
            "{:?}",
            fit.estimate()
        );
    }

    #[test]
    fn one_arrival_is_extended_at_the_nominal_rate_and_claims_no_precision() {
        let mut fit = ClockFit::new(Rate::hz(20_000), 30.0);
        assert_eq!(fit.sampled_ns(5), 0);
        fit.observe(100, 7_000_000);
        assert_eq!(
            (fit.sampled_ns(100), fit.sampled_ns(120), fit.sampled_ns(80)),
            (7_000_000, 8_000_000, 6_000_000)
        );
        assert_eq!(fit.estimate().standard_error_ns, f64::INFINITY);
    }

    #[test]
    fn lost_blocks_and_repeated_counts_do_not_bend_the_line() {
        let mut fit = ClockFit::new(Rate::hz(20_000), 30.0);
        for block in (1..2_000).filter(|b| b % 7 != 0 && !(500..900).contains(b)) {
            fit.observe(block * 20, arrival(block * 20, 1e9, 25.0, 0.0));
            fit.observe(block * 20, 99);
        }
        assert!(
            (fit.estimate().drift_ppm - 25.0).abs() < 0.01,
            "{:?}",
            fit.estimate()
        );
    }

    #[test]
    fn stays_exact_after_ten_days() {
        let mut fit = ClockFit::new(Rate::hz(20_000), 30.0);
        let ten_days = 20_000 * 86_400 * 10;
        fit.observe(0, arrival(0, 1e9, 30.0, 0.0));
        for block in 0..2_000 {
            let frame = ten_days + block * 20;
            fit.observe(frame, arrival(frame, 1e9, 30.0, 0.0));
        }
        let error = fit.sampled_ns(ten_days) as f64 - arrival(ten_days, 1e9, 30.0, 0.0) as f64;
        assert!(error.abs() < 1_000.0, "{error} ns");
    }
}
