//! `why`: one decision walked back to its frames, out of a capture.

use super::captures;
use crate::cli::WhyArgs;
use crate::output::sayln;
use crate::recorded;
use anyhow::bail;
use ephapse_bench::report::{AskedReport, WalkReport, walk_text};
use ephapse_engine::capture::{Capture, of_session};
use ephapse_engine::hindsight::{Wanted, of_capture};
use ephapse_engine::launch::{Found, sessions};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    /// First file of the capture that was looked into.
    capture: PathBuf,
    /// No stage worked on any decision in the tick that was asked for: this is the next one.
    next_instead: bool,
    /// Faults on purpose of the tick that was asked for.
    on_purpose: Vec<AskedReport>,
    #[serde(flatten)]
    walk: WalkReport,
}

/// `ephapse why`.
pub fn why(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    let capture = capture_of(args.of.as_deref())?;
    let found = of_capture(&capture, args.decision)?;
    let walk = WalkReport::new(&found.walk, found.start_ns);
    let on_purpose: Vec<AskedReport> = found.on_purpose.iter().map(AskedReport::from).collect();
    if args.json {
        let answer = Answer {
            capture: capture.path().to_owned(),
            next_instead: found.next_instead,
            on_purpose,
            walk,
        };
        sayln!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    sayln!("{}", capture.path().display());
    if let Wanted::Tick(tick) = args.decision
        && found.next_instead
    {
        sayln!("no stage worked on a decision in tick {tick}; this is the next one");
    }
    for asked in &on_purpose {
        sayln!("{}", asked.says);
    }
    sayln!("{}", walk_text(&walk).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The capture that is meant.
fn capture_of(named: Option<&str>) -> anyhow::Result<Capture> {
    let Some(named) = named else {
        let mut running: Vec<Found> = sessions()?.into_iter().filter(|f| f.running).collect();
        return match (running.pop(), running.is_empty()) {
            (None, _) => captures::newest(Path::new(".")),
            (Some(found), true) => of_running(&found),
            (Some(found), false) => bail!(
                "{} sessions run: say which one (`{}`, or another that `ephapse status` lists), or name a capture",
                running.len() + 1,
                found.record.session
            ),
        };
    };
    let path = Path::new(named);
    if path.is_dir() {
        return captures::newest(path);
    }
    if path.exists() {
        return recorded::open(path);
    }
    let mut all = sessions()?.into_iter();
    match all.find(|f| f.running && f.record.session == named) {
        Some(found) => of_running(&found),
        None => bail!("{named}: is no session that runs, no capture and no folder"),
    }
}

/// What a running session is being recorded to.
fn of_running(found: &Found) -> anyhow::Result<Capture> {
    match of_session(&found.record) {
        Some(path) => recorded::open(&path),
        None => bail!(
            "session `{}` is not being recorded: its report will list the ten worst loops; name a capture to look into another run",
            found.record.session
        ),
    }
}
