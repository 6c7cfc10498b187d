//! A process of a session from its first instruction to its last.

use super::comparison;
use super::file::{Duty, RecorderDuty, STAGE_VARIABLE, StageDuty, StageFile, TimerDuty};
use super::input::InputPort;
use super::memory::{SessionView, StageMemory};
use super::output::OutputPort;
use super::pace::Loop;
use super::parked;
use super::placement::{Wanted, place};
use super::playback;
use super::script::ScriptError;
use super::telemetry::TelemetryWriter;
use super::turn::Turns;
use crate::abi::{StageWords, segment, stage_state};
use crate::capture::CaptureError;
use crate::os;
use crate::shm::{Access, Segment, ShmError, Words};
use crate::stage::{Prepared, Runnable, Stage};
use crate::sync::Ordering;
use crate::timer::Timer;
use ephapse_rtconfig::plan::{Pace, Policy, RECORDER, ReplayPart, StagePlan, WaitKind};
use ephapse_rtconfig::stream_type::StreamType;
use std::time::Duration;

/// Why a process of a session could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Not started by a launcher.
    #[error(
        "{STAGE_VARIABLE} is not set: this executable is started by `ephapse run`, not by hand"
    )]
    NotLaunched,
    /// The stage file cannot be read.
    #[error("{path}: {why}")]
    File {
        /// Path.
        path: String,
        /// Cause.
        why: String,
    },
    /// The graph names a kind that this executable does not have.
    #[error("{kind}: this executable has no such stage")]
    UnknownKind {
        /// Kind.
        kind: String,
    },
    /// A segment is not what it should be.
    #[error(transparent)]
    Shm(#[from] ShmError),
    /// The stage refused to start.
    #[error("{0}")]
    Stage(String),
    /// The capture that is played back cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A replay cannot go on.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

/// What becomes the recorder.
pub type RunRecorder = fn(&StageFile, &RecorderDuty) -> Result<(), ProcessError>;

/// Entry of a stage executable: reads the stage file, becomes the timer, one of `runnables`, or the recorder, if it has one.
///
/// # Errors
/// Says what kept the process from starting; the same line is left in its segment for the launcher.
pub fn run_timer_or(
    runnables: &[Runnable],
    recorder: Option<RunRecorder>,
) -> Result<(), ProcessError> {
    let file = StageFile::read()?;
    os::block_pacing_signal();
    match &file.duty {
        Duty::Timer(duty) => run_timer(&file, duty),
        Duty::Recorder(duty) => recorder
            .ok_or_else(|| ProcessError::UnknownKind {
                kind: RECORDER.to_owned(),
            })
            .and_then(|run| run(&file, duty)),
        Duty::Stage(duty) => {
            if let Some(replay) = &duty.replay {
                match &replay.part {
                    ReplayPart::Scripted { .. } => {}
                    ReplayPart::Played { outputs } => {
                        return playback::run(&file, duty, &replay.source, outputs);
                    }
                    ReplayPart::Compared { inputs } => {
                        return comparison::run(&file, duty, &replay.source, inputs);
                    }
                }
            }
            let kind = &duty.plan.kind;
            let found = runnables.iter().find(|r| r.kind == kind);
            found
                .ok_or_else(|| ProcessError::UnknownKind { kind: kind.clone() })
                .and_then(|r| (r.run)(&file, duty))
        }
    }
}

/// Leaves the reason in the process's own segment and turns its state to `failed`, whatever stops it.
pub(super) fn report_panics(segment: &Segment) -> Result<(), ShmError> {
    let words = segment
        .map(crate::abi::PAGE, crate::abi::PAGE, Access::ReadWrite)?
        .words::<crate::abi::StageWords>(0);
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        crate::text::store(&words.reason, &format!("panicked: {info}"));
        words.state.store(stage_state::FAILED, Ordering::Release);
        default(info);
    }));
    Ok(())
}

pub(super) fn owner(file: &StageFile) -> u64 {
    u64::from(file.generation) << 32 | u64::from(std::process::id())
}

fn run_timer(file: &StageFile, duty: &TimerDuty) -> Result<(), ProcessError> {
    let mut timer = Timer::attach(file, duty)?;
    if os::lifeline_cut(file.lifeline_fd) {
        // As in `run_generation`.
        return Ok(());
    }
    timer
        .memory()
        .words
        .owner
        .store(owner(file), Ordering::Release);
    timer
        .memory()
        .words
        .state
        .store(stage_state::ATTACHED, Ordering::Release);
    let wanted = Wanted {
        policy: Policy::Fifo,
        priority: duty.priority,
        nice: 0,
        cpu: Some(duty.cpu),
        spins: false,
    };
    place(&wanted, &timer.memory().words);
    timer.touch();
    timer
        .memory()
        .words
        .state
        .store(stage_state::READY, Ordering::Release);
    if wait_for_start(timer.session(), file.lifeline_fd) {
        timer.run();
    }
    timer
        .memory()
        .words
        .state
        .store(stage_state::DONE, Ordering::Release);
    Ok(())
}

/// Runs stage `S` in this process.
///
/// # Errors
/// Whatever kept it from starting.
pub fn run_stage<S: Stage>(file: &StageFile, duty: &StageDuty) -> Result<(), ProcessError> {
    run_prepared(file, duty, prepare::<S>)
}

/// Runs what `prepare` makes in this process, until the session ends. The pacing signal must be blocked in every thread:
/// the launcher blocks it before it starts a process, and threads inherit that.
///
/// # Errors
/// Whatever kept it from starting; the same line is left in its segment for the launcher.
pub fn run_prepared<P: Prepared>(
    file: &StageFile,
    duty: &StageDuty,
    prepare: impl FnOnce(&StageDuty) -> Result<P, ProcessError>,
) -> Result<(), ProcessError> {
    outlive_the_reader(file);
    let Some(parked_fd) = file.parked_fd else {
        return run_generation(file, duty, prepare);
    };
    let mut stage = prepare(duty)?;
    let Some(generation) = parked::wait_for_generation(parked_fd, file.lifeline_fd) else {
        return Ok(());
    };
    let file = StageFile {
        generation,
        ..file.clone()
    };
    run_generation(&file, duty, |newest| {
        // Parameters may have changed while it was parked.
        if newest.plan.params != duty.plan.params {
            stage
                .tune(&newest.plan.params)
                .map_err(ProcessError::Stage)?;
        }
        Ok(stage)
    })
}

/// Sees to it that a launcher which dies leaves nobody asleep over something that was to be said. What is refused here is
/// missed only by a stage that writes without end while its launcher dies: it then stays until it is killed.
pub(super) fn outlive_the_reader(file: &StageFile) {
    if let Some(ears) = file.ears {
        let _ = os::fall_silent_when_cut(file.lifeline_fd, ears);
    }
}

/// The segments that every process but the timer has, its own claimed.
pub(super) struct Attached {
    pub of_session: Segment,
    pub session: SessionView,
    pub memory: StageMemory,
    pub words: Words<StageWords>,
}

impl Attached {
    /// `None` if the launcher is gone.
    pub fn new(file: &StageFile) -> Result<Option<Self>, ShmError> {
        let of_session = Segment::open(&file.session_segment, segment::SESSION, Access::ReadOnly)?;
        let own = of_session.open_beside(&file.stage_segment, segment::STAGE)?;
        let session = SessionView::attach(&of_session, Access::ReadOnly)?;
        let memory = StageMemory::attach(&own, Access::ReadWrite)?;
        if os::lifeline_cut(file.lifeline_fd) {
            // These may be the segments of the next session of this name, which has a process of its own for every role:
            // they are made after this one's launcher died, so looking now is soon enough.
            return Ok(None);
        }
        report_panics(&own)?;
        memory.words.owner.store(owner(file), Ordering::Release);
        let words = own
            .map(crate::abi::PAGE, crate::abi::PAGE, Access::ReadWrite)?
            .words::<crate::abi::StageWords>(0);
        Ok(Some(Attached {
            of_session,
            session,
            memory,
            words,
        }))
    }

    /// The life of a process of a replay that is no stage: `prepare` attaches it to its rings, `work` runs until it is done
    /// or the session stops. What goes wrong is left where the launcher looks for it.
    pub fn live<T>(
        &self,
        file: &StageFile,
        prepare: impl FnOnce() -> Result<T, ProcessError>,
        work: impl FnOnce(T) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let prepared = prepare().map_err(|e| failed(&self.words, e))?;
        self.state(stage_state::READY);
        if wait_for_start(&self.session, file.lifeline_fd) {
            self.state(stage_state::RUNNING);
            work(prepared).map_err(|e| failed(&self.words, e))?;
        }
        self.state(stage_state::DONE);
        Ok(())
    }

    /// Says what has become of the process.
    pub fn state(&self, state: u64) {
        self.words.state.store(state, Ordering::Release);
    }

    /// How far the session is told to stop: 2 if its launcher is gone.
    pub fn stopping(&self, file: &StageFile) -> u64 {
        self.words
            .heartbeat_ns
            .store(os::monotonic_ns(), Ordering::Relaxed);
        if os::lifeline_cut(file.lifeline_fd) {
            2
        } else {
            self.session.words.stop.load(Ordering::Acquire)
        }
    }
}

/// One process of a stage, from attaching to its end.
fn run_generation<P: Prepared>(
    file: &StageFile,
    duty: &StageDuty,
    prepare: impl FnOnce(&StageDuty) -> Result<P, ProcessError>,
) -> Result<(), ProcessError> {
    let Some(Attached {
        of_session,
        session,
        memory,
        words,
    }) = Attached::new(file)?
    else {
        return Ok(());
    };
    let duty = match newest_params(&memory) {
        Ok(params) => StageDuty {
            plan: StagePlan {
                params,
                ..duty.plan.clone()
            },
            ..duty.clone()
        },
        Err(why) => return Err(failed(&words, ProcessError::Stage(why))),
    };
    match begin(file, &duty, &of_session, memory, prepare) {
        Ok(mut turns) => {
            let plan = &duty.plan;
            place(
                &Wanted {
                    policy: plan.policy,
                    priority: plan.priority,
                    nice: plan.nice,
                    cpu: plan.cpu,
                    spins: plan.wait == WaitKind::Spin,
                },
                &words,
            );
            turns.touch();
            words.state.store(stage_state::READY, Ordering::Release);
            if wait_for_start(&session, file.lifeline_fd) {
                // Who runs shows that it lives: how long it took to start is no silence.
                words
                    .heartbeat_ns
                    .store(os::monotonic_ns(), Ordering::Relaxed);
                words.state.store(stage_state::RUNNING, Ordering::Release);
                let successor = file.generation > 1;
                let mut main = Loop::new(
                    turns,
                    &session,
                    plan,
                    file.lifeline_fd,
                    file.paced,
                    successor,
                );
                main.mark_start();
                if successor {
                    main.take_over_end();
                }
                if let Some(replay) = &duty.replay {
                    main.replay(replay).map_err(|e| failed(&words, e))?;
                    words.state.store(stage_state::DONE, Ordering::Release);
                    return Ok(());
                }
                let speed = plan
                    .params
                    .get("speed")
                    .and_then(serde_json::Value::as_f64)
                    .unwrap_or(1.0);
                match plan.pace {
                    Pace::Tick => main.run_ticked(),
                    Pace::Data => main.run_data(),
                    Pace::Clock => main.run_source(true, speed),
                    Pace::Device => main.run_device(),
                    Pace::None => main.run_source(false, speed),
                }
                main.leave();
            }
            words.state.store(stage_state::DONE, Ordering::Release);
            Ok(())
        }
        Err(error) => Err(failed(&words, error)),
    }
}

/// Leaves the reason where the launcher looks for it.
pub(super) fn failed(words: &StageWords, error: ProcessError) -> ProcessError {
    crate::text::store(&words.reason, &error.to_string());
    words.state.store(stage_state::FAILED, Ordering::Release);
    error
}

/// The parameters as the segment has them: a stage that is started again begins with the newest.
pub(super) fn newest_params(memory: &StageMemory) -> Result<serde_json::Value, String> {
    let (epoch, params) = memory.params()?;
    memory.words.epoch.store(epoch, Ordering::Release);
    Ok(params)
}

/// Attaches, compares types, prepares the stage.
fn begin<P: Prepared>(
    file: &StageFile,
    duty: &StageDuty,
    session: &Segment,
    memory: StageMemory,
    prepare: impl FnOnce(&StageDuty) -> Result<P, ProcessError>,
) -> Result<Turns<P>, ProcessError> {
    let owner = owner(file);
    let plan = &duty.plan;
    let inputs: Vec<InputPort> = duty
        .inputs
        .iter()
        .zip(&plan.inputs)
        .map(|(edge, plan)| {
            let ring = session.open_beside(&edge.segment, segment::RING)?;
            InputPort::on(&ring, edge, plan, owner)
        })
        .collect::<Result<_, ShmError>>()?;
    let outputs: Vec<OutputPort> = duty
        .outputs
        .iter()
        .map(|edge| {
            let ring = session.open_beside(&edge.segment, segment::RING)?;
            let follows = follows(duty, edge.stream_type.clone());
            OutputPort::on(&ring, edge, owner, follows)
        })
        .collect::<Result<_, ShmError>>()?;
    let telemetry = session.open_beside(&file.telemetry_segment, segment::TELEMETRY)?;
    let telemetry = TelemetryWriter::attach(&telemetry)?;
    memory
        .words
        .state
        .store(stage_state::ATTACHED, Ordering::Release);
    let stage = prepare(duty)?;
    Ok(Turns::new(
        stage,
        duty,
        inputs,
        outputs,
        memory,
        Some(telemetry),
        file.generation,
        // The clock of a replayed turn is what is on record, not what follows from its block.
        file.paced || duty.replay.is_some(),
        file.tick_ns,
    ))
}

/// Parameters and types to a stage ready to process.
pub(crate) fn prepare<S: Stage>(duty: &StageDuty) -> Result<S, ProcessError> {
    let plan = &duty.plan;
    let params: S::Params = serde_json::from_value(plan.params.clone())
        .map_err(|e| ProcessError::Stage(format!("parameters of {}: {e}", plan.kind)))?;
    let types: Vec<(&str, &StreamType)> = plan
        .ports()
        .map(|i| (i.port.as_str(), &i.stream_type))
        .collect();
    S::prepare(params, &types, &plan.described).map_err(|e| ProcessError::Stage(e.to_string()))
}

/// True if an output's frames are the pacing input's, one for one: then it takes over their numbers.
pub(crate) fn follows(duty: &StageDuty, output: StreamType) -> bool {
    use ephapse_rtconfig::stream_type::Kind;
    let Some(pacing) = duty.plan.pacing else {
        return false;
    };
    if duty.plan.role == crate::stage::Role::Acquire {
        return false;
    }
    let input = &duty.plan.inputs[pacing].stream_type;
    output.kind == Kind::Frames
        && input.kind == Kind::Frames
        && output.rate == input.rate
        && output.frames_per_block() == input.frames_per_block()
}

/// Waits for the common start. False if the session is given up first.
pub(super) fn wait_for_start(session: &SessionView, lifeline_fd: i32) -> bool {
    loop {
        if session.words.stop.load(Ordering::Acquire) == 2 || os::lifeline_cut(lifeline_fd) {
            return false;
        }
        let start_ns = session.words.start_ns.load(Ordering::Acquire); // [S]
        if start_ns != 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
