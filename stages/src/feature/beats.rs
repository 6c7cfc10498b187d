//! Beats in the signal of a pulse sensor, and how fast they come.
//!
//! The signal of such a sensor runs into its upper limit at every beat and stays there for a while: whoever looks for peaks
//! finds both edges of that plateau. Here a beat is the rise through the upper of two levels, and only what has fallen through
//! the lower one since can rise again. Both levels stand between an upper and a lower envelope, which give way with a time
//! constant of [`FORGET_S`], so that they follow a sensor that slips.

/// Time constant of the envelopes, seconds: longer than a slow heart's interval, shorter than a sensor takes to settle.
pub const FORGET_S: f64 = 3.0;
/// Levels between the envelopes, as parts of their distance.
const LOWER: f64 = 0.4;
const UPPER: f64 = 0.6;
/// Beats remembered: those of half a minute at 240 a minute.
pub const REMEMBERED: usize = 128;
/// Fewest beats that make a rate.
const FEWEST: usize = 3;
/// Intervals further than this part from their median are of beats that were missed, or are none.
const ODD: f64 = 0.3;
/// Numbers of state of a channel.
pub const STATE: usize = 5 + REMEMBERED;

/// When a beat is one.
#[derive(Clone, Copy, Debug)]
pub struct BeatRule {
    /// Frames per second.
    pub rate_hz: f64,
    /// Least distance of two beats, frames.
    pub apart: f64,
    /// Least distance of the envelopes, in the signal's unit.
    pub prominence: f64,
}

/// One channel's state, as a view of [`STATE`] numbers that are 0 at first: whether there was a frame, the envelopes, whether
/// the next rise is a beat, the number of beats, and when the newest were (frames since the start, in a ring).
struct Channel<'a> {
    known: &'a mut f64,
    high: &'a mut f64,
    low: &'a mut f64,
    armed: &'a mut f64,
    beats: &'a mut f64,
    at: &'a mut [f64],
}

impl<'a> Channel<'a> {
    fn of(state: &'a mut [f64]) -> Self {
        let [known, high, low, armed, beats, at @ ..] = state else {
            unreachable!("{STATE} numbers a channel");
        };
        Channel {
            known,
            high,
            low,
            armed,
            beats,
            at,
        }
    }
}

impl BeatRule {
    /// Takes sample `x` of frame `frame` (counted from the start). What is not finite is passed over.
    pub fn take(&self, state: &mut [f64], frame: u64, x: f64) {
        if !x.is_finite() {
            return;
        }
        let channel = Channel::of(state);
        if *channel.known == 0.0 {
            (*channel.known, *channel.high, *channel.low) = (1.0, x, x);
        }
        let gives = (*channel.high - *channel.low) / (FORGET_S * self.rate_hz);
        *channel.high = x.max(*channel.high - gives);
        *channel.low = x.min(*channel.low + gives);
        let between = *channel.high - *channel.low;
        if x <= *channel.low + LOWER * between {
            *channel.armed = 1.0;
        } else if *channel.armed == 1.0
            && between >= self.prominence
            && x >= *channel.low + UPPER * between
        {
            let beats = *channel.beats as usize;
            let newest = channel.at[(beats + REMEMBERED - 1) % REMEMBERED];
            if beats == 0 || frame as f64 - newest >= self.apart {
                channel.at[beats % REMEMBERED] = frame as f64;
                *channel.beats += 1.0;
            }
            *channel.armed = 0.0;
        }
    }

    /// Beats per minute over the beats later than frame `since`; NaN if they are fewer than three.
    pub fn per_minute(&self, state: &mut [f64], since: f64) -> f64 {
        let channel = Channel::of(state);
        let beats = *channel.beats as usize;
        let mut intervals = [0.0; REMEMBERED];
        let mut count = 0;
        // From the newest backwards.
        for back in 1..beats.min(REMEMBERED) {
            let later = channel.at[(beats - back) % REMEMBERED];
            let earlier = channel.at[(beats - back - 1) % REMEMBERED];
            if earlier < since {
                break;
            }
            intervals[count] = later - earlier;
            count += 1;
        }
        if count + 1 < FEWEST {
            return f64::NAN;
        }
        let intervals = &mut intervals[..count];
        intervals.sort_unstable_by(f64::total_cmp);
        let median = intervals[count / 2];
        let usual = intervals
            .iter()
            .filter(|i| (**i - median).abs() <= ODD * median);
        let (sum, count) = usual.fold((0.0, 0.0), |(sum, count), i| (sum + i, count + 1.0));
        60.0 * self.rate_hz * count / sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: BeatRule = BeatRule {
        rate_hz: 250.0,
        apart: 75.0,
        prominence: 50.0,
    };

    /// Ten-bit values of a pulse sensor: a steep wave, cut off at 1023 so that it stands there for a while, a second smaller
    /// wave behind it, and noise.
    fn pulse(beats_per_minute: f64, frames: usize) -> Vec<f64> {
        let mut x = 0x2545_F491_4F6C_DD1Du64;
        (0..frames)
            .map(|i| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let beat = i as f64 / 250.0 * beats_per_minute / 60.0;
                // Seconds since the beat: the wave does not shorten with the interval, the pause does.
                let since = beat.fract() * 60.0 / beats_per_minute;
                let bump = |at: f64, width: f64| (-((since - at) / width).powi(2)).exp();
                let wave = 500.0 + 1500.0 * bump(0.1, 0.05) + 120.0 * bump(0.24, 0.03);
                (wave + (x % 11) as f64 - 5.0).clamp(0.0, 1023.0).round()
            })
            .collect()
    }

    fn rate(signal: &[f64]) -> f64 {
        let mut state = vec![0.0; STATE];
        for (frame, x) in signal.iter().enumerate() {
            RULE.take(&mut state, frame as u64, *x);
        }
        RULE.per_minute(&mut state, signal.len() as f64 - 2500.0)
    }

    #[test]
    fn a_plateau_is_one_beat_at_40_72_and_180_a_minute() {
        for expected in [40.0, 72.0, 180.0] {
            let signal = pulse(expected, 5000);
            let at_the_top = signal.iter().filter(|x| **x == 1023.0).count();
            assert!(at_the_top > 100, "there are plateaus");
            let found = rate(&signal);
            assert!(
                (found - expected).abs() < 1.0,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn a_sensor_that_lies_on_the_table_has_no_rate() {
        let still: Vec<f64> = pulse(72.0, 5000)
            .iter()
            .map(|x| 500.0 + (x % 7.0))
            .collect();
        assert!(rate(&still).is_nan());
        assert!(rate(&[1023.0; 5000]).is_nan());
    }

    #[test]
    fn a_missed_beat_and_a_broken_sample_do_not_change_the_rate() {
        let mut signal = pulse(72.0, 5000);
        // A beat of the last ten seconds is not there.
        signal[4000..4200].fill(500.0);
        signal[3000] = f64::NAN;
        signal[3001] = f64::INFINITY;
        let found = rate(&signal);
        assert!((found - 72.0).abs() < 1.0, "{found}");
    }
}
