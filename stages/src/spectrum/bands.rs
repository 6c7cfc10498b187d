//! Bands of frequencies.

use ephapse_engine::stage::StageError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;

/// Most bands of a stage.
const MOST_BANDS: usize = 64;

/// A band of frequencies.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Its name, which labels its values.
    pub name: String,
    /// Lowest frequency, Hz, not below 0; it belongs to the band.
    pub low_hz: f64,
    /// Highest frequency, Hz, at most half the input's rate; it does not belong to the band.
    pub high_hz: f64,
}

/// The usual bands of the electroencephalogram: delta 1 to 4, theta 4 to 8, alpha 8 to 13, beta 13 to 30, gamma 30 to 45 Hz.
///
/// Edges differ a little from author to author; gamma ends here below the mains of 50 Hz.
pub fn eeg() -> Vec<Band> {
    [
        ("delta", 1.0, 4.0),
        ("theta", 4.0, 8.0),
        ("alpha", 8.0, 13.0),
        ("beta", 13.0, 30.0),
        ("gamma", 30.0, 45.0),
    ]
    .map(|(name, low_hz, high_hz)| Band {
        name: name.to_owned(),
        low_hz,
        high_hz,
    })
    .into()
}

/// Checks that `bands` can be read from a spectrum with `bins` frequencies `step_hz` apart.
///
/// # Errors
/// None or more than 64 bands, edges that are not ascending or above half the rate, a band that holds no frequency.
pub fn check(bands: &[Band], bins: usize, step_hz: f64) -> Result<(), StageError> {
    let wrong = |why: String| Err(StageError::parameter("bands", why));
    if bands.is_empty() || bands.len() > MOST_BANDS {
        return wrong(format!("has {} bands; give 1 to {MOST_BANDS}", bands.len()));
    }
    for (number, band) in bands.iter().enumerate() {
        let Band {
            name,
            low_hz,
            high_hz,
        } = band;
        let top_hz = (bins - 1) as f64 * step_hz;
        if !(*low_hz >= 0.0 && low_hz < high_hz) {
            return wrong(format!(
                "`{name}` goes from {low_hz} to {high_hz} Hz; give ascending edges from 0 on"
            ));
        }
        // An odd length has no frequency at half the rate itself.
        if *high_hz > top_hz + step_hz {
            return wrong(format!(
                "`{name}` ends at {high_hz} Hz, above half the input's rate"
            ));
        }
        if bands[..number].iter().any(|b| b.name == *name) {
            return wrong(format!("`{name}` stands there twice"));
        }
        if of(band, bins, step_hz).is_empty() {
            return wrong(format!(
                "`{name}` ({low_hz} to {high_hz} Hz) holds no frequency: they are {step_hz} Hz apart; widen it, or the window"
            ));
        }
    }
    Ok(())
}

/// Bins of a band: those with `low_hz <= k * step_hz < high_hz`.
pub fn of(band: &Band, bins: usize, step_hz: f64) -> Range<usize> {
    let from = |hz: f64| {
        // The product decides, as in the definition: a quotient can be rounded to the wrong side.
        let mut k = (hz / step_hz).ceil().max(0.0) as usize;
        while k > 0 && (k - 1) as f64 * step_hz >= hz {
            k -= 1;
        }
        while (k as f64) * step_hz < hz {
            k += 1;
        }
        k.min(bins)
    };
    from(band.low_hz)..from(band.high_hz)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(low_hz: f64, high_hz: f64) -> Band {
        Band {
            name: "a".to_owned(),
            low_hz,
            high_hz,
        }
    }

    #[test]
    fn the_lower_edge_belongs_to_the_band_and_the_upper_to_the_next() {
        assert_eq!(of(&band(8.0, 13.0), 251, 0.5), 16..26);
        assert_eq!(of(&band(8.1, 12.9), 251, 0.5), 17..26);
        assert_eq!(of(&band(0.0, 1000.0), 251, 0.5), 0..251);
        // 0.3 is not three times 0.1 in binary: the product of the bin decides.
        assert_eq!(of(&band(0.3, 0.4), 10, 0.1), 3..4);
    }

    #[test]
    fn bands_that_mean_nothing_are_refused_by_name() {
        let refused = |bands: &[Band], needle: &str| {
            let error = check(bands, 126, 1.0).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        };
        refused(&[], "0 bands");
        refused(&[band(8.0, 8.0)], "`a` goes from 8 to 8 Hz");
        refused(&[band(f64::NAN, 8.0)], "`a` goes from NaN");
        refused(&[band(100.0, 130.0)], "`a` ends at 130 Hz, above half");
        refused(&[band(8.2, 8.8)], "`a` (8.2 to 8.8 Hz) holds no frequency");
        refused(&[band(1.0, 4.0), band(4.0, 8.0)], "twice");
        assert!(check(&eeg(), 126, 1.0).is_ok());
    }
}
