//! Every round's histogram as an interval of one HdrHistogram log, and back.

use super::contract::BenchResult;
use crate::measured::{Measured, Round};
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use std::io;
use std::time::Duration;

/// The log. Rounds of one series are in order of their start; values in ns.
///
/// # Errors
/// If a histogram cannot be written.
pub(super) fn write(measured: &Measured, result: &BenchResult) -> io::Result<Vec<u8>> {
    let mut lines: Vec<(&str, &Round)> = measured
        .series
        .iter()
        .flat_map(|s| s.rounds.iter().map(|round| (s.tag.as_str(), round)))
        .collect();
    // Readers expect the intervals in order of their start; the sort keeps the rounds of a series in theirs.
    lines.sort_by_key(|(_, round)| round.from_ns);
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!(
            "[Ephapse bench {}, started {}: one interval per round, values in ns]",
            result.what, result.started
        ))
        .begin_log_with(&mut bytes, &mut serializer)?;
    for (tag, round) in lines {
        log.write_histogram(
            &round.histogram,
            Duration::from_nanos(round.from_ns),
            Duration::from_nanos(round.length_ns),
            Tag::new(tag),
        )
        .map_err(|error| io::Error::other(error.to_string()))?;
    }
    drop(log);
    Ok(bytes)
}

/// Tag and histogram of every interval, in order.
///
/// # Errors
/// Where the log is damaged.
pub(super) fn read(log: &[u8]) -> Result<Vec<(String, Histogram<u64>)>, String> {
    let mut intervals = Vec::new();
    let mut deserializer = Deserializer::new();
    for (index, entry) in IntervalLogIterator::new(log).enumerate() {
        let damaged = |why: &dyn std::fmt::Debug| format!("entry {}: {why:?}", index + 1);
        let LogEntry::Interval(interval) = entry.map_err(|e| damaged(&e))? else {
            continue;
        };
        let packed = base64::engine::general_purpose::STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|e| damaged(&e))?;
        let histogram = deserializer
            .deserialize(&mut packed.as_slice())
            .map_err(|e| damaged(&e))?;
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        intervals.push((tag.to_owned(), histogram));
    }
    Ok(intervals)
}
