//! `ring`: how the rings of a session stand, also when its launcher is gone.

use super::interrupt::stop_on_interrupt;
use crate::cli::RingArgs;
use crate::look::ring::Watched;
use crate::look::{Session, choose};
use crate::show::ring_table;
use ephapse_engine::launch::read_events;
use serde_json::json;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Rhythm of `--watch`.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait before Ctrl-C is looked for again.
const NAP: Duration = Duration::from_millis(50);
/// Puts a terminal's cursor back to the top and clears what is below.
const REDRAW: &str = "\x1b[H\x1b[J";

/// `ephapse ring`.
pub fn ring(args: &RingArgs) -> anyhow::Result<ExitCode> {
    let mut session = choose(args.session.as_deref())?;
    let streams = session.expect_streams(&args.streams)?;
    let watched = Watched::attach(&session, streams)?;
    let stop = stop_on_interrupt()?;
    let redraw = args.watch && !args.json && std::io::stdout().is_terminal();
    loop {
        let text = shown(&session, &watched, args.json)?;
        let text = if redraw {
            format!("{REDRAW}{text}")
        } else {
            text
        };
        match std::io::stdout().write_all(text.as_bytes()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written
                .map_err(|e| anyhow::Error::from(e).context("stdout: cannot be written to"))?,
        }
        if !args.watch || session.is_over() {
            return Ok(ExitCode::SUCCESS);
        }
        let looked = Instant::now();
        while looked.elapsed() < LOOK_EVERY {
            if stop.load(Ordering::Acquire) {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(NAP);
        }
        if !args.json && !redraw {
            let _ = std::io::stdout().write_all(b"\n");
        }
        session.refresh();
    }
}

fn shown(session: &Session, watched: &Watched, as_json: bool) -> anyhow::Result<String> {
    let (state, tick) = session.state().unwrap_or(("unknown", 0));
    let rings = watched.look(session);
    if as_json {
        let all = json!({
            "session": session.name(),
            "running": session.has_launcher(),
            "state": state,
            "tick": tick,
            "rings": rings,
        });
        return Ok(serde_json::to_string(&all)? + "\n");
    }
    let mut head = if session.has_launcher() {
        format!("session {}: {state}, tick {tick}\n", session.name())
    } else {
        format!(
            "session {}: its launcher (pid {}) is gone (was {state}, tick {tick}); `ephapse gc` removes what it left\n",
            session.name(),
            session.launcher_pid()
        )
    };
    if !session.has_launcher()
        && let Ok(events) = read_events(session.name())
        && let Some(last) = events.last()
    {
        head += &format!(
            "last event, tick {}: {}: {}\n",
            last.tick, last.who, last.what
        );
    }
    Ok(format!("{head}\n{}", ring_table(&rings)))
}
