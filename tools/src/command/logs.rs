//! `logs`: what the stages of a session have said, live or after the run.

use super::interrupt::stop_on_interrupt;
use crate::cli::LogsArgs;
use crate::log_lines::{LOG, Log, stamped_line};
use crate::output::sayln;
use anyhow::bail;
use ephapse_engine::launch::{LogEntry, sessions};
use ephapse_rtconfig::problem::{choices, suggest};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// From one look at a growing log to the next.
const LOOK: Duration = Duration::from_millis(50);

/// `ephapse logs`.
pub fn logs(args: &LogsArgs) -> anyhow::Result<ExitCode> {
    let mut log = Log::open(&log_path(args)?)?;
    if let Some(stage) = &args.stage {
        let all: Vec<&str> = log.begin().processes.iter().map(String::as_str).collect();
        if !all.contains(&stage.as_str()) {
            bail!(
                "no stage `{stage}` in session `{}`: {}",
                log.begin().session,
                suggest(stage, &all)
            );
        }
    }
    if args.json && args.stage.is_none() {
        show(args, &LogEntry::Begin(log.begin().clone()));
    }
    let mut ended = false;
    for entry in log.entries() {
        ended |= show(args, entry);
    }
    if !args.follow || ended {
        return Ok(ExitCode::SUCCESS);
    }
    let stop = stop_on_interrupt()?;
    while !stop.load(Ordering::Acquire) {
        // In this order: what a launcher has written before it died is read.
        let lives = log.begin().launcher.is_alive();
        for entry in log.more()? {
            ended |= show(args, &entry);
        }
        if ended {
            break;
        }
        if !lives {
            eprintln!(
                "ephapse: the launcher of session `{}` is gone: nothing more comes",
                log.begin().session
            );
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows an entry, if it is wanted. True if it is the last of its log.
fn show(args: &LogsArgs, entry: &LogEntry) -> bool {
    let said = entry.said();
    let wanted = |stage: &String| said.is_some_and(|s| s.stage == *stage);
    if args.stage.as_ref().is_none_or(wanted) {
        if args.json {
            // Numbers, names and text: there is nothing in it that JSON could not say.
            sayln!("{}", serde_json::to_string(entry).unwrap_or_default());
        } else if said.is_some() {
            sayln!("{}", stamped_line(entry));
        }
    }
    matches!(entry, LogEntry::End(_))
}

/// Which log is meant.
fn log_path(args: &LogsArgs) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.report {
        return Ok(if folder.is_dir() {
            folder.join(LOG)
        } else {
            folder.clone()
        });
    }
    let all = sessions()?;
    if let Some(name) = &args.session {
        let found = all.iter().find(|f| f.record.session == *name);
        if let Some(log) = found.and_then(|f| f.record.log.clone()) {
            return Ok(log);
        }
        let kept = Path::new("out").join(name).join(LOG);
        if kept.exists() {
            return Ok(kept);
        }
        let names: Vec<&str> = all.iter().map(|f| f.record.session.as_str()).collect();
        let near = if names.is_empty() {
            "no session of this user is there".to_owned()
        } else {
            suggest(name, &names)
        };
        bail!(
            "no session `{name}`, and no {}: {near}; name the folder of its report with --report",
            kept.display()
        );
    }
    let running: Vec<_> = all.iter().filter(|f| f.running).collect();
    match running.as_slice() {
        [] => match newest_kept() {
            Some(path) => Ok(path),
            None => bail!(
                "no session runs, and there is no out/*/{LOG}: name the folder of a report with --report"
            ),
        },
        [one] => match &one.record.log {
            Some(log) => Ok(log.clone()),
            None => bail!(
                "session `{}` keeps no log: it was not started by `ephapse run`",
                one.record.session
            ),
        },
        several => {
            let names: Vec<&str> = several.iter().map(|f| f.record.session.as_str()).collect();
            bail!(
                "there are {} sessions, say which one with --session ({})",
                several.len(),
                choices(&names)
            )
        }
    }
}

/// The log of the last session that was run from here with its report in the usual place.
fn newest_kept() -> Option<PathBuf> {
    let folders = std::fs::read_dir("out").ok()?.flatten();
    let logs = folders.map(|folder| folder.path().join(LOG));
    let aged = logs.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)));
    aged.max().map(|(_, path)| path)
}
