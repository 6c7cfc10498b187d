//! `status` and `gc`: sessions by their files.

use crate::cli::StatusArgs;
use crate::output::sayln;
use ephapse_engine::abi::{PAGE, SessionWords, TimerWords, segment, session_state};
use ephapse_engine::launch::{Found, collect_garbage, read_events, segment_name, sessions};
use ephapse_engine::shm::{Access, Segment};
use ephapse_engine::sync::Ordering;
use std::process::ExitCode;

/// State and newest tick of a session, from its segment.
fn state_of(session: &str) -> Option<(&'static str, u64)> {
    let segment = Segment::open(
        &segment_name(session, "session"),
        segment::SESSION,
        Access::ReadOnly,
    )
    .ok()?;
    let words = segment
        .map(PAGE, PAGE, Access::ReadOnly)
        .ok()?
        .words::<SessionWords>(0);
    let timer = segment
        .map(2 * PAGE, PAGE, Access::ReadOnly)
        .ok()?
        .words::<TimerWords>(0);
    let state = words.state.load(Ordering::Acquire) as usize;
    Some((
        session_state::NAMES.get(state).copied()?,
        timer.tick.load(Ordering::Acquire),
    ))
}

fn alive(found: &Found) -> usize {
    found
        .record
        .processes
        .iter()
        .filter(|p| p.is_alive())
        .count()
}

/// `ephapse status`.
pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let found = sessions()?;
    if args.json {
        let all: Vec<_> = found
            .iter()
            .map(|f| {
                let (state, tick) = state_of(&f.record.session).unwrap_or(("unknown", 0));
                serde_json::json!({
                    "session": f.record.session, "running": f.running, "state": state, "tick": tick,
                    "processes": f.record.processes, "alive": alive(f), "streams": f.record.streams,
                })
            })
            .collect();
        sayln!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        sayln!("no sessions");
    }
    for f in &found {
        let (state, tick) = state_of(&f.record.session).unwrap_or(("unknown", 0));
        if f.running {
            let launcher = f.record.processes.first().map_or(0, |p| p.pid);
            sayln!(
                "{}: {state}, tick {tick}, {} processes, launcher pid {launcher}",
                f.record.session,
                alive(f)
            );
        } else {
            sayln!(
                "{}: its launcher is gone (was {state}, tick {tick}); `ephapse gc` removes what it left",
                f.record.session
            );
            if let Some(last) = read_events(&f.record.session)
                .ok()
                .and_then(|e| e.last().cloned())
            {
                sayln!(
                    "  last event, tick {}: {}: {}",
                    last.tick,
                    last.who,
                    last.what
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `ephapse gc`.
pub fn gc() -> anyhow::Result<ExitCode> {
    let removed = collect_garbage()?;
    if removed.is_empty() {
        sayln!("nothing to remove");
    }
    for (session, segments) in removed {
        sayln!("{session}: {segments} segments removed");
    }
    Ok(ExitCode::SUCCESS)
}
