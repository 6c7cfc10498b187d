//! The ready barrier: every process has attached, is placed, and says so; and whether they run in real time.

use super::prepare::{Part, Process, Processes};
use super::run::state_name;
use super::{LaunchError, Options};
use crate::abi::{session_state, stage_state};
use crate::sync::Ordering;
use crate::trap::{Point, trap};
use ephapse_rtconfig::plan::Policy;
use std::time::{Duration, Instant};

/// From spawn to ready.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Waits until every process is.
pub(super) fn wait_until_ready(
    processes: &mut Processes,
    options: &Options<'_>,
) -> Result<(), LaunchError> {
    let deadline = Instant::now() + READY_WITHIN;
    processes
        .session_words()
        .state
        .store(session_state::PREPARING, Ordering::Release);
    processes.events.say(0, "session", "preparing");
    trap(Point::Preparing);
    loop {
        let mut waiting = None;
        for process in &mut processes.list {
            let state = process.words().state.load(Ordering::Acquire);
            let exited = process.child.try_wait().ok().flatten();
            if state == stage_state::FAILED || exited.is_some() {
                let why = match (process.reason(), exited) {
                    (said, _) if !said.is_empty() => said,
                    (_, Some(status)) => format!("left before it was ready ({status})"),
                    _ => "failed without saying why".to_owned(),
                };
                return Err(LaunchError::Stage {
                    who: process.name.clone(),
                    why,
                });
            }
            if state != stage_state::READY {
                waiting = Some((process.name.clone(), state_name(process)));
            }
        }
        let Some((who, state)) = waiting else {
            return Ok(());
        };
        if options
            .interrupts
            .load(std::sync::atomic::Ordering::Acquire)
            > 0
        {
            return Err(LaunchError::Interrupted);
        }
        if Instant::now() > deadline {
            return Err(LaunchError::Deadline {
                who,
                within: READY_WITHIN,
                state,
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What stands between this session and real time; empty if nothing does.
pub(super) fn why_no_real_time(processes: &Processes) -> String {
    if processes.plan.timer.is_none() {
        return "the run is unpaced: logical time, normal priority".to_owned();
    }
    let fifo = |process: &&Process| {
        match process.part {
            Part::Timer => true,
            Part::Stage(stage) => processes.plan.stages[stage].policy == Policy::Fifo,
            // The loop does not wait for it: one that is slow loses blocks of the recording, and counts them.
            Part::Recorder => false,
        }
    };
    let whys = processes
        .list
        .iter()
        .filter(fifo)
        .map(|p| (p, crate::text::load(&p.words().rt_why)));
    let whys: Vec<String> = whys
        .filter(|(_, why)| !why.is_empty())
        .map(|(p, why)| format!("{}: {why}", p.name))
        .collect();
    match whys.as_slice() {
        [] if !processes
            .plan
            .stages
            .iter()
            .any(|s| s.policy == Policy::Fifo) =>
        {
            "no stage has policy `fifo`".to_owned()
        }
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more like it)", rest.len()),
    }
}

/// Refuses to go on without real time, if that was asked for.
pub(super) fn check_real_time(
    processes: &Processes,
    options: &Options<'_>,
) -> Result<(), LaunchError> {
    let why = why_no_real_time(processes);
    if options.require_rt && !why.is_empty() {
        Err(LaunchError::NoRealTime { why })
    } else {
        Ok(())
    }
}
