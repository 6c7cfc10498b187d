//! `status` and `gc`: sessions by their files, and one by what it says itself.

use super::control;
use crate::applied;
use crate::cli::StatusArgs;
use crate::look::session::state_of;
use crate::output::sayln;
use ephapse_engine::launch::{Found, collect_garbage, read_events, sessions};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

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
    match &args.session {
        Some(session) => one(session, args),
        None => all(args),
    }
}

/// One session, stage by stage; again and again if it is watched.
fn one(session: &str, args: &StatusArgs) -> anyhow::Result<ExitCode> {
    loop {
        let status = control::status(&control::the_session(Some(session))?)?;
        if args.json {
            sayln!("{status}");
        } else {
            sayln!("{}", in_detail(&status));
        }
        if !args.watch {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_secs(1));
        if !sessions()?
            .iter()
            .any(|f| f.running && f.record.session == session)
        {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// A status as a table.
fn in_detail(status: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let ms = |value: &Value| number(value) as f64 / 1e6;
    let mut text = format!(
        "{}: {}, tick {}, {:.1} s, {} decisions, loop p50 {:.2} ms, max {:.2} ms, {} frames lost{}{}\n",
        status["session"].as_str().unwrap_or_default(),
        status["state"].as_str().unwrap_or_default(),
        number(&status["tick"]),
        number(&status["elapsed_ns"]) as f64 / 1e9,
        number(&status["decisions"]),
        ms(&status["loop_p50_ns"]),
        ms(&status["loop_max_ns"]),
        number(&status["lost_frames"]),
        if status["off"] == true {
            ", stimulation OFF"
        } else {
            ""
        },
        if status["rt"] == true {
            ""
        } else {
            ", rt = false"
        },
    );
    text.push_str("  stage            state          pid starts activations late wake long run no room  dead\n");
    for stage in status["stages"].as_array().into_iter().flatten() {
        let skipped = &stage["skipped"];
        text.push_str(&format!(
            "  {:<16} {:<10} {:>7} {:>6} {:>11} {:>9} {:>8} {:>7} {:>5}\n",
            stage["name"].as_str().unwrap_or_default(),
            stage["state"].as_str().unwrap_or_default(),
            number(&stage["pid"]),
            number(&stage["generation"]),
            number(&stage["activations"]),
            number(&skipped["late_wake"]),
            number(&skipped["long_run"]),
            number(&skipped["no_room"]),
            number(&skipped["dead"]),
        ));
    }
    text.trim_end().to_owned()
}

/// All sessions, a line each.
fn all(args: &StatusArgs) -> anyhow::Result<ExitCode> {
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
    let restored = applied::undo_left()?;
    for file in &restored {
        sayln!("{file}: set back");
    }
    let removed = collect_garbage()?;
    if removed.is_empty() && restored.is_empty() {
        sayln!("nothing to remove");
    }
    for left in removed {
        sayln!("{}: {} segments removed", left.session, left.segments);
        if let Some(words) = left.capture_words() {
            sayln!("{}: {words}", left.session);
        }
    }
    Ok(ExitCode::SUCCESS)
}
