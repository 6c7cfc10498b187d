//! `bench --check`: every figure of a result once more, from its `.hlog`.

use super::contract::{BenchResult, FORMAT};
use super::reduce::{Circumstances, reduce};
use super::{intervals, text};
use crate::measured::{Measured, Round, Series};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A result whose figures are those of its log.
#[derive(Debug)]
pub struct Checked {
    /// The result.
    pub result: BenchResult,
    /// Figures compared.
    pub figures: usize,
    /// Histograms read.
    pub histograms: usize,
}

/// Why a result does not stand.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {why}; give the bench.json of a result, with its bench.hlog beside it", path.display())]
    Unreadable {
        /// Path.
        path: PathBuf,
        /// Cause.
        why: String,
    },
    /// The log is damaged.
    #[error("{}: damaged: {why}; measure again", path.display())]
    Damaged {
        /// Path.
        path: PathBuf,
        /// Where.
        why: String,
    },
    /// A figure is not the log's.
    #[error("{}: {key} says {said}, its log {computed}: one of the two files was changed", path.display())]
    Differs {
        /// Path of the result.
        path: PathBuf,
        /// Dotted key.
        key: String,
        /// In the result.
        said: String,
        /// From the log.
        computed: String,
    },
}

/// Checks the result in `file` (a `bench.json`, or the `bench.hlog` beside it).
///
/// # Errors
/// What does not stand.
pub fn check(file: &Path) -> Result<Checked, CheckError> {
    let path = if file.extension().is_some_and(|e| e == "hlog") {
        file.with_extension("json")
    } else {
        file.to_owned()
    };
    let unreadable = |path: &Path, why: String| CheckError::Unreadable {
        path: path.to_owned(),
        why,
    };
    let json = std::fs::read(&path).map_err(|e| unreadable(&path, e.to_string()))?;
    let result: BenchResult =
        serde_json::from_slice(&json).map_err(|e| unreadable(&path, e.to_string()))?;
    if result.format != FORMAT {
        return Err(unreadable(
            &path,
            format!("it is `{}`, this program reads `{FORMAT}`", result.format),
        ));
    }
    // Only the name counts: the log of a result lies beside it, wherever both were moved to.
    let name = Path::new(&result.hlog).file_name().unwrap_or_default();
    let log_path = path.with_file_name(name);
    let log = std::fs::read(&log_path).map_err(|e| unreadable(&log_path, e.to_string()))?;
    let intervals = intervals::read(&log).map_err(|why| CheckError::Damaged {
        path: log_path,
        why,
    })?;
    let histograms = intervals.len();
    let again = reduce(&measured(&result, intervals), circumstances(&result));
    let figures = compare(&path, &result, &again)?;
    Ok(Checked {
        result,
        figures,
        histograms,
    })
}

/// The measurement as the log has it; what a log cannot hold (words, placement, bounds) comes from the result.
fn measured(
    result: &BenchResult,
    intervals: Vec<(String, hdrhistogram::Histogram<u64>)>,
) -> Measured {
    let mut by_tag: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (tag, histogram) in intervals {
        by_tag.entry(tag).or_default().push(histogram);
    }
    let series = result.series.iter().map(|said| {
        let histograms = by_tag.remove(&said.tag).unwrap_or_default();
        let rounds = histograms
            .into_iter()
            .enumerate()
            .map(|(index, histogram)| Round {
                from_ns: 0,
                length_ns: 0,
                histogram,
                distance: said.distance,
                missing: if index == 0 { said.missing } else { 0 },
            });
        Series {
            tag: said.tag.clone(),
            group: said.group.clone(),
            what: said.what.clone(),
            measure: said.measure,
            unit: said.unit.clone(),
            real_time_hz: said.real_time_hz.unwrap_or(0.0),
            bound_p50_ns: said.bound_p50_ns,
            rounds: rounds.collect(),
        }
    });
    Measured {
        series: series.collect(),
        comparisons: result
            .comparisons
            .iter()
            .map(|c| c.comparison.clone())
            .collect(),
        notes: result.notes.clone(),
        skipped: result.skipped.clone(),
        without_fifo: if result.rt.active {
            Vec::new()
        } else {
            vec![result.rt.why.clone()]
        },
    }
}

fn circumstances(result: &BenchResult) -> Circumstances {
    Circumstances {
        what: result.what.clone(),
        started: result.started.clone(),
        duration_ns: result.duration_ns,
        proof: result.proof.clone(),
        settings: result.settings.clone(),
        machine: result.machine.clone(),
        threshold: result.threshold.clone(),
        bounds_decide: result.bounds_decide,
        host: result.host.clone(),
    }
}

/// Compares all leaves of both results; answers how many there are.
fn compare(path: &Path, said: &BenchResult, computed: &BenchResult) -> Result<usize, CheckError> {
    let differs = |key: &str, said: String, computed: String| CheckError::Differs {
        path: path.to_owned(),
        key: key.to_owned(),
        said,
        computed,
    };
    let value = |result: &BenchResult| {
        let mut leaves = BTreeMap::new();
        // A result is made of structs and finite numbers: it always has a JSON form.
        flatten(
            "",
            &serde_json::to_value(result).unwrap_or_default(),
            &mut leaves,
        );
        leaves
    };
    let (said_leaves, computed_leaves) = (value(said), value(computed));
    for key in said_leaves.keys().chain(computed_leaves.keys()) {
        let at = |leaves: &BTreeMap<String, String>| {
            leaves
                .get(key)
                .cloned()
                .unwrap_or_else(|| "nothing".to_owned())
        };
        if at(&said_leaves) != at(&computed_leaves) {
            return Err(differs(key, at(&said_leaves), at(&computed_leaves)));
        }
    }
    // The printed page is made of the result alone: the same result prints the same page.
    if text(said) != text(computed) {
        return Err(differs(
            "the printed table",
            "one thing".into(),
            "another".into(),
        ));
    }
    Ok(said_leaves.len())
}

fn flatten(key: &str, value: &serde_json::Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                flatten(&format!("{key}.{name}"), value, leaves);
            }
        }
        serde_json::Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{key}[{index}]"), value, leaves);
            }
        }
        leaf => {
            leaves.insert(key.trim_start_matches('.').to_owned(), leaf.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::{Wanted, write};
    use super::super::samples;
    use super::*;

    fn written(folder: &Path) -> BenchResult {
        let measured = samples::measured();
        let result = reduce(&measured, samples::circumstances());
        write(folder, &measured, &result, &Wanted::default()).unwrap();
        result
    }

    #[test]
    fn a_result_as_written_stands() {
        let folder = tempfile::tempdir().unwrap();
        let result = written(folder.path());
        for name in ["bench.json", "bench.hlog"] {
            let checked = check(&folder.path().join(name)).unwrap();
            assert_eq!(checked.result, result);
            assert_eq!(checked.histograms, 33);
            assert!(checked.figures > 100);
        }
    }

    #[test]
    fn a_figure_that_was_improved_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut result = written(folder.path());
        let path = folder.path().join("bench.json");
        result.series[0].figures.p99_ns = Some(1);
        std::fs::write(&path, serde_json::to_vec(&result).unwrap()).unwrap();
        let error = check(&path).unwrap_err().to_string();
        assert!(
            error.contains("series[0].figures.p99_ns says 1, its log"),
            "{error}"
        );
        result = written(folder.path());
        result.comparisons[0].ratio = 0.9;
        std::fs::write(&path, serde_json::to_vec(&result).unwrap()).unwrap();
        let error = check(&path).unwrap_err().to_string();
        assert!(error.contains("comparisons[0].ratio"), "{error}");
    }

    #[test]
    fn a_log_with_a_round_less_or_a_flipped_byte_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join("bench.hlog");
        let log = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = log.lines().collect();
        lines.pop();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert!(check(&path).is_err());
        // Deep inside some histogram.
        let mut bytes = log.into_bytes();
        let at = bytes.len() - 40;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(&path, bytes).unwrap();
        let error = check(&path).unwrap_err();
        assert!(
            matches!(
                error,
                CheckError::Damaged { .. } | CheckError::Differs { .. }
            ),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_result_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bench.json");
        let error = check(&path).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        std::fs::write(&path, "{\"format\": 3").unwrap();
        let error = check(&path).unwrap_err().to_string();
        assert!(
            !error.contains('\n') && error.contains("bench.json"),
            "{error}"
        );
    }
}
