use super::sample_runs::{report, sound, without_loop};
use crate::report::write;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::BTreeMap;
use std::path::Path;

/// All intervals of a log, summed by tag.
fn read(path: &Path) -> BTreeMap<String, Histogram<u64>> {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.starts_with(b"#[Histogram log format version 1.3]\n"));
    let mut deserializer = Deserializer::new();
    let mut sums = BTreeMap::<String, Histogram<u64>>::new();
    for entry in IntervalLogIterator::new(&bytes) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let histogram = interval.encoded_histogram();
            let histogram = base64_decoded(histogram);
            let histogram: Histogram<u64> = deserializer.deserialize(&mut &histogram[..]).unwrap();
            let tag = interval.tag().unwrap().as_str().to_owned();
            match sums.get_mut(&tag) {
                Some(sum) => sum.add(&histogram).unwrap(),
                None => drop(sums.insert(tag, histogram)),
            }
        }
    }
    sums
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[test]
fn the_loop_log_gives_back_the_percentiles_of_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = sound();
    let report = report(&outcome);
    write(dir.path(), &outcome, &report, &[]).unwrap();
    let sums = read(&dir.path().join("loop.hlog"));
    let figures = &report.loop_latency.as_ref().unwrap().hop.figures;
    let corrected = &sums["loop.corrected"];
    assert_eq!(corrected.len(), figures.count);
    assert_eq!(Some(corrected.value_at_quantile(0.5)), figures.p50_ns);
    assert_eq!(Some(corrected.value_at_quantile(0.99)), figures.p99_ns);
    assert_eq!(Some(corrected.value_at_quantile(0.9999)), figures.p9999_ns);
    assert_eq!(Some(corrected.max()), figures.max_ns);
    let seconds = report.loop_latency.as_ref().unwrap().seconds.iter();
    assert_eq!(
        sums["loop"].len(),
        seconds.map(|s| s.figures.count).sum::<u64>()
    );
}

#[test]
fn every_hop_stands_in_the_log_under_its_tag() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = sound();
    write(dir.path(), &outcome, &report(&outcome), &[]).unwrap();
    let sums = read(&dir.path().join("hops.hlog"));
    assert_eq!(sums.len(), outcome.hops.len() * 2);
    let band = outcome.hops.iter().find(|h| h.stage == "band").unwrap();
    assert_eq!(
        sums["band.wake"].value_at_quantile(0.99),
        band.uncorrected.value_at_quantile(0.99)
    );
    assert!(sums.contains_key("timer.timer_lateness"));
}

#[test]
fn the_percentile_file_has_the_columns_that_plotters_expect_and_ends_at_the_maximum() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = sound();
    write(dir.path(), &outcome, &report(&outcome), &[]).unwrap();
    let text = std::fs::read_to_string(dir.path().join("loop.hgrm")).unwrap();
    let heads = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>();
    assert_eq!(
        heads,
        ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    );
    let rows = text
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_whitespace()
                .map(|n| n.parse::<f64>().unwrap())
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>();
    let corrected = &outcome.loop_hop.as_ref().unwrap().corrected;
    let last = rows.last().unwrap();
    assert_eq!((last[1], last[2]), (1.0, corrected.len() as f64));
    assert!((last[0] - corrected.max() as f64 / 1e3).abs() < 0.001);
    assert!(rows[..rows.len() - 1].iter().all(|row| row.len() == 4));
    assert!(
        rows.windows(2)
            .all(|w| w[0][0] <= w[1][0] && w[0][2] <= w[1][2])
    );
    assert!(text.contains("#[Max     ="));
}

#[test]
fn a_run_without_a_loop_leaves_no_loop_files_not_even_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let with = sound();
    write(dir.path(), &with, &report(&with), &[]).unwrap();
    let without = without_loop();
    let written = write(dir.path(), &without, &report(&without), &[]).unwrap();
    assert!(!dir.path().join("loop.hlog").exists() && !dir.path().join("loop.hgrm").exists());
    assert_eq!(written.len(), 4);
}
