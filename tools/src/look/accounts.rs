//! Who stands at which end of a ring, and what their accounts say: from the files the launcher gave its processes, and
//! from the segments of the stages.

use super::Session;
use ephapse_engine::abi::{Bank, segment};
use ephapse_engine::capture::spool::SpoolView;
use ephapse_engine::launch::{runtime_dir, segment_name};
use ephapse_engine::runner::file::{Duty, StageFile};
use ephapse_engine::runner::memory::StageMemory;
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::sync::Ordering;
use ephapse_rtconfig::plan::RECORDER;

/// One stage as its file and segment tell.
pub struct StageAccounts {
    name: String,
    /// Port and segment of each input, in port order.
    inputs: Vec<(String, String)>,
    outputs: Vec<(String, String)>,
    memory: StageMemory,
}

/// What a reader has done with the blocks of a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub consumed: u64,
    pub jumped: u64,
    pub lapped: u64,
    pub gaps: u64,
    pub lost_frames: u64,
}

/// What a producer has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub stage: String,
    pub port: String,
    pub offered: u64,
    pub dropped: u64,
}

/// Every stage of the session whose file and segment can be read, and whether the session is paced.
pub fn stages(session: &Session) -> (Vec<StageAccounts>, bool) {
    let mut paced = true;
    let folder = runtime_dir().map(|dir| dir.join(session.name()));
    let files = folder.ok().and_then(|f| std::fs::read_dir(f).ok());
    let found = files
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.path()).ok()?;
            let file: StageFile = serde_json::from_str(&text).ok()?;
            paced = file.paced;
            let Duty::Stage(duty) = file.duty else {
                return None;
            };
            let segment =
                Segment::open(&file.stage_segment, segment::STAGE, Access::ReadOnly).ok()?;
            let inputs = duty.plan.inputs.iter().map(|i| i.port.clone());
            let outputs = duty.plan.outputs.iter().map(|o| o.port.clone());
            let of = |edge: ephapse_engine::runner::file::EdgeDuty| edge.segment;
            Some(StageAccounts {
                inputs: inputs.zip(duty.inputs.into_iter().map(of)).collect(),
                outputs: outputs.zip(duty.outputs.into_iter().map(of)).collect(),
                name: duty.plan.name,
                memory: StageMemory::attach(&segment, Access::ReadOnly).ok()?,
            })
        })
        .collect();
    (found, paced)
}

/// The recorder's accounts, if the session is recorded.
pub struct RecorderAccounts {
    streams: Vec<String>,
    spool: SpoolView,
}

impl RecorderAccounts {
    /// Those of a session whose files and spool can be read.
    pub fn of(session: &Session) -> Option<Self> {
        let path = runtime_dir().ok()?.join(session.name());
        let text = std::fs::read_to_string(path.join(format!("{RECORDER}.json"))).ok()?;
        let file: StageFile = serde_json::from_str(&text).ok()?;
        let Duty::Recorder(duty) = file.duty else {
            return None;
        };
        let spool = Segment::open(&duty.spool_segment, segment::SPOOL, Access::ReadOnly).ok()?;
        Some(RecorderAccounts {
            streams: duty.streams.into_iter().map(|r| r.edge.segment).collect(),
            spool: SpoolView::attach(&spool).ok()?,
        })
    }

    /// What it has done with the blocks of a ring.
    pub fn read(&self, session: &str, stream: &str) -> Option<Read> {
        let ring = segment_name(session, stream);
        let source = self.streams.iter().position(|s| *s == ring)?;
        let account = self.spool.account(source);
        Some(Read {
            consumed: account.consumed,
            jumped: account.jumped,
            lapped: account.lapped,
            gaps: account.gaps,
            lost_frames: 0,
        })
    }
}

/// The account of the reader that a seat was planned for.
pub fn read(stages: &[StageAccounts], stage: &str, port: &str) -> Option<Read> {
    let stage = stages.iter().find(|s| s.name == stage)?;
    let index = stage.inputs.iter().position(|(name, _)| name == port)?;
    let bank: &Bank = stage.memory.bank();
    let account = bank.inputs.get(index)?;
    Some(Read {
        consumed: account.consumed.load(Ordering::Relaxed),
        jumped: account.jumped.load(Ordering::Relaxed),
        lapped: account.lapped.load(Ordering::Relaxed),
        gaps: account.gaps.load(Ordering::Relaxed),
        lost_frames: account.lost_frames.load(Ordering::Relaxed),
    })
}

/// The account of a stream's producer.
pub fn made(stages: &[StageAccounts], session: &str, stream: &str) -> Option<Made> {
    let ring = segment_name(session, stream);
    stages.iter().find_map(|stage| {
        let index = stage.outputs.iter().position(|(_, s)| *s == ring)?;
        let account = stage.memory.bank().outputs.get(index)?;
        Some(Made {
            stage: stage.name.clone(),
            port: stage.outputs.get(index)?.0.clone(),
            offered: account.offered.load(Ordering::Relaxed),
            dropped: account.dropped.load(Ordering::Relaxed),
        })
    })
}
