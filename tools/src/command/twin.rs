//! `twin`: a device that is not there.

use super::interrupt::stop_on_interrupt;
use crate::cli::{CytonTwinArgs, TwinArgs, TwinDevice};
use crate::output::sayln;
use anyhow::Context;
use ephapse_drivers::twin::cyton::{CytonTwin, Faults, Signal, TwinOptions};
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(20);

/// `ephapse twin`.
pub fn twin(args: &TwinArgs) -> anyhow::Result<ExitCode> {
    match &args.device {
        TwinDevice::Cyton(args) => cyton(args),
    }
}

fn cyton(args: &CytonTwinArgs) -> anyhow::Result<ExitCode> {
    let channels = if args.daisy { 16 } else { 8 };
    let signal = match &args.play {
        Some(file) => Signal::from_recording(file, channels)?,
        None => Signal::made_up(),
    };
    // Before the terminal is there: an early Ctrl-C must leave no link behind.
    let stop = stop_on_interrupt()?;
    let twin = CytonTwin::start(TwinOptions {
        daisy: args.daisy,
        signal,
        link: args.link.clone(),
        faults: Faults {
            drop: args.drop,
            duplicate: args.duplicate,
            garbage: args.garbage,
            chatter: args.chatter,
            split: args.split,
            delivery: args.delivery.unwrap_or_default(),
            board_off: args.board_off,
            unplug_after: args.unplug_after,
            back_after: args.back_after.unwrap_or_default(),
            silent_after: args.silent_after,
            seed: args.seed,
        },
    })
    .context("no twin")?;
    sayln!("{}", twin.path().display());
    std::io::stdout().flush()?;
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(LOOK);
    }
    let counts = twin.stop();
    sayln!(
        "{} packets in {} starts ({} more while it streamed): {} dropped, {} duplicated; {} bytes of garbage, {} answers unasked, {} bytes unread",
        counts.packets,
        counts.starts,
        counts.starts_in_vain,
        counts.dropped,
        counts.duplicated,
        counts.garbage_bytes,
        counts.chatter,
        counts.unread_bytes
    );
    Ok(ExitCode::SUCCESS)
}
