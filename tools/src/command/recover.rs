//! `recover`: a whole capture out of a damaged one, or of a session that was killed.

use super::interrupt::stop_on_interrupt;
use crate::cli::RecoverArgs;
use crate::output::sayln;
use crate::recorded;
use crate::screen::Progress;
use anyhow::bail;
use ephapse_bench::report::units::thousands;
use ephapse_engine::capture::salvage;
use ephapse_engine::launch::{collect_session, session_of_capture, sessions};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Processes whose launcher is gone have left by then.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// `ephapse recover`. A capture is only read, but that of a killed session whose memory is still there is completed in place.
pub fn recover(args: &RecoverArgs) -> anyhow::Result<ExitCode> {
    if let Some(session) = killed_session(&args.file)? {
        return complete(&session, args.json);
    }
    let capture = recorded::open(&args.file)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => capture.path().with_extension("recovered.cap"),
    };
    if out.symlink_metadata().is_ok() {
        bail!(
            "{}: is there already, and nothing is written over; name another with --out FILE",
            out.display()
        );
    }
    let stop = stop_on_interrupt()?;
    let sizes = capture
        .files()
        .into_iter()
        .filter_map(|f| std::fs::metadata(f).ok());
    let total: u64 = sizes.map(|m| m.len()).sum();
    let mut progress = Progress::new(format!("recovering {}", capture.path().display()), total);
    let saved = salvage(&capture, &out, |done| {
        progress.at(done);
        !stop.load(Ordering::Acquire)
    });
    drop(progress);
    let Some(saved) = saved? else {
        bail!("interrupted: nothing was written");
    };
    if args.json {
        sayln!("{}", serde_json::to_string_pretty(&saved)?);
        return Ok(ExitCode::SUCCESS);
    }
    for lost in &saved.lost {
        sayln!("lost: {lost}");
    }
    sayln!(
        "{}: {} records, sealed; {} was not touched",
        saved.path.display(),
        thousands(saved.records),
        capture.path().display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The dead session that is meant, by its name or by its capture.
fn killed_session(what: &Path) -> anyhow::Result<Option<String>> {
    let found = sessions()?;
    let wrote = session_of_capture(what)?;
    let name = match (&wrote, what.to_str()) {
        (Some(session), _) => session,
        (None, Some(name)) if !what.exists() => name,
        _ => return Ok(None),
    };
    let Some(session) = found.iter().find(|f| f.record.session == name) else {
        return Ok(None);
    };
    if session.running {
        bail!(
            "session `{name}` still runs and is recorded: `ephapse stop {name}` ends its capture"
        );
    }
    Ok(Some(name.to_owned()))
}

/// Appends what the memory of a dead session still holds to its capture, seals it, and removes the memory.
fn complete(session: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let until = Instant::now() + LEAVE_WITHIN;
    let left = loop {
        if let Some(left) = collect_session(session)? {
            break left;
        }
        if Instant::now() > until {
            bail!(
                "{session}: a process of it lives on, see `ephapse status {session}`: end that first"
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let words = left
        .capture_words()
        .unwrap_or_else(|| "nothing of it was recorded".to_owned());
    let recovered = left.recovered.as_ref();
    if recovered.is_some_and(|r| r.error.is_some()) {
        bail!("{session}: {words}");
    }
    if as_json {
        let path = recovered.map(|r| &r.capture);
        let bytes = recovered.map_or(0, |r| r.bytes);
        sayln!(
            "{}",
            json!({ "session": session, "path": path, "appended_bytes": bytes })
        );
    } else {
        sayln!("{session}: {words}");
    }
    Ok(ExitCode::SUCCESS)
}
