//! One stage in a process of its own, between rings whose other ends the test has.

use crate::interpreter;
use ephapse_engine::abi::{
    OPEN, PAGE, RING_GEOMETRY_AT, RingGeometry, SegmentHeader, SessionWords, SlotHeader,
    TimerWords, end_reason, segment, stage_state,
};
use ephapse_engine::launch::segment_name;
use ephapse_engine::os;
use ephapse_engine::ring::{HoldSeat, Producer, RingSpec, SeatSpec};
use ephapse_engine::runner::file::{Duty, EdgeDuty, STAGE_VARIABLE, StageDuty, StageFile};
use ephapse_engine::runner::memory::{self, StageMemory};
use ephapse_engine::runner::telemetry;
use ephapse_engine::shm::{Access, Owned, Segment};
use ephapse_engine::stage::{Described, Program, Role, Taken};
use ephapse_engine::sync::{Ordering, fence};
use ephapse_rtconfig::plan::{
    Full, InputPlan, OnDeath, OutputPlan, Overrun, Pace, Policy, Read, SeatKind, StagePlan,
    WaitKind,
};
use ephapse_rtconfig::stream_type::StreamType;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Slots of every ring.
pub const SLOTS: u32 = 16;
/// Tick length of ticked stages, ns.
pub const TICK_NS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// What is to run.
pub struct Wanted<'a> {
    pub script: PathBuf,
    pub params: Value,
    pub inputs: Vec<(&'a str, StreamType)>,
    pub outputs: Vec<(&'a str, StreamType)>,
    /// How a further input is read; the first paces.
    pub read: Read,
    pub pace: Pace,
    pub state_bytes: usize,
    /// Most blocks a call commits on one output.
    pub parts_per_call: u32,
}

impl Wanted<'_> {
    /// A data-paced stage among those of the tests.
    pub fn stage(script: &str) -> Self {
        let folder = Path::new(interpreter::PACKAGE);
        Wanted {
            script: folder.join("tests/stages").join(script),
            params: serde_json::json!({}),
            inputs: Vec::new(),
            outputs: Vec::new(),
            read: Read::Same,
            pace: Pace::Data,
            state_bytes: 0,
            parts_per_call: 1,
        }
    }

    /// The example, moving average over channels.
    pub fn channel_average(script: &str, frames: &StreamType, mean: StreamType) -> Self {
        let folder = Path::new(interpreter::PACKAGE);
        Wanted {
            script: folder.join(script),
            params: serde_json::json!({"width": 3}),
            inputs: vec![("frames", frames.clone())],
            outputs: vec![("mean", mean)],
            ..Wanted::stage("")
        }
    }
}

/// A stage's process and everything around it.
pub struct Launched {
    pub child: Child,
    pub session: Owned,
    pub name: String,
    pub memory: StageMemory,
    feeds: Vec<Producer>,
    reads: Vec<HoldSeat>,
    folder: TempDir,
    _segments: Vec<Owned>,
}

/// How the process ended.
pub struct Ended {
    pub code: Option<i32>,
    pub reason: String,
    pub state: &'static str,
    pub stderr: String,
}

impl Launched {
    /// Starts the stage and waits until it is ready. `None` if there is no Python.
    pub fn start(wanted: Wanted<'_>) -> Option<Self> {
        Self::started(Self::spawn(wanted)?)
    }

    fn started(mut launched: Self) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        while launched.memory.words.state.load(Ordering::Acquire) != stage_state::READY {
            if launched.child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let ended = launched.wait();
                panic!(
                    "not ready: {} ({:?})\n{}",
                    ended.reason, ended.code, ended.stderr
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let words = launched.session.words::<SessionWords>(PAGE);
        words.start_ns.store(os::monotonic_ns(), Ordering::Release);
        Some(launched)
    }

    /// The same; what the stage says on stdout can be read.
    pub fn start_piped(wanted: Wanted<'_>) -> Option<Self> {
        Self::started(Self::spawn_with(wanted, Stdio::piped())?)
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(wanted: Wanted<'_>) -> Option<Self> {
        Self::spawn_with(wanted, Stdio::null())
    }

    fn spawn_with(wanted: Wanted<'_>, stdout: Stdio) -> Option<Self> {
        let mut command = interpreter::command()?;
        let number = SESSIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("python-{}-{number}", std::process::id());
        let part = |part: &str| segment_name(&name, part);
        let header = SegmentHeader {
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
        let ring = |(port, stream_type): &(&str, StreamType)| {
            let spec = RingSpec {
                stream_type: stream_type.clone(),
                slots: SLOTS,
                full: Full::Wait,
                seats: vec![SeatSpec {
                    kind: SeatKind::Hold,
                    stage: "stage".into(),
                    port: (*port).into(),
                    sleepless: false,
                }],
                spare_seats: 0,
                stream: 0,
                origin: 0,
                sleepless: false,
            };
            spec.create(&part(port), header).unwrap()
        };
        let mut segments: Vec<Owned> = wanted.inputs.iter().map(ring).collect();
        segments.extend(wanted.outputs.iter().map(ring));
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
            append_bytes: wanted.state_bytes,
            parts_per_call: wanted.parts_per_call,
            ..Described::default()
        };
        let params = wanted.params.to_string();
        segments.push(memory::create(&part("stage"), &described, &params, header).unwrap());
        let own = Segment::open(&part("stage"), segment::STAGE, Access::ReadWrite).unwrap();
        let memory = StageMemory::attach(&own, Access::ReadWrite).unwrap();
        segments.push(telemetry::create(&part("telemetry"), 4096, header).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = StageFile {
            session: name.clone(),
            session_segment: part("session"),
            stage_segment: part("stage"),
            telemetry_segment: part("telemetry"),
            generation: 1,
            // None: `poll` passes over it. The test kills what it has started.
            lifeline_fd: -1,
            parked_fd: None,
            paced: true,
            tick_ns: TICK_NS,
            duty: Duty::Stage(Box::new(duty(&wanted, described, &part))),
        };
        let path = folder.path().join("stage.json");
        std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
        // Inherited over fork and exec, as from a launcher.
        os::block_pacing_signal();
        let stderr = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let child = command
            .arg(&wanted.script)
            .env(STAGE_VARIABLE, &path)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        Some(Launched {
            child,
            session,
            name,
            memory,
            feeds,
            reads,
            folder,
            _segments: segments,
        })
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
    pub fn take(&mut self, port: usize) -> Option<Taken> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(taken) = self.take_now(port) {
                return Some(taken);
            }
            if self.reads[port].done() {
                return None;
            }
            let died = self.child.try_wait().unwrap().is_some();
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

    /// Publishes tick `tick` and rings, as the timer does.
    pub fn tick(&self, tick: u64, ring: &os::PidFd) {
        let words = self.session.words::<TimerWords>(2 * PAGE);
        words.tick.store(tick, Ordering::Release);
        fence(Ordering::SeqCst); // [T]
        ring.signal(os::pacing_signal()).unwrap();
    }

    /// Ends all inputs and waits for the process.
    pub fn finish(&mut self) -> Ended {
        for feed in &mut self.feeds {
            feed.end(end_reason::FINISHED, 0);
            feed.ring_readers();
        }
        self.wait()
    }

    /// Waits for the process.
    pub fn wait(&mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(1));
        };
        let words = &self.memory.words;
        Ended {
            code,
            reason: ephapse_engine::text::load(&words.reason),
            state: stage_state::NAMES[words.state.load(Ordering::Acquire) as usize],
            stderr: self.stderr(),
        }
    }

    /// Where the slots of a port's ring begin in its segment.
    pub fn slots_at(&self, port: &str) -> usize {
        let segment = segment_name(&self.name, port);
        let segment = Segment::open(&segment, segment::RING, Access::ReadOnly).unwrap();
        let at = core::mem::offset_of!(RingGeometry, slots_at) + RING_GEOMETRY_AT;
        u64::from_le_bytes(segment.fixed()[at..at + 8].try_into().unwrap()) as usize
    }

    /// What the process has written to stderr.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // Both fail when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn duty(wanted: &Wanted<'_>, described: Described, part: &dyn Fn(&str) -> String) -> StageDuty {
    let edge = |(port, stream_type): &(&str, StreamType)| EdgeDuty {
        segment: part(port),
        stream_type: stream_type.clone(),
    };
    let source = wanted.inputs.is_empty();
    StageDuty {
        inputs: wanted.inputs.iter().map(edge).collect(),
        outputs: wanted.outputs.iter().map(edge).collect(),
        origin: 0,
        plan: StagePlan {
            name: "stage".into(),
            kind: "python".into(),
            role: if source { Role::Acquire } else { Role::Process },
            helper_of: None,
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
                    stream_type: stream_type.clone(),
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
