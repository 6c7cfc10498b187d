//! Windows by which a segment is multiplied before it is transformed.

use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::PI;

/// Shape of a window: SciPy's `get_window(name, frames)`, periodic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WindowShape {
    /// A raised cosine: the usual choice.
    #[default]
    Hann,
    /// A raised cosine that does not reach zero: narrower peaks, less far from them.
    Hamming,
    /// Two cosines: wider peaks, much less far from them.
    Blackman,
    /// No window: every frame counts the same.
    Boxcar,
}

impl WindowShape {
    /// Weights of a window of `weights.len()` frames.
    pub fn fill(self, weights: &mut [f64]) {
        let frames = weights.len() as f64;
        for (i, weight) in weights.iter_mut().enumerate() {
            let x = 2.0 * PI * i as f64 / frames;
            *weight = match self {
                WindowShape::Hann => 0.5 - 0.5 * x.cos(),
                WindowShape::Hamming => 0.54 - 0.46 * x.cos(),
                WindowShape::Blackman => 0.42 - 0.5 * x.cos() + 0.08 * (2.0 * x).cos(),
                WindowShape::Boxcar => 1.0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_scipy_s_periodic_ones() {
        // SciPy 1.17.1: get_window(name, 5).
        let scipy = [
            (
                WindowShape::Hann,
                [
                    0.0,
                    0.3454915028125263,
                    0.9045084971874737,
                    0.9045084971874737,
                ],
            ),
            (
                WindowShape::Hamming,
                [
                    0.08,
                    0.3978521825875242,
                    0.9121478174124758,
                    0.9121478174124758,
                ],
            ),
            (
                WindowShape::Blackman,
                [
                    0.0,
                    0.2007701432625305,
                    0.8492298567374695,
                    0.8492298567374695,
                ],
            ),
            (WindowShape::Boxcar, [1.0; 4]),
        ];
        for (shape, theirs) in scipy {
            let mut ours = [0.0; 5];
            shape.fill(&mut ours);
            for (o, t) in ours.iter().zip(theirs) {
                assert!((o - t).abs() < 1e-14, "{shape:?}: {o} against {t}");
            }
        }
    }
}
