//! The files of a report, read back as whoever gets them would.

use super::resolution::cell;
use crate::report::Report;
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::collections::BTreeMap;
use std::path::Path;

/// How many values in which cell.
pub(super) type Cells = BTreeMap<u64, u64>;

/// One interval of a log.
pub(super) struct Logged {
    /// After the start, ns.
    pub from_ns: u64,
    /// ns.
    pub length_ns: u64,
    /// Its values.
    pub cells: Cells,
}

/// A line of a percentile file.
pub(super) struct Row {
    /// Value, ns.
    pub value_ns: u64,
    /// Values up to it.
    pub total: u64,
}

/// What stands in the files.
pub(super) struct Files {
    /// `report.json`.
    pub report: Report,
    /// Intervals of both logs by tag, in order.
    pub logs: BTreeMap<String, Vec<Logged>>,
    /// `loop.hgrm`.
    pub rows: Vec<Row>,
}

impl Files {
    /// Reads the folder of a report.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let bytes =
            |name: &str| std::fs::read(folder.join(name)).map_err(|e| format!("{name}: {e}"));
        let report = serde_json::from_slice(&bytes("report.json")?)
            .map_err(|e| format!("report.json: {e}"))?;
        let mut logs = BTreeMap::new();
        for name in ["loop.hlog", "hops.hlog"] {
            read_log(&bytes(name)?, &mut logs).map_err(|why| format!("{name}: {why}"))?;
        }
        let text = String::from_utf8(bytes("loop.hgrm")?).map_err(|e| format!("loop.hgrm: {e}"))?;
        let rows = text.lines().skip(1);
        let rows = rows.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows = rows.map(|line| row(line).ok_or_else(|| format!("loop.hgrm: {line:?}")));
        Ok(Files {
            report,
            logs,
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    /// All intervals of a tag together.
    pub fn sum(&self, tag: &str) -> Cells {
        let mut sum = Cells::new();
        for interval in self.logs.get(tag).into_iter().flatten() {
            for (cell, count) in &interval.cells {
                *sum.entry(*cell).or_insert(0) += count;
            }
        }
        sum
    }
}

fn read_log(log: &[u8], logs: &mut BTreeMap<String, Vec<Logged>>) -> Result<(), String> {
    let mut deserializer = Deserializer::new();
    for entry in IntervalLogIterator::new(log) {
        let LogEntry::Interval(interval) = entry.map_err(|e| format!("{e:?}"))? else {
            continue;
        };
        let packed = base64::engine::general_purpose::STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|e| e.to_string())?;
        let histogram: Histogram<u64> = deserializer
            .deserialize(&mut packed.as_slice())
            .map_err(|e| e.to_string())?;
        let tag = interval.tag().map_or("", |tag| tag.as_str()).to_owned();
        logs.entry(tag).or_default().push(Logged {
            from_ns: interval.start_timestamp().as_nanos() as u64,
            length_ns: interval.duration().as_nanos() as u64,
            cells: histogram
                .iter_recorded()
                .map(|step| (cell(step.value_iterated_to()), step.count_at_value()))
                .collect(),
        });
    }
    Ok(())
}

/// Value in us, percentile, count up to it.
fn row(line: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    let value_us: f64 = words.next()?.parse().ok()?;
    Some(Row {
        value_ns: (value_us * 1e3).round() as u64,
        total: words.nth(1)?.parse().ok()?,
    })
}
