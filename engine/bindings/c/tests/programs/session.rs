//! A session of one stage, made by hand as the launcher makes it: one or two inputs that the test feeds, one output that it
//! reads.

use ephapse_engine::abi::{
    OPEN, PAGE, SegmentHeader, SessionWords, SlotHeader, StageWords, end_reason, segment,
    stage_state,
};
use ephapse_engine::launch::{SessionLock, segment_name};
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::runner::file::{Duty, EdgeDuty, STAGE_VARIABLE, StageDuty, StageFile};
use ephapse_engine::runner::{memory, telemetry};
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::stage::{Described, Program, Role, Taken};
use ephapse_engine::sync::Ordering;
use ephapse_engine::{os, text};
use ephapse_rtconfig::plan::{
    Full, InputPlan, OnDeath, OutputPlan, Overrun, Pace, Policy, Read, SeatKind, StagePlan,
    WaitKind,
};
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// Slots of both rings: a test feeds no more blocks than that.
const SLOTS: u32 = 64;
/// For what takes milliseconds.
const BOUND: Duration = Duration::from_secs(20);

/// What a stage is run with.
pub struct Wanted<'a> {
    pub program: &'a Path,
    pub params: Value,
    /// Port and type of the input's ring.
    pub input: (&'a str, StreamType),
    /// Blocks on a second input, `beside`, of the same type, all there before the first activation. It is read whole.
    pub beside: &'a [(SlotHeader, Vec<u8>)],
    /// The type that the stage file says; the ring's if `None`.
    pub expects: Option<StreamType>,
    /// Port and type of the output's ring.
    pub output: (&'a str, StreamType),
    pub state_bytes: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Everything published.
    pub blocks: Vec<Taken>,
    pub exit_code: Option<i32>,
    pub stderr: String,
    /// State of the stage at the end.
    pub state: u64,
    /// The line in its segment.
    pub reason: String,
    /// It asked the session to stop.
    pub asks_stop: bool,
}

struct Session {
    // Segments first, then the lock that names them.
    session: Owned,
    stage: Owned,
    _telemetry: Owned,
    _rings: Vec<Owned>,
    feed: Producer,
    beside: Option<Producer>,
    read: HoldSeat,
    lock: SessionLock,
}

fn header() -> SegmentHeader {
    SegmentHeader {
        launcher_pid: std::process::id(),
        ..SegmentHeader::default()
    }
}

fn ring(name: &str, stream_type: &StreamType) -> (Owned, Segment) {
    let spec = RingSpec {
        stream_type: stream_type.clone(),
        slots: SLOTS,
        full: Full::Wait,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "c".into(),
            port: "port".into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    };
    let owned = spec.create(name, header()).unwrap();
    let segment = Segment::open(name, segment::RING, Access::ReadWrite).unwrap();
    (owned, segment)
}

fn publish(feed: &mut Producer, header: SlotHeader, payload: &[u8]) {
    let position = feed.published();
    let (slot, bytes) = feed.slot(0);
    *slot = SlotHeader { position, ..header };
    bytes[..payload.len()].copy_from_slice(payload);
    feed.publish(1);
    feed.ring_readers();
}

/// The ports of the stage's inputs, the pacing one first.
fn input_ports<'a>(wanted: &Wanted<'a>) -> impl Iterator<Item = &'a str> {
    let beside = (!wanted.beside.is_empty()).then_some("beside");
    std::iter::once(wanted.input.0).chain(beside)
}

fn plan(wanted: &Wanted<'_>, described: Described) -> StagePlan {
    let stream_type = wanted.expects.as_ref().unwrap_or(&wanted.input.1);
    StagePlan {
        name: "mine".into(),
        kind: "test.c".into(),
        role: Role::Process,
        helper_of: None,
        program: Program::Lean,
        params: wanted.params.clone(),
        policy: Policy::Other,
        priority: 0,
        nice: 0,
        cpu: None,
        pace: Pace::Data,
        wait: WaitKind::Futex,
        divider: 1,
        phase: 0,
        burst: 8,
        overrun: Overrun::Skip,
        on_death: OnDeath::Stop,
        spare: false,
        budget_ns: None,
        inputs: input_ports(wanted)
            .map(|port| InputPlan {
                port: port.into(),
                stream: 0,
                seat: 0,
                seat_kind: SeatKind::Hold,
                read: Read::All,
                feedback: false,
                adapters: Vec::new(),
                stream_type: stream_type.clone(),
            })
            .collect(),
        outputs: vec![OutputPlan {
            port: wanted.output.0.into(),
            stream: 1,
        }],
        pacing: Some(0),
        described,
    }
}

impl Session {
    /// Makes the segments and the stage file.
    fn new(wanted: &Wanted<'_>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("c-test-{}-{number}", std::process::id());
        let lock = SessionLock::take(&name).unwrap();
        let part = |part: &str| segment_name(&name, part);
        let described = Described {
            outputs: vec![(wanted.output.0.into(), wanted.output.1.clone())],
            state_bytes: wanted.state_bytes,
            ..Described::default()
        };
        let mut session = Owned::create(&part("session"), 3 * PAGE).unwrap();
        session.publish(SegmentHeader {
            kind: segment::SESSION,
            fixed_bytes: PAGE as u64,
            ..header()
        });
        let words: &SessionWords = session.words(PAGE);
        words.stop_tick.store(OPEN, Ordering::Relaxed);
        words.period_ns.store(1_000_000, Ordering::Relaxed);
        let params = wanted.params.to_string();
        let stage = memory::create(&part("stage"), &described, &params, header()).unwrap();
        let records = telemetry::create(&part("telemetry"), 1024, header()).unwrap();
        let (input, feed) = ring(&part("in"), &wanted.input.1);
        let (output, read) = ring(&part("out"), &wanted.output.1);
        let mut rings = vec![input, output];
        let beside = (!wanted.beside.is_empty()).then(|| {
            let (owned, segment) = ring(&part("beside"), &wanted.input.1);
            rings.push(owned);
            let mut beside = Producer::attach(&segment, &wanted.input.1, 1).unwrap();
            for (header, payload) in wanted.beside {
                publish(&mut beside, *header, payload);
            }
            beside
        });
        let file = StageFile {
            session: name.clone(),
            session_segment: part("session"),
            stage_segment: part("stage"),
            telemetry_segment: part("telemetry"),
            generation: 1,
            // The stage's stdin: closed when the test is gone.
            lifeline_fd: 0,
            parked_fd: None,
            paced: true,
            tick_ns: 1_000_000,
            duty: Duty::Stage(Box::new(StageDuty {
                inputs: ["in", "beside"][..input_ports(wanted).count()]
                    .iter()
                    .map(|ring| EdgeDuty {
                        segment: part(ring),
                        stream_type: wanted.expects.as_ref().unwrap_or(&wanted.input.1).clone(),
                    })
                    .collect(),
                outputs: vec![EdgeDuty {
                    segment: part("out"),
                    stream_type: wanted.output.1.clone(),
                }],
                origin: 0,
                plan: plan(wanted, described),
            })),
        };
        let path = lock.folder().join("mine.json");
        std::fs::write(path, serde_json::to_vec(&file).unwrap()).unwrap();
        Session {
            session,
            stage,
            _telemetry: records,
            _rings: rings,
            beside,
            feed: Producer::attach(&feed, &wanted.input.1, 1).unwrap(),
            read: HoldSeat::attach(&read, 0, &wanted.output.1, 2).unwrap(),
            lock,
        }
    }

    fn words(&self) -> &StageWords {
        self.stage.words(PAGE)
    }

    fn state(&self) -> u64 {
        self.words().state.load(Ordering::Acquire)
    }

    /// The inputs are over.
    fn end(&mut self) {
        for feed in std::iter::once(&mut self.feed).chain(&mut self.beside) {
            feed.end(end_reason::FINISHED, 0);
            feed.ring_readers();
        }
    }

    fn take(&mut self) -> Vec<Taken> {
        let mut taken = Vec::new();
        while let Some(peeked) = self.read.peek(0) {
            taken.push(Taken {
                header: peeked.header,
                payload: peeked.payload.to_vec(),
            });
            self.read.release(1);
        }
        taken
    }
}

/// The process, killed if the test ends before it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended: so it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a stage from its start to its end, feeding it `blocks` once it is ready, then the end of its input.
pub fn run(wanted: &Wanted<'_>, blocks: &[(SlotHeader, Vec<u8>)]) -> Outcome {
    let mut session = Session::new(wanted);
    let child = Command::new(wanted.program)
        .env(STAGE_VARIABLE, session.lock.folder().join("mine.json"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut ended = None;
    let begun = Instant::now();
    while session.state() != stage_state::READY && ended.is_none() {
        assert!(begun.elapsed() < BOUND, "not ready");
        ended = child.0.try_wait().unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    session
        .session
        .words::<SessionWords>(PAGE)
        .start_ns
        .store(os::monotonic_ns(), Ordering::Release);
    for (header, payload) in blocks {
        publish(&mut session.feed, *header, payload);
    }
    session.end();
    while ended.is_none() {
        assert!(begun.elapsed() < BOUND, "does not end");
        ended = child.0.try_wait().unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut stderr = String::new();
    let mut pipe = child.0.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    Outcome {
        blocks: session.take(),
        exit_code: ended.unwrap().code(),
        stderr,
        state: session.state(),
        reason: text::load(&session.words().reason),
        asks_stop: session.words().asks_stop.load(Ordering::Acquire) != 0,
    }
}
