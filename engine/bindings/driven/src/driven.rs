//! The session of one stage, made by hand.

use ephapse_engine::abi::{
    ActivationRecord, OPEN, PAGE, ProducerWords, RING_GEOMETRY_AT, RingGeometry, SeatWords,
    SegmentHeader, SessionWords, SlotHeader, TimerWords, end_reason, segment, stage_state,
};
use ephapse_engine::launch::{for_exec, segment_name};
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::runner::file::{Duty, EdgeDuty, STAGE_VARIABLE, StageDuty, StageFile};
use ephapse_engine::runner::memory::{self, StageMemory};
use ephapse_engine::runner::telemetry::{self, TelemetryReader};
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::stage::{Described, Program, Role, Taken};
use ephapse_engine::sync::{Ordering, fence};
use ephapse_engine::{os, text};
use ephapse_rtconfig::plan::{
    Full, InputPlan, OnDeath, OutputPlan, Overrun, Pace, Policy, Read, SeatKind, StagePlan,
    WaitKind,
};
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zerocopy::FromBytes;

/// Tick length, ns.
pub const TICK_NS: u64 = 1_000_000;
/// For what takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// What is to run, and between which rings.
pub struct Wanted<'a> {
    /// Kind, for a program that has several stages.
    pub kind: &'a str,
    pub params: Value,
    /// Port and type of each input's ring; the first paces.
    pub inputs: Vec<(&'a str, StreamType)>,
    /// Port and type of each output's ring.
    pub outputs: Vec<(&'a str, StreamType)>,
    /// The type of all inputs as the stage file says it; the rings' own if `None`.
    pub expects: Option<StreamType>,
    /// How a further input is read.
    pub read: Read,
    pub pace: Pace,
    /// Slots of every ring.
    pub slots: u32,
    /// What becomes of a block for which an output has no room.
    pub full: Full,
    pub state_bytes: usize,
    pub append_bytes: usize,
    /// Most blocks a call commits on one output.
    pub parts_per_call: u32,
    /// What the process says on stdout can be read.
    pub stdout: bool,
}

impl Default for Wanted<'_> {
    /// A data-paced stage between no rings.
    fn default() -> Self {
        Wanted {
            kind: "test",
            params: serde_json::json!({}),
            inputs: Vec::new(),
            outputs: Vec::new(),
            expects: None,
            read: Read::Same,
            pace: Pace::Data,
            slots: 16,
            full: Full::Wait,
            state_bytes: 0,
            append_bytes: 0,
            parts_per_call: 1,
            stdout: false,
        }
    }
}

/// One ring, as its launcher has it.
struct Ring {
    owned: Owned,
    geometry: RingGeometry,
}

impl Ring {
    fn producer(&self) -> &ProducerWords {
        self.owned.words(self.geometry.producer_at as usize)
    }

    fn seat(&self) -> &SeatWords {
        self.owned.words(self.geometry.seats_at as usize)
    }
}

/// A stage's process and everything around it.
pub struct Driven {
    pub session: Owned,
    /// Name of the session.
    pub name: String,
    pub memory: StageMemory,
    child: Option<Child>,
    command: Command,
    file: StageFile,
    feeds: Vec<Producer>,
    reads: Vec<HoldSeat>,
    records: TelemetryReader,
    // What was made outlives what maps it.
    inputs: Vec<Ring>,
    outputs: Vec<Ring>,
    _stage: Owned,
    _telemetry: Owned,
    folder: TempDir,
    _lifeline_read: OwnedFd,
    lifeline: Option<OwnedFd>,
}

/// How the process ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The line in its segment.
    pub reason: String,
    /// State of the stage.
    pub state: &'static str,
    pub stderr: String,
    /// It asked the session to stop.
    pub asks_stop: bool,
}

impl Driven {
    /// Starts the stage, waits until it is ready, and gives the start.
    #[track_caller]
    pub fn start(command: Command, wanted: &Wanted<'_>) -> Self {
        let mut driven = Self::spawn(command, wanted);
        driven.expect_ready();
        driven.give_start();
        driven
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(command: Command, wanted: &Wanted<'_>) -> Self {
        Self::spawn_spoiled(command, wanted, |_| ())
    }

    /// Makes everything that the process needs; `spoil` may then damage it before the process is started.
    pub fn spawn_spoiled(command: Command, wanted: &Wanted<'_>, spoil: impl FnOnce(&Self)) -> Self {
        let mut driven = Self::prepare(command, wanted);
        spoil(&driven);
        driven.start_process();
        driven
    }

    fn prepare(mut command: Command, wanted: &Wanted<'_>) -> Self {
        let number = SESSIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("driven-{}-{number}", std::process::id());
        let part = |part: &str| segment_name(&name, part);
        let header = SegmentHeader {
            session_id: u128::from(number + 1).to_be_bytes(),
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        };
        let mut session = Owned::create(&part("session"), 3 * PAGE).unwrap();
        session.publish(SegmentHeader {
            kind: segment::SESSION,
            fixed_bytes: PAGE as u64,
            ..header
        });
        let words = session.words::<SessionWords>(PAGE);
        words.stop_tick.store(OPEN, Ordering::Relaxed);
        words.start_tick.store(1, Ordering::Relaxed);
        words.period_ns.store(TICK_NS, Ordering::Relaxed);
        let ring = |port: &str, stream_type: &StreamType, full: Full| {
            let owned = ring_spec(port, stream_type, full, wanted.slots)
                .create(&part(port), header)
                .unwrap();
            Ring {
                owned,
                geometry: geometry(&part(port)),
            }
        };
        let inputs: Vec<Ring> = wanted
            .inputs
            .iter()
            .map(|(port, t)| ring(port, t, Full::Wait))
            .collect();
        let outputs: Vec<Ring> = wanted
            .outputs
            .iter()
            .map(|(port, t)| ring(port, t, wanted.full))
            .collect();
        let owner = 1 << 32 | u64::from(std::process::id());
        let open =
            |port: &str| Segment::open(&part(port), segment::RING, Access::ReadWrite).unwrap();
        let feeds = wanted.inputs.iter();
        let feeds = feeds.map(|(port, t)| Producer::attach(&open(port), t, owner).unwrap());
        let reads = wanted.outputs.iter();
        let reads = reads.map(|(port, t)| HoldSeat::attach(&open(port), 0, t, owner).unwrap());
        let (feeds, reads) = (feeds.collect(), reads.collect());
        let described = Described {
            outputs: wanted
                .outputs
                .iter()
                .map(|(port, t)| ((*port).to_owned(), t.clone()))
                .collect(),
            state_bytes: wanted.state_bytes,
            append_bytes: wanted.append_bytes,
            parts_per_call: wanted.parts_per_call,
            ..Described::default()
        };
        let params = wanted.params.to_string();
        let stage = memory::create(&part("stage"), &described, &params, header).unwrap();
        let own = Segment::open(&part("stage"), segment::STAGE, Access::ReadWrite).unwrap();
        let memory = StageMemory::attach(&own, Access::ReadWrite).unwrap();
        let telemetry = telemetry::create(&part("telemetry"), 16_384, header).unwrap();
        let own = Segment::open(&part("telemetry"), segment::TELEMETRY, Access::ReadWrite);
        let records = TelemetryReader::attach(&own.unwrap()).unwrap();
        let (lifeline_read, lifeline) = os::pipe().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = StageFile {
            session: name.clone(),
            session_segment: part("session"),
            stage_segment: part("stage"),
            telemetry_segment: part("telemetry"),
            generation: 0,
            lifeline_fd: lifeline_read.as_raw_fd(),
            parked_fd: None,
            ears: None,
            paced: true,
            tick_ns: TICK_NS,
            duty: Duty::Stage(Box::new(duty(wanted, described, &part))),
        };
        command
            .env(STAGE_VARIABLE, folder.path().join("stage.json"))
            .stdin(Stdio::null())
            .stdout(if wanted.stdout {
                Stdio::piped()
            } else {
                Stdio::null()
            });
        for_exec(&mut command, vec![lifeline_read.as_raw_fd()]);
        Driven {
            session,
            name,
            memory,
            child: None,
            command,
            file,
            feeds,
            reads,
            records,
            inputs,
            outputs,
            _stage: stage,
            _telemetry: telemetry,
            folder,
            _lifeline_read: lifeline_read,
            lifeline: Some(lifeline),
        }
    }

    fn start_process(&mut self) {
        self.file.generation += 1;
        let text = serde_json::to_vec(&self.file).unwrap();
        std::fs::write(self.folder.path().join("stage.json"), text).unwrap();
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("stderr"))
            .unwrap();
        self.child = Some(self.command.stderr(stderr).spawn().unwrap());
    }

    /// Starts a successor to the process, which has ended: frees its roles first, as a launcher does.
    pub fn spawn_successor(&mut self) {
        self.child().wait().unwrap();
        self.memory.words.owner.store(0, Ordering::Release);
        self.memory
            .words
            .state
            .store(stage_state::RESTARTING, Ordering::Release);
        for ring in &self.inputs {
            ring.seat().waiting.store(0, Ordering::Relaxed);
            ring.seat().owner.store(0, Ordering::Release);
        }
        for ring in &self.outputs {
            ring.producer().waiting.store(0, Ordering::Relaxed);
            ring.producer().owner.store(0, Ordering::Release);
        }
        self.start_process();
    }

    /// The process.
    pub fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// State of the stage, as one of [`stage_state`].
    pub fn state(&self) -> u64 {
        self.memory.words.state.load(Ordering::Acquire)
    }

    /// Waits until the stage is ready; false if it ends before.
    #[track_caller]
    pub fn becomes_ready(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.state() != stage_state::READY {
            if self.child().try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "not ready: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Waits until the stage is ready.
    #[track_caller]
    pub fn expect_ready(&mut self) {
        if !self.becomes_ready() {
            panic!("not ready: {:?}", self.wait());
        }
    }

    /// The common start: tick 0 falls due now.
    pub fn give_start(&self) {
        let words = self.session.words::<SessionWords>(PAGE);
        words.start_ns.store(os::monotonic_ns(), Ordering::Release);
    }

    /// When a tick falls due, CLOCK_MONOTONIC ns.
    pub fn deadline_ns(&self, tick: u64) -> u64 {
        let words = self.session.words::<SessionWords>(PAGE);
        words.start_ns.load(Ordering::Acquire) + tick * TICK_NS
    }

    /// Publishes a block on an input. False if there is no room.
    pub fn offer(&mut self, port: usize, header: SlotHeader, payload: &[u8]) -> bool {
        let feed = &mut self.feeds[port];
        if feed.room(1) == 0 {
            return false;
        }
        let position = feed.published();
        let (slot, bytes) = feed.slot(0);
        *slot = SlotHeader { position, ..header };
        bytes[..payload.len()].copy_from_slice(payload);
        feed.publish(1);
        feed.ring_readers();
        true
    }

    /// The same; waits for room.
    #[track_caller]
    pub fn feed(&mut self, port: usize, header: SlotHeader, payload: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while !self.offer(port, header, payload) {
            assert!(
                Instant::now() < deadline,
                "no room on input {port}: {}",
                self.stderr()
            );
            self.feeds[port].wait_for_room(1, Duration::from_millis(20));
        }
    }

    /// The next block of an output; `None` when its stream has ended.
    #[track_caller]
    pub fn take(&mut self, port: usize) -> Option<Taken> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(taken) = self.take_now(port) {
                return Some(taken);
            }
            if self.reads[port].done() {
                return None;
            }
            let died = self.child().try_wait().unwrap().is_some();
            assert!(
                !died && Instant::now() < deadline,
                "no block on {port}: {}",
                self.stderr()
            );
            self.reads[port].wait(0, Duration::from_millis(20));
        }
    }

    /// The next block of an output, if it is there.
    pub fn take_now(&mut self, port: usize) -> Option<Taken> {
        let seat = &mut self.reads[port];
        let peeked = seat.peek(0)?;
        let taken = Taken {
            header: peeked.header,
            payload: peeked.payload.to_vec(),
        };
        seat.release(1);
        seat.ring_producer();
        Some(taken)
    }

    /// Blocks that the stage has published on an output.
    pub fn published(&self, port: usize) -> u64 {
        let words = self.outputs[port].producer();
        words.published.load(Ordering::Acquire)
    }

    /// Position and reason of an output's end; `None` while it is open.
    pub fn end(&self, port: usize) -> Option<(u64, u64)> {
        let words = self.outputs[port].producer();
        let end = words.end.load(Ordering::Acquire);
        (end != OPEN).then(|| (end, words.end_reason.load(Ordering::Relaxed)))
    }

    /// Blocks of an input that the stage has released.
    pub fn released(&self, port: usize) -> u64 {
        self.inputs[port].seat().position.load(Ordering::Acquire)
    }

    /// Says that somebody else holds the stage's seat on an input.
    pub fn take_seat(&self, port: usize, owner: u64) {
        let words = self.inputs[port].seat();
        words.owner.store(owner, Ordering::Release);
    }

    /// Says that somebody else writes an output.
    pub fn take_output(&self, port: usize, owner: u64) {
        let words = self.outputs[port].producer();
        words.owner.store(owner, Ordering::Release);
    }

    /// The next activation record.
    pub fn record(&mut self) -> Option<ActivationRecord> {
        self.records.take()
    }

    /// Publishes a tick and rings, as the timer does.
    pub fn tick(&self, tick: u64, ring: &os::PidFd) {
        let words = self.session.words::<TimerWords>(2 * PAGE);
        words.tick.store(tick, Ordering::Release);
        fence(Ordering::SeqCst); // [T]
        ring.signal(os::pacing_signal()).unwrap();
    }

    /// Orders the session to stop: 1, sources end and the rest drains; 2, leave now.
    pub fn stop(&self, how: u64) {
        let words = self.session.words::<SessionWords>(PAGE);
        words.stop.store(how, Ordering::Release);
    }

    /// Ends the ticks: `tick` is the last that falls due.
    pub fn stop_after(&self, tick: u64) {
        let words = self.session.words::<SessionWords>(PAGE);
        words.stop_tick.store(tick + 1, Ordering::Release);
    }

    /// Lets the launcher die, as far as the stage can see.
    pub fn cut_lifeline(&mut self) {
        self.lifeline = None;
    }

    /// Waits until a condition holds; the process must not end before.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let died = self.child().try_wait().unwrap().is_some();
            assert!(
                !died && Instant::now() < deadline,
                "{what} (ended: {died}): {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Ends all inputs.
    pub fn end_inputs(&mut self) {
        for feed in &mut self.feeds {
            feed.end(end_reason::FINISHED, 0);
            feed.ring_readers();
        }
    }

    /// Ends all inputs and waits for the process.
    #[track_caller]
    pub fn finish(&mut self) -> Ended {
        self.end_inputs();
        self.wait()
    }

    /// Waits for the process.
    #[track_caller]
    pub fn wait(&mut self) -> Ended {
        self.wait_within(PATIENCE)
    }

    /// The same; it must end within this time.
    #[track_caller]
    pub fn wait_within(&mut self, time: Duration) -> Ended {
        let deadline = Instant::now() + time;
        let code = loop {
            if let Some(status) = self.child().try_wait().unwrap() {
                break status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end within {time:?}: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(1));
        };
        let words = &self.memory.words;
        Ended {
            code,
            reason: text::load(&words.reason),
            state: stage_state::NAMES[self.state() as usize],
            stderr: self.stderr(),
            asks_stop: words.asks_stop.load(Ordering::Acquire) != 0,
        }
    }

    /// Where the slots of a port's ring begin in its segment.
    pub fn slots_at(&self, port: &str) -> usize {
        geometry(&segment_name(&self.name, port)).slots_at as usize
    }

    /// What the process has written to stderr.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail when it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn geometry(segment: &str) -> RingGeometry {
    let segment = Segment::open(segment, segment::RING, Access::ReadOnly).unwrap();
    let bytes = &segment.fixed()[RING_GEOMETRY_AT..][..size_of::<RingGeometry>()];
    RingGeometry::read_from_bytes(bytes).unwrap()
}

fn ring_spec(port: &str, stream_type: &StreamType, full: Full, slots: u32) -> RingSpec {
    RingSpec {
        stream_type: stream_type.clone(),
        slots,
        full,
        seats: vec![SeatSpec {
            kind: SeatKind::Hold,
            stage: "stage".into(),
            port: port.into(),
            sleepless: false,
        }],
        spare_seats: 0,
        stream: 0,
        origin: 0,
        sleepless: false,
    }
}

fn duty(wanted: &Wanted<'_>, described: Described, part: &dyn Fn(&str) -> String) -> StageDuty {
    let expected =
        |stream_type: &StreamType| wanted.expects.as_ref().unwrap_or(stream_type).clone();
    let source = wanted.inputs.is_empty();
    StageDuty {
        inputs: wanted
            .inputs
            .iter()
            .map(|(port, stream_type)| EdgeDuty {
                segment: part(port),
                stream_type: expected(stream_type),
            })
            .collect(),
        outputs: wanted
            .outputs
            .iter()
            .map(|(port, stream_type)| EdgeDuty {
                segment: part(port),
                stream_type: stream_type.clone(),
            })
            .collect(),
        origin: 0,
        chaos: Vec::new(),
        replay: None,
        guard: None,
        plan: StagePlan {
            name: "stage".into(),
            kind: wanted.kind.into(),
            role: if source { Role::Acquire } else { Role::Process },
            helper_of: None,
            guards: false,
            program: Program::Lean,
            params: wanted.params.clone(),
            policy: Policy::Other,
            priority: 0,
            nice: 0,
            cpu: None,
            pace: wanted.pace,
            wait: WaitKind::Futex,
            divider: 1,
            phase: 0,
            burst: 8,
            overrun: Overrun::Skip,
            on_death: OnDeath::Stop,
            spare: false,
            restarts_per_minute: None,
            budget_ns: None,
            pacing: (!source).then_some(0),
            inputs: wanted
                .inputs
                .iter()
                .enumerate()
                .map(|(index, (port, stream_type))| InputPlan {
                    port: (*port).into(),
                    stream: index,
                    seat: 0,
                    seat_kind: SeatKind::Hold,
                    read: if index == 0 { Read::All } else { wanted.read },
                    feedback: false,
                    adapters: Vec::new(),
                    stream_type: expected(stream_type),
                })
                .collect(),
            outputs: wanted
                .outputs
                .iter()
                .enumerate()
                .map(|(stream, (port, _))| OutputPlan {
                    port: (*port).into(),
                    stream,
                })
                .collect(),
            described,
        },
    }
}
