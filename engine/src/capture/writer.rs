//! The recorder's second half: appends what the spool holds to the capture, and beside it what it reads itself: events,
//! parameters, ties, and at the end how every stream ended. It may wait for the disk as long as that takes.

use super::append::{AppendError, AppendOptions, Appender, Entry};
use super::files::{FileReader, NamedFile};
use super::layout::kind;
use super::meta::{EndNote, EndOf, GapNote, GapOf, ParamsNote};
use super::resume::{Tail, tail_of};
use super::spool::{Emptying, Kind, Place, SpoolView};
use crate::abi::{end_reason, segment};
use crate::launch::read_entries;
use crate::os;
use crate::outcome::Tie;
use crate::ring::RingView;
use crate::runner::file::RecorderDuty;
use crate::runner::memory::{StageMemory, read_params};
use crate::runner::telemetry::KeptRecords;
use crate::shm::{Access, Segment, ShmError};
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zerocopy::IntoBytes;

/// From one look at events and parameters to the next.
const LOOK: Duration = Duration::from_millis(100);
/// From one row of the tie table to the next.
const TIE: Duration = Duration::from_secs(1);
/// After the disk has refused, until it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// From the end of the recording to giving up what was not yet read of executables and parameter files.
const FILES_WITHIN: Duration = Duration::from_secs(2);
/// Entries in one step.
const IN_A_ROW: usize = 256;

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A segment.
    #[error(transparent)]
    Shm(#[from] ShmError),
    /// The capture.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Somebody else writes it.
    #[error("{}: another process writes it still: try again when that has left", path.display())]
    Taken {
        /// The capture.
        path: PathBuf,
    },
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was appended, and there may be more.
    Wrote,
    /// There was nothing.
    Idle,
    /// The disk does not take it; it is tried again in a second.
    Refused,
}

/// A moment that comes again and again.
struct Every {
    length: Duration,
    next_ns: u64,
}

impl Every {
    fn new(length: Duration) -> Self {
        Every { length, next_ns: 0 }
    }

    fn is_due(&mut self, now_ns: u64) -> bool {
        let due = now_ns >= self.next_ns;
        if due {
            self.next_ns = now_ns + self.length.as_nanos() as u64;
        }
        due
    }
}

/// A process whose parameters are kept.
struct Tuned {
    name: String,
    segment: Segment,
    memory: StageMemory,
    epoch: Option<u64>,
    files: Vec<NamedFile>,
    /// Of the process whose files have been asked for.
    generation: Option<u64>,
}

/// A source whose frames are tied to the clocks.
struct Tied {
    stream: String,
    process: usize,
    port: usize,
}

/// Appends to the capture.
pub struct Writer {
    spool: Emptying,
    appender: Appender,
    streams: Vec<u32>,
    rings: Vec<RingView>,
    records: Vec<KeptRecords>,
    events: Segment,
    timer: crate::runner::memory::SessionView,
    processes: Vec<Tuned>,
    tied: Vec<Tied>,
    look: Every,
    tie: Every,
    sync: Every,
    refused_until_ns: u64,
    unsynced: bool,
    /// Reads the session's files; `None` when that is long over, and they may be others by now.
    files: Option<FileReader>,
}

/// How a capture is written, as the graph says.
pub fn append_options(duty: &RecorderDuty) -> AppendOptions {
    AppendOptions {
        ahead_bytes: duty.ahead_bytes,
        roll_bytes: duty.roll_bytes,
        roll_ns: duty.roll_ns,
    }
}

impl Writer {
    /// Opens the capture behind what a predecessor appended, and the spool behind what of it that was.
    ///
    /// # Errors
    /// A damaged segment, or a capture that cannot be written.
    pub fn attach(session: &Segment, duty: &RecorderDuty) -> Result<Self, RecordError> {
        let spool = session.open_beside(&duty.spool_segment, segment::SPOOL)?;
        let spool = Emptying::attach(&spool)?;
        let reached = spool.place().reached;
        let known = Some(reached).filter(|reached| reached.file > 0);
        let appender = Appender::reopen(&duty.capture, append_options(duty), known)?;
        let tail = tail_of(&duty.capture, reached)?;
        let rings = duty.streams.iter().map(|recorded| {
            RingView::attach(&session.open_beside(&recorded.edge.segment, segment::RING)?)
        });
        let records = duty.processes.iter().map(|process| {
            KeptRecords::attach(
                &session.open_beside(&process.telemetry_segment, segment::TELEMETRY)?,
            )
        });
        let processes = duty.processes.iter().map(|process| {
            let segment = session.open_beside(&process.stage_segment, segment::STAGE)?;
            Ok(Tuned {
                name: process.name.clone(),
                memory: StageMemory::attach(&segment, Access::ReadOnly)?,
                segment,
                epoch: None,
                files: process.files.clone(),
                generation: None,
            })
        });
        let mut writer = Writer {
            rings: rings.collect::<Result<_, ShmError>>()?,
            records: records.collect::<Result<_, ShmError>>()?,
            processes: processes.collect::<Result<_, ShmError>>()?,
            events: session.open_beside(&duty.events_segment, segment::EVENTS)?,
            timer: crate::runner::memory::SessionView::attach(session, Access::ReadOnly)?,
            streams: duty
                .streams
                .iter()
                .map(|recorded| recorded.stream)
                .collect(),
            tied: duty
                .sources
                .iter()
                .map(|source| Tied {
                    stream: source.stream.clone(),
                    process: source.process as usize,
                    port: source.port as usize,
                })
                .collect(),
            spool,
            appender,
            look: Every::new(LOOK),
            tie: Every::new(TIE),
            sync: Every::new(Duration::from_nanos(duty.sync_ns)),
            refused_until_ns: 0,
            unsynced: false,
            files: None,
        };
        writer.pass_appended(&tail);
        Ok(writer)
    }

    /// From now on executables and parameter files are read and noted, too.
    ///
    /// # Errors
    /// There is no thread for that.
    pub fn read_files(&mut self) -> io::Result<()> {
        self.files = Some(FileReader::start()?);
        Ok(())
    }

    /// What a killed predecessor has appended and not noted is not appended again.
    fn pass_appended(&mut self, tail: &Tail) {
        let mut place = Place {
            reached: self.appender.reached(),
            event: tail.event.unwrap_or(0).max(self.spool.place().event),
            ..self.spool.place()
        };
        let streams = self.streams.clone();
        if let (Some(last), Some(front)) = (tail.data, self.spool.front()) {
            let (number, source) = record_of(&streams, front.source, front.kind);
            if (last.kind, last.source, last.position) == (number, source, front.position) {
                place.taken += front.stride;
                place.entries += 1;
                place.appended += front.stride;
            }
        }
        self.spool.advance(place);
    }

    /// Appends some of what there is.
    pub fn step(&mut self) -> Step {
        let now_ns = os::monotonic_ns();
        if now_ns < self.refused_until_ns {
            return Step::Refused;
        }
        match self.write(now_ns) {
            Ok(wrote) => {
                if self.refused_until_ns != 0 {
                    self.refused_until_ns = 0;
                    self.spool.say("");
                }
                if wrote { Step::Wrote } else { Step::Idle }
            }
            Err(error) => {
                self.refused_until_ns = now_ns + TRY_AGAIN.as_nanos() as u64;
                self.spool
                    .view()
                    .empty()
                    .refused
                    .fetch_add(1, Ordering::Release);
                self.spool.say(&error.to_string());
                Step::Refused
            }
        }
    }

    fn write(&mut self, now_ns: u64) -> Result<bool, AppendError> {
        let mut wrote = false;
        for _ in 0..IN_A_ROW {
            if !self.append_front()? {
                break;
            }
            wrote = true;
        }
        if self.look.is_due(now_ns) {
            self.append_events()?;
            self.append_params()?;
            self.append_files()?;
        }
        if self.tie.is_due(now_ns) {
            self.append_tie()?;
        }
        if self.unsynced && self.sync.is_due(now_ns) {
            self.appender.sync()?;
            self.unsynced = false;
        }
        Ok(wrote)
    }

    /// Appends the oldest entry of the spool. False if there is none.
    fn append_front(&mut self) -> Result<bool, AppendError> {
        let place = self.spool.place();
        let Some(front) = self.spool.front() else {
            return Ok(false);
        };
        let (number, source) = record_of(&self.streams, front.source, front.kind);
        let entry = Entry {
            kind: number,
            source,
            count: match front.kind {
                Kind::Data(count) => count,
                Kind::Gap(..) => 1,
            },
            position: front.position,
            at_ns: front.at_ns,
        };
        let stride = front.stride;
        match front.kind {
            Kind::Data(_) => self.appender.append(entry, &front.parts)?,
            Kind::Gap(count, why) => {
                let of = if (front.source as usize) < self.streams.len() {
                    GapOf::Stream(source)
                } else {
                    GapOf::Activations(source)
                };
                let note = GapNote {
                    of,
                    from: front.position,
                    count,
                    why: why.words().to_owned(),
                };
                self.appender.append_note(entry, &note)?
            }
        };
        trap(Point::Appended);
        self.unsynced = true;
        self.spool.advance(Place {
            taken: place.taken + stride,
            entries: place.entries + 1,
            appended: place.appended + stride,
            reached: self.appender.reached(),
            ..self.spool.place()
        });
        Ok(true)
    }

    /// Notes that records were appended which no entry of the spool tells of.
    fn note(&mut self, event: u64) {
        self.unsynced = true;
        self.spool.advance(Place {
            reached: self.appender.reached(),
            event,
            ..self.spool.place()
        });
    }

    fn append_events(&mut self) -> Result<(), AppendError> {
        let last = self.spool.place().event;
        // A segment that was sound when it was opened can be mapped now; if not, its events are looked for again later.
        let new = read_entries(&self.events, last).unwrap_or_default();
        let (Some(first), Some(newest)) = (new.first(), new.last()) else {
            return Ok(());
        };
        let entry = Entry {
            kind: kind::EVENTS,
            source: 0,
            count: new.len() as u32,
            position: first.number,
            at_ns: first.at_ns,
        };
        let newest = newest.number;
        self.appender.append(entry, &[new.as_slice().as_bytes()])?;
        self.note(newest);
        Ok(())
    }

    fn append_params(&mut self) -> Result<(), AppendError> {
        let tick = self.timer.timer.tick.load(Ordering::Relaxed);
        for at in 0..self.processes.len() {
            let process = &self.processes[at];
            let epoch = process.memory.orders.epoch.load(Ordering::Acquire);
            if process.epoch == Some(epoch) {
                continue;
            }
            // Being written just now: the next look finds them.
            let Ok((epoch, params)) = read_params(&process.segment) else {
                continue;
            };
            let note = ParamsNote {
                stage: process.name.clone(),
                epoch,
                tick,
                params,
            };
            self.appender
                .append_note(Entry::note(kind::PARAMS), &note)?;
            self.processes[at].epoch = Some(epoch);
            self.note(self.spool.place().event);
        }
        Ok(())
    }

    fn append_files(&mut self) -> Result<(), AppendError> {
        let Some(reader) = &mut self.files else {
            return Ok(());
        };
        for process in &mut self.processes {
            let generation = process.memory.orders.generation.load(Ordering::Relaxed);
            // A process that is started again may be a rebuilt one.
            if process.generation != Some(generation) && generation > 0 {
                process.generation = Some(generation);
                reader.ask(&process.files);
            }
        }
        let found = reader.found();
        if !found.is_empty() {
            // Not taken before they are there: a full disk must not cost them.
            self.appender
                .append_note(Entry::note(kind::FILES), &found)?;
            reader.taken();
            self.note(self.spool.place().event);
        }
        Ok(())
    }

    fn append_tie(&mut self) -> Result<(), AppendError> {
        let frames = self.tied.iter().filter_map(|tied| {
            let output = self
                .processes
                .get(tied.process)?
                .memory
                .bank()
                .outputs
                .get(tied.port)?;
            let frames = output.valid.load(Ordering::Relaxed) + output.lost.load(Ordering::Relaxed);
            Some((tied.stream.clone(), frames))
        });
        let tie = Tie {
            monotonic_ns: os::monotonic_ns(),
            raw_ns: os::monotonic_raw_ns(),
            realtime_ns: os::realtime_ns(),
            frames: frames.collect(),
        };
        self.appender.append_note(Entry::note(kind::TIE), &tie)?;
        self.note(self.spool.place().event);
        Ok(())
    }

    /// Appends what waits in the spool now.
    ///
    /// # Errors
    /// The disk does not take it; nothing is lost by that.
    pub fn append_waiting(&mut self) -> Result<(), AppendError> {
        while self.append_front()? {}
        Ok(())
    }

    /// Bytes of the spool that have been appended so far, by all writers.
    pub fn appended_bytes(&self) -> u64 {
        self.spool.place().appended
    }

    /// Appends all that is left, and how everything ended, and seals the capture. `died`: streams that have no end have died
    /// with their makers.
    ///
    /// # Errors
    /// The disk does not take it. What was not appended is still in the spool; the capture is not sealed.
    pub fn finish(mut self, died: bool, why: &str) -> Result<(), AppendError> {
        let done = self.append_end(died);
        if let Err(error) = done {
            self.spool.say(&error.to_string());
            return Err(error);
        }
        self.appender.seal(why)?;
        self.spool.view().empty().sealed.store(1, Ordering::Release);
        Ok(())
    }

    fn append_end(&mut self, died: bool) -> Result<(), AppendError> {
        self.append_waiting()?;
        self.append_events()?;
        self.append_params()?;
        self.append_files()?;
        if let Some(reader) = &mut self.files {
            reader.wait(FILES_WITHIN);
        }
        self.append_files()?;
        self.append_tie()?;
        let ends =
            self.rings
                .iter()
                .zip(&self.streams)
                .map(|(ring, stream)| match (ring.end(), died) {
                    (Some(end), _) => EndOf {
                        stream: *stream,
                        position: Some(end.position),
                        reason: end.reason,
                        lost: end.lost,
                    },
                    (None, true) => EndOf {
                        stream: *stream,
                        position: Some(ring.observer().published()),
                        reason: end_reason::DIED,
                        lost: 0,
                    },
                    (None, false) => EndOf {
                        stream: *stream,
                        position: None,
                        reason: end_reason::NONE,
                        lost: 0,
                    },
                });
        let note = EndNote {
            streams: ends.collect(),
            activations: self.records.iter().map(KeptRecords::published).collect(),
        };
        self.appender.append_note(Entry::note(kind::END), &note)?;
        Ok(())
    }

    /// The spool's words.
    pub fn spool(&self) -> &SpoolView {
        self.spool.view()
    }

    /// The file that is being written.
    pub fn path(&self) -> &Path {
        self.appender.path()
    }
}

/// Kind and source of the record that an entry of the spool becomes.
fn record_of(streams: &[u32], source: u32, what: Kind) -> (u16, u32) {
    let at = source as usize;
    let stream = streams.get(at).copied();
    let number = match (what, stream) {
        (Kind::Gap(..), _) => kind::GAP,
        (Kind::Data(_), Some(_)) => kind::BLOCKS,
        (Kind::Data(_), None) => kind::ACTIVATIONS,
    };
    (
        number,
        stream.unwrap_or_else(|| (at - streams.len()) as u32),
    )
}
