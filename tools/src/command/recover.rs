//! `recover`: a whole capture out of a damaged one, or of one whose recorder was killed.

use super::interrupt::stop_on_interrupt;
use crate::cli::RecoverArgs;
use crate::output::sayln;
use crate::recorded;
use crate::screen::Progress;
use anyhow::bail;
use ephapse_bench::report::units::thousands;
use ephapse_engine::capture::salvage;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// `ephapse recover`. The capture itself is only read.
pub fn recover(args: &RecoverArgs) -> anyhow::Result<ExitCode> {
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
