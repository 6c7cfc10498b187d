//! A capture of a session whose rings are long enough to hold all of it.

use ephapse_engine::abi::{ActivationRecord, SlotHeader, circumstance, segment};
use ephapse_engine::capture::layout::kind;
use ephapse_engine::capture::{
    AppendOptions, Appender, EndNote, EndOf, Entry, GapNote, GapOf, Meta, ParamsNote,
};
use ephapse_engine::launch::{Processes, segment_name};
use ephapse_engine::ring::Observer;
use ephapse_engine::runner::telemetry::TelemetryReader;
use ephapse_engine::shm::{Access, Segment};
use ephapse_rtconfig::plan::Plan;
use serde_json::Value;
use std::path::Path;
use zerocopy::IntoBytes;

/// Everything a session made.
pub struct Recorded {
    plan: Plan,
    /// By stream; none of one whose ring did not hold all of it.
    blocks: Vec<Vec<(SlotHeader, Vec<u8>)>>,
    /// By process.
    activations: Vec<(String, Vec<ActivationRecord>)>,
    /// Stage, epoch, parameters.
    pub params: Vec<(String, u64, Value)>,
}

/// What has happened, as the records say.
#[derive(Debug, Default)]
pub struct Circumstances {
    pub skipped: usize,
    pub dropped: usize,
    pub started_over: usize,
    pub epochs: usize,
    pub several: usize,
    pub without: usize,
}

/// What is wrong with the capture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Damage {
    None,
    /// One bit of a block's payload.
    Flip(&'static str, u64),
    /// The clock of a turn.
    Clock(&'static str, u64),
    /// Three activation records.
    LoseRecords(&'static str, u64),
    /// Three blocks.
    LoseBlocks(&'static str, u64),
}

impl Recorded {
    /// Out of the segments, at the end.
    pub fn of(plan: &Plan, processes: &Processes) -> Self {
        let name = |part: &str| segment_name(&plan.session, part);
        let blocks = plan.streams.iter().map(|stream| {
            let segment =
                Segment::open(&name(&stream.name), segment::RING, Access::ReadOnly).unwrap();
            let ring = Observer::attach(&segment).unwrap();
            let mut payload = vec![0; stream.stream_type.block_bytes()];
            let rows = stream.stream_type.row_bytes();
            let copied = (0..ring.published()).map(|position| {
                let header = ring.copy(position, &mut payload)?;
                Some((header, payload[..header.valid as usize * rows].to_vec()))
            });
            copied.collect::<Option<Vec<_>>>().unwrap_or_default()
        });
        let activations = processes.list.iter().map(|process| {
            let part = format!("telemetry.{}", process.name);
            let segment =
                Segment::open(&name(&part), segment::TELEMETRY, Access::ReadWrite).unwrap();
            let mut reader = TelemetryReader::attach(&segment).unwrap();
            let records: Vec<_> = core::iter::from_fn(|| reader.take()).collect();
            assert_eq!(reader.missing(), 0, "{}", process.name);
            (process.name.clone(), records)
        });
        Recorded {
            plan: plan.clone(),
            blocks: blocks.collect(),
            activations: activations.collect(),
            params: Vec::new(),
        }
    }

    /// The header of a block.
    pub fn header(&self, stream: &str, position: usize) -> SlotHeader {
        let index = self
            .plan
            .streams
            .iter()
            .position(|s| s.name == stream)
            .unwrap();
        self.blocks[index][position].0
    }

    /// What has happened to it.
    pub fn circumstances(&self) -> Circumstances {
        let records = self.activations.iter().filter(|(name, _)| name != "timer");
        let all: Vec<(&str, &ActivationRecord)> = records
            .flat_map(|(name, records)| records.iter().map(move |r| (name.as_str(), r)))
            .collect();
        let count = |is: &dyn Fn(&str, &ActivationRecord) -> bool| {
            all.iter().filter(|(n, r)| is(n, r)).count()
        };
        let nibble = |r: &ActivationRecord, index: u32| r.blocks >> (4 * index) & 15;
        Circumstances {
            skipped: count(&|_, r| r.skipped.iter().any(|n| *n > 0)),
            dropped: count(&|_, r| r.circumstances & circumstance::DROPPED != 0),
            started_over: count(&|_, r| r.circumstances & circumstance::STARTED_OVER != 0),
            epochs: 1 + self.params.len(),
            several: count(&|_, r| (0..8).any(|i| nibble(r, i) > 1)),
            without: count(&|name, r| {
                name == "join" && r.blocks != 0 && (0..4).any(|i| nibble(r, i) == 0)
            }),
        }
    }

    fn process(&self, name: &str) -> usize {
        self.activations
            .iter()
            .position(|(n, _)| n == name)
            .unwrap()
    }
}

/// Writes it down.
pub fn record(recorded: &Recorded, path: &Path, damage: Damage) {
    let meta = Meta {
        version: env!("CARGO_PKG_VERSION").into(),
        capture_id: "0123456789abcdef".repeat(2),
        session_id: "0f".repeat(16),
        machine_id: "a0".repeat(16),
        created_realtime_ns: 1,
        created_monotonic_ns: 1,
        plan: recorded.plan.clone(),
        processes: recorded
            .activations
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
        streams: (0..recorded.plan.streams.len() as u32)
            .filter(|stream| !recorded.blocks[*stream as usize].is_empty())
            .collect(),
        host: Value::Null,
    };
    let mut appender = Appender::create(path, &meta, AppendOptions::default()).unwrap();
    let entry = |kind, source: usize, position: usize, at_ns| Entry {
        kind,
        source: source as u32,
        count: 1,
        position: position as u64,
        at_ns,
    };
    let gap = |appender: &mut Appender, of, from: u64| {
        let note = GapNote {
            of,
            from,
            count: 3,
            why: "spool full".into(),
        };
        appender.append_note(Entry::note(kind::GAP), &note).unwrap();
    };
    for (stage, epoch, params) in &recorded.params {
        let note = ParamsNote {
            stage: stage.clone(),
            epoch: *epoch,
            tick: 0,
            params: params.clone(),
        };
        appender
            .append_note(Entry::note(kind::PARAMS), &note)
            .unwrap();
    }
    for (stream, blocks) in recorded.blocks.iter().enumerate() {
        let name = recorded.plan.streams[stream].name.as_str();
        for (position, (header, payload)) in blocks.iter().enumerate() {
            let mut payload = payload.clone();
            match damage {
                Damage::Flip(of, at) if of == name && at == position as u64 => payload[0] ^= 1,
                Damage::LoseBlocks(of, at)
                    if of == name && (at..at + 3).contains(&(position as u64)) =>
                {
                    if at == position as u64 {
                        gap(&mut appender, GapOf::Stream(stream as u32), at);
                    }
                    continue;
                }
                _ => {}
            }
            let entry = entry(kind::BLOCKS, stream, position, header.committed_ns);
            appender
                .append(entry, &[header.as_bytes(), &payload])
                .unwrap();
        }
    }
    for (process, (name, records)) in recorded.activations.iter().enumerate() {
        // Of the turns, for an activation that found nothing has a clock that nobody read.
        let turns = records
            .iter()
            .enumerate()
            .filter(|(_, r)| r.committed_ns != 0);
        let turns: Vec<usize> = turns.map(|(number, _)| number).collect();
        for (number, record) in records.iter().enumerate() {
            let mut record = *record;
            match damage {
                Damage::Clock(of, at) if of == name && turns[at as usize] == number => {
                    record.now_ns += 1
                }
                Damage::LoseRecords(of, at)
                    if of == name && (at..at + 3).contains(&(number as u64)) =>
                {
                    if at == number as u64 {
                        gap(
                            &mut appender,
                            GapOf::Activations(recorded.process(of) as u32),
                            at,
                        );
                    }
                    continue;
                }
                _ => {}
            }
            let entry = entry(kind::ACTIVATIONS, process, number, record.woke_ns);
            appender.append(entry, &[record.as_bytes()]).unwrap();
        }
    }
    let end = EndNote {
        streams: recorded
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, blocks)| !blocks.is_empty())
            .map(|(stream, blocks)| EndOf {
                stream: stream as u32,
                position: Some(blocks.len() as u64),
                reason: 1,
                lost: 0,
            })
            .collect(),
        activations: recorded
            .activations
            .iter()
            .map(|(_, r)| r.len() as u64)
            .collect(),
    };
    appender.append_note(Entry::note(kind::END), &end).unwrap();
    appender.seal("closed").unwrap();
}
