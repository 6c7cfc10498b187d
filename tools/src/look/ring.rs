//! What `ephapse ring` knows of a ring at one moment.

use super::Session;
use super::accounts::{RecorderAccounts, StageAccounts, made, read, stages};
use ephapse_engine::abi::end_reason;
use ephapse_engine::os;
use ephapse_engine::ring::{Observer, Owner, RingView};
use ephapse_engine::shm::ShmError;
use ephapse_rtconfig::plan::{Full, RECORDER, SeatKind};
use serde::Serialize;

/// A ring.
#[derive(Clone, Debug, Serialize)]
pub struct RingState {
    pub stream: String,
    #[serde(rename = "type")]
    pub stream_type: String,
    pub slots: u64,
    pub slot_bytes: usize,
    /// Of the whole segment.
    pub bytes: usize,
    pub full: Full,
    pub published: u64,
    pub end: Option<EndState>,
    pub producer: MakerState,
    pub seats: Vec<SeatState>,
}

/// How a stream ended.
#[derive(Clone, Debug, Serialize)]
pub struct EndState {
    pub position: u64,
    pub reason: &'static str,
    pub lost_frames: u64,
}

/// Who holds a role.
#[derive(Clone, Debug, Serialize)]
pub struct Owned {
    pub pid: u32,
    pub generation: u32,
    pub alive: bool,
}

/// The producer; what its account says is missing if its segment cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct MakerState {
    pub stage: Option<String>,
    pub port: Option<String>,
    pub owner: Option<Owned>,
    pub offered: Option<u64>,
    pub dropped: Option<u64>,
}

/// A seat; what its reader's account says is missing if there is none.
#[derive(Clone, Debug, Serialize)]
pub struct SeatState {
    pub seat: usize,
    pub kind: SeatKind,
    pub spare: bool,
    pub stage: String,
    pub port: String,
    pub owner: Option<Owned>,
    pub closed: bool,
    pub position: u64,
    pub lag_blocks: u64,
    /// Since the oldest block it has not released was committed; at least so long, if that block itself can no longer be
    /// looked at. Nothing in an unpaced run, which has no such time.
    pub lag_ms: Option<f64>,
    pub consumed: Option<u64>,
    pub jumped: Option<u64>,
    pub lapped: Option<u64>,
    pub gaps: Option<u64>,
    pub lost_frames: Option<u64>,
}

/// The rings of a session, attached once and looked at as often as one likes.
pub struct Watched {
    rings: Vec<(String, RingView)>,
    stages: Vec<StageAccounts>,
    recorder: Option<RecorderAccounts>,
    paced: bool,
}

impl Watched {
    /// Attaches to the rings of these streams, read-only.
    ///
    /// # Errors
    /// The session has just ended, or a segment is damaged.
    pub fn attach(session: &Session, streams: Vec<String>) -> Result<Self, ShmError> {
        let (stages, paced) = stages(session);
        let rings = streams.into_iter().map(|stream| {
            let view = RingView::attach(&session.ring(&stream)?)?;
            Ok((stream, view))
        });
        Ok(Watched {
            rings: rings.collect::<Result<_, ShmError>>()?,
            stages,
            recorder: RecorderAccounts::of(session),
            paced,
        })
    }

    /// How they stand now. The words of different processes are read one after the other: in a running session they may
    /// be a block apart.
    pub fn look(&self, session: &Session) -> Vec<RingState> {
        let rings = self.rings.iter();
        rings
            .map(|(stream, view)| self.one(session, stream, view))
            .collect()
    }

    fn one(&self, session: &Session, stream: &str, view: &RingView) -> RingState {
        let owned = |owner: Owner| Owned {
            pid: owner.pid,
            generation: owner.generation,
            alive: session.is_alive(owner.pid),
        };
        let account = made(&self.stages, session.name(), stream);
        let producer = MakerState {
            stage: account.as_ref().map(|a| a.stage.clone()),
            port: account.as_ref().map(|a| a.port.clone()),
            owner: view.producer().map(owned),
            offered: account.as_ref().map(|a| a.offered),
            dropped: account.as_ref().map(|a| a.dropped),
        };
        let observer = view.observer();
        let seats = view.seats().into_iter().enumerate().map(|(index, seat)| {
            let recorder = self.recorder.as_ref().filter(|_| seat.stage == RECORDER);
            let account = match recorder {
                Some(recorder) => recorder.read(session.name(), stream),
                None => read(&self.stages, &seat.stage, &seat.port),
            };
            let taken = !seat.spare || seat.owner.is_some();
            // The positions were read before: `published` has not fallen behind them since.
            let lag_blocks = if taken && !seat.closed {
                observer.published().saturating_sub(seat.position)
            } else {
                0
            };
            SeatState {
                seat: index,
                kind: seat.kind,
                spare: seat.spare,
                owner: seat.owner.map(owned),
                closed: seat.closed,
                position: seat.position,
                lag_blocks,
                lag_ms: (self.paced && lag_blocks > 0)
                    .then(|| unread_for_ms(observer, seat.position))
                    .flatten(),
                consumed: account.map(|a| a.consumed),
                jumped: account.map(|a| a.jumped),
                lapped: account.map(|a| a.lapped),
                gaps: account.map(|a| a.gaps),
                lost_frames: account.map(|a| a.lost_frames),
                stage: seat.stage,
                port: seat.port,
            }
        });
        RingState {
            stream: stream.to_owned(),
            stream_type: observer.stream_type().summary(),
            slots: view.layout().slots,
            slot_bytes: view.layout().stride,
            bytes: view.bytes(),
            full: view.full(),
            seats: seats.collect(),
            published: observer.published(),
            end: view.end().map(|end| EndState {
                position: end.position,
                reason: match end.reason {
                    end_reason::FINISHED => "finished",
                    end_reason::STOPPED => "stopped",
                    end_reason::FAULT => "fault",
                    end_reason::DIED => "died",
                    _ => "unknown",
                },
                lost_frames: end.lost,
            }),
            producer,
        }
    }
}

/// Since the block at `position`, or the oldest behind it that can be read, was committed.
fn unread_for_ms(observer: &Observer, position: u64) -> Option<f64> {
    let at = position.max(observer.oldest());
    let header = observer.copy(at, &mut [])?;
    let age_ns = os::monotonic_ns().checked_sub(header.committed_ns)?;
    (header.committed_ns > 0).then_some(age_ns as f64 / 1e6)
}
