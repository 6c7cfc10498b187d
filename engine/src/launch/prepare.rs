//! `prepare` and `spawn`: segments made and published, stage files written, processes started.

use super::collect::{Collector, Watched};
use super::events::Events;
use super::on::On;
use super::recording::Recording;
use super::said::{Ears, Log, Voice};
use super::session_file::{ProcessRecord, SessionLock, SessionRecord};
use super::spare::Spare;
use super::{LaunchError, Options, segment_name};
use crate::abi::{PAGE, SegmentHeader, StageOrders, StageWords, segment};
use crate::os;
use crate::ring::{RingSpec, SeatSpec};
use crate::runner::file::{
    Duty, EdgeDuty, GuardDuty, ReplayDuty, RingDuty, STAGE_VARIABLE, StageDuty, StageFile,
    TimerDuty,
};
use crate::runner::memory::{self, StageMemory};
use crate::runner::telemetry::{self, TelemetryReader};
use crate::shm::{Access, Owned, Segment};
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use ephapse_rtconfig::chaos::Injection;
use ephapse_rtconfig::describe::{Described, Program, Role};
use ephapse_rtconfig::plan::{Full, Pace, Plan, RECORDER, StagePlan, WaitKind};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the launcher's page of a stage segment stands.
pub(super) const ORDERS_AT: usize = 2 * PAGE;

/// The log of a session that keeps none.
const LOG: &str = "said.jsonl";
/// How long guards may take to leave when everybody they watch has been killed.
const GUARDS_LEAVE_WITHIN: Duration = Duration::from_millis(500);
/// How long the launcher waits at most for the last line of a process that died without saying why: its successor is not
/// started meanwhile. Usually it is there in less than a millisecond.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(100);

/// One process of the session.
pub struct Process {
    /// `timer`, `recorder` or the stage.
    pub name: String,
    /// What it is.
    pub part: Part,
    /// Its segment, as the launcher sees it.
    pub memory: StageMemory,
    pub(super) child: Child,
    /// The stand-in, if it has one.
    pub(super) spare: Option<Spare>,
    pub(super) exited: Option<String>,
    /// What it is started from, each time.
    pub(super) started_from: StartedFrom,
    pub(super) segment: Owned,
    /// Its telemetry ring; the recorder has none.
    pub(super) records: Option<Owned>,
}

/// What a process of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The timer.
    Timer,
    /// A stage, by its index in the plan.
    Stage(usize),
    /// The recorder.
    Recorder,
}

impl Part {
    /// The stage, if it is one.
    pub fn stage(self) -> Option<usize> {
        match self {
            Part::Stage(stage) => Some(stage),
            Part::Timer | Part::Recorder => None,
        }
    }
}

/// What a process is started from.
pub(super) struct StartedFrom {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Where it runs; `None`: where the launcher does.
    pub folder: Option<PathBuf>,
    /// Its stage file, with the generation of the process that runs now.
    pub file: StageFile,
    pub path: PathBuf,
    /// What it says goes there.
    pub voice: Voice,
}

/// The session's shared memory and processes.
pub struct Processes {
    /// What runs.
    pub plan: Plan,
    /// Rings, by stream.
    pub rings: Vec<Owned>,
    /// Processes, timer first, recorder last.
    pub list: Vec<Process>,
    /// The session segment.
    pub session: Owned,
    /// The recording, if there is one.
    pub recording: Option<Recording>,
    pub(super) events: Events,
    pub(super) log: Log,
    pub(super) lock: SessionLock,
    /// Gone with the launcher, however it goes: whoever still runs sees it.
    _lifeline: OwnedFd,
    pub(super) lifeline_read: OwnedFd,
}

pub(super) fn random_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    hex(&text)
}

fn machine_id() -> [u8; 16] {
    hex(&std::fs::read_to_string("/etc/machine-id").unwrap_or_default())
}

fn hex(text: &str) -> [u8; 16] {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        *byte = pair.iter().fold(0, |value, digit| value << 4 | digit);
    }
    id
}

impl Processes {
    /// Makes every segment and starts every process.
    pub(super) fn prepare(
        plan: &Plan,
        options: &Options<'_>,
        collector: &mut Collector,
    ) -> Result<Self, LaunchError> {
        let name = |part: &str| segment_name(&plan.session, part);
        let mut lock = SessionLock::take(&plan.session)?;
        let log = options.log.clone();
        let log = log.unwrap_or_else(|| lock.folder().join(LOG));
        lock.write(&record(plan, &[], &log))?;
        let header = SegmentHeader {
            session_id: random_id(),
            machine_id: machine_id(),
            launcher_pid: std::process::id(),
            ..SegmentHeader::default()
        };
        let mut session = Owned::create(&name("session"), 3 * PAGE)?;
        session.publish(SegmentHeader {
            kind: segment::SESSION,
            fixed_bytes: PAGE as u64,
            ..header
        });
        let rings: Vec<Owned> = (0..plan.streams.len())
            .map(|index| ring_spec(plan, index).create(&name(&plan.streams[index].name), header))
            .collect::<Result<_, _>>()?;
        let events = Events::create(&name("events"), header)?;
        let log = Log::start(&plan.session, process_names(plan), &log)?;
        let (lifeline_read, lifeline) = os::pipe().map_err(|e| LaunchError::File {
            path: "lifeline pipe".into(),
            why: e.to_string(),
        })?;
        let mut all = Processes {
            plan: plan.clone(),
            rings,
            list: Vec::new(),
            recording: None,
            session,
            events,
            log,
            lock,
            _lifeline: lifeline,
            lifeline_read,
        };
        let words = all.session_words();
        words.stop_tick.store(crate::abi::OPEN, Ordering::Relaxed);
        words.start_tick.store(1, Ordering::Relaxed);
        words.period_ns.store(plan.tick_ns, Ordering::Relaxed);
        if let Some(duration) = options.duration {
            words
                .run_ns
                .store(duration.as_nanos() as u64, Ordering::Relaxed);
        }
        let result = all.start_all(options, header, collector);
        if let Err(error) = result {
            all.give_up();
            return Err(error);
        }
        Ok(all)
    }

    fn start_all(
        &mut self,
        options: &Options<'_>,
        header: SegmentHeader,
        collector: &mut Collector,
    ) -> Result<(), LaunchError> {
        let plan = self.plan.clone();
        let name = |part: &str| segment_name(&plan.session, part);
        // Stages first: the timer attaches to their segments.
        for (index, stage) in plan.stages.iter().enumerate() {
            let duty = stage_duty(&plan, index);
            let pacing_type = stage.pacing.map(|p| &duty.inputs[p].stream_type);
            let adapters = crate::adapt::space(stage, pacing_type);
            let described = memory::with_adapters(&stage.described, adapters);
            let duty = Duty::Stage(Box::new(duty));
            let watched = Watched::stage(&plan, stage);
            let per_second = records_per_second(&plan, stage);
            self.start(
                &stage.name,
                Part::Stage(index),
                &described,
                &stage.params.to_string(),
                duty,
                &stage.program,
                options,
                header,
                Some((&mut *collector, watched, per_second)),
            )?;
        }
        if let Some(timer) = &plan.timer {
            let rings = plan
                .stages
                .iter()
                .filter(|s| s.pace == Pace::Tick)
                .map(|s| RingDuty {
                    stage_segment: name(&format!("stage.{}", s.name)),
                    divider: s.divider,
                    phase: s.phase,
                });
            let duty = Duty::Timer(TimerDuty {
                cpu: timer.cpu,
                priority: timer.priority,
                spin_ns: timer.spin_ns,
                rings: rings.collect(),
            });
            let per_second = 1e9 / timer.period_ns as f64;
            self.start(
                "timer",
                Part::Timer,
                &Described::default(),
                "{}",
                duty,
                &Program::Lean,
                options,
                header,
                Some((collector, Watched::timer(), per_second)),
            )?;
            self.list.rotate_right(1);
        }
        if let Some(recorder) = &plan.recorder {
            let recording = Recording::create(self, recorder, options, header)?;
            let duty = Duty::Recorder(Box::new(recording.duty.clone()));
            self.recording = Some(recording);
            self.start(
                RECORDER,
                Part::Recorder,
                &Described::default(),
                "{}",
                duty,
                &Program::Lean,
                options,
                header,
                None,
            )?;
        }
        Ok(())
    }

    /// Writes into the session file who belongs to the session now.
    pub(super) fn write_record(&mut self) -> Result<(), LaunchError> {
        let record = record(&self.plan, &self.list, self.log.path());
        self.lock.write(&record)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one process has these parts, and this is the one place that joins them"
    )]
    fn start(
        &mut self,
        who: &str,
        part: Part,
        described: &Described,
        params: &str,
        duty: Duty,
        program: &Program,
        options: &Options<'_>,
        header: SegmentHeader,
        watched: Option<(&mut Collector, Watched, f64)>,
    ) -> Result<(), LaunchError> {
        let stage_segment = segment_name(&self.plan.session, &format!("stage.{who}"));
        let telemetry_segment = segment_name(&self.plan.session, &format!("telemetry.{who}"));
        let own = memory::create(&stage_segment, described, params, header)?;
        own.words::<StageOrders>(ORDERS_AT)
            .generation
            .store(1, Ordering::Relaxed);
        let memory = StageMemory::attach(
            &Segment::open(&stage_segment, segment::STAGE, Access::ReadWrite)?,
            Access::ReadWrite,
        )?;
        let records = match watched {
            None => None,
            Some((collector, watched, per_second)) => {
                let slots = telemetry::slots_for(per_second);
                let records = telemetry::create(&telemetry_segment, slots, header)?;
                telemetry::expect_recorder(&records, self.plan.recorder.is_some());
                let segment =
                    Segment::open(&telemetry_segment, segment::TELEMETRY, Access::ReadWrite)?;
                collector.watch(watched, TelemetryReader::attach(&segment)?);
                Some(records)
            }
        };
        let file = StageFile {
            session: self.plan.session.clone(),
            session_segment: segment_name(&self.plan.session, "session"),
            stage_segment,
            telemetry_segment,
            generation: 1,
            lifeline_fd: self.lifeline_read.as_raw_fd(),
            parked_fd: None,
            ears: None,
            paced: self.plan.timer.is_some(),
            tick_ns: self.plan.tick_ns,
            duty,
        };
        let path = self.lock.folder().join(format!("{who}.json"));
        let (words, folder) = executed(program, options);
        let started_from = StartedFrom {
            words,
            folder,
            file,
            path,
            voice: self.log.of(who),
        };
        let child = started_from.spawn(who, &[self.lifeline_read.as_raw_fd()])?;
        trap(Point::Spawned);
        self.list.push(Process {
            name: who.to_owned(),
            part,
            memory,
            child,
            spare: None,
            exited: None,
            started_from,
            segment: own,
            records,
        });
        // At once: should this process die now, nobody takes the name as long as that one lives.
        self.write_record()
    }

    /// The launcher's words of the session.
    pub fn session_words(&self) -> &crate::abi::SessionWords {
        self.session.words(PAGE)
    }

    /// Newest tick.
    pub fn tick(&self) -> u64 {
        self.session
            .words::<crate::abi::TimerWords>(2 * PAGE)
            .tick
            .load(Ordering::Acquire)
    }

    /// The process of a stage of the plan.
    pub fn of_stage(&self, stage: usize) -> Option<&Process> {
        self.list.iter().find(|p| p.part == Part::Stage(stage))
    }

    /// Ends a session that never came to run: nothing was recorded.
    pub(super) fn give_up(&mut self) {
        self.kill_all();
        if let Some(recording) = &self.recording {
            // Gone already, or not ours to remove: then it stays, and says that it holds nothing.
            let _ = std::fs::remove_file(&recording.duty.capture);
        }
    }

    /// Every seat that a process has: stream and seat.
    pub(super) fn seats_of(&self, part: Part) -> Vec<(usize, usize)> {
        match part {
            Part::Timer => Vec::new(),
            Part::Stage(stage) => {
                let inputs = self.plan.stages[stage].inputs.iter();
                inputs
                    .map(|input| (input.stream, input.seat as usize))
                    .collect()
            }
            Part::Recorder => {
                let recorded = self
                    .plan
                    .recorder
                    .iter()
                    .flat_map(|recorder| &recorder.streams);
                recorded.map(|r| (r.stream, r.seat as usize)).collect()
            }
        }
    }

    /// True if that process guards a device.
    pub(super) fn guards(&self, part: Part) -> bool {
        part.stage()
            .is_some_and(|stage| self.plan.stages[stage].guards)
    }

    /// Kills whoever still lives, and reaps everybody.
    pub(super) fn kill_all(&mut self) {
        self.list.iter_mut().for_each(Process::kill);
    }

    /// The same, but for the recorder, which is about to keep what they have left; and guards are given time to see that
    /// whoever stimulated is dead.
    pub(super) fn kill_all_but_the_recorder(&mut self) {
        let parts: Vec<Part> = self.list.iter().map(|process| process.part).collect();
        let is_guard: Vec<bool> = parts.iter().map(|part| self.guards(*part)).collect();
        let all = || parts.iter().zip(&is_guard).enumerate();
        let others = all().filter(|(_, (part, guard))| **part != Part::Recorder && !**guard);
        for (index, _) in others {
            self.list[index].kill();
        }
        let deadline = Instant::now() + GUARDS_LEAVE_WITHIN;
        for (index, _) in all().filter(|(_, (_, guard))| **guard) {
            let process = &mut self.list[index];
            while Instant::now() < deadline && matches!(process.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(1));
            }
            process.kill();
        }
    }
}

/// Who belongs to a session: its launcher, and who has been started so far.
fn record(plan: &Plan, list: &[Process], log: &Path) -> SessionRecord {
    let mut processes = vec![ProcessRecord::of("launcher", std::process::id())];
    processes.extend(
        list.iter()
            .map(|p| ProcessRecord::of(&p.name, p.child.id())),
    );
    let spares = list.iter().filter_map(|p| Some((p, p.spare.as_ref()?)));
    processes.extend(spares.map(|(p, s)| ProcessRecord::of(&format!("{}.spare", p.name), s.pid())));
    SessionRecord {
        session: plan.session.clone(),
        processes,
        streams: plan.streams.iter().map(|s| s.name.clone()).collect(),
        graph: plan.graph_path.clone(),
        log: Some(log.to_owned()),
    }
}

/// Everybody who may say something in a session, in the order of their reports.
fn process_names(plan: &Plan) -> Vec<String> {
    let timer = plan.timer.iter().map(|_| "timer".to_owned());
    let stages = plan.stages.iter().map(|s| s.name.clone());
    let recorder = plan.recorder.iter().map(|_| RECORDER.to_owned());
    let commands = On::all().into_iter();
    let commands = commands.filter(|on| !on.command(&plan.on).is_empty());
    timer
        .chain(stages)
        .chain(recorder)
        .chain(commands.map(On::voice))
        .collect()
}

impl Process {
    pub(super) fn kill(&mut self) {
        // A failure means that it is dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.exited.get_or_insert_with(|| "killed".into());
    }

    /// The process's own words.
    pub fn words(&self) -> &StageWords {
        &self.memory.words
    }

    /// Writes parameters into the copy that is not in use, and says so. Returns their epoch.
    pub(super) fn tell_params(&self, params: &serde_json::Value) -> Result<u64, String> {
        let orders = self.segment.words::<StageOrders>(ORDERS_AT);
        let epoch = orders.epoch.load(Ordering::Relaxed);
        if self.words().epoch.load(Ordering::Acquire) != epoch {
            return Err(format!(
                "`{}` has not taken the parameters before these: ask again",
                self.name
            ));
        }
        let epoch = epoch + 1;
        self.memory
            .write_params(&self.segment, epoch, &params.to_string())?;
        orders.epoch.store(epoch, Ordering::Release);
        Ok(epoch)
    }

    /// How often it has been started.
    pub(super) fn generation(&self) -> u32 {
        self.started_from.file.generation
    }

    /// What it says went wrong; failing that, the last line it wrote.
    pub(super) fn reason(&self) -> String {
        let said = crate::text::load(&self.words().reason);
        if !said.is_empty() {
            return said;
        }
        self.started_from.voice.last_words(LAST_WORDS_WITHIN)
    }
}

/// What is executed, with which arguments, and where: our own programs run where the launcher does, somebody else's in its
/// own folder.
fn executed(program: &Program, options: &Options<'_>) -> (Vec<String>, Option<PathBuf>) {
    let word = |path: &Path| path.to_string_lossy().into_owned();
    match program {
        Program::Lean => (vec![word(&options.lean_program)], None),
        Program::Full => {
            let (program, arguments) = &options.full_program;
            let mut words = vec![word(program)];
            words.extend(arguments.iter().cloned());
            (words, None)
        }
        Program::External { command, folder } => (command.clone(), Some(folder.clone())),
    }
}

impl StartedFrom {
    /// Writes the stage file and starts the process, with these descriptors left open.
    pub(super) fn spawn(&self, who: &str, kept: &[RawFd]) -> Result<Child, LaunchError> {
        let refused = |path: &Path, why: String| LaunchError::File {
            path: path.to_owned(),
            why,
        };
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        let program = PathBuf::from(command.get_program());
        let not_started = |source| LaunchError::Spawn {
            who: who.to_owned(),
            program: program.clone(),
            source,
        };
        let ears = self.voice.pipe(&mut command).map_err(not_started)?;
        let file = StageFile {
            ears: ears.as_ref().map(Ears::held),
            ..self.file.clone()
        };
        let text = serde_json::to_vec(&file).map_err(|e| refused(&self.path, e.to_string()))?;
        // The file of a process that is started again is there already, and whoever comes after a killed launcher reads it.
        let next = self.path.with_extension("json.next");
        std::fs::write(&next, text)
            .and_then(|()| std::fs::rename(&next, &self.path))
            .map_err(|e| refused(&self.path, e.to_string()))?;
        trap(Point::StageFile);
        // A stage that runs in a folder of its own must find it too.
        let path =
            std::path::absolute(&self.path).map_err(|e| refused(&self.path, e.to_string()))?;
        command
            .args(words)
            .env(STAGE_VARIABLE, path)
            // To a pipe Python writes a page at a time: lines would come seconds after their tick, and not at all from one
            // that is killed.
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut kept = kept.to_vec();
        kept.extend(file.ears.into_iter().flatten());
        for_exec(&mut command, kept);
        let child = command.spawn().map_err(not_started)?;
        // With it go the launcher's copies of the write ends: the pipes end with the process.
        drop(command);
        self.voice.listen(ears);
        Ok(child)
    }
}

/// What happens between fork and exec of a process of a session: own process group, pacing signal blocked, SIGALRM ignored
/// (its default would end a stage, and an ignored signal interrupts no system call), lifeline kept.
#[allow(unsafe_code, reason = "pre_exec runs between fork and exec")]
pub fn for_exec(command: &mut Command, kept: Vec<RawFd>) {
    // SAFETY: the closure makes only async-signal-safe system calls and reads no memory but its captured numbers.
    unsafe {
        command.pre_exec(move || {
            os::own_process_group();
            os::block_pacing_signal();
            os::ignore_alarms();
            kept.iter().for_each(|fd| os::keep_over_exec(*fd));
            Ok(())
        });
    }
}

fn ring_spec(plan: &Plan, index: usize) -> RingSpec {
    let stream = &plan.streams[index];
    RingSpec {
        stream_type: stream.stream_type.clone(),
        slots: stream.slots,
        full: stream.full,
        seats: stream
            .seats
            .iter()
            .map(|seat| SeatSpec {
                kind: seat.kind,
                stage: plan.reader_name(seat.reader).to_owned(),
                port: seat.port.clone(),
                sleepless: seat
                    .reader
                    .stage()
                    .is_none_or(|stage| never_sleeps(&plan.stages[stage])),
            })
            .collect(),
        spare_seats: stream.spare_seats,
        stream: index as u32,
        origin: stream.origin as u32,
        sleepless: stream.full != Full::Wait || plan.stages[stream.maker].pace == Pace::Tick,
    }
}

/// A stage that is woken by no bell of its inputs. (The recorder, too, has too many rings to sleep on one of them.)
fn never_sleeps(stage: &StagePlan) -> bool {
    match stage.pace {
        Pace::Tick => true,
        Pace::Data => stage.wait == WaitKind::Spin,
        Pace::Clock | Pace::Device | Pace::None => false,
    }
}

fn stage_duty(plan: &Plan, index: usize) -> StageDuty {
    let stage = &plan.stages[index];
    let edge = |stream: usize| EdgeDuty {
        segment: segment_name(&plan.session, &plan.streams[stream].name),
        stream_type: plan.streams[stream].stream_type.clone(),
    };
    StageDuty {
        plan: stage.clone(),
        inputs: stage.inputs.iter().map(|i| edge(i.stream)).collect(),
        outputs: stage.outputs.iter().map(|o| edge(o.stream)).collect(),
        origin: origin_of(plan, stage).unwrap_or(0) as u32,
        chaos: {
            let own = |injection: &&Injection| injection.fault.stage() == Some(index);
            plan.chaos.iter().filter(own).cloned().collect()
        },
        guard: stage
            .helper_of
            .as_ref()
            .filter(|_| stage.guards)
            .map(|guarded| GuardDuty {
                stage_segment: segment_name(&plan.session, &format!("stage.{guarded}")),
                timer_segment: segment_name(&plan.session, "stage.timer"),
            }),
        replay: plan.replay.as_ref().and_then(|replay| {
            Some(ReplayDuty {
                source: replay.source.clone(),
                part: replay.parts.get(index)?.clone(),
            })
        }),
    }
}

/// The source stream whose frames pace a stage.
pub(super) fn origin_of(plan: &Plan, stage: &StagePlan) -> Option<usize> {
    if stage.role == Role::Acquire {
        return stage.outputs.first().map(|o| o.stream);
    }
    let pacing = stage.pacing.and_then(|p| stage.inputs.get(p))?;
    Some(plan.streams[pacing.stream].origin)
}

/// Activation records a stage writes per second, roughly: its ticks and its blocks.
fn records_per_second(plan: &Plan, stage: &StagePlan) -> f64 {
    let ticks = match (&plan.timer, stage.pace) {
        (Some(timer), Pace::Tick) => 1e9 / (timer.period_ns as f64 * f64::from(stage.divider)),
        _ => 0.0,
    };
    let blocks = origin_of(plan, stage).map_or(0.0, |o| {
        let origin = &plan.streams[o].stream_type;
        origin.rate.as_f64() / f64::from(origin.frames_per_block().max(1))
    });
    // A source that plays faster than its file makes as many records faster.
    let speed = stage
        .params
        .get("speed")
        .and_then(serde_json::Value::as_f64)
        .unwrap_or(1.0)
        .max(1.0);
    (ticks + blocks) * speed
}
