//! The recorder as its launcher has it: capture and spool are made before it is started, its accounts read from the spool,
//! and it is the last to leave.

use super::account::{close_seats, producer_words};
use super::prepare::{Part, Processes};
use super::run::Run;
use super::used_files::used_files;
use super::{LaunchError, Options, segment_name};
use crate::abi::{SegmentHeader, segment, stage_state};
use crate::capture::recover::append_rest;
use crate::capture::spool::{self, Account, SpoolView};
use crate::capture::{Appender, Meta, append_options, free_path};
use crate::os;
use crate::outcome::{RecordingLoss, RecordingRecord};
use crate::runner::file::{EdgeDuty, RecordedDuty, RecorderDuty, TiedDuty, WatchedDuty};
use crate::runner::telemetry::expect_recorder;
use crate::shm::{Access, Owned, Segment};
use crate::sync::Ordering;
use ephapse_rtconfig::host::HostFingerprint;
use ephapse_rtconfig::plan::{RECORDER, RecorderPlan};
use ephapse_rtconfig::recording::{bytes_per_second, shortest_ring_ns, spool_bytes};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// FIFO priority of the thread that reads the rings: below every stage.
const PRIORITY: u8 = 30;
/// So often in the time in which the fastest ring is filled the recorder looks at it.
const LOOKS_PER_RING: u64 = 4;
/// Bounds of the time from look to look: the lower spares the CPU, the upper keeps the capture fresh.
const LOOK_NS: core::ops::RangeInclusive<u64> = 500_000..=20_000_000;
/// Allocated on the disk ahead: what comes in a second, within these bounds.
const AHEAD: core::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;
/// From the last exit of everybody else to that of the recorder.
const RECORD_WITHIN: Duration = Duration::from_secs(15);

/// The recording of a session.
pub struct Recording {
    /// What the recorder is told.
    pub duty: RecorderDuty,
    /// The spool.
    pub spool: Owned,
    view: SpoolView,
}

/// How the recording ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Why it is not whole; empty if it is.
    why: String,
}

fn ns(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |d| d.as_nanos() as u64)
}

impl Recording {
    /// Makes the capture and the spool, for the processes that there are.
    pub(super) fn create(
        all: &Processes,
        plan: &RecorderPlan,
        options: &Options<'_>,
        header: SegmentHeader,
    ) -> Result<Self, LaunchError> {
        let session = &all.plan.session;
        let folder = plan.path.as_ref().unwrap_or(&options.capture_folder);
        let duty = duty(all, plan, folder)?;
        let spool_segment = segment_name(session, "spool");
        let sources = duty.streams.len() + duty.processes.len();
        let bytes = spool_bytes(&all.plan, plan);
        let spool = spool::create(&spool_segment, sources, bytes, header)?;
        let view = Segment::open(&spool_segment, segment::SPOOL, Access::ReadOnly)?;
        let view = SpoolView::attach(&view)?;
        // Made here, so that a folder that cannot be written to is known before anything runs.
        let meta = meta(all, &duty, header);
        drop(Appender::create(
            &duty.capture,
            &meta,
            append_options(&duty),
        )?);
        Ok(Recording { duty, spool, view })
    }

    /// What the recorder has done with a stream's blocks; `None` if that is not recorded.
    pub fn account(&self, stream: usize) -> Option<Account> {
        let mut recorded = self.duty.streams.iter();
        let source = recorded.position(|r| r.stream as usize == stream)?;
        Some(self.view.account(source))
    }

    /// The spool's words.
    pub fn spool_view(&self) -> &SpoolView {
        &self.view
    }

    /// Orders the recorder to keep what comes, or to pass it over; false if that was ordered already.
    pub(super) fn switch(&self, on: bool) -> bool {
        let off = u64::from(!on);
        self.spool_orders().off.swap(off, Ordering::AcqRel) != off
    }

    fn is_on(&self) -> bool {
        self.spool_orders().off.load(Ordering::Acquire) == 0
    }

    /// How it stands.
    pub(super) fn status(&self) -> Value {
        let sources = self.duty.streams.len() + self.duty.processes.len();
        let accounts = (0..sources).map(|source| self.view.account(source));
        let (bytes, lost) = accounts.fold((0, 0), |(bytes, lost), account| {
            (
                bytes + account.bytes,
                lost + account.lapped + (account.jumped - account.off),
            )
        });
        json!({
            "capture": self.duty.capture,
            "on": self.is_on(),
            "bytes": bytes,
            "lost": lost,
            "waiting_bytes": self.view.waiting_bytes(),
            "spool_bytes": self.view.bytes(),
            "why": self.view.why(),
        })
    }

    /// What came of it.
    pub(super) fn outcome(&self, all: &Processes, ended: Ended) -> RecordingRecord {
        let streams = self.duty.streams.iter();
        let streams = streams.map(|r| all.plan.streams[r.stream as usize].name.as_str());
        let processes = self.duty.processes.iter().map(|p| p.name.as_str());
        let names: Vec<&str> = streams.chain(processes).collect();
        let accounts: Vec<Account> = (0..names.len()).map(|s| self.view.account(s)).collect();
        let (blocks, records) = accounts.split_at(self.duty.streams.len());
        let consumed = |accounts: &[Account]| accounts.iter().map(|a| a.consumed).sum();
        let streams = self.duty.streams.iter();
        let left = streams.zip(blocks).map(|(recorded, account)| {
            let published = &producer_words(all, recorded.stream as usize).published;
            published
                .load(Ordering::Acquire)
                .saturating_sub(account.position)
        });
        let left: Vec<u64> = left.chain(records.iter().map(|_| 0)).collect();
        let lost = names.iter().zip(&accounts).zip(left);
        let lost = lost.filter_map(|((of, account), left)| {
            let count = account.lapped + account.jumped + left;
            (count > 0).then(|| RecordingLoss {
                of: (*of).to_owned(),
                count,
                spool_full: account.no_room,
                off: account.off,
            })
        });
        let said = self.view.why();
        RecordingRecord {
            capture: self.duty.capture.clone(),
            blocks: consumed(blocks),
            activations: consumed(records),
            bytes: accounts.iter().map(|a| a.bytes).sum(),
            lost: lost.collect(),
            unwritten_bytes: self.view.waiting_bytes(),
            sealed: self.view.is_sealed(),
            why: if ended.why.is_empty() {
                said
            } else {
                ended.why
            },
        }
    }
}

fn duty(all: &Processes, plan: &RecorderPlan, folder: &Path) -> Result<RecorderDuty, LaunchError> {
    let refused = |e: std::io::Error| LaunchError::File {
        path: folder.to_owned(),
        why: format!("the recording cannot go there: {e}"),
    };
    std::fs::create_dir_all(folder).map_err(refused)?;
    // Whoever ends the capture of a dead session may run elsewhere.
    let folder = std::path::absolute(folder).map_err(refused)?;
    let session = &all.plan.session;
    let streams = plan.streams.iter().map(|recorded| {
        let stream = &all.plan.streams[recorded.stream];
        RecordedDuty {
            stream: recorded.stream as u32,
            seat: recorded.seat,
            kind: stream.seats[recorded.seat as usize].kind,
            edge: EdgeDuty {
                segment: segment_name(session, &stream.name),
                stream_type: stream.stream_type.clone(),
            },
        }
    });
    // Most stages run the same executable.
    let mut seen = HashSet::new();
    let processes = all.list.iter().map(|process| WatchedDuty {
        name: process.name.clone(),
        telemetry_segment: process.started_from.file.telemetry_segment.clone(),
        stage_segment: process.started_from.file.stage_segment.clone(),
        files: {
            let stage = process.part.stage().map(|s| &all.plan.stages[s]);
            let mut files = used_files(&process.name, &process.started_from, stage);
            files.retain(|file| seen.insert((file.role.clone(), file.path.clone())));
            files
        },
    });
    let sources = all.list.iter().enumerate().flat_map(|(index, process)| {
        let stage = process.part.stage().map(|s| &all.plan.stages[s]);
        let source = stage.filter(|s| s.is_source());
        let outputs = source
            .into_iter()
            .flat_map(|s| s.outputs.iter().enumerate());
        outputs.map(move |(port, output)| TiedDuty {
            stream: all.plan.streams[output.stream].name.clone(),
            process: index as u32,
            port: port as u32,
        })
    });
    let paced = all.plan.timer.is_some();
    let look_ns = shortest_ring_ns(&all.plan, plan) / LOOKS_PER_RING;
    Ok(RecorderDuty {
        capture: free_path(&folder, session, os::realtime_ns()),
        spool_segment: segment_name(session, "spool"),
        events_segment: segment_name(session, "events"),
        streams: streams.collect(),
        processes: processes.collect(),
        sources: sources.collect(),
        priority: paced.then_some(PRIORITY),
        look_ns: look_ns.clamp(*LOOK_NS.start(), *LOOK_NS.end()),
        sync_ns: ns(plan.sync_s),
        ahead_bytes: (bytes_per_second(&all.plan, plan) as u64).clamp(*AHEAD.start(), *AHEAD.end()),
        roll_bytes: plan.roll_bytes,
        roll_ns: plan.roll_s.map(ns),
    })
}

fn meta(all: &Processes, duty: &RecorderDuty, header: SegmentHeader) -> Meta {
    let hex = |bytes: [u8; 16]| format!("{:032x}", u128::from_be_bytes(bytes));
    let host = HostFingerprint::read(Path::new("/"));
    Meta {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capture_id: hex(super::prepare::random_id()),
        session_id: hex(header.session_id),
        machine_id: hex(header.machine_id),
        created_realtime_ns: os::realtime_ns(),
        created_monotonic_ns: os::monotonic_ns(),
        plan: all.plan.clone(),
        processes: duty.processes.iter().map(|p| p.name.clone()).collect(),
        streams: duty.streams.iter().map(|r| r.stream).collect(),
        host: serde_json::to_value(host).unwrap_or_default(),
    }
}

impl Processes {
    /// The recorder will not come back: nobody waits for it any more.
    pub(super) fn leave_unrecorded(&self) {
        close_seats(self, Part::Recorder);
        for process in &self.list {
            if let Some(records) = &process.records {
                expect_recorder(records, false);
            }
        }
    }
}

impl Run {
    /// Everybody else has left: lets the recorder keep the rest and end the capture. If it has died for good, that is done
    /// here, before the memory goes.
    pub(super) fn finish_recording(
        &mut self,
        options: &mut Options<'_>,
        stop: &mut u64,
    ) -> Option<Ended> {
        let recording = self.processes.recording.as_ref()?;
        let index = self
            .processes
            .list
            .iter()
            .position(|p| p.part == Part::Recorder)?;
        let orders = recording.spool_orders();
        orders.finish.store(1, Ordering::Release);
        let deadline = Instant::now() + RECORD_WITHIN;
        while self.processes.list[index].exited.is_none() {
            if Instant::now() > deadline {
                let recorder = &mut self.processes.list[index];
                recorder.kill();
                self.processes.events.say(
                    0,
                    RECORDER,
                    "did not end the capture in time and was killed",
                );
                break;
            }
            self.beat(options, stop);
        }
        let recorder = &self.processes.list[index];
        let recording = self.processes.recording.as_ref()?;
        let left_by_itself = recorder.words().state.load(Ordering::Acquire) == stage_state::DONE;
        if recording.view.is_sealed() || left_by_itself {
            return Some(Ended::default());
        }
        let session = segment_name(&self.processes.plan.session, "session");
        let rest = Segment::open(&session, segment::SESSION, Access::ReadOnly)
            .map_err(Into::into)
            .and_then(|session| append_rest(&session, &recording.duty));
        let why = rest
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        Some(Ended { why })
    }
}

impl Recording {
    fn spool_orders(&self) -> &spool::OrderWords {
        self.spool.words(spool::ORDERS_AT)
    }
}
