//! The matrix of a linear readout, and the file it comes from.

use ephapse_engine::stage::StageError;
use serde::Deserialize;

/// `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Row after row: `outputs x channels`.
    matrix: Vec<f64>,
    bias: Vec<f64>,
    labels: Vec<String>,
    channels: usize,
    /// The mean of all channels instead of the matrix.
    mean: bool,
}

/// A weights file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// One row per output, one column per channel.
    weights: Vec<Vec<f64>>,
    /// One number per output; zeros if absent.
    bias: Option<Vec<f64>>,
    /// One name per output; 1, 2, ... if absent.
    labels: Option<Vec<String>>,
}

impl Weights {
    /// One output, the mean over all channels: the population's rate. For any number of channels.
    pub fn population(channels: usize) -> Self {
        Weights {
            matrix: Vec::new(),
            bias: vec![0.0],
            labels: vec!["population".to_owned()],
            channels,
            mean: true,
        }
    }

    /// Reads a JSON file `{"weights": [[...], ...], "bias": [...], "labels": [...]}` for `channels` channels: one row
    /// of weights, one bias and one label per output; bias and labels may be absent.
    ///
    /// # Errors
    /// A file that cannot be read, is not of that form, holds numbers that are not finite, or does not fit the
    /// channels.
    pub fn read(path: &str, channels: usize) -> Result<Self, StageError> {
        let wrong = |why: String| StageError::resource(path, why);
        let text = std::fs::read_to_string(path).map_err(|error| {
            wrong(format!(
                "cannot be read as a weights file ({error}); weights is a path or \"population\""
            ))
        })?;
        let file: File = serde_json::from_str(&text).map_err(|error| {
            wrong(format!(
                "is not {{\"weights\": [[...]], \"bias\": [...], \"labels\": [...]}}: {error}"
            ))
        })?;
        Weights::new(file.weights, file.bias, file.labels, channels).map_err(wrong)
    }

    /// One row of weights, one bias and one label per output; without biases zeros, without labels 1, 2, ...
    ///
    /// # Errors
    /// What does not fit the channels or the rows.
    pub fn new(
        weights: Vec<Vec<f64>>,
        bias: Option<Vec<f64>>,
        labels: Option<Vec<String>>,
        channels: usize,
    ) -> Result<Self, String> {
        let outputs = weights.len();
        if outputs == 0 {
            return Err("has no rows of weights".to_owned());
        }
        for (number, row) in weights.iter().enumerate() {
            if row.len() != channels {
                return Err(format!(
                    "row {number} has {} weights, but input `features` has {channels} channels",
                    row.len()
                ));
            }
        }
        let bias = bias.unwrap_or_else(|| vec![0.0; outputs]);
        let labels = labels.unwrap_or_else(|| (1..=outputs).map(|n| n.to_string()).collect());
        for (what, length) in [("bias", bias.len()), ("labels", labels.len())] {
            if length != outputs {
                return Err(format!(
                    "`{what}` has {length} entries for {outputs} rows of weights"
                ));
            }
        }
        Ok(Weights {
            matrix: weights.concat(),
            bias,
            labels,
            channels,
            mean: false,
        })
    }

    /// Names of the outputs.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `y = W x + b` for one row; products are added from the first channel to the last, the bias last.
    pub fn apply(&self, x: &[f64], y: &mut [f64]) {
        if self.mean {
            y[0] = x.iter().sum::<f64>() / self.channels as f64;
            return;
        }
        let rows = self.matrix.chunks_exact(self.channels).zip(&self.bias);
        for (y, (weights, bias)) in y.iter_mut().zip(rows) {
            *y = weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(text: &str, channels: usize) -> Result<Weights, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        Weights::read(path, channels).map_err(|e| {
            let text = e.to_string();
            assert!(text.starts_with(path), "{text}");
            text
        })
    }

    #[test]
    fn the_population_s_decision_is_the_mean_for_1_to_1024_channels() {
        for channels in [1, 60, 1024] {
            let x: Vec<f64> = (0..channels).map(f64::from).collect();
            let mut y = [f64::NAN];
            Weights::population(channels as usize).apply(&x, &mut y);
            assert_eq!(y[0], f64::from(channels - 1) / 2.0);
        }
    }

    #[test]
    fn a_file_s_matrix_and_bias_are_applied() {
        let text = r#"{"weights": [[1, 2], [0, -1], [0.5, 0]], "bias": [10, 0, 1], "labels": ["a", "b", "c"]}"#;
        let weights = read(text, 2).unwrap();
        let mut y = [0.0; 3];
        weights.apply(&[3.0, 4.0], &mut y);
        assert_eq!(y, [21.0, -4.0, 2.5]);
        assert_eq!(weights.labels(), ["a", "b", "c"]);
        assert_eq!(read(r#"{"weights": [[1]]}"#, 1).unwrap().labels(), ["1"]);
    }

    #[test]
    fn a_file_that_does_not_fit_is_refused_with_both_shapes() {
        let refused = |text: &str, needle: &str| {
            let error = read(text, 2).unwrap_err();
            assert!(error.contains(needle), "{error}");
        };
        refused(
            r#"{"weights": [[1, 2], [1]]}"#,
            "row 1 has 1 weights, but input `features` has 2 channels",
        );
        refused(
            r#"{"weights": [[1, 2]], "bias": [1, 2]}"#,
            "`bias` has 2 entries for 1 rows",
        );
        refused(
            r#"{"weights": [[1, 2]], "labels": []}"#,
            "`labels` has 0 entries for 1 rows",
        );
        refused(r#"{"weights": []}"#, "no rows");
        refused(r#"{"weight": [[1, 2]]}"#, "unknown field `weight`");
        let missing = Weights::read("no/such/file.json", 2)
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains("no/such/file.json") && missing.contains("\"population\""),
            "{missing}"
        );
    }
}
